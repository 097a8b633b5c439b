package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/endpoint"
	"github.com/fleetlens/fleetlens/internal/mcp"
	"github.com/fleetlens/fleetlens/internal/reading"
)

// TokenVariable is the environment variable with the token, where there is no file: in a container.
const TokenVariable = "FLEETLENS_UI_TOKEN"

// DefaultListen is where the server listens unless it is told otherwise.
const DefaultListen = "127.0.0.1:7422"

// Config says where the server listens and for whom.
type Config struct {
	Listen    string   // host:port
	TokenFile string   // with the token that people sign in with; empty: it is in TokenVariable, or made up at each start
	Hosts     []string // names by which the server may be asked, besides its address
	Version   string   // of this program, as agents are told
}

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Listen, "ui", c.Listen, "`address` of the HTTP API; empty: none. One that is not of this machine alone needs a token of --ui-token-file or "+TokenVariable)
	fs.StringVar(&c.TokenFile, "ui-token-file", c.TokenFile, "`file` with the token that people sign in with (default: "+TokenVariable+" of the environment, else one is made up at each start)")
	fs.StringSliceVar(&c.Hosts, "ui-host", c.Hosts, "`name` by which the API may be asked besides its address, as behind a proxy; may be given again")
}

// Validate names every wrong setting.
func (c *Config) Validate() error {
	if c.Listen == "" {
		return nil
	}
	_, err := c.token()
	return errors.Join(endpoint.CheckAddress("--ui", c.Listen, DefaultListen, "--ui-token-file or "+TokenVariable, c.TokenFrom() != ""), err)
}

// TokenFrom returns where the token is that people sign in with: a file's name, or
// TokenVariable. It is empty when the server makes one up.
func (c *Config) TokenFrom() string {
	if c.TokenFile == "" && os.Getenv(TokenVariable) != "" {
		return TokenVariable
	}
	return c.TokenFile
}

// token returns the token that was given; empty when none was.
func (c *Config) token() (string, error) {
	if c.TokenFrom() == TokenVariable {
		return endpoint.Token(TokenVariable, os.Getenv(TokenVariable))
	}
	return endpoint.TokenFile("--ui-token-file", c.TokenFile)
}

// agentsPath is where agents ask, over the Model Context Protocol.
const agentsPath = "/mcp"

// cookieName is of the cookie that a browser has once it is signed in.
const cookieName = "fleetlens"

// A Server answers over HTTP from one connection to NATS.
type Server struct {
	front
	bus      *bus.Conn
	events   *hub
	agents   *mcp.Server
	rights   reading.Rights
	standOut sharedOutliers
}

// New returns a server. Run makes its events live.
func New(conn *bus.Conn, c Config, log *slog.Logger) (*Server, error) {
	f, err := newFront(c, cookieName, log)
	return &Server{front: f, bus: conn, events: newHub(), agents: mcp.New(conn, c.Version, log)}, err
}

// Run listens and serves until ctx ends. ready, if not nil, is told the address.
func (s *Server) Run(ctx context.Context, listen string, ready func(address string)) error {
	stop, err := s.events.follow(s.bus)
	if err != nil {
		return err
	}
	defer stop()
	return s.listen(ctx, listen, s.Handler(), ready)
}

// Handler returns what answers, guarded. It can be served by any server.
func (s *Server) Handler() http.Handler {
	routes := s.routes()
	for k := range routes {
		if routes[k].Path != "/me" {
			routes[k].serve = s.whileConnected(routes[k].serve)
		}
	}
	mux := s.mux(routes, prefix+"/openapi.json says what there is")
	mux.HandleFunc("GET "+prefix+"/events", s.streamEvents)
	mux.HandleFunc("GET "+prefix+"/insights/{id}/report.html", s.export("text/html; charset=utf-8", writeReport))
	mux.HandleFunc("GET "+prefix+"/insights/{id}/postmortem.md", s.export("text/markdown; charset=utf-8", writePostmortem))
	mux.HandleFunc("GET "+prefix+"/openapi.json", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, OpenAPI(), nil) })
	parts := http.NewServeMux()
	parts.HandleFunc("POST "+prefix+askPath, s.inParts(mux.ServeHTTP))
	parts.Handle(agentsPath, s.agents.Handler())
	parts.Handle("/", mux)
	return s.guard(parts)
}
