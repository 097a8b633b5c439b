package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Replayed says how a journal's run goes with today's code.
type Replayed struct {
	RunID       string       `json:"run_id"`
	Agent       string       `json:"agent"`
	Steps       int          `json:"steps"`
	Requests    int          `json:"requests"`            // whose hash the journal has
	Decisions   int          `json:"decisions,omitempty"` // that were made again
	Calls       int          `json:"calls"`               // that were made again
	Left        int          `json:"left"`                // whose answer only the world has: taken from the journal
	Differences []Difference `json:"differences"`
}

// Concludes reports whether today's code comes to the same: it decides the same, the
// same calls are done, change the same and end the run the same way. What a decider
// reads may be worded anew.
func (r Replayed) Concludes() bool {
	return !slices.ContainsFunc(r.Differences, func(d Difference) bool { return d.What != PartRequest && d.What != PartResult })
}

// A Difference is where a replay parts from its journal.
type Difference struct {
	Step     int    `json:"step"`
	What     Part   `json:"what"`
	Tool     string `json:"tool,omitempty"`
	Recorded string `json:"recorded"`
	Now      string `json:"now"`
}

// A Part is what differs.
type Part string

// Parts of a run.
const (
	PartRequest  Part = "request"  // what the decider could read, by its hash
	PartDecision Part = "decision" // which calls the decider makes, see ReplayBy
	PartVerdict  Part = "verdict"  // whether a call is done, failed or invalid
	PartEffect   Part = "effect"   // what it changes, with the ids it gives
	PartResult   Part = "result"   // what the decider reads of it
	PartEnd      Part = "end"      // how the run ended, with its summary
)

// Replay makes the steps of a journal again, without a model, hosts or NATS: the
// answers are the journal's, and so is whatever the world said. Nothing is
// published. The error says that the records are no run that can be replayed.
func Replay(ctx context.Context, records []protocol.Record) (Replayed, error) {
	return ReplayBy(ctx, records, nil)
}

// ReplayBy is Replay, but what the decider itself answered, by its name, it decides
// again; the run goes on with the journal's answers all the same. It is for deciders
// whose answers depend on the run alone, as the rules analyst's do; nil: nothing is
// decided again. How long a wait is to take is not compared: that depends on the clock.
func ReplayBy(ctx context.Context, records []protocol.Record, d Decider) (Replayed, error) {
	r := replay{decider: d, out: Replayed{Differences: []Difference{}}}
	journal := &MemoryJournal{}
	for _, rec := range records {
		if rec.Kind == protocol.RecordStart && r.loop == nil {
			if err := r.begin(rec, journal, records); err != nil {
				return r.out, err
			}
		}
		if r.loop == nil { // claims before the start
			journal.Log = append(journal.Log, rec)
			continue
		}
		if err := r.step(ctx, rec); err != nil {
			return r.out, fmt.Errorf("record %d (%s): %w", rec.N, rec.Kind, err)
		}
		journal.Log = append(journal.Log, rec)
	}
	if r.loop == nil {
		return r.out, errors.New("the journal has no start record")
	}
	return r.out, nil
}

type replay struct {
	decider Decider
	loop    *loop
	started bool
	world   *recorded
	out     Replayed
}

func (r *replay) begin(rec protocol.Record, j *MemoryJournal, records []protocol.Record) error {
	var start protocol.Start
	if err := json.Unmarshal(rec.Data, &start); err != nil {
		return fmt.Errorf("record %d (start): %w", rec.N, err)
	}
	r.out.RunID, r.out.Agent = rec.RunID, start.Agent
	r.world = &recorded{}
	var tools Toolset
	switch start.Agent {
	case protocol.OperatorAgent:
		deps := OperatorDeps{Probes: r.world, Findings: r.world, TraceID: start.TraceID}
		if slices.Contains(start.Tools, "execute") || len(start.Tools) == 0 && executed(records) {
			deps.Scripts = r.world
		}
		tools = NewOperatorTools(deps)
	case protocol.CoordinatorAgent:
		deps := CoordinatorDeps{Fleet: r.world, Operators: r.world, Conclusions: r.world, Schedules: r.world, TraceID: start.TraceID}
		if slices.Contains(start.Tools, "rank_causes") {
			deps.Causes = r.world
		}
		tools = NewCoordinatorTools(deps)
	default:
		return fmt.Errorf("a run of the agent %q cannot be replayed", start.Agent)
	}
	r.loop = &loop{spec: Spec{RunID: rec.RunID, Tools: tools, Journal: j, Log: slog.New(slog.DiscardHandler)}, tools: map[string]Tool{}}
	for _, t := range tools.Tools() {
		r.loop.tools[t.Name] = t
	}
	return nil
}

// executed reports whether a run of a version that wrote no tools down had scripts.
func executed(records []protocol.Record) bool {
	return slices.ContainsFunc(records, func(rec protocol.Record) bool {
		var res protocol.ToolResult
		return rec.Kind == protocol.RecordResult && json.Unmarshal(rec.Data, &res) == nil && res.Tool == "execute" && !res.Invalid
	})
}

// step replays one record.
func (r *replay) step(ctx context.Context, rec protocol.Record) error {
	switch rec.Kind {
	case protocol.RecordStart:
		if r.started { // two workers wrote it
			return nil
		}
		r.started = true
	case protocol.RecordAnswer:
		if err := r.request(rec); err != nil {
			return err
		}
		if err := r.decide(ctx, rec); err != nil {
			return err
		}
	case protocol.RecordResult:
		if err := r.call(ctx, rec); err != nil {
			return err
		}
	case protocol.RecordFinish:
		return r.end(rec)
	}
	return r.loop.apply(rec)
}

