package telemetry

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
)

// HTTP says where a process serves /metrics, /healthz and /readyz.
type HTTP struct {
	Addr      string // host:port; empty: nowhere
	TokenFile string // with the token that /metrics asks for; empty: none

	flags *pflag.FlagSet
}

// Flags declares the flags; def is the address unless somebody names another.
func (h *HTTP) Flags(fs *pflag.FlagSet, def string) {
	h.flags = fs
	fs.StringVar(&h.Addr, "http", def, "`address` of /metrics, /healthz and /readyz; empty: none. One that is not of this machine alone needs --http-token-file")
	fs.StringVar(&h.TokenFile, "http-token-file", "", "`file` with the bearer token that /metrics asks for")
}

// Validate names wrong settings.
func (h *HTTP) Validate() error {
	if h.Addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(h.Addr)
	if err != nil {
		return fmt.Errorf("--http %q: it is host:port, such as 127.0.0.1:4231: %w", h.Addr, err)
	}
	var errs []error
	if !loopback(host) && h.TokenFile == "" {
		errs = append(errs, fmt.Errorf("--http %s can be reached from other machines: give --http-token-file, or listen on 127.0.0.1", h.Addr))
	}
	if h.TokenFile != "" {
		_, err := h.token()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// minToken is how short a token may be.
const minToken = 16

func (h *HTTP) token() (string, error) {
	if h.TokenFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(h.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--http-token-file: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < minToken {
		return "", fmt.Errorf("--http-token-file %s: the token has %d characters (at least %d)", h.TokenFile, len(token), minToken)
	}
	return token, nil
}

// Limits of the server: it answers small questions of few.
const (
	readWithin  = 5 * time.Second
	writeWithin = 30 * time.Second
	maxHeader   = 16 << 10
	maxScrapes  = 4 // at a time
)

// Serve serves until stop is called. Where the default address is taken, by another
// process of this kind, it says so and goes on without; an address that was asked
// for has to be free.
func (h *HTTP) Serve(ctx context.Context, t *Telemetry, health *Health, log *slog.Logger) (stop func(), err error) {
	if h.Addr == "" {
		return func() {}, nil
	}
	token, err := h.token()
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", h.Addr)
	if err != nil && h.flags != nil && !h.flags.Changed("http") {
		log.Warn("no /metrics and no /readyz: the address is taken, name another with --http", "addr", h.Addr, "err", err)
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--http: %w", err)
	}
	s := &http.Server{
		Handler: t.Handler(health, token), ReadHeaderTimeout: readWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("/metrics and /readyz are gone", "err", err)
		}
	}()
	log.Info("serves /metrics, /healthz and /readyz", "addr", l.Addr().String())
	return func() { _ = s.Close(); <-ended }, nil
}

// Handler answers /metrics, to whoever knows the token when there is one, and
// /healthz and /readyz to everybody: they say nothing that is worth one.
func (t *Telemetry) Handler(health *Health, token string) http.Handler {
	mux := http.NewServeMux()
	if t.registry != nil {
		metrics := promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError})
		mux.Handle("GET /metrics", authorised(token, metrics))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := health.Ready(); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		say(w, http.StatusOK, "ok")
	})
	return http.MaxBytesHandler(mux, 0)
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n")
}

func authorised(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			say(w, http.StatusUnauthorized, "give the token of --http-token-file: Authorization: Bearer …")
			return
		}
		next.ServeHTTP(w, r)
	})
}
