package llm

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// summarises is a model that compacts, or fails to.
type summarises struct {
	agent.Decider
	err error
}

func (s summarises) Compact(context.Context, agent.View) (*protocol.Compaction, error) {
	if s.err != nil {
		return nil, s.err
	}
	return &protocol.Compaction{Summary: "short"}, nil
}

func TestWrappersPassACompactionOn(t *testing.T) {
	leak := errors.New("the key sk-very-secret-1234 is wrong")
	wrap := func(d agent.Decider) agent.Decider {
		return retrying{Decider: guarded{Decider: classified{d, []string{"sk-very-secret-1234"}}}}
	}
	for _, tt := range []struct {
		name    string
		decider agent.Decider
		want    string
		wantErr bool
	}{
		{"a model behind all of them", wrap(summarises{}), "short", false},
		{"one that fails", wrap(summarises{err: leak}), "", true},
		{"a set whose first member fails", &set{members: []agent.Decider{wrap(summarises{err: leak}), wrap(summarises{})}}, "short", false},
		{"a set of none that can", &set{}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := agent.Compact(t.Context(), tt.decider, agent.View{})
			got := ""
			if c != nil {
				got = c.Summary
			}
			if got != tt.want || (err != nil) != tt.wantErr {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "very-secret") {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
}
