package beam

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Config says which node is asked, and how.
type Config struct {
	// Node is its full name: shop@10.0.0.7.
	Node string `yaml:"node"`
	// Address is where it listens for distribution, host:port. Empty: EPMD is asked.
	Address string `yaml:"address"`
	// EPMD is where EPMD listens, host:port (default: port 4369 of the node's host).
	EPMD string `yaml:"epmd"`
	// CookieFile is a file with the node's cookie. Empty: the probe looks where such
	// nodes have theirs: the command line, RELEASE_COOKIE, the release, .erlang.cookie.
	CookieFile string `yaml:"cookie_file"`
	// Level is what the node's owner grants: observe (default), events or trace.
	Level Level `yaml:"level"`
	// TLS is for a node whose distribution is over TLS.
	TLS *TLS `yaml:"tls"`
	// Timeout is how long one answer may take (default 5s, at most 30s).
	Timeout time.Duration `yaml:"timeout"`
	// Cache is how long an answer serves other skills too (default 3s, at most 30s).
	Cache time.Duration `yaml:"cache"`
	// MaxCPU is how much of one of the node's processors scans may take, in percent
	// (default 1, at most 50).
	MaxCPU float64 `yaml:"max_cpu_pct"`
}

// TLS says by whom a node is trusted, and who the probe is to it. All are files of PEM.
type TLS struct {
	// CA is a file with the certificates that sign the node's.
	CA string `yaml:"ca_file"`
	// Cert is a file with the probe's own certificate, where the node wants one.
	Cert string `yaml:"cert_file"`
	// Key is a file with that certificate's key.
	Key string `yaml:"key_file"`
	// ServerName must stand in the node's certificate. Empty: only the chain is checked,
	// because certificates of nodes often name no host.
	ServerName string `yaml:"server_name"`
}

// A Level is what a node's owner grants. Each has those before it in it.
type Level string

// Levels.
const (
	Observe Level = "observe" // nothing of the node's state changes
	Events  Level = "events"  // a process on the node tells of long collections, logs, crashes
	Trace   Level = "trace"   // functions are traced, within limits
)

var levels = []Level{Observe, Events, Trace}

// Grants says whether the level has another in it. The empty level is Observe.
func (l Level) Grants(other Level) bool {
	return slices.Index(levels, cmp.Or(l, Observe)) >= slices.Index(levels, cmp.Or(other, Observe))
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}@[A-Za-z0-9_.:-]{1,150}$`)

// Validate names every wrong setting.
func (c Config) Validate() error {
	var errs []error
	if !nodeName.MatchString(c.Node) {
		errs = append(errs, fmt.Errorf("node: %q must be the node's full name, as shop@10.0.0.7", c.Node))
	}
	for _, at := range []struct{ key, value string }{{"address", c.Address}, {"epmd", c.EPMD}} {
		if at.value == "" {
			continue
		}
		_, port, err := net.SplitHostPort(at.value)
		if n, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil || n == 0 {
			errs = append(errs, fmt.Errorf("%s: %q must be host:port, as 127.0.0.1:4369", at.key, at.value))
		}
	}
	if c.Level != "" && !slices.Contains(levels, c.Level) {
		errs = append(errs, fmt.Errorf("level: %q must be observe, events or trace", c.Level))
	}
	if c.TLS != nil && c.TLS.CA == "" {
		errs = append(errs, errors.New("tls: ca_file is missing: a file with the certificates that sign the node's"))
	}
	if c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == "") {
		errs = append(errs, errors.New("tls: cert_file and key_file go together"))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"timeout", c.Timeout}, {"cache", c.Cache}} {
		if d.value < 0 || d.value > 30*time.Second {
			errs = append(errs, fmt.Errorf("%s: %s must be from 0 to 30s; 0 is the default", d.key, d.value))
		}
	}
	if !(c.MaxCPU >= 0 && c.MaxCPU <= 50) {
		errs = append(errs, fmt.Errorf("max_cpu_pct: %g must be from 0 to 50; 0 is the default", c.MaxCPU))
	}
	return errors.Join(errs...)
}

// Addresses returns where the node listens, where the configuration says it.
func (c Config) Addresses() []string {
	if c.Address == "" {
		return nil
	}
	return []string{c.Address}
}
