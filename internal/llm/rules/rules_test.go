package rules_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

var t0 = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// words are a small skill with three resources.
func words() protocol.Words {
	return protocol.Words{
		Skill: "os", Kind: "host", Title: "System resources", Summary: "Memory and disks.", Prompt: "Read the metrics.",
		Metrics: []protocol.Metric{
			{Name: "memory_used_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Memory in use."},
			{Name: "memory_available_mb", Unit: protocol.Mebibytes, Kind: protocol.Gauge, Doc: "Memory left."},
			{Name: "io_wait_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Time that disks were waited for."},
			{Name: "load_5m", Unit: protocol.Load, Kind: protocol.Gauge, Doc: "Load."},
		},
		Checks: []protocol.Check{
			{Metric: "memory_used_pct", Op: protocol.Above, Warn: skills.Level(85), Critical: skills.Level(95), Says: "memory is {value} % used", Resource: "memory", Ask: `system_top(5, "memory")`, Advice: "Find what holds the memory."},
			{Metric: "memory_available_mb", Op: protocol.Below, Warn: skills.Level(200), Says: "{value} MiB of memory are left", Resource: "memory", Ask: `system_top(5, "memory")`},
			{Metric: "io_wait_pct", Op: protocol.Above, Warn: skills.Level(40), Says: "tasks waited {value} % of the time for disks", Resource: "disk_io"},
			{Metric: "load_5m", Op: protocol.Above, Warn: skills.Level(20), Says: "the load is {value}"},
		},
		Calls: []protocol.CallDoc{{
			Name: "system_top", Doc: "Who uses most.", Example: `system_top(5, "memory")`,
			Params: []protocol.Param{{Name: "limit", Type: "integer", Default: 5.0}, {Name: "by", Type: "string", Default: "memory"}},
		}},
	}
}

type values = map[string]any

// world is a fleet in memory with an operator's worker: every task is run at
// once, with the analyst, and its findings are what the coordinator reads.
type world struct {
	t        *testing.T
	data     map[string]values // node → the metrics of its snapshot
	captured map[string]time.Time
	silent   map[string]string
	top      any
	topErr   error
	analyst  *rules.Analyst

	mu       sync.Mutex // of asked: several targets are asked at once
	asked    []string
	started  []protocol.Task
	notes    []protocol.Notification
	ended    []protocol.Completion
	insights []protocol.Insight
	journals map[string]*agent.MemoryJournal
	past     []agent.PastInsight
}

func newWorld(t *testing.T, data map[string]values) *world {
	return &world{
		t: t, data: data, captured: map[string]time.Time{}, silent: map[string]string{}, analyst: rules.New([]protocol.Words{words()}),
		journals: map[string]*agent.MemoryJournal{}, top: []any{
			values{"name": "postgres", "pid": 812.0, "memory_mb": 6144.5}, values{"name": "nginx", "pid": 77.0, "memory_mb": 12.0},
		},
	}
}

