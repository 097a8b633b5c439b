package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// t0 is when every snapshot of these tests was taken.
var t0 = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

func host(node string) protocol.TargetRef {
	return protocol.TargetRef{Node: node, Target: "host", Kind: "host"}
}

func hosts(nodes ...string) []protocol.TargetRef {
	var out []protocol.TargetRef
	for _, n := range nodes {
		out = append(out, host(n))
	}
	return out
}

func snapshot(id, node string, data map[string]any) protocol.Snapshot {
	return protocol.Snapshot{ID: id, Node: node, Target: "host", Kind: "host", Skill: "os", CapturedAt: t0, Data: data}
}

func words() protocol.Words {
	return protocol.Words{
		Skill: "os", Kind: "host", Title: "System resources", Summary: "Memory and disks.", Prompt: "Read the metrics.",
		Metrics: []protocol.Metric{
			{Name: "memory_used_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Memory in use."},
			{Name: "memory_available_mb", Unit: protocol.Mebibytes, Kind: protocol.Gauge, Doc: "Memory left."},
		},
		Checks: []protocol.Check{
			{Metric: "memory_used_pct", Op: protocol.Above, Warn: skills.Level(85), Critical: skills.Level(95), Says: "memory is {value} % used", Resource: "memory"},
			{Metric: "memory_available_mb", Op: protocol.Below, Warn: skills.Level(200), Says: "{value} MiB are left", Resource: "memory"},
		},
		Calls: []protocol.CallDoc{{
			Name: "system_top", Doc: "Who uses most.", Example: `system_top(5, "memory")`,
			Params: []protocol.Param{
				{Name: "limit", Type: "integer", Default: 5.0, Min: skills.Level(1), Max: skills.Level(50)},
				{Name: "by", Type: "string", Default: "memory", Enum: []string{"memory", "cpu"}},
			},
		}},
	}
}

// probes is a fleet in memory. What was asked is recorded.
type probes struct {
	mu     sync.Mutex
	snaps  map[string]protocol.Snapshot // by node
	silent map[string]string            // node → why
	answer func(t protocol.TargetRef, callback string, args []any) (any, error)
	asked  []string
	before func() // called before each question
}

func (p *probes) ask(what string) {
	if p.before != nil {
		p.before()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *probes) Snapshot(_ context.Context, t protocol.TargetRef, skill string) (protocol.Snapshot, error) {
	p.ask("snapshot " + skill + " of " + t.String())
	if why, ok := p.silent[t.Node]; ok {
		return protocol.Snapshot{}, errors.New(why)
	}
	return p.snaps[t.Node], nil
}

func (p *probes) Call(_ context.Context, t protocol.TargetRef, callback string, args []any) (protocol.CallReply, error) {
	p.ask(fmt.Sprintf("%s%v of %s", callback, args, t))
	if why, ok := p.silent[t.Node]; ok {
		return protocol.CallReply{}, errors.New(why)
	}
	v, err := p.answer(t, callback, args)
	return protocol.CallReply{Value: v}, err
}

// questions returns what was asked, sorted, and forgets it.
func (p *probes) questions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.asked
	p.asked = nil
	slices.Sort(out)
	return out
}

// effects is a stream that stores each id once, as the server's duplicate window
// does, and remembers bodies that differ under one id.
type effects struct {
	mu      sync.Mutex
	bodies  map[string]string
	order   []string
	repeats int
	differ  []string
}

func (e *effects) store(id string, body any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	if e.bodies == nil {
		e.bodies = map[string]string{}
	}
	if have, ok := e.bodies[id]; ok {
		e.repeats++
		if have != string(raw) {
			e.differ = append(e.differ, cmp.Diff(have, string(raw)))
		}
		return
	}
	e.bodies[id] = string(raw)
	e.order = append(e.order, id)
}

type findings struct {
	effects
	sent []protocol.Notification
}

func (f *findings) Notify(_ context.Context, n protocol.Notification) error {
	f.store(n.ID, n)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, n)
	return nil
}

func (f *findings) StateChanged(_ context.Context, s protocol.State) error {
	f.store("state "+s.RunID+string(s.State), s)
	return nil
}

// An operatorRun is a run over targets with a script in place of a model.
type operatorRun struct {
	targets  []protocol.TargetRef
	starting []protocol.Snapshot
	probes   *probes
	findings *findings
	scripts  agent.Scripts
	settings protocol.RunSettings
	journal  *agent.MemoryJournal
	aborted  chan struct{}
	state    *agent.OperatorState // when it ended
	tells    *signalstest.Record
	// traceless says that nobody told the tools a trace.
	traceless bool
}

func newOperatorRun(nodes ...string) *operatorRun {
	return &operatorRun{
		targets: hosts(nodes...), probes: &probes{snaps: map[string]protocol.Snapshot{}, silent: map[string]string{}}, findings: &findings{},
		journal: &agent.MemoryJournal{Run: "run-1"}, settings: protocol.RunSettings{Deadline: time.Now().Add(time.Hour), MaxIterations: 25},
	}
}

