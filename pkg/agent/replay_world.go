package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// recorded is the world as a journal tells it: it answers the call that is being
// replayed with what that call's record holds, and takes whatever is published.
type recorded struct {
	result protocol.ToolResult
	effect struct {
		taken
		answered
		invoked
		concluded
		ranked
	}
}

// is sets the call that is being replayed.
func (w *recorded) is(r protocol.ToolResult) {
	*w = recorded{result: r}
	if len(r.Effect) > 0 {
		_ = json.Unmarshal(r.Effect, &w.effect) // of a tool that asks nothing it may be anything
	}
}

// why is the error that the decider read.
func (w *recorded) why() error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(w.result.Content), &said) == nil && said.Error != "" {
		return errors.New(said.Error)
	}
	return errors.New(w.result.Content)
}

// Snapshot implements Probes.
func (w *recorded) Snapshot(_ context.Context, t protocol.TargetRef, _ string) (protocol.Snapshot, error) {
	for _, s := range w.effect.Snapshots {
		if s.Ref() == t {
			return s, nil
		}
	}
	if text, ok := w.effect.Unanswered[t.String()]; ok {
		return protocol.Snapshot{}, errors.New(text)
	}
	return protocol.Snapshot{}, w.why()
}

// Call implements Probes.
func (w *recorded) Call(_ context.Context, t protocol.TargetRef, _ string, _ []any) (protocol.CallReply, error) {
	for _, a := range w.effect.Answers {
		if a.Target == t && a.Error != "" {
			return protocol.CallReply{}, errors.New(a.Error)
		}
		if a.Target == t {
			return protocol.CallReply{Value: a.Value}, nil
		}
	}
	return protocol.CallReply{}, w.why()
}

// Run implements Scripts: what a script asked of hosts no journal holds.
func (w *recorded) Run(context.Context, string, []string, func(context.Context, string, []any) (any, error)) (any, string, error) {
	if w.result.Failed || len(w.effect.Answers) == 0 {
		return nil, "", w.why()
	}
	var said struct {
		Output string `json:"output"`
	}
	_ = json.Unmarshal([]byte(w.result.Content), &said) // it may be cut
	return w.effect.Answers[0].Value, said.Output, nil
}

// Notify implements Findings.
func (*recorded) Notify(context.Context, protocol.Notification) error { return nil }

// StateChanged implements Findings.
func (*recorded) StateChanged(context.Context, protocol.State) error { return nil }

// Targets implements Fleet.
func (w *recorded) Targets(_ context.Context, q TargetQuery) (targets []protocol.TargetRef, leftOut []string, err error) {
	for _, r := range w.effect.Runs {
		if r.Skill == q.Skill {
			targets = append(targets, r.Targets...)
		}
	}
	return targets, nil, nil
}

// Overview implements Fleet.
func (*recorded) Overview(context.Context, []string, map[string]string) (any, error) { return nil, nil }

// Rank implements Causes.
func (w *recorded) Rank(context.Context, RankQuery) (Ranking, error) {
	if w.result.Failed {
		return Ranking{}, w.why()
	}
	r := w.effect.Ranking
	r.Joined, r.Past = w.effect.Joined, w.effect.Past
	return r, nil
}

// Serves implements Operators.
func (*recorded) Serves(context.Context, string) error { return nil }

// Start implements Operators.
func (*recorded) Start(context.Context, protocol.Task) error { return nil }

// News implements Operators: what came stands in the journal.
func (*recorded) News(_ context.Context, _ string, since Cursor) (News, error) {
	return News{Cursor: since}, nil
}

// Wake implements Operators.
func (*recorded) Wake() <-chan struct{} { return nil }

// Status implements Operators.
func (*recorded) Status(_ context.Context, run string) (RunStatus, error) {
	return RunStatus{}, fmt.Errorf("the status of %s is not in the journal", run)
}

// Publish implements Conclusions.
func (*recorded) Publish(context.Context, protocol.Insight) error { return nil }

// Series implements Conclusions.
func (w *recorded) Series(_ context.Context, _ string, e protocol.Evidence) []protocol.Point {
	if w.effect.Insight == nil {
		return nil
	}
	i := slices.IndexFunc(w.effect.Insight.Evidence, func(was protocol.Evidence) bool { return was.Address == e.Address && was.Name == e.Name })
	if i < 0 {
		return nil
	}
	return w.effect.Insight.Evidence[i].Series
}

// Schedule implements Schedules.
func (*recorded) Schedule(context.Context, string, time.Time, protocol.Request) error { return nil }