func (w *world) nodes() []string {
	var out []string
	for n := range w.data {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (w *world) refs() []protocol.TargetRef {
	var out []protocol.TargetRef
	for _, n := range w.nodes() {
		out = append(out, protocol.TargetRef{Node: n, Target: "host", Kind: "host"})
	}
	return out
}

func (w *world) snapshot(node string) protocol.Snapshot {
	at, ok := w.captured[node]
	if !ok {
		at = t0
	}
	return protocol.Snapshot{ID: "s-" + node, Node: node, Target: "host", Kind: "host", Skill: "os", CapturedAt: at, Data: w.data[node]}
}

type asker struct{ *world }

func (w asker) Snapshot(_ context.Context, t protocol.TargetRef, _ string) (protocol.Snapshot, error) {
	if why := w.silent[t.Node]; why != "" {
		return protocol.Snapshot{}, errors.New(why)
	}
	return w.snapshot(t.Node), nil
}

func (w *world) Call(_ context.Context, t protocol.TargetRef, callback string, args []any) (protocol.CallReply, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, fmt.Sprintf("%s%v of %s", callback, args, t))
	return protocol.CallReply{Value: w.top}, w.topErr
}

// Notify stores a notification once, as the stream does.
func (w *world) Notify(_ context.Context, n protocol.Notification) error {
	if !slices.ContainsFunc(w.notes, func(known protocol.Notification) bool { return known.ID == n.ID }) {
		w.notes = append(w.notes, n)
	}
	return nil
}

func (w *world) StateChanged(context.Context, protocol.State) error { return nil }

func (w *world) Targets(context.Context, agent.TargetQuery) ([]protocol.TargetRef, []string, error) {
	return w.refs(), nil, nil
}

func (w *world) Overview(context.Context, []string, map[string]string) (any, error) { return nil, nil }

func (w *world) Serves(context.Context, string) error { return nil }

func (w *world) Start(_ context.Context, task protocol.Task) error {
	known := slices.ContainsFunc(w.started, func(t protocol.Task) bool { return t.RunID == task.RunID })
	w.started = append(w.started, task)
	if known { // the queue takes a task once
		return nil
	}
	f, state := w.operator(task)
	w.ended = append(w.ended, agent.Completion(task, f, state.Summary(), t0))
	return nil
}

// News has what the operators found, from when the journal says that they were
// started.
func (w *world) News(_ context.Context, _ string, since agent.Cursor) (agent.News, error) {
	invoked := func(r protocol.Record) bool {
		return r.Kind == protocol.RecordResult && strings.Contains(string(r.Data), `"tool":"invoke_operators"`)
	}
	if !slices.ContainsFunc(w.journals["inv-1"].Log, invoked) {
		return agent.News{Cursor: since}, nil
	}
	return agent.News{
		Notifications: slices.Clone(w.notes[since.Notifications:]), Completions: slices.Clone(w.ended[since.Completions:]),
		Cursor: agent.Cursor{Notifications: uint64(len(w.notes)), Completions: uint64(len(w.ended))},
	}, nil
}

func (w *world) Wake() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (w *world) Status(context.Context, string) (agent.RunStatus, error) {
	return agent.RunStatus{}, nil
}

func (w *world) Publish(_ context.Context, i protocol.Insight) error {
	w.insights = append(w.insights, i)
	return nil
}

func (w *world) Series(context.Context, string, protocol.Evidence) []protocol.Point { return nil }

// journal returns the journal of a run. Its clock stands still, so that two runs
// of one world are the same to the last byte.
func (w *world) journal(run string) *agent.MemoryJournal {
	if w.journals[run] == nil {
		w.journals[run] = &agent.MemoryJournal{Run: run, Time: func() time.Time { return t0 }}
	}
	return w.journals[run]
}

// operator runs one task to its end.
func (w *world) operator(task protocol.Task, latest ...protocol.Snapshot) (protocol.Finish, *agent.OperatorState) {
	w.t.Helper()
	start, err := agent.OperatorStart(agent.OperatorSubject{Task: task, Words: words(), Snapshots: latest},
		protocol.RunSettings{Deadline: t0.AddDate(100, 0, 0), MaxIterations: 25}, t0)
	if err != nil {
		w.t.Fatal(err)
	}
	tools := agent.NewOperatorTools(agent.OperatorDeps{Probes: asker{w}, Findings: w})
	f, err := agent.Run(w.t.Context(), agent.Spec{
		RunID: task.RunID, Start: start, Tools: tools, Decider: w.analyst, Journal: w.journal(task.RunID), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil || f.Outcome != protocol.OutcomeDone {
		w.t.Fatalf("the operator ended as %+v, %v", f, err)
	}
	return f, tools.State().(*agent.OperatorState)
}

func (w *world) look(latest ...protocol.Snapshot) *agent.OperatorState {
	w.t.Helper()
	_, s := w.operator(protocol.Task{
		RunID: "run-1", InvestigationID: "inv-1", Skill: "os", Targets: w.refs(), Reason: "checkout is slow", Deadline: t0.AddDate(100, 0, 0),
	}, latest...)
	return s
}

// investigate runs a whole investigation.
func (w *world) investigate() protocol.Finish {
	w.t.Helper()
	deadline := t0.AddDate(100, 0, 0)
	sub := agent.CoordinatorSubject{
		InvestigationID: "inv-1", Request: protocol.Request{Reason: "checkout is slow"}, Deadline: deadline, Matched: len(w.data), Past: w.past,
		Skills: []agent.SkillInfo{{Name: "os", Title: "System resources", Summary: "Memory and disks."}},
	}
	start, err := agent.CoordinatorStart(sub, protocol.RunSettings{MaxIterations: 25, Deadline: deadline}, "trace-1", t0)
	if err != nil {
		w.t.Fatal(err)
	}
	tools := agent.NewCoordinatorTools(agent.CoordinatorDeps{Fleet: w, Operators: w, Conclusions: w})
	f, err := agent.Run(w.t.Context(), agent.Spec{
		RunID: "inv-1", Start: start, Tools: tools, Decider: w.analyst, Journal: w.journal("inv-1"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil || f.Outcome != protocol.OutcomeDone {
		w.t.Fatalf("the coordinator ended as %+v, %v", f, err)
	}
	return f
}

func calls(t *testing.T, j *agent.MemoryJournal) (out []string) {
	t.Helper()
	for _, r := range j.Log {
		if r.Kind != protocol.RecordAnswer {
			continue
		}
		var a protocol.Answer
		if err := json.Unmarshal(r.Data, &a); err != nil {
			t.Fatal(err)
		}
		for _, c := range a.Calls {
			out = append(out, c.Tool)
		}
	}
	return out
}

func fine() values {
	return values{"memory_used_pct": 42.0, "memory_available_mb": 4096.0, "io_wait_pct": 1.5, "load_5m": 0.3}
}

func with(change values) values {
	out := fine()
	maps.Copy(out, change)
	return out
}

func TestAHealthyHostTakesTwoSteps(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": fine()})
	s := w.look()
	if s.Health != protocol.Healthy || len(w.notes) > 0 || len(w.asked) > 0 {
		t.Errorf("health %s, notifications %+v, asked %v", s.Health, w.notes, w.asked)
	}
	if diff := cmp.Diff([]string{"take_snapshot", "set_state", "done"}, calls(t, w.journals["run-1"])); diff != "" {
		t.Error(diff)
	}
}

func TestShortMemoryIsOneProblemThatNamesItsCulprit(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.5, "memory_available_mb": 150.0})})
	s := w.look()
	if len(w.notes) != 1 {
		t.Fatalf("%d notifications, want one for the resource: %+v", len(w.notes), w.notes)
	}
	n := w.notes[0]
	if s.Health != protocol.Warning || n.Severity != protocol.SeverityWarning || n.AnomalyType != "memory_used_pct" || !n.Verified ||
		n.Observation != "memory is 91.5 % used; 150 MiB of memory are left" || !strings.HasPrefix(n.Hypothesis, "postgres (812) ") || !strings.Contains(n.Hypothesis, "memory") {
		t.Errorf("health %s, notification %+v", s.Health, n)
	}
	for _, part := range []string{"web-1/host, snapshot of 2026-03-14T09:26:53Z", "memory_used_pct is 91.5 %; it is warning from 85 % on", "system_top no. 1: name postgres, pid 812, memory_mb 6144.5"} {
		if !strings.Contains(n.Context, part) {
			t.Errorf("%q is not in the context: %s", part, n.Context)
		}
	}
	if diff := cmp.Diff([]string{"system_top[5 memory] of web-1/host"}, w.asked); diff != "" {
		t.Errorf("one question for both checks: %s", diff)
	}
	if diff := cmp.Diff([]string{"take_snapshot", "call", "send_notification", "set_state", "done"}, calls(t, w.journals["run-1"])); diff != "" {
		t.Error(diff)
	}
}

func TestWhoHoldsOthersUpIsNamedAsThat(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.5})})
	w.top = []any{values{"function": "main.audit", "line": "stock.go:65", "holds": true}, values{"function": "main.reserve", "line": "stock.go:43"}}
	w.look()
	if len(w.notes) != 1 || w.notes[0].Hypothesis != "main.audit (stock.go:65) holds what the others wait for" {
		t.Errorf("notifications %+v", w.notes)
	}
}