func (r *operatorRun) run(t *testing.T, ctx context.Context, d agent.Decider) (protocol.Finish, error) { //nolint:revive // the test comes first
	t.Helper()
	subject := agent.OperatorSubject{Words: words(), Snapshots: r.starting, Task: protocol.Task{
		RunID: "run-1", InvestigationID: "inv-1", Skill: "os", Targets: r.targets, Reason: "checkout is slow", Deadline: r.settings.Deadline, TraceID: "trace-1",
	}}
	if r.traceless {
		subject.Task.TraceID = ""
	}
	start, err := agent.OperatorStart(subject, r.settings, t0)
	if err != nil {
		t.Fatal(err)
	}
	deps := agent.OperatorDeps{Probes: r.probes, Findings: r.findings, Scripts: r.scripts, TraceID: "trace-1"}
	if r.traceless {
		deps.TraceID = ""
	}
	tools := agent.NewOperatorTools(deps)
	f, err := agent.Run(ctx, agent.Spec{
		RunID: "run-1", Start: start, Tools: tools, Decider: d, Journal: r.journal, Log: quiet(), Aborted: r.aborted,
		Telemetry: telemetry(r.tells), Skill: "os",
	})
	r.state = tools.State().(*agent.OperatorState)
	return f, err
}

// play runs a script to its end.
func (r *operatorRun) play(t *testing.T, steps ...agenttest.Step) protocol.Finish {
	t.Helper()
	f, err := r.run(t, t.Context(), agenttest.NewScript(steps...))
	if err != nil {
		t.Fatalf("the run did not end: %v", err)
	}
	return f
}

// results returns what the calls of a journal gave, in order.
func results(t *testing.T, j *agent.MemoryJournal) []protocol.ToolResult {
	t.Helper()
	var out []protocol.ToolResult
	for _, r := range j.Log {
		if r.Kind == protocol.RecordResult {
			out = append(out, data[protocol.ToolResult](t, r))
		}
	}
	return out
}

