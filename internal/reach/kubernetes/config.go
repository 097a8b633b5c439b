package kubernetes

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Config says which cluster is asked, and as whom.
type Config struct {
	// Kubeconfig is the file that says where the cluster is and who asks, as kubectl takes
	// it; it is read anew when it changes (default: the service account of the pod that the
	// probe runs in).
	Kubeconfig string `yaml:"kubeconfig"`
	// Context is one of the file's contexts (default: its current-context).
	Context string `yaml:"context"`
	// Namespaces are those that are looked into (default: all); nodes have none.
	Namespaces []string `yaml:"namespaces"`
	// Timeout is how long a page of an answer may take (default 10s, at most 30s).
	Timeout time.Duration `yaml:"timeout"`
}

const (
	defaultTimeout = 10 * time.Second
	longestTimeout = 30 * time.Second
	mostNamespaces = 20
)

// namespace is a label of RFC 1123, which a namespace's name is.
var namespace = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate names every wrong setting.
func (c Config) Validate() error {
	var errs []error
	if c.Context != "" && c.Kubeconfig == "" {
		errs = append(errs, errors.New("context: it is one of a kubeconfig: name that file too"))
	}
	for _, n := range c.Namespaces {
		if !namespace.MatchString(n) {
			errs = append(errs, fmt.Errorf("namespaces: %q is no name of a namespace: it has lower-case letters, digits and hyphens, at most 63", n))
		}
	}
	if len(c.Namespaces) > mostNamespaces {
		errs = append(errs, fmt.Errorf("namespaces: %d are too many, each is asked by itself: name at most %d, or none for all", len(c.Namespaces), mostNamespaces))
	}
	if c.Timeout < 0 || c.Timeout > longestTimeout {
		errs = append(errs, fmt.Errorf("timeout: %s must be from 0 to %s; 0 is the default", c.Timeout, longestTimeout))
	}
	return errors.Join(errs...)
}
