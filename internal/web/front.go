package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"
)

// A front is what all servers have, whatever they answer from: whom they let in, the
// pages, and how they listen.
type front struct {
	log    *slog.Logger
	cookie string // name of the one that a browser has once it is signed in
	token  string
	hosts  []string
}

func newFront(c Config, cookie string, log *slog.Logger) (front, error) {
	f := front{log: log, cookie: cookie, hosts: slices.Clone(c.Hosts)}
	var err error
	if f.token, err = c.token(); err == nil && f.token == "" {
		f.token = newToken()
	}
	return f, err
}

// Token is what people sign in with.
func (f *front) Token() string { return f.token }

// Bounds of the HTTP server.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 10 * time.Second
	maxHeader    = 16 << 10
	maxBody      = 256 << 10
	answerWithin = 60 * time.Second // asking a coordinator that asks a model takes its time
)

// listen serves at an address until ctx ends. ready, if not nil, is told the one it got.
func (f *front) listen(ctx context.Context, address string, handler http.Handler, ready func(address string)) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--ui: %w", err)
	}
	address = l.Addr().String()
	f.allow(address)
	h := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	closed := context.AfterFunc(ctx, func() { _ = h.Close() })
	defer closed()
	if ready != nil {
		ready(address)
	}
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// allow adds the names by which the server itself is reached.
func (f *front) allow(address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return
	}
	f.hosts = append(f.hosts, host)
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		f.hosts = append(f.hosts, "localhost", "127.0.0.1", "::1")
	}
}

// mux answers routes, the session and the pages. What the API does not have is answered
// with what there is instead.
func (f *front) mux(routes []route, instead string) *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.Method+" "+prefix+r.Path, f.serve(r))
	}
	mux.HandleFunc("POST "+prefix+"/session", f.signIn)
	mux.HandleFunc("DELETE "+prefix+"/session", f.signOut)
	mux.HandleFunc("/", static)
	mux.HandleFunc(prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		f.answer(w, r, nil, failure{http.StatusNotFound, "nothing is at " + r.URL.Path + ": " + instead})
	})
	return mux
}

// serve answers a route.
func (f *front) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		q := &query{Request: r}
		v, err := rt.serve(ctx, q)
		if wrong := q.err(); wrong != nil {
			v, err = nil, wrong
		}
		if names := q.text(fieldsParameter.Name); names != "" && err == nil && rt.Method == http.MethodGet {
			v, err = only(v, names)
		}
		f.answer(w, r, v, err)
	}
}
