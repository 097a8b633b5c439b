package kubernetes

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// A way is how a cluster's API is reached.
type way struct {
	httpapi.Config
	keys httpapi.Keys
}

// longestKubeconfig is how many bytes a kubeconfig may have.
const longestKubeconfig = 1 << 20

// binary is what a kubeconfig has in base64.
type binary []byte

// UnmarshalYAML implements yaml.Unmarshaler.
func (b *binary) UnmarshalYAML(n *yaml.Node) error {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
	if err != nil {
		return encodingError{n.Line} // the value is a secret
	}
	*b = raw
	return nil
}

// An encodingError says where a kubeconfig has no base64; it shows nothing of it.
type encodingError struct{ line int }

func (e encodingError) Error() string { return fmt.Sprintf("line %d: it is no base64", e.line) }

// kubeconfig is what is read of the file of
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster string `yaml:"cluster"`
			User    string `yaml:"user"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string  `yaml:"name"`
		Cluster cluster `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string `yaml:"name"`
		User user   `yaml:"user"`
	} `yaml:"users"`
}

type cluster struct {
	Server     string `yaml:"server"`
	ServerName string `yaml:"tls-server-name"`
	CAFile     string `yaml:"certificate-authority"`
	CA         binary `yaml:"certificate-authority-data"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	Proxy      string `yaml:"proxy-url"`
}

type user struct {
	Token     string    `yaml:"token"`
	TokenFile string    `yaml:"tokenFile"`
	CertFile  string    `yaml:"client-certificate"`
	Cert      binary    `yaml:"client-certificate-data"`
	KeyFile   string    `yaml:"client-key"`
	Key       binary    `yaml:"client-key-data"`
	Exec      yaml.Node `yaml:"exec"`
	Provider  yaml.Node `yaml:"auth-provider"`
	As        string    `yaml:"as"`
	Name      string    `yaml:"username"`
}

// readKubeconfig returns how the cluster of a file's context is reached.
func readKubeconfig(file, context string) (way, error) {
	f, err := os.Open(file)
	if err != nil {
		return way{}, fmt.Errorf("kubeconfig: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, longestKubeconfig+1))
	if err != nil {
		return way{}, fmt.Errorf("kubeconfig: %w", err)
	}
	if len(b) > longestKubeconfig {
		return way{}, fmt.Errorf("kubeconfig: %s has more than %d bytes", file, longestKubeconfig)
	}
	w, err := parseKubeconfig(b, context, filepath.Dir(file))
	if err != nil {
		return way{}, fmt.Errorf("kubeconfig: %s: %w", file, err)
	}
	return w, nil
}

// parseKubeconfig is readKubeconfig of a text; paths in it are below dir. Its errors show
// no key and no token.
func parseKubeconfig(text []byte, context, dir string) (way, error) {
	var k kubeconfig
	if err := yaml.Unmarshal(text, &k); err != nil {
		if wrong, ok := errors.AsType[encodingError](err); ok {
			return way{}, wrong
		}
		return way{}, errors.New("it is not in the YAML of a kubeconfig") // the cause may show a token
	}
	if context == "" {
		context = k.Current
	}
	if context == "" {
		return way{}, errors.New("it has no current-context: name one in context")
	}
	var names []string
	for _, c := range k.Contexts {
		if c.Name == context {
			return k.between(c.Context.Cluster, c.Context.User, dir)
		}
		names = append(names, c.Name)
	}
	return way{}, fmt.Errorf("it has no context %q (has %s)", context, strings.Join(names, ", "))
}

// between returns how a user reaches a cluster.
func (k kubeconfig) between(clusterName, userName, dir string) (way, error) {
	var c *cluster
	for i := range k.Clusters {
		if k.Clusters[i].Name == clusterName {
			c = &k.Clusters[i].Cluster
		}
	}
	if c == nil {
		return way{}, fmt.Errorf("it has no cluster %q, which the context names", clusterName)
	}
	u := &user{}
	for i := range k.Users {
		if k.Users[i].Name == userName {
			u = &k.Users[i].User
		}
	}
	if err := errors.Join(c.faults(), u.faults()); err != nil {
		return way{}, err
	}
	at := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	w := way{
		Config: httpapi.Config{
			URL: c.Server, TokenFile: at(u.TokenFile),
			TLS: httpapi.TLS{CAFile: at(c.CAFile), CertFile: at(u.CertFile), KeyFile: at(u.KeyFile), ServerName: c.ServerName},
		},
		keys: httpapi.Keys{Token: u.Token, CA: c.CA, Cert: u.Cert, Key: u.Key},
	}
	if w.TokenFile != "" {
		w.keys.Token = "" // as kubectl has it: the file goes before
	}
	if err := w.Validate(); err != nil {
		return way{}, fmt.Errorf("its cluster %q: %w", clusterName, err)
	}
	return w, nil
}

func (c cluster) faults() error {
	var errs []error
	if c.Insecure {
		errs = append(errs, errors.New("insecure-skip-tls-verify: a probe checks whom it shows its token: give certificate-authority instead"))
	}
	if c.Proxy != "" {
		errs = append(errs, errors.New("proxy-url: the probe goes to the API server itself: run it where that is reached"))
	}
	return errors.Join(errs...)
}

// faults names what a probe does not do, and what it does instead.
func (u user) faults() error {
	var errs []error
	if !u.Exec.IsZero() {
		errs = append(errs, errors.New("exec: a probe runs no program to log in: give it the token of a service account (kubectl create token, or tokenFile), or a client certificate"))
	}
	if !u.Provider.IsZero() {
		errs = append(errs, errors.New("auth-provider: kubernetes has dropped it: give a token, tokenFile or a client certificate"))
	}
	if u.As != "" {
		errs = append(errs, errors.New("as: a probe asks as itself: name a user that has the rights"))
	}
	if u.Name != "" {
		errs = append(errs, errors.New("username: kubernetes takes no passwords: give a token, tokenFile or a client certificate"))
	}
	if (u.CertFile == "" && u.Cert == nil) != (u.KeyFile == "" && u.Key == nil) {
		errs = append(errs, errors.New("client-certificate, client-key: one of them is missing"))
	}
	return errors.Join(errs...)
}
