// Package kubernetes asks the API of one Kubernetes cluster, with get and list alone:
// https://kubernetes.io/docs/reference/using-api/api-concepts/.
//
// Of what is listed it keeps what tells whether it is well; of containers neither their
// environment nor their arguments are read, and secrets and config maps are never asked for.
// Lists are read in pages and thing by thing; their number and bytes are bounded.
package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// ErrUnavailable marks errors that say something of the API server: it is down, or does
// not answer in time.
var ErrUnavailable = httpapi.ErrUnavailable

// A Cluster is one cluster. It is safe for concurrent use.
type Cluster struct {
	cfg     Config
	account string // the folder of the pod's service account
	most    int    // things of one list

	mu  sync.Mutex
	api *httpapi.Client // nil until it is asked
	of  string          // whereof api was made: a state of the kubeconfig
}

// New returns a client of the cluster; it reads no file and connects to nothing yet.
func New(c Config) *Cluster { return &Cluster{cfg: c, account: serviceAccount, most: mostRows} }

// Close ends the connection that is kept for further questions.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.api != nil {
		c.api.Close()
	}
}

// Namespaces returns those that are looked into; none: all.
func (c *Cluster) Namespaces() []string { return c.cfg.Namespaces }

// client returns the client of what the kubeconfig says now.
func (c *Cluster) client() (*httpapi.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := "in the cluster"
	if c.cfg.Kubeconfig != "" {
		info, err := os.Stat(c.cfg.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("kubernetes: kubeconfig: %w", err)
		}
		state = fmt.Sprint(info.ModTime(), info.Size())
	}
	if c.api != nil && c.of == state {
		return c.api, nil
	}
	var w way
	var err error
	if c.cfg.Kubeconfig != "" {
		w, err = readKubeconfig(c.cfg.Kubeconfig, c.cfg.Context)
	} else {
		w, err = inCluster(c.account)
	}
	if err != nil {
		return nil, err
	}
	if w.Timeout = c.cfg.Timeout; w.Timeout == 0 {
		w.Timeout = defaultTimeout
	}
	if c.api != nil {
		c.api.Close()
	}
	c.api, c.of = httpapi.NewWith(w.Config, w.keys), state
	return c.api, nil
}

// mostVersion is how many bytes the answer at /version may have.
const mostVersion = 64 << 10

// Version returns the API server's version: "v1.34.2".
func (c *Cluster) Version(ctx context.Context) (string, error) {
	var v struct {
		Version string `json:"gitVersion"`
	}
	api, err := c.client()
	if err != nil {
		return "", err
	}
	if err := api.JSON(ctx, "/version", nil, mostVersion, &v); err != nil {
		return "", refused(err, Resource{Name: "version"})
	}
	if v.Version == "" {
		return "", errors.New("kubernetes: what answers at /version is not the API server: server in the kubeconfig must be its address")
	}
	return v.Version, nil
}

// A ForbiddenError says which right is missing.
type ForbiddenError struct {
	Resource Resource
	says     string
}

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("%s: add the rule {apiGroups: [%q], resources: [%s], verbs: [get, list]} to the probe's ClusterRole (%s)",
		e.Resource.Name, e.Resource.Group, e.Resource.Name, e.says)
}

// status is the Status object that the API answers errors with.
type status struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
}

// refused says what an error of the API means for whoever runs the probe.
func refused(err error, r Resource) error {
	answer, ok := errors.AsType[*httpapi.StatusError](err)
	if !ok {
		return fmt.Errorf("kubernetes: %w", err)
	}
	var s status
	if json.Unmarshal(answer.Body, &s) != nil || s.Kind != "Status" {
		s = status{Message: "without saying why"}
	}
	switch answer.Code {
	case http.StatusForbidden:
		return &ForbiddenError{r, fmt.Sprintf("%.300s", s.Message)}
	case http.StatusUnauthorized:
		return fmt.Errorf("kubernetes: the API server does not know who asks (%.200s): the token has expired or is another cluster's", s.Message)
	case http.StatusGone:
		return errExpired
	case http.StatusNotFound:
		return fmt.Errorf("kubernetes: %s: %.300s: %w", r.Name, s.Message, ErrNotFound)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusInternalServerError:
		return fmt.Errorf("%w: kubernetes: %s: it answered %d: %.300s", ErrUnavailable, r.Name, answer.Code, s.Message)
	}
	return fmt.Errorf("kubernetes: %s: it answered %d: %.300s", r.Name, answer.Code, s.Message)
}

// ErrNotFound says that the cluster has nothing of a name, or no such kind of thing.
var ErrNotFound = errors.New("it is not there")

// errExpired says that a list changed too much to be read on where a page ended.
var errExpired = errors.New("the list expired between two of its pages")