func TestTheWorseCheckNamesTheProblem(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 97.0, "load_5m": 25.0})})
	s := w.look()
	if len(w.notes) != 2 || s.Health != protocol.Critical || w.notes[0].Severity != protocol.SeverityCritical || w.notes[1].AnomalyType != "load_5m" || !w.notes[1].Verified {
		t.Errorf("health %s, notifications %+v", s.Health, w.notes)
	}
}

func TestACallbackThatFailsIsSaidAndHoldsNothingUp(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.0})})
	w.topErr = errors.New("it might have hung for 10 s")
	w.look()
	if len(w.notes) != 1 || w.notes[0].Hypothesis != "" || !w.notes[0].Verified || !strings.Contains(w.notes[0].Context, "system_top(5,\"memory\") did not answer") {
		t.Errorf("notifications %+v", w.notes)
	}
}

func TestTargetsThatDoNotAnswerAreNotChecked(t *testing.T) {
	t.Run("one of two", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": fine(), "web-2": fine()})
		w.silent["web-2"] = "its probe is not connected"
		s := w.look()
		if got := s.Summary(); s.Health != protocol.Healthy || cmp.Diff([]string{"os web-2/host: its probe is not connected"}, got.NotChecked) != "" {
			t.Errorf("health %s, summary %+v", s.Health, got)
		}
	})
	t.Run("all: that is no health", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": fine()})
		w.silent["web-1"] = "its probe is not connected"
		if s := w.look(); s.Health != protocol.Observing || len(s.Summary().NotChecked) != 1 {
			t.Errorf("health %s, summary %+v", s.Health, s.Summary())
		}
	})
	t.Run("with a snapshot from before: it is judged by that", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.0})})
		w.silent["web-1"], w.topErr, w.top = "gone", errors.New("gone"), nil
		w.captured["web-1"] = t0.Add(-3 * time.Hour)
		s := w.look(w.snapshot("web-1"))
		if len(w.notes) != 1 || !strings.Contains(w.notes[0].Context, "snapshot of 2026-03-14T06:26:53Z") || len(s.Summary().NotChecked) != 1 {
			t.Errorf("notifications %+v, summary %+v", w.notes, s.Summary())
		}
	})
}