func (r *replay) differs(what Part, tool string, recorded, now any) {
	r.out.Differences = append(r.out.Differences, Difference{
		Step: r.loop.step, What: what, Tool: tool, Recorded: cut(fmt.Sprint(recorded), maxContent), Now: cut(fmt.Sprint(now), maxContent),
	})
}

// request compares what the decider could read.
func (r *replay) request(rec protocol.Record) error {
	var a protocol.Answer
	if err := json.Unmarshal(rec.Data, &a); err != nil {
		return err
	}
	r.out.Steps++
	if a.RequestHash == "" { // it is of a version that wrote none
		return nil
	}
	r.out.Requests++
	now, err := requestHash(r.loop.view())
	if err != nil {
		return err
	}
	if now != a.RequestHash {
		r.differs(PartRequest, "", a.RequestHash, now)
		r.out.Differences[len(r.out.Differences)-1].Step = a.Step // not the one before, where the run stands
	}
	return nil
}

// decide has the decider decide again what it did.
func (r *replay) decide(ctx context.Context, rec protocol.Record) error {
	var a protocol.Answer
	if err := json.Unmarshal(rec.Data, &a); err != nil {
		return err
	}
	if r.decider == nil || a.Model != r.decider.Name() {
		return nil
	}
	r.out.Decisions++
	view := r.loop.view()
	view.Now = rec.At
	now, err := r.decider.Decide(ctx, view)
	if err != nil {
		return fmt.Errorf("%s: %w", r.decider.Name(), err)
	}
	now.Calls, _ = callsOf(now.Calls, a.Step)
	if was, now := spelled(a.Calls), spelled(now.Calls); was != now {
		r.differs(PartDecision, "", was, now)
		r.out.Differences[len(r.out.Differences)-1].Step = a.Step
	}
	return nil
}

// spelled writes calls down so that they can be compared.
func spelled(calls []protocol.ToolCall) string {
	var parts []string
	for _, c := range calls {
		if c.Tool == "wait" {
			c.Args = ""
		}
		parts = append(parts, strings.TrimSpace(c.Tool+" "+c.Args))
	}
	return strings.Join(parts, "\n")
}

// call makes a call again and compares what came of it.
func (r *replay) call(ctx context.Context, rec protocol.Record) error {
	var was protocol.ToolResult
	if err := json.Unmarshal(rec.Data, &was); err != nil {
		return err
	}
	l := r.loop
	if len(l.pending) == 0 || l.done >= len(l.pending[0].Calls) {
		return fmt.Errorf("it is the result of no call: %s", was.CallID)
	}
	n := l.done
	tc := l.pending[0].Calls[n]
	if slices.Contains(ofTheWorld, was.Tool) && !was.Invalid {
		r.out.Left++
		return nil
	}
	r.out.Calls++
	r.world.is(was)
	parent, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	now, err := l.call(parent, parent, tc, n)
	if err != nil {
		return err
	}
	if verdict(now) != verdict(was) {
		r.differs(PartVerdict, was.Tool, verdict(was)+" "+was.Content, verdict(now)+" "+now.Content)
		return nil
	}
	if was.Tool == "invoke_operators" { // who serves what, and what was left out, only the world knows
		was.Effect, now.Effect, now.Content = runsOf(was.Effect), runsOf(now.Effect), was.Content
	}
	if !holds(was.Effect, now.Effect) {
		r.differs(PartEffect, was.Tool, string(was.Effect), string(now.Effect))
	}
	if was.Content != now.Content {
		r.differs(PartResult, was.Tool, was.Content, now.Content)
	}
	return nil
}

// runsOf returns the runs of the effect of invoke_operators.
func runsOf(effect json.RawMessage) json.RawMessage {
	var e struct {
		Runs json.RawMessage `json:"runs"`
	}
	_ = json.Unmarshal(effect, &e) // without runs it has none
	return e.Runs
}

// ofTheWorld are the tools whose answers a journal has, but not what they were
// made of.
var ofTheWorld = []string{"wait", "get_operator_statuses", "message_operator", "fleet_overview"}

func verdict(r protocol.ToolResult) string {
	switch {
	case r.Invalid:
		return "invalid"
	case r.Failed:
		return "failed"
	}
	return "done"
}

// end compares how the run ended.
func (r *replay) end(rec protocol.Record) error {
	var was protocol.Finish
	if err := json.Unmarshal(rec.Data, &was); err != nil {
		return err
	}
	l := r.loop
	now := was.Outcome
	switch {
	case l.cancel != nil:
		now = protocol.OutcomeCancelled
	case l.ended:
		now = protocol.OutcomeDone
	case l.invalid >= MaxInvalidInARow:
		now = protocol.OutcomeFailed
	case was.Outcome == protocol.OutcomeDone:
		now = "not ended"
	}
	if was.Outcome != now && was.Outcome != protocol.OutcomeDeadline {
		r.differs(PartEnd, "", was.Outcome, now)
	}
	summary, err := json.Marshal(l.spec.Tools.Summary())
	if err != nil {
		return err
	}
	if !holds(was.Summary, summary) {
		r.differs(PartEnd, "", string(was.Summary), string(summary))
	}
	return nil
}

// holds reports whether a JSON value is, within another, what it was: later
// versions add fields.
func holds(was, now json.RawMessage) bool {
	if len(was) == 0 || len(now) == 0 {
		return len(was) == len(now)
	}
	var a, b any
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(now, &b) != nil {
		return bytes.Equal(was, now)
	}
	return within(a, b)
}

func within(was, now any) bool {
	switch was := was.(type) {
	case map[string]any:
		now, ok := now.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range was {
			if !within(v, now[k]) {
				return false
			}
		}
		return true
	case []any:
		now, ok := now.([]any)
		return ok && slices.EqualFunc(was, now, within)
	}
	return was == now
}
