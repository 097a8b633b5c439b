// Package intake takes what other systems report over HTTP, each in its own format: alerts,
// and changes of delivery systems. It translates, passes on what it understood and keeps
// nothing: an answer of 200 means that whoever it was passed to has it.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/endpoint"
)

// DefaultAddr is where reports are taken unless somebody names another address.
const DefaultAddr = "127.0.0.1:4234"

// TokenVariable is the environment variable with the token, where there is no file: in a container.
const TokenVariable = "FLEETLENS_ALERTS_TOKEN"

// Config says where reports are taken, and who may give them.
type Config struct {
	Addr      string            // host:port; empty: nowhere
	TokenFile string            // with the bearer token that senders give; empty: it is in TokenVariable, or there is none
	Rate      float64           // requests a second; a burst may have ten times as many
	Sources   map[string]Source // by format: those that sign what they send

	flags *pflag.FlagSet
}

// A Source is a format in a configuration file, of senders that sign what they send.
type Source struct {
	// SecretEnvs names the environment variables with the secret that it signs with, of gitlab its secret token: one, or two while they are changed.
	SecretEnvs []string `yaml:"secret_envs"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Addr: DefaultAddr, Rate: 20} }

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	c.flags = fs
	fs.StringVar(&c.Addr, "alerts", c.Addr, "`address` at which alerts and changes of other systems are taken (paths "+strings.Join(Paths(), ", ")+"); empty: none. One that is not of this machine alone needs a token of --alerts-token-file or "+TokenVariable)
	fs.StringVar(&c.TokenFile, "alerts-token-file", c.TokenFile, "`file` with the bearer token that senders give who sign nothing (default: "+TokenVariable+" of the environment)")
	fs.Float64Var(&c.Rate, "alerts-rate", c.Rate, "requests a second that are taken; the rest is answered with 503, and whoever tries again comes again")
}

// Sections returns the part of the configuration file that is no flag.
func (c *Config) Sections() map[string]any { return map[string]any{"intakes": &c.Sources} }

// Asked reports whether somebody asked for what would also be there unasked.
func (c *Config) Asked() bool {
	return c.Addr != "" && (len(c.Sources) > 0 || c.flags != nil && c.flags.Changed("alerts"))
}

// Validate names wrong settings. It reads the environment variables that sources name.
func (c *Config) Validate() error {
	if c.Addr == "" {
		return nil
	}
	token, err := c.token()
	given := err != nil || token != ""
	errs := []error{endpoint.CheckAddress("--alerts", c.Addr, DefaultAddr, "--alerts-token-file or "+TokenVariable, given)}
	if c.Rate <= 0 {
		errs = append(errs, fmt.Errorf("--alerts-rate %v: it must be more than 0", c.Rate))
	}
	_, fault := c.secrets()
	return errors.Join(append(errs, err, fault)...)
}

func (c *Config) token() (string, error) {
	if text := os.Getenv(TokenVariable); c.TokenFile == "" && text != "" {
		return endpoint.Token(TokenVariable, text)
	}
	return endpoint.TokenFile("--alerts-token-file", c.TokenFile)
}

// secrets reads the secrets of each source that signs.
func (c *Config) secrets() (map[string][]string, error) {
	out := map[string][]string{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("intakes."+name+": "+format, args...))
		}
		f, ok := formatOf(name)
		switch envs := c.Sources[name].SecretEnvs; {
		case !ok:
			fault("there is no such format (have %s)", strings.Join(signing(), ", "))
		case f.verify == nil:
			fault("its senders sign nothing and need no section: they give the token of --alerts-token-file")
		case len(envs) == 0 || len(envs) > 2:
			fault("secret_envs has %d names: one, or two while they are changed", len(envs))
		default:
			for _, env := range envs {
				secret := strings.TrimSpace(os.Getenv(env))
				if secret == "" {
					fault("secret_envs: the environment variable %s is empty", env)
				} else if f.check != nil && f.check(secret) != nil {
					fault("secret_envs: %s: %w", env, f.check(secret))
				}
				out[name] = append(out[name], secret)
			}
		}
	}
	return out, errors.Join(errs...)
}

// Limits of the endpoint.
const (
	maxBody     = 1 << 20 // bytes of one request
	readWithin  = 10 * time.Second
	storeWithin = 10 * time.Second
	maxHeader   = 16 << 10
)

// Serve takes reports until stop is called. Where the default address is taken it says
// so and goes on without; an address that was asked for has to be free.
func (c *Config) Serve(ctx context.Context, log *slog.Logger, store Store) (addr string, stop func(), err error) {
	if c.Addr == "" {
		return "", func() {}, nil
	}
	token, err := c.token()
	if err != nil {
		return "", nil, err
	}
	secrets, err := c.secrets()
	if err != nil {
		return "", nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Addr)
	if err != nil && (c.flags == nil || !c.flags.Changed("alerts")) {
		log.Warn("no alerts are taken: the address is in use, name another with --alerts", "addr", c.Addr, "err", err)
		return "", func() {}, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("--alerts: %w", err)
	}
	d := newDoor(token, secrets, c.Rate, log, store)
	s := &http.Server{
		Handler: d.handler(), ReadHeaderTimeout: readWithin, ReadTimeout: readWithin, WriteTimeout: readWithin + storeWithin,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
	}
	log.Info("takes alerts and changes", "addr", l.Addr().String(), "paths", Prefix+"FORMAT", "formats", strings.Join(names(), " "))
	return l.Addr().String(), endpoint.Serve(l, s, log, "alerts and changes of other systems"), nil
}
