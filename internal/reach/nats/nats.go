// Package nats reads one NATS server through its monitoring endpoints (/varz, /jsz,
// /connz and their like), as the server's source defines them:
// https://github.com/nats-io/nats-server/blob/v2.15.2/server/monitor.go. Fields that
// older servers do not have are absent, never zero.
//
// It knows no message and no subscriber's name beyond what its connection is called;
// users are not read, since some of them are tokens.
package nats

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// Config says where one server's monitoring endpoints are.
type Config = httpapi.Config

// ErrUnavailable marks errors that say something of the server: it is down, or does not answer.
var ErrUnavailable = httpapi.ErrUnavailable

// How many bytes of an answer are taken: of one about the server, and of all that tells
// its streams.
const (
	mostAnswer  = 8 << 20
	mostStreams = 64 << 20
)

// fresh is how long what was read of streams serves further questions: it is what costs
// the server most.
const fresh = 3 * time.Second

// A Server is one NATS server. It is safe for concurrent use.
type Server struct {
	api *httpapi.Client

	turn   chan struct{} // holds one token while streams are read: who comes meanwhile has the same answer
	assets *Assets       // under it
}

// New returns a client of the server; it connects to nothing yet.
func New(c Config) *Server { return &Server{api: httpapi.New(c), turn: make(chan struct{}, 1)} }

// Close ends the connection that is kept for further questions.
func (s *Server) Close() { s.api.Close() }

// ask reads one endpoint into v.
func (s *Server) ask(ctx context.Context, path string, query url.Values, v any) error {
	if err := s.api.JSON(ctx, path, query, mostAnswer, v); err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	return nil
}

// values returns the query of pairs of name and value.
func values(pairs ...string) url.Values {
	out := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// limited returns the query for so many entries from an offset on.
func limited(offset, limit int, pairs ...string) url.Values {
	out := values(pairs...)
	out.Set("offset", strconv.Itoa(offset))
	out.Set("limit", strconv.Itoa(limit))
	return out
}

// longestName is how many characters of a name are told that a program chose itself.
const longestName = 128

// name bounds such a name.
func name(s string) string {
	if len(s) <= longestName {
		return s
	}
	if runes := []rune(s); len(runes) > longestName {
		return string(runes[:longestName]) + "…"
	}
	return s
}
