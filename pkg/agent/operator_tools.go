package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// OperatorDeps is what an operator's tools need.
type OperatorDeps struct {
	Probes   Probes
	Findings Findings
	Scripts  Scripts // nil: no execute tool
	TraceID  string
}

// askAtOnce is how many targets are asked at a time: all of a task, so that those
// that hang cost their deadline together.
const askAtOnce = protocol.MaxTaskTargets

// tableFrom is the number of targets from which take_snapshot answers with a
// table instead of one object a snapshot.
const tableFrom = 2

// maxFactRefusals is how often the fact check sends a notification back before
// it is stored unverified.
const maxFactRefusals = 2

// NewOperatorTools returns an operator's tools with an empty state.
func NewOperatorTools(deps OperatorDeps) *OperatorTools {
	o := &OperatorTools{deps: deps, state: &OperatorState{Health: protocol.Healthy, Unanswered: map[string]string{}}}
	o.tools = []Tool{
		newTool("set_state", "Sets your assessment of the targets; observing: gathering more; critical: needs action now.", o.setState, o.foldState),
		newTool("send_notification", "Reports an anomaly of one node, with figures exactly as seen. snapshot_ids: those that show it, all of one target.", o.notify, o.foldNotification),
		newTool[none, none]("get_notifications", "Lists the notifications of this run.", o.notifications, nil),
		newTool("take_snapshot", "Takes fresh snapshots and stores each under an id.", o.takeSnapshot, o.foldSnapshots),
		newTool[snapshotArgs, none]("get_snapshot", "Returns a stored snapshot by id.", o.getSnapshot, nil),
		newTool[snapshotsArgs, none]("get_snapshots", "Lists stored snapshots, oldest first.", o.getSnapshots, nil),
		newTool("call", "Asks one callback of several targets at once. args are positional.", o.call, o.foldAnswers),
		newTool[waitArgs, none]("wait", "Waits before the next step.", wait, nil),
		newTool[thinkArgs, none]("think", "Records a thought.", think, nil),
		ends(newTool[none, none]("done", "Ends the run.", func(context.Context, Call, none) (Outcome, error) {
			return Outcome{Content: map[string]bool{"done": true}}, nil
		}, nil)),
	}
	if deps.Scripts != nil {
		o.tools = append(o.tools, newTool("execute", "Runs Lua. Every callback is a global function; on(target, \"callback\", …) asks one of several targets, fleet(\"callback\", …) all of them at once and returns a table by target ({error=…} where one failed), targets() lists them. Return what you need: figures that you derive here count as evidence.", o.execute, o.foldAnswers))
	}
	return o
}

func ends(t Tool) Tool { t.Ends = true; return t }

// OperatorTools implements Toolset for operators.
type OperatorTools struct {
	deps  OperatorDeps
	tools []Tool
	state *OperatorState
}

var _ Toolset = (*OperatorTools)(nil)

// Tools implements Toolset.
func (o *OperatorTools) Tools() []Tool { return o.tools }

// State implements Toolset; it is an *OperatorState.
func (o *OperatorTools) State() any { return o.state }

// Begin implements Toolset.
func (o *OperatorTools) Begin(s protocol.Start) error {
	if err := json.Unmarshal(s.Subject, &o.state.Subject); err != nil {
		return fmt.Errorf("subject of an operator's run: %w", err)
	}
	o.state.Snapshots = append(o.state.Snapshots, o.state.Subject.Snapshots...)
	if o.deps.TraceID == "" {
		o.deps.TraceID = s.TraceID
	}
	return nil
}

// Input implements Toolset: nothing reaches an operator from outside.
func (o *OperatorTools) Input(context.Context) (protocol.Input, bool, error) {
	return protocol.Input{}, false, nil
}

// FoldInput implements Toolset.
func (o *OperatorTools) FoldInput(protocol.Input) error { return nil }

// Summary implements Toolset; it is an OperatorSummary.
func (o *OperatorTools) Summary() any { return o.state.Summary() }

type none struct{}

type stateArgs struct {
	State  protocol.Health `json:"state" jsonschema:"required,enum=healthy,enum=observing,enum=warning,enum=critical"`
	Reason string          `json:"reason" jsonschema:"required"`
}