func TestAStaleSnapshotSaysItsAge(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.0})})
	w.captured["web-1"] = t0.Add(-2 * time.Hour)
	w.look()
	if len(w.notes) != 1 || !strings.Contains(w.notes[0].Context, "snapshot of 2026-03-14T07:26:53Z") {
		t.Errorf("notifications %+v", w.notes)
	}
}

func TestOneQuestionIsPutToAllItConcerns(t *testing.T) {
	data := map[string]values{}
	for i := range 50 {
		data[fmt.Sprintf("web-%02d", i)] = with(values{"memory_used_pct": 90.0 + float64(i)/10})
	}
	w := newWorld(t, data)
	w.look()
	if len(w.notes) != 50 || len(w.asked) != 50 {
		t.Fatalf("%d notifications and %d questions for 50 hosts", len(w.notes), len(w.asked))
	}
	counts := map[string]int{}
	for _, c := range calls(t, w.journals["run-1"]) {
		counts[c]++
	}
	if counts["call"] != 1 || counts["send_notification"] != 50 || counts["take_snapshot"] != 1 {
		t.Errorf("calls %v", counts)
	}
}

func TestInvestigations(t *testing.T) {
	t.Run("nothing is wrong, and what comes nearest to it", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 80.0}), "web-2": fine()})
		w.investigate()
		if len(w.insights) != 1 {
			t.Fatalf("insights %+v", w.insights)
		}
		i := w.insights[0]
		if i.CorrelationType != protocol.None || i.Severity != protocol.SeverityInfo || i.Confidence != protocol.High || i.Model != protocol.RulesModel || len(i.RuledOut) != 4 ||
			!strings.Contains(i.Summary, "Nothing is wrong on 2 nodes") || !strings.Contains(i.Summary, "memory_used_pct at 80 % on web-1 (threshold 85 %)") {
			t.Errorf("insight %+v", i)
		}
	})
	t.Run("one problem on one node is temporal", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.0}), "web-2": fine()})
		w.investigate()
		if len(w.insights) != 1 {
			t.Fatalf("insights %+v", w.insights)
		}
		i := w.insights[0]
		if i.CorrelationType != protocol.Temporal || i.HypothesisGrounded || i.Severity != protocol.SeverityWarning || cmp.Diff([]string{"web-1"}, i.Nodes) != "" ||
			cmp.Diff([]string{"Find what holds the memory."}, i.SuggestedActions) != "" || !strings.Contains(i.RootCauseHypothesis, "postgres (812)") {
			t.Errorf("insight %+v", i)
		}
	})
	t.Run("the same check on two nodes is one symptom", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 91.0}), "web-2": with(values{"memory_used_pct": 97.0}), "web-3": fine()})
		w.investigate()
		if len(w.insights) != 1 {
			t.Fatalf("insights %+v", w.insights)
		}
		i := w.insights[0]
		if i.CorrelationType != protocol.Symptomatic || i.Severity != protocol.SeverityCritical || len(i.NotificationIDs) != 2 || len(i.MatchedObservations) != 2 ||
			cmp.Diff([]string{"web-1", "web-2"}, i.Nodes) != "" || !strings.Contains(i.Summary, "The same problem (memory) on 2 of 3 nodes") {
			t.Errorf("insight %+v", i)
		}
	})
	t.Run("memory and the disks that swapping keeps busy are cause and effect", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 97.0, "io_wait_pct": 60.0})})
		w.investigate()
		if len(w.insights) != 1 {
			t.Fatalf("insights %+v", w.insights)
		}
		i := w.insights[0]
		if i.CorrelationType != protocol.Causal || len(i.MatchedObservations) != 2 || !strings.HasPrefix(i.MatchedObservations[0], "memory is 97 % used") {
			t.Errorf("insight %+v", i)
		}
	})
	t.Run("two problems without a common cause are two insights, the worse first", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": with(values{"load_5m": 25.0}), "web-2": with(values{"memory_used_pct": 97.0})})
		w.investigate()
		if len(w.insights) != 2 || w.insights[0].Severity != protocol.SeverityCritical || w.insights[1].Nodes[0] != "web-1" {
			t.Errorf("insights %+v", w.insights)
		}
	})
	t.Run("where nobody answers nothing is concluded", func(t *testing.T) {
		w := newWorld(t, map[string]values{"web-1": fine()})
		w.silent["web-1"] = "its probe is not connected"
		f := w.investigate()
		if len(w.insights) != 0 || !strings.Contains(string(f.Summary), "os web-1/host: its probe is not connected") {
			t.Errorf("insights %+v, summary %s", w.insights, f.Summary)
		}
	})
	t.Run("every figure that it states is in the evidence", func(t *testing.T) {
		for _, data := range []map[string]values{
			{"web-1": with(values{"memory_used_pct": 91.26})}, {"web-1": with(values{"memory_used_pct": 97.0, "io_wait_pct": 60.5}), "web-2": with(values{"load_5m": 33.33})},
			{"web-1": fine(), "web-2": fine(), "web-3": with(values{"memory_available_mb": 12.0})},
		} {
			w := newWorld(t, data)
			w.investigate()
			for _, n := range w.notes {
				if !n.Verified {
					t.Errorf("notification %+v", n)
				}
			}
			for _, i := range w.insights {
				for _, f := range i.Figures {
					if !f.Found {
						t.Errorf("figure %+v of %q", f, i.Summary)
					}
				}
			}
			if got := calls(t, w.journals["inv-1"]); slices.Contains(got[2:], "invoke_operators") || len(got) > 6 {
				t.Errorf("an insight was refused: %v", got)
			}
		}
	})
}

