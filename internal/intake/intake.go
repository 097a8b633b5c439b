// Package intake takes what other systems report over HTTP: alerts in Alertmanager's
// webhook format. It passes on what it understood and keeps nothing: an answer of 200
// means that whoever it was passed to has it.
package intake

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/time/rate"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// DefaultAddr is where alerts are taken unless somebody names another address.
const DefaultAddr = "127.0.0.1:4234"

// Path is where alerts are posted.
const Path = "/api/v1/alertmanager"

// Config says where alerts are taken.
type Config struct {
	Addr      string  // host:port; empty: nowhere
	TokenFile string  // with the bearer token that senders give; empty: none
	Rate      float64 // requests a second; a burst may have ten times as many

	flags *pflag.FlagSet
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Addr: DefaultAddr, Rate: 20} }

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	c.flags = fs
	fs.StringVar(&c.Addr, "alerts", c.Addr, "`address` at which Alertmanager's webhooks are taken (path "+Path+"); empty: none. One that is not of this machine alone needs --alerts-token-file")
	fs.StringVar(&c.TokenFile, "alerts-token-file", c.TokenFile, "`file` with the bearer token that senders of alerts give")
	fs.Float64Var(&c.Rate, "alerts-rate", c.Rate, "webhooks a second that are taken; the rest is answered with 429, and Alertmanager comes again")
}

// Validate names wrong settings.
func (c *Config) Validate() error {
	if c.Addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--alerts %q: it is host:port, such as %s: %w", c.Addr, DefaultAddr, err)
	}
	var errs []error
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && c.TokenFile == "" {
		errs = append(errs, fmt.Errorf("--alerts %s can be reached from other machines: give --alerts-token-file, or listen on 127.0.0.1", c.Addr))
	}
	if c.Rate <= 0 {
		errs = append(errs, fmt.Errorf("--alerts-rate %v: it must be more than 0", c.Rate))
	}
	_, err = c.token()
	return errors.Join(append(errs, err)...)
}

// minToken is how short a token may be.
const minToken = 16

func (c *Config) token() (string, error) {
	if c.TokenFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--alerts-token-file: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < minToken {
		return "", fmt.Errorf("--alerts-token-file %s: the token has %d characters (at least %d)", c.TokenFile, len(token), minToken)
	}
	return token, nil
}

// A Sink stores alerts; it returns when they are safe.
type Sink func(ctx context.Context, alerts []protocol.Alert) error

// Limits of the endpoint.
const (
	maxBody     = 1 << 20 // bytes of one webhook
	readWithin  = 10 * time.Second
	storeWithin = 10 * time.Second
	maxHeader   = 16 << 10
)

// Serve takes alerts until stop is called. Where the default address is taken it says
// so and goes on without; an address that was asked for has to be free.
func (c *Config) Serve(ctx context.Context, log *slog.Logger, sink Sink) (addr string, stop func(), err error) {
	if c.Addr == "" {
		return "", func() {}, nil
	}
	token, err := c.token()
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
	s := &http.Server{
		Handler: handler(token, c.Rate, log, sink), ReadHeaderTimeout: readWithin, ReadTimeout: readWithin, WriteTimeout: readWithin + storeWithin,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("alerts are no longer taken", "err", err)
		}
	}()
	log.Info("takes alerts", "addr", l.Addr().String(), "path", Path)
	return l.Addr().String(), func() { _ = s.Close(); <-ended }, nil
}

// handler answers POST on Path.
func handler(token string, perSecond float64, log *slog.Logger, sink Sink) http.Handler {
	limit := rate.NewLimiter(rate.Limit(perSecond), max(1, int(10*perSecond)))
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, func(w http.ResponseWriter, r *http.Request) {
		want := []byte("Bearer " + token)
		if token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "give the token of --alerts-token-file: Authorization: Bearer …")
			return
		}
		if !limit.Allow() {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "too many webhooks, see --alerts-rate")
			return
		}
		// A page in a browser can post text to loopback without asking, but no JSON.
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes; set max_alerts in Alertmanager's webhook_config", maxBody))
			return
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		alerts, err := ReadWebhook(body, time.Now().UTC())
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), storeWithin)
		defer cancel()
		if err := sink(ctx, alerts); err != nil {
			log.Warn("alerts were not stored, their sender comes again", "count", len(alerts), "err", err)
			refuse(w, http.StatusServiceUnavailable, "the alerts could not be stored now")
			return
		}
		answer(w, http.StatusOK, map[string]any{"accepted": len(alerts)})
	})
	return mux
}

func refuse(w http.ResponseWriter, code int, why string) {
	answer(w, code, map[string]any{"error": why})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
