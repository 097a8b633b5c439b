package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/endpoint"
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
	_, err := h.token()
	return errors.Join(endpoint.CheckAddress("--http", h.Addr, "127.0.0.1:4231", "--http-token-file", h.TokenFile != ""), err)
}

func (h *HTTP) token() (string, error) { return endpoint.TokenFile("--http-token-file", h.TokenFile) }

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
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
	}
	log.Info("serves /metrics, /healthz and /readyz", "addr", l.Addr().String())
	return endpoint.Serve(l, s, log, "/metrics and /readyz"), nil
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
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !endpoint.Bears(r, token) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			say(w, http.StatusUnauthorized, "give the token of --http-token-file: Authorization: Bearer …")
			return
		}
		next.ServeHTTP(w, r)
	})
}
