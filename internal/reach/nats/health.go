package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// Health is what the server says of itself when it is asked whether it is well.
type Health struct {
	OK       bool      `json:"ok"`
	Problems []Problem `json:"problems"`
}

// A Problem is one thing that is not well.
type Problem struct {
	Type     string `json:"type,omitempty"`
	Account  string `json:"account,omitempty"`
	Stream   string `json:"stream,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	Error    string `json:"error"`
}

func (p Problem) String() string {
	switch {
	case p.Consumer != "":
		return fmt.Sprintf("consumer %s/%s: %s", p.Stream, p.Consumer, p.Error)
	case p.Stream != "":
		return fmt.Sprintf("stream %s: %s", p.Stream, p.Error)
	}
	return p.Error
}

// Health asks the server whether it, its part in the cluster, and what it holds of
// streams and consumers is well. One that is not writes a warning to its log.
func (s *Server) Health(ctx context.Context) (Health, error) {
	var told struct {
		Status string    `json:"status"`
		Error  string    `json:"error"`
		Errors []Problem `json:"errors"`
	}
	err := s.ask(ctx, "/healthz", values("details", "true"), &told)
	if refused, ok := errors.AsType[*httpapi.StatusError](err); ok { // one that is not well answers 503, or 404 for what it lacks
		if json.NewDecoder(bytes.NewReader(refused.Body)).Decode(&told) == nil && told.Status != "" {
			err = nil
		}
	}
	if err != nil {
		return Health{}, err
	}
	h := Health{OK: told.Status == "ok", Problems: told.Errors}
	if told.Error != "" {
		h.Problems = append(h.Problems, Problem{Error: told.Error})
	}
	for i := range h.Problems {
		p := &h.Problems[i]
		p.Account, p.Stream, p.Consumer, p.Error = name(p.Account), name(p.Stream), name(p.Consumer), name(p.Error)
	}
	return h, nil
}