func TestTheSameWorldGivesTheSameJournals(t *testing.T) {
	run := func() map[string]*agent.MemoryJournal {
		data := map[string]values{}
		for i := range 12 {
			data[fmt.Sprintf("web-%02d", i)] = with(values{"memory_used_pct": 80.0 + float64(i), "load_5m": float64(2 * i)})
		}
		w := newWorld(t, data)
		w.silent["web-03"], w.silent["web-04"] = "gone", "hangs"
		w.investigate()
		return w.journals
	}
	want := run()
	for range 5 {
		got := run()
		if len(got) != len(want) {
			t.Fatalf("%d runs, then %d", len(want), len(got))
		}
		for id, j := range want {
			for i, r := range j.Log {
				if diff := cmp.Diff(stable(r), stable(got[id].Log[i])); diff != "" {
					t.Fatalf("record %d of %s differs:\n%s", r.N, id, diff)
				}
			}
		}
	}
}

// stable is a record without how long a wait took.
func stable(r protocol.Record) string {
	if i := strings.Index(string(r.Data), `{\"waited\":`); i >= 0 {
		return string(r.Kind)
	}
	return fmt.Sprintf("%s %s", r.Kind, r.Data)
}

func TestTheAnalystGivesTheRecordedAnswerAtEveryStep(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 97.0, "io_wait_pct": 60.0}), "web-2": fine()})
	w.investigate()
	for id, j := range w.journals {
		for n, r := range j.Log {
			if r.Kind != protocol.RecordAnswer {
				continue
			}
			cut := &agent.MemoryJournal{Run: id, Log: slices.Clone(j.Log[:n]), Time: j.Time}
			before := w.journals[id]
			w.journals[id] = cut
			if id == "inv-1" {
				w.investigate()
			} else {
				w.look2(id)
			}
			if diff := cmp.Diff(stable(r), stable(cut.Log[n])); diff != "" {
				t.Errorf("%s, record %d: %s", id, n+1, diff)
			}
			w.journals[id] = before
		}
	}
}

// look2 goes on with an operator's run.
func (w *world) look2(run string) {
	for _, task := range w.started {
		if task.RunID == run {
			w.operator(task)
			return
		}
	}
	w.t.Fatalf("no task %s", run)
}

func TestTheAnalystDecidesTheSameInAReplay(t *testing.T) {
	w := newWorld(t, map[string]values{"web-1": with(values{"memory_used_pct": 97.0, "io_wait_pct": 60.0}), "web-2": fine()})
	w.investigate()
	for id, j := range w.journals {
		got, err := agent.ReplayBy(t.Context(), j.Log, w.analyst)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Differences) > 0 || got.Decisions != got.Steps || got.Steps == 0 || !got.Concludes() {
			t.Errorf("%s: %d of %d steps decided again: %+v", id, got.Decisions, got.Steps, got.Differences)
		}
	}
	// An analyst that knows no words gives no advice.
	got, err := agent.ReplayBy(t.Context(), w.journals["inv-1"].Log, rules.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Concludes() || got.Differences[0].What != agent.PartDecision {
		t.Errorf("another analyst decides the same: %+v", got)
	}
}