func data[T any](t *testing.T, r protocol.Record) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(r.Data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func kinds(j *agent.MemoryJournal) string {
	var out []string
	for _, r := range j.Log {
		out = append(out, string(r.Kind))
	}
	return strings.Join(out, " ")
}

// one returns the only result of a journal's calls of a tool.
func one(t *testing.T, j *agent.MemoryJournal, tool string) protocol.ToolResult {
	t.Helper()
	var found []protocol.ToolResult
	for _, r := range results(t, j) {
		if r.Tool == tool {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d results of %s, want 1: %+v", len(found), tool, found)
	}
	return found[0]
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

// steps makes a step of each call.
func steps(calls ...protocol.ToolCall) []agenttest.Step {
	var out []agenttest.Step
	for _, c := range calls {
		out = append(out, agenttest.Calls(c))
	}
	return out
}

func notify(observation string, ids ...string) protocol.ToolCall {
	if ids == nil {
		ids = []string{}
	}
	return agenttest.Call("send_notification", map[string]any{
		"type": "memory_used_pct", "severity": "warning", "context": "a host", "observation": observation, "snapshot_ids": ids,
	})
}

// fleet has the targets that it was given.
type fleet struct {
	targets map[string][]protocol.TargetRef // by skill
	leftOut []string
	limits  []int
	nodes   [][]string
}

func (f *fleet) Targets(_ context.Context, q agent.TargetQuery) ([]protocol.TargetRef, []string, error) {
	f.limits, f.nodes = append(f.limits, q.Limit), append(f.nodes, q.Nodes)
	return f.targets[q.Skill], f.leftOut, nil
}

func (f *fleet) Overview(context.Context, []string, map[string]string) (any, error) {
	return map[string]int{"nodes": len(f.targets)}, nil
}

// operators answers each task by what report gives, in the order of the tasks.
type operators struct {
	effects
	unserved map[string]error
	tasks    []protocol.Task
	report   func(t protocol.Task) ([]protocol.Notification, protocol.Completion)
	// hold keeps the reports of the first tasks back until it is false.
	hold bool
	ns   []protocol.Notification
	cs   []protocol.Completion
	told []protocol.Told
	lost error // what asking for a status gives
}

func (o *operators) Serves(_ context.Context, skill string) error { return o.unserved[skill] }

func (o *operators) Start(_ context.Context, t protocol.Task) error {
	_, known := o.bodies[t.RunID]
	o.store(t.RunID, t)
	if known {
		return nil
	}
	o.tasks = append(o.tasks, t)
	if o.report != nil {
		ns, c := o.report(t)
		o.ns, o.cs = append(o.ns, ns...), append(o.cs, c)
	}
	return nil
}

func (o *operators) News(_ context.Context, _ string, since agent.Cursor) (agent.News, error) {
	if o.hold {
		return agent.News{Cursor: since}, nil
	}
	return agent.News{
		Notifications: slices.Clone(o.ns[since.Notifications:]), Completions: slices.Clone(o.cs[since.Completions:]), Told: slices.Clone(o.told[since.Told:]),
		Cursor: agent.Cursor{Notifications: uint64(len(o.ns)), Completions: uint64(len(o.cs)), Told: uint64(len(o.told))},
	}, nil
}

// Wake is closed while tasks are under way, as when something comes at once.
func (o *operators) Wake() <-chan struct{} {
	c := make(chan struct{})
	if len(o.tasks) > 0 {
		close(c)
	}
	return c
}

func (o *operators) Status(context.Context, string) (agent.RunStatus, error) {
	if o.lost != nil {
		return agent.RunStatus{}, o.lost
	}
	return agent.RunStatus{Worker: "op-1", Step: 3, Last: t0}, nil
}

type conclusions struct {
	effects
	list []protocol.Insight
}

func (c *conclusions) Publish(_ context.Context, i protocol.Insight) error {
	c.store(i.ID, i)
	c.list = append(c.list, i)
	return nil
}

func (c *conclusions) Series(context.Context, string, protocol.Evidence) []protocol.Point {
	return []protocol.Point{{At: t0.UnixMilli(), Value: 1}}
}

// finding is a verified notification of a run.
func finding(id, run, skill, node, observation string) protocol.Notification {
	return protocol.Notification{
		ID: id, InvestigationID: "inv-1", RunID: run, Operator: skill, Node: node, Target: "host", AnomalyType: "memory_used_pct",
		Severity: protocol.SeverityWarning, Context: "a host", Observation: observation, Verified: true, DetectedAt: t0,
		Evidence: []protocol.Evidence{{Address: "s-" + node + "#memory_used_pct", Node: node, Target: "host", Name: "memory_used_pct", Value: 91.0, Unit: protocol.Percent}},
	}
}

// done is the completion of a task whose targets were looked at.
func done(t protocol.Task) protocol.Completion {
	return protocol.Completion{
		RunID: t.RunID, InvestigationID: t.InvestigationID, Skill: t.Skill, Targets: t.Targets, State: protocol.Healthy,
		Outcome: protocol.OutcomeDone, NotificationIDs: []string{}, SnapshotIDs: []string{"s-1"}, At: t0,
	}
}

// A coordinatorRun is a coordinator's run with a script in place of a model.
type coordinatorRun struct {
	request     protocol.Request
	skills      []string
	matched     int
	fleet       *fleet
	operators   *operators
	conclusions *conclusions
	asks        agent.Asks
	schedules   agent.Schedules
	journal     *agent.MemoryJournal
	traceID     string
	instead     agent.Decider
	news        agent.Operators // in place of operators
	state       *agent.CoordinatorState
	tells       *signalstest.Record
	past        []agent.PastInsight
}

func newCoordinatorRun(targets map[string][]protocol.TargetRef) *coordinatorRun {
	return &coordinatorRun{
		request: protocol.Request{Reason: "checkout is slow"}, fleet: &fleet{targets: targets}, conclusions: &conclusions{},
		operators: &operators{report: func(t protocol.Task) ([]protocol.Notification, protocol.Completion) { return nil, done(t) }},
		skills:    slices.Sorted(maps.Keys(targets)), journal: &agent.MemoryJournal{Run: "inv-1"}, traceID: "trace-1", matched: 1,
	}
}

func (r *coordinatorRun) run(t *testing.T, d agent.Decider) (protocol.Finish, error) {
	t.Helper()
	deadline := time.Now().Add(time.Hour)
	sub := agent.CoordinatorSubject{InvestigationID: "inv-1", Request: r.request, Deadline: deadline, Matched: r.matched, Past: r.past}
	for _, s := range r.skills {
		sub.Skills = append(sub.Skills, agent.SkillInfo{Name: s, Title: s, Summary: s})
	}
	start, err := agent.CoordinatorStart(sub, protocol.RunSettings{MaxIterations: 25, Deadline: deadline}, r.traceID, t0)
	if err != nil {
		t.Fatal(err)
	}
	var ops agent.Operators = r.operators
	if r.news != nil {
		ops = r.news
	}
	tools := agent.NewCoordinatorTools(agent.CoordinatorDeps{
		Fleet: r.fleet, Operators: ops, Conclusions: r.conclusions, Asks: r.asks, Schedules: r.schedules, TraceID: r.traceID,
	})
	f, err := agent.Run(t.Context(), agent.Spec{
		RunID: "inv-1", Start: start, Tools: tools, Decider: d, Instead: r.instead, Journal: r.journal, Log: quiet(), Telemetry: telemetry(r.tells),
	})
	r.state = tools.State().(*agent.CoordinatorState)
	return f, err
}

func (r *coordinatorRun) play(t *testing.T, steps ...agenttest.Step) protocol.Finish {
	t.Helper()
	f, err := r.run(t, agenttest.NewScript(steps...))
	if err != nil {
		t.Fatalf("the run did not end: %v", err)
	}
	return f
}

// telemetry tells a record; nil: nobody.
func telemetry(r *signalstest.Record) *agent.Telemetry {
	if r == nil {
		return nil
	}
	return agent.NewTelemetry(r.Providers)
}
