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

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus"
)

// DefaultListen is where the server listens unless it is told otherwise.
const DefaultListen = "127.0.0.1:7422"

// Config says where the server listens and for whom.
type Config struct {
	Listen    string   // host:port
	TokenFile string   // with the token that people sign in with; empty: one is made up at each start
	Hosts     []string // names by which the server may be asked, besides its address
}

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Listen, "ui", c.Listen, "`address` of the HTTP API; empty: none. One that is not of this machine alone needs --ui-token-file")
	fs.StringVar(&c.TokenFile, "ui-token-file", c.TokenFile, "`file` with the token that people sign in with (default: one is made up at each start)")
	fs.StringSliceVar(&c.Hosts, "ui-host", c.Hosts, "`name` by which the API may be asked besides its address, as behind a proxy; may be given again")
}

// Validate names every wrong setting.
func (c *Config) Validate() error {
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--ui %q: it is host:port, such as %s: %w", c.Listen, DefaultListen, err)
	}
	var errs []error
	if ip := net.ParseIP(host); c.TokenFile == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		errs = append(errs, fmt.Errorf("--ui %s can be reached from other machines: give --ui-token-file, or listen on 127.0.0.1", c.Listen))
	}
	if c.TokenFile != "" {
		_, err := readToken(c.TokenFile)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// A Server answers over HTTP from one connection to NATS.
type Server struct {
	bus      *bus.Conn
	log      *slog.Logger
	token    string
	hosts    []string
	events   *hub
	rights   rights
	standOut sharedOutliers
}

// New returns a server. Run makes its events live.
func New(conn *bus.Conn, c Config, log *slog.Logger) (*Server, error) {
	s := &Server{bus: conn, log: log, hosts: slices.Clone(c.Hosts), events: newHub()}
	var err error
	if c.TokenFile == "" {
		s.token = newToken()
		return s, nil
	}
	s.token, err = readToken(c.TokenFile)
	return s, err
}

// Token is what people sign in with.
func (s *Server) Token() string { return s.token }

// Bounds of the HTTP server.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 10 * time.Second
	maxHeader    = 16 << 10
	maxBody      = 256 << 10
	answerWithin = 60 * time.Second // asking a coordinator that asks a model takes its time
)

// Run listens and serves until ctx ends. ready, if not nil, is told the address.
func (s *Server) Run(ctx context.Context, listen string, ready func(address string)) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("--ui: %w", err)
	}
	address := l.Addr().String()
	s.allow(address)
	stop, err := s.events.follow(s.bus)
	if err != nil {
		_ = l.Close()
		return err
	}
	defer stop()
	h := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
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
func (s *Server) allow(address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return
	}
	s.hosts = append(s.hosts, host)
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		s.hosts = append(s.hosts, "localhost", "127.0.0.1", "::1")
	}
}

// Handler returns what answers, guarded. It can be served by any server.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		h := s.serve(r)
		if r.Path == askPath {
			h = s.inParts(h)
		}
		mux.HandleFunc(r.Method+" "+prefix+r.Path, h)
	}
	mux.HandleFunc("POST "+prefix+"/session", s.signIn)
	mux.HandleFunc("DELETE "+prefix+"/session", s.signOut)
	mux.HandleFunc("GET "+prefix+"/events", s.streamEvents)
	mux.HandleFunc("GET "+prefix+"/insights/{id}/report.html", s.export("text/html; charset=utf-8", writeReport))
	mux.HandleFunc("GET "+prefix+"/insights/{id}/postmortem.md", s.export("text/markdown; charset=utf-8", writePostmortem))
	mux.HandleFunc("GET "+prefix+"/openapi.json", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, OpenAPI(), nil) })
	mux.HandleFunc("/", static)
	mux.HandleFunc(prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, nil, failure{http.StatusNotFound, "nothing is at " + r.URL.Path + ": " + prefix + "/openapi.json says what there is"})
	})
	return s.guard(mux)
}