func (o *OperatorTools) setState(ctx context.Context, c Call, a stateArgs) (Outcome, error) {
	task := o.state.Subject.Task
	s := protocol.State{RunID: c.RunID, InvestigationID: task.InvestigationID, Skill: task.Skill, State: a.State, Reason: a.Reason, At: c.At}
	if err := o.deps.Findings.StateChanged(ctx, s); err != nil {
		return Outcome{}, err
	}
	return Outcome{Content: map[string]any{"state": a.State}, Effect: a}, nil
}

func (o *OperatorTools) foldState(a stateArgs) error { o.state.Health = a.State; return nil }

type notifyArgs struct {
	Type        string            `json:"type" jsonschema:"required,description=a short name of the anomaly such as memory_used_pct"`
	Severity    protocol.Severity `json:"severity" jsonschema:"required,enum=info,enum=warning,enum=critical"`
	Context     string            `json:"context" jsonschema:"required,description=facts: state of the target"`
	Observation string            `json:"observation" jsonschema:"required,description=facts: what is anomalous"`
	Hypothesis  string            `json:"hypothesis,omitempty" jsonschema:"description=speculation: what might be the cause"`
	SnapshotIDs []string          `json:"snapshot_ids" jsonschema:"required"`
}

// notified is the effect of send_notification: a notification, or a refusal of the fact check.
type notified struct {
	Notification *protocol.Notification `json:"notification,omitempty"`
	Refused      bool                   `json:"refused,omitempty"`
}

func (o *OperatorTools) notify(ctx context.Context, c Call, a notifyArgs) (Outcome, error) {
	snaps, err := o.cited(a.SnapshotIDs)
	if err != nil {
		return Outcome{}, err
	}
	of := snaps[0].Ref()
	facts := o.state.Facts(of.Node)
	figures := grounding.Check(a.Context+"\n"+a.Observation, facts)
	if problem := faults(a.Context+"\n"+a.Observation, figures); problem != nil {
		if o.state.refused < maxFactRefusals {
			return Outcome{Effect: notified{Refused: true}}, problem
		}
	}
	verified := faults(a.Context+"\n"+a.Observation, figures) == nil
	task := o.state.Subject.Task
	n := protocol.Notification{
		ID: c.EffectID("notification"), InvestigationID: task.InvestigationID, RunID: c.RunID, Operator: task.Skill,
		Node: of.Node, Target: of.Target, AnomalyType: a.Type, Severity: a.Severity, Context: a.Context, Observation: a.Observation,
		Hypothesis: a.Hypothesis, Snapshots: fit(snaps), Verified: verified, Figures: figures, DetectedAt: c.At, TraceID: o.deps.TraceID,
	}
	n.Evidence = o.evidence(of, a.Type, a.Observation, figures, facts)
	if err := o.deps.Findings.Notify(ctx, n); err != nil {
		return Outcome{}, err
	}
	return Outcome{Content: map[string]any{"notification": n.ID, "verified": verified}, Effect: notified{Notification: &n}}, nil
}

func (o *OperatorTools) foldNotification(e notified) error {
	if e.Refused {
		o.state.refused++
		return nil
	}
	o.state.refused = 0
	o.state.Notifications = append(o.state.Notifications, *e.Notification)
	return nil
}

