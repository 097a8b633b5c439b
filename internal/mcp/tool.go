package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A use says what a tool does to the world, as clients show it.
type use struct{ reads, ends, repeatable bool }

var (
	reads     = use{reads: true, repeatable: true}
	starts    = use{}
	ends      = use{ends: true, repeatable: true}
	says      = use{repeatable: true}
	openWorld = false // what it reaches is the fleet
)

// answerWithin is how long any tool may take: get_investigation waits for most of it.
const answerWithin = 60 * time.Second

// add adds a tool. Its schemas are made of In and Out; Out must have the field of a
// Bounded.
func add[In, Out any](s *Server, server *sdk.Server, name string, u use, doc string, answer func(context.Context, In) (Out, error)) {
	out, err := jsonschema.For[Out](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[json.RawMessage](): {}, // it holds JSON of any kind
	}})
	if err != nil {
		panic(fmt.Errorf("tool %s: %w", name, err)) // a fault of this program
	}
	tool := &sdk.Tool{
		Name: name, Description: doc, OutputSchema: out,
		Annotations: &sdk.ToolAnnotations{ReadOnlyHint: u.reads, DestructiveHint: &u.ends, IdempotentHint: u.repeatable, OpenWorldHint: &openWorld},
	}
	sdk.AddTool(server, tool, func(ctx context.Context, _ *sdk.CallToolRequest, in In) (*sdk.CallToolResult, any, error) {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		v, err := s.answered(ctx, func() (any, error) { return answer(ctx, in) })
		if err != nil {
			return nil, nil, err
		}
		return bounded(v)
	})
}

// answered asks, and says what went wrong so that an agent can mend it.
func (s *Server) answered(ctx context.Context, ask func() (any, error)) (any, error) {
	if !s.bus.Connected() {
		return nil, errors.New("the server is not connected with NATS now: try again later")
	}
	v, err := ask()
	switch {
	case err == nil:
		return v, nil
	case ctx.Err() != nil:
		err = fmt.Errorf("it took longer than %s: ask for less, or again", answerWithin)
	case errors.Is(err, bus.ErrNobody):
		err = fmt.Errorf("nobody answers (%w): for a node, list_nodes says which are alive; for an investigation, a coordinator must run", err)
	}
	return nil, errors.New(visible(clip(err.Error(), maxError)))
}

// maxError is how many bytes an error has at most.
const maxError = 1 << 10

// checkID says what is wrong with what must be an id or a name.
func checkID(what, id string) error {
	if id == "" || len(id) > protocol.MaxToken || id == protocol.Any || id == ">" {
		return fmt.Errorf("%s %.40q: it must have 1 to %d bytes and be no wildcard", what, id, protocol.MaxToken)
	}
	return nil
}

// age returns the moment that a since means: an age (24h) or a time (RFC 3339).
func age(since string, def time.Duration) (time.Time, error) {
	if since == "" {
		return time.Now().Add(-def), nil
	}
	if d, err := time.ParseDuration(since); err == nil && d > 0 {
		return time.Now().Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return at, fmt.Errorf("since %.40q: it is an age, as 24h, or a time, as 2026-05-04T12:00:00Z", since)
	}
	return at, nil
}

// within checks a number that may be left out.
func within(what string, n, def, most int) (int, error) {
	if n == 0 {
		return def, nil
	}
	if n < 1 || n > most {
		return 0, fmt.Errorf("%s %d: it is a number from 1 to %d", what, n, most)
	}
	return n, nil
}
