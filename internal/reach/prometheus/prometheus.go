// Package prometheus asks one Prometheus server through its HTTP API:
// https://prometheus.io/docs/prometheus/latest/querying/api/. It asks only for what is
// read; series, points, bytes and time of an answer are bounded.
package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// Config says where one server's API is.
type Config = httpapi.Config

// ErrUnavailable marks errors that say something of the server: it is down, or does not answer.
var ErrUnavailable = httpapi.ErrUnavailable

// mostAnswer is how many bytes of an answer are taken.
const mostAnswer = 16 << 20

// A Server is one Prometheus server. It is safe for concurrent use.
type Server struct{ api *httpapi.Client }

// New returns a client of the server; it connects to nothing yet.
func New(c Config) *Server { return &Server{httpapi.New(c)} }

// Close ends the connection that is kept for further questions.
func (s *Server) Close() { s.api.Close() }

// envelope is what every answer of the API stands in.
type envelope struct {
	Status   string          `json:"status"`
	Data     json.RawMessage `json:"data"`
	Error    string          `json:"error"`
	Warnings []string        `json:"warnings"`
}

// ask asks the API and decodes its answer into v.
func (s *Server) ask(ctx context.Context, path string, query url.Values, v any) (warnings []string, err error) {
	var e envelope
	err = s.api.JSON(ctx, path, query, mostAnswer, &e)
	if refused, ok := errors.AsType[*httpapi.StatusError](err); ok && json.NewDecoder(bytes.NewReader(refused.Body)).Decode(&e) == nil && e.Error != "" {
		return nil, fmt.Errorf("prometheus refuses: %.500s", e.Error) // of the question, with where in it
	}
	switch {
	case errors.Is(err, httpapi.ErrTooLong):
		return nil, fmt.Errorf("prometheus answers with more than %d MiB: ask for fewer series, with a matcher, topk() or sum by ()", mostAnswer>>20)
	case err != nil:
		return nil, fmt.Errorf("prometheus: %w", err)
	case e.Status != "success":
		return nil, fmt.Errorf("prometheus: what answers at %s is not its API: url must be the base of its web interface, as http://127.0.0.1:9090", path)
	}
	if err := json.Unmarshal(e.Data, v); err != nil {
		return nil, fmt.Errorf("prometheus: the answer of %s is not what its API gives: %w", path, err)
	}
	return e.Warnings, nil
}