// cited returns the snapshots of the ids, each once.
func (o *OperatorTools) cited(ids []string) ([]protocol.Snapshot, error) {
	if len(ids) == 0 {
		return nil, errors.New("a notification needs at least one snapshot id: call take_snapshot first")
	}
	var snaps []protocol.Snapshot
	var missing []string
	for i, id := range ids {
		snap, ok := o.state.snapshot(id)
		switch {
		case !ok:
			missing = append(missing, id)
		case !slices.Contains(ids[:i], id):
			snaps = append(snaps, snap)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("unknown snapshot ids: %s", strings.Join(missing, ", "))
	}
	for _, s := range snaps[1:] {
		if s.Ref() != snaps[0].Ref() {
			return nil, fmt.Errorf("the snapshots are of %s and %s: send one notification for each", snaps[0].Ref(), s.Ref())
		}
	}
	return snaps, nil
}

// faults says what the fact check objects to, or nil.
func faults(text string, figures []protocol.Figure) error {
	var problems []string
	for _, f := range figures {
		if !f.Found {
			nearest := "nothing near it was seen"
			if f.Nearest != "" {
				nearest = "the nearest seen is " + f.Nearest
			}
			problems = append(problems, fmt.Sprintf("%q is not in the evidence of this node (%s)", f.Text, nearest))
		}
	}
	if words := grounding.Hedges(text); len(words) > 0 {
		problems = append(problems, fmt.Sprintf("%q is speculation: put it into hypothesis", words))
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("context and observation hold facts only: %s", strings.Join(problems, "; "))
}

// evidence lists the fields that carry the notification: the metric it is about,
// what the observation names, and those that its figures were found in. An
// insight outlives the snapshot.
func (o *OperatorTools) evidence(of protocol.TargetRef, metric, observation string, figures []protocol.Figure, facts []grounding.Fact) []protocol.Evidence {
	var out []protocol.Evidence
	add := func(address string) {
		if strings.HasPrefix(address, "threshold#") || slices.ContainsFunc(out, func(e protocol.Evidence) bool { return e.Address == address }) {
			return
		}
		for _, f := range facts {
			if f.Address == address {
				e := protocol.Evidence{Address: f.Address, Node: of.Node, Target: of.Target, Name: f.Name, Value: f.Value, Unit: f.Unit}
				if f.Text != "" {
					e.Value = f.Text
				}
				e.Threshold = o.threshold(f.Name, f.Value)
				out = append(out, e)
				return
			}
		}
	}
	if snap, ok := o.state.Latest(of); ok {
		if _, there := snap.Data[metric]; there {
			add(snap.ID + "#" + metric)
		}
		for _, x := range skills.Evaluate(o.state.Subject.Words.Checks, snap.Data) {
			if !strings.Contains(observation, x.Says) {
				continue
			}
			for _, name := range skills.Placeholders(x.Check.Says, x.Check.Metric) {
				add(snap.ID + "#" + name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(snap.Data)) {
			if text, ok := snap.Data[name].(string); ok && len(text) >= minNamed && strings.Contains(observation, text) {
				add(snap.ID + "#" + name)
			}
		}
	}
	for _, f := range figures {
		if f.Found {
			add(f.Evidence)
		}
	}
	return out
}

// minNamed is how long a text must be that is taken as named where it occurs.
const minNamed = 3

// threshold returns the highest level of the metric's check that the value crossed.
func (o *OperatorTools) threshold(metric string, v float64) *float64 {
	for _, x := range skills.Evaluate(o.state.Subject.Words.Checks, map[string]any{metric: v}) {
		return &x.Threshold
	}
	return nil
}

// fit drops the oldest snapshots until they fit into a notification.
func fit(snaps []protocol.Snapshot) []protocol.Snapshot {
	for len(snaps) > 1 {
		b, err := json.Marshal(snaps)
		if err != nil || len(b) <= protocol.MaxNotificationSnapshots {
			return snaps
		}
		snaps = snaps[1:]
	}
	return snaps
}

func (o *OperatorTools) notifications(context.Context, Call, none) (Outcome, error) {
	type view struct {
		ID          string            `json:"id"`
		Node        string            `json:"node"`
		Type        string            `json:"type"`
		Severity    protocol.Severity `json:"severity"`
		Observation string            `json:"observation"`
		Verified    bool              `json:"verified"`
	}
	views := []view{}
	for _, n := range o.state.Notifications {
		views = append(views, view{n.ID, n.Node, n.AnomalyType, n.Severity, n.Observation, n.Verified})
	}
	return Outcome{Content: views}, nil
}

type targetsArgs struct {
	Targets []string `json:"targets,omitempty" jsonschema:"description=node/target; absent: all"`
}

// taken is the effect of take_snapshot.
type taken struct {
	Snapshots  []protocol.Snapshot `json:"snapshots"`
	Unanswered map[string]string   `json:"unanswered,omitempty"`
}

func (o *OperatorTools) takeSnapshot(ctx context.Context, _ Call, a targetsArgs) (Outcome, error) {
	targets, err := o.targets(a.Targets)
	if err != nil {
		return Outcome{}, err
	}
	e := taken{Snapshots: []protocol.Snapshot{}, Unanswered: map[string]string{}}
	snaps := make([]protocol.Snapshot, len(targets))
	errs := each(ctx, targets, func(ctx context.Context, i int) (err error) {
		snaps[i], err = o.deps.Probes.Snapshot(ctx, targets[i], o.state.Subject.Task.Skill)
		return err
	})
	if err := context.Cause(ctx); err != nil {
		return Outcome{}, err
	}
	for i, t := range targets {
		if errs[i] != nil {
			e.Unanswered[t.String()] = errs[i].Error()
			continue
		}
		e.Snapshots = append(e.Snapshots, snaps[i])
	}
	if len(e.Snapshots) == 0 {
		return Outcome{Effect: e}, fmt.Errorf("no target answered: %s", describeMap(e.Unanswered))
	}
	return Outcome{Content: snapshotTable(e), Effect: e}, nil
}

func (o *OperatorTools) foldSnapshots(e taken) error {
	for _, s := range e.Snapshots {
		o.state.Taken = true
		delete(o.state.Unanswered, s.Ref().String())
		if _, known := o.state.snapshot(s.ID); !known {
			o.state.Snapshots = append(o.state.Snapshots, s)
		}
	}
	maps.Copy(o.state.Unanswered, e.Unanswered)
	return nil
}

func (o *OperatorTools) targets(names []string) ([]protocol.TargetRef, error) {
	if len(names) == 0 {
		return o.state.Subject.Task.Targets, nil
	}
	var targets []protocol.TargetRef
	for _, name := range names {
		t, err := o.state.target(name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// each runs ask for every target, some at a time, and returns their errors. A
// panic is the error of its target: it is in a goroutine of its own, where nobody
// else could stop it from ending the process.
func each(ctx context.Context, targets []protocol.TargetRef, ask func(ctx context.Context, i int) error) []error {
	errs := make([]error, len(targets))
	slots := make(chan struct{}, askAtOnce)
	var wg sync.WaitGroup
	for i := range targets {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("asking it panicked: %v", p)
				}
			}()
			errs[i] = ask(ctx, i)
		}()
	}
	wg.Wait()
	return errs
}

// snapshotTable returns snapshots as objects when they are few, else as one
// table, a row a snapshot: the column names are said once.
func snapshotTable(e taken) any {
	if len(e.Snapshots) < tableFrom {
		return map[string]any{"snapshots": e.Snapshots, "unanswered": e.Unanswered}
	}
	names := map[string]bool{}
	for _, s := range e.Snapshots {
		for name := range s.Data {
			names[name] = true
		}
	}
	columns := make([]string, 0, len(names))
	for name := range names {
		columns = append(columns, name)
	}
	slices.Sort(columns)
	var alike []string
	columns = slices.DeleteFunc(columns, func(c string) bool {
		v, same := inAll(e.Snapshots, c)
		if same {
			alike = append(alike, c+" "+cell(v))
		}
		return same
	})
	var b strings.Builder
	b.WriteString(strings.Join(append([]string{"id", "target", "captured_at"}, columns...), "\t") + "\n")
	for _, s := range e.Snapshots {
		row := []string{s.ID, s.Ref().String(), s.CapturedAt.UTC().Format(time.RFC3339)}
		for _, c := range columns {
			row = append(row, cell(s.Data[c]))
		}
		b.WriteString(strings.Join(row, "\t") + "\n")
	}
	if len(alike) > 0 {
		b.WriteString("# the same in each: " + strings.Join(alike, ", ") + "\n")
	}
	for _, t := range slices.Sorted(maps.Keys(e.Unanswered)) {
		fmt.Fprintf(&b, "# %s did not answer: %s\n", t, e.Unanswered[t])
	}
	return b.String()
}

// inAll returns a metric's value when every snapshot has it and all read alike.
func inAll(snaps []protocol.Snapshot, metric string) (any, bool) {
	first, ok := snaps[0].Data[metric]
	return first, ok && !slices.ContainsFunc(snaps, func(s protocol.Snapshot) bool { return cell(s.Data[metric]) != cell(first) })
}

// cell renders a value of a snapshot: figures in full, "-" for one that is absent.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		return trim(v)
	}
	return fmt.Sprint(v)
}

type snapshotArgs struct {
	ID string `json:"id" jsonschema:"required"`
}

func (o *OperatorTools) getSnapshot(_ context.Context, _ Call, a snapshotArgs) (Outcome, error) {
	s, ok := o.state.snapshot(a.ID)
	if !ok {
		return Outcome{Content: map[string]string{"error": "snapshot_not_found", "id": a.ID}}, nil
	}
	return Outcome{Content: s}, nil
}

type snapshotsArgs struct {
	Limit  *int `json:"limit,omitempty" jsonschema:"minimum=0"`
	Offset *int `json:"offset,omitempty" jsonschema:"minimum=0"`
}

func (o *OperatorTools) getSnapshots(_ context.Context, _ Call, a snapshotsArgs) (Outcome, error) {
	list := o.state.Snapshots
	if a.Offset != nil {
		list = list[min(*a.Offset, len(list)):]
	}
	if a.Limit != nil {
		list = list[:min(*a.Limit, len(list))]
	}
	if list == nil {
		list = []protocol.Snapshot{}
	}
	return Outcome{Content: list}, nil
}

type callArgs struct {
	Callback string   `json:"callback" jsonschema:"required"`
	Args     []any    `json:"args,omitempty"`
	Targets  []string `json:"targets,omitempty" jsonschema:"description=node/target; absent: all"`
}

// answered is the effect of call and execute.
type answered struct {
	Answers []Answered `json:"answers"`
}

func (o *OperatorTools) call(ctx context.Context, c Call, a callArgs) (Outcome, error) {
	targets, err := o.targets(a.Targets)
	if err != nil {
		return Outcome{}, err
	}
	doc, err := o.callback(a.Callback)
	if err != nil {
		return Outcome{}, err
	}
	if _, err := skills.Bind(doc, a.Args); err != nil {
		return Outcome{}, err
	}
	what := a.Callback + showArgs(a.Args)
	answers := make([]Answered, len(targets))
	errs := each(ctx, targets, func(ctx context.Context, i int) error {
		answers[i] = Answered{Address: c.Address() + "#" + targets[i].String(), Target: targets[i], What: what}
		reply, err := o.deps.Probes.Call(ctx, targets[i], a.Callback, a.Args)
		answers[i].Value = reply.Value
		return err
	})
	if err := context.Cause(ctx); err != nil {
		return Outcome{}, err
	}
	limitAnswers(answers)
	type row struct {
		Target string `json:"target"`
		Value  any    `json:"value,omitempty"`
		Error  string `json:"error,omitempty"`
	}
	rows, failed := []row{}, 0
	for i, err := range errs {
		if err != nil {
			answers[i].Error = err.Error()
		}
	}
	for _, ans := range answers {
		rows = append(rows, row{ans.Target.String(), tabulated(ans.Value), ans.Error})
		if ans.Error != "" {
			failed++
		}
	}
	out := Outcome{Content: rows, Effect: answered{answers}}
	if failed == len(answers) {
		return out, fmt.Errorf("no target answered %s: %s", what, answers[0].Error)
	}
	return out, nil
}

// maxAnswers is how many bytes the answers of one call may have together: they
// are one record of the journal.
const maxAnswers = 384 << 10

// limitAnswers drops values that are larger than their share.
func limitAnswers(answers []Answered) {
	share := maxAnswers / len(answers)
	for i := range answers {
		if b, err := json.Marshal(answers[i].Value); err != nil || len(b) > share {
			answers[i].Value = nil
			answers[i].Error = fmt.Sprintf("the answer has %d bytes, %d are allowed for each of %d targets: ask for less, or fewer targets", len(b), share, len(answers))
		}
	}
}

func (o *OperatorTools) foldAnswers(e answered) error {
	o.state.Answers = append(o.state.Answers, e.Answers...)
	return nil
}

// baseCalls exist under every skill.
var baseCalls = []protocol.CallDoc{{Name: "get_current_time", Example: "get_current_time()"}, {Name: "get_node_info", Example: "get_node_info()"}}

func (o *OperatorTools) callback(name string) (protocol.CallDoc, error) {
	return callbackOf(slices.Concat(o.state.Subject.Words.Calls, baseCalls), name)
}

func showArgs(args []any) string {
	b, err := json.Marshal(args)
	if err != nil || len(args) == 0 {
		return "()"
	}
	return "(" + string(b[1:len(b)-1]) + ")"
}

func describeMap(m map[string]string) string {
	var parts []string
	for k, v := range m {
		parts = append(parts, k+": "+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
