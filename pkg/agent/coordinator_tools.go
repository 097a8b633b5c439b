package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// CoordinatorDeps is what a coordinator's tools need.
type CoordinatorDeps struct {
	Fleet       Fleet
	Operators   Operators
	Conclusions Conclusions
	Asks        Asks
	Schedules   Schedules
	Causes      Causes // nil: there is no rank_causes
	TraceID     string
}

// maxTasks is how many tasks one invocation starts for one skill.
const maxTasks = 4

// NewCoordinatorTools returns a coordinator's tools with an empty state.
func NewCoordinatorTools(deps CoordinatorDeps) *CoordinatorTools {
	c := &CoordinatorTools{deps: deps, state: &CoordinatorState{}}
	c.tools = []Tool{
		newTool[statusFilter, none]("get_notifications", "Lists notifications with context and hypothesis, all or of one status.", c.notifications, nil),
		newTool("update_notification_statuses", "Sets the status of notifications.", c.update, c.foldUpdate),
		newTool("produce_insight", "Publishes a conclusion and resolves the notifications it names. Code checks figures, matched observations and grounding.", c.insight, c.foldInsight),
		newTool("invoke_operators", "Starts operators of the named skills on the request's nodes or some of them; those that stand out first. It says what is left out.", c.invoke, c.foldInvoke),
		newTool[none, none]("get_operator_statuses", "Says how far each operator is.", c.statuses, nil),
		newTool("message_operator", "Asks an operator, running or done, about what it saw.", c.message, c.foldAsked),
		newTool[none, none]("fleet_overview", "Shows nodes by label, silent ones, and those that stand out among their peers.", c.overview, nil),
		newTool[reportWaitArgs, none]("wait", "Waits; it ends early when an operator reports, or, until all, when each has ended.", c.wait, nil),
		newTool[thinkArgs, none]("think", "Records a thought.", think, nil),
		ends(newTool[scheduleArgs, none]("schedule", "Ends the investigation and looks again later. Refused while operators run.", c.schedule, nil)),
		ends(newTool[none, none]("done", "Ends the investigation. Refused while operators run.", c.done, nil)),
	}
	if deps.Causes != nil {
		c.state.Ranks = true
		c.tools = slices.Insert(c.tools, len(c.tools)-4, newTool("rank_causes", "Groups the findings and ranks what may have caused them, by onset, strength, dependencies and recent changes. It also brings in what was reported since.", c.rank, c.foldRanked))
	}
	return c
}

// CoordinatorTools implements Toolset for coordinators.
type CoordinatorTools struct {
	deps  CoordinatorDeps
	tools []Tool
	state *CoordinatorState
}

var _ Toolset = (*CoordinatorTools)(nil)

// Tools implements Toolset.
func (c *CoordinatorTools) Tools() []Tool { return c.tools }

// State implements Toolset; it is a *CoordinatorState.
func (c *CoordinatorTools) State() any { return c.state }

// Begin implements Toolset.
func (c *CoordinatorTools) Begin(s protocol.Start) error {
	if err := json.Unmarshal(s.Subject, &c.state.Subject); err != nil {
		return fmt.Errorf("subject of a coordinator's run: %w", err)
	}
	if s.TraceID != "" { // that of the run, whoever goes on with it
		c.deps.TraceID = s.TraceID
	}
	for _, n := range c.state.Subject.Request.Notifications {
		c.state.Notifications = append(c.state.Notifications, Received{Notification: n, Status: Unread})
	}
	c.state.learn(c.state.Subject.Past)
	return nil
}

// findings is the effect of what operators reported and people said.
type findings struct {
	Notifications []protocol.Notification `json:"notifications,omitempty"`
	Completions   []protocol.Completion   `json:"completions,omitempty"`
	Told          []protocol.Told         `json:"told,omitempty"`
	Cursor        Cursor                  `json:"cursor"`
}

// Input implements Toolset: it reads what came since the last turn.
func (c *CoordinatorTools) Input(ctx context.Context) (protocol.Input, bool, error) {
	news, err := c.deps.Operators.News(ctx, c.state.Subject.InvestigationID, c.state.Cursor)
	ns, cs := news.Notifications, news.Completions
	if err != nil || len(ns)+len(cs)+len(news.Told) == 0 {
		return protocol.Input{}, false, err
	}
	var lines []string
	for i := range ns {
		ns[i].Snapshots = nil // they stay on the stream; evidence is addressed
		lines = append(lines, fmt.Sprintf("notification %s: %s on %s/%s: %s: %s", ns[i].ID, ns[i].Operator, ns[i].Node, ns[i].Target, ns[i].Severity, ns[i].Observation))
	}
	for _, done := range cs {
		lines = append(lines, fmt.Sprintf("operator %s (%d targets) ended as %s, state %s %s", done.Skill, len(done.Targets), done.Outcome, done.State, done.Error))
	}
	raw, err := json.Marshal(findings{Notifications: ns, Completions: cs, Told: news.Told, Cursor: news.Cursor})
	if err != nil {
		return protocol.Input{}, false, err
	}
	in := protocol.Input{Effect: raw}
	if len(lines) > 0 {
		in.Text = "Reported:\n" + strings.Join(lines, "\n")
	}
	for _, t := range news.Told {
		in.Said = append(in.Said, fmt.Sprintf("%s says: %s", t.By, t.Text))
	}
	return in, true, nil
}

// FoldInput implements Toolset. A notification that is known keeps its status.
func (c *CoordinatorTools) FoldInput(in protocol.Input) error {
	var f findings
	if err := json.Unmarshal(in.Effect, &f); err != nil {
		return err
	}
	for _, n := range f.Notifications {
		if _, known := c.state.notification(n.ID); !known {
			c.state.Notifications = append(c.state.Notifications, Received{Notification: n, Status: Unread})
		}
	}
	for _, done := range f.Completions {
		for i := range c.state.Runs {
			if c.state.Runs[i].RunID == done.RunID {
				c.state.Runs[i].Completion = &done
			}
		}
	}
	c.state.Told = append(c.state.Told, f.Told...)
	c.state.Cursor = f.Cursor
	return nil
}

// Summary implements Toolset; it is a CoordinatorSummary.
func (c *CoordinatorTools) Summary() any {
	insights := c.state.Insights
	if insights == nil {
		insights = []protocol.Insight{}
	}
	return CoordinatorSummary{Insights: insights, Completions: c.state.Completions(), NotChecked: c.state.Unchecked(), Asked: c.state.Asked}.fit()
}

type statusFilter struct {
	Status string `json:"status,omitempty" jsonschema:"enum=unread,enum=acknowledged,enum=resolved,enum=all"`
}

// notificationView is what the coordinator's model reads of a notification.
type notificationView struct {
	ID          string            `json:"id"`
	Status      Status            `json:"status"`
	Operator    string            `json:"operator"`
	Node        string            `json:"node"`
	AnomalyType string            `json:"anomaly_type"`
	Severity    protocol.Severity `json:"severity"`
	Context     string            `json:"context"`
	Observation string            `json:"observation"`
	Hypothesis  string            `json:"hypothesis,omitempty"`
	Verified    bool              `json:"verified"`
	DetectedAt  time.Time         `json:"detected_at"`
}

func (c *CoordinatorTools) notifications(_ context.Context, _ Call, a statusFilter) (Outcome, error) {
	views := []notificationView{}
	for _, n := range c.state.Notifications {
		if a.Status == "" || a.Status == "all" || string(n.Status) == a.Status {
			views = append(views, notificationView{
				n.ID, n.Status, n.Operator, n.Node, n.AnomalyType, n.Severity, n.Context, n.Observation, n.Hypothesis, n.Verified, n.DetectedAt,
			})
		}
	}
	return Outcome{Content: views}, nil
}

type updateArgs struct {
	IDs    []string `json:"notification_ids" jsonschema:"required"`
	Status Status   `json:"status" jsonschema:"required,enum=acknowledged,enum=resolved"`
	Reason string   `json:"reason,omitempty"`
}

func (c *CoordinatorTools) update(_ context.Context, _ Call, a updateArgs) (Outcome, error) {
	known, unknown := []string{}, []string{}
	for _, id := range a.IDs {
		if _, ok := c.state.notification(id); ok {
			known = append(known, id)
		} else {
			unknown = append(unknown, id)
		}
	}
	content := map[string]any{"updated": known, "status": a.Status}
	if len(unknown) > 0 {
		content["unknown"] = unknown
	}
	a.IDs = known
	return Outcome{Content: content, Effect: a}, nil
}

func (c *CoordinatorTools) foldUpdate(a updateArgs) error {
	for _, id := range a.IDs {
		if n, ok := c.state.notification(id); ok {
			n.Status = a.Status
		}
	}
	return nil
}

type insightArgs struct {
	NotificationIDs     []string             `json:"notification_ids" jsonschema:"required"`
	CorrelationType     protocol.Correlation `json:"correlation_type" jsonschema:"required,enum=temporal,enum=causal,enum=symptomatic,enum=none"`
	Severity            protocol.Severity    `json:"severity,omitempty" jsonschema:"enum=info,enum=warning,enum=critical"`
	Summary             string               `json:"summary" jsonschema:"required,description=observations only"`
	MatchedObservations []string             `json:"matched_observations" jsonschema:"required,description=the exact text of the observations that correlate"`
	HypothesisGrounded  bool                 `json:"hypothesis_grounded" jsonschema:"required"`
	SupportingIDs       []string             `json:"supporting_ids,omitempty"`
	RootCauseHypothesis string               `json:"root_cause_hypothesis,omitempty"`
	Confidence          protocol.Confidence  `json:"confidence" jsonschema:"required,enum=high,enum=medium,enum=low"`
	SuggestedActions    []string             `json:"suggested_actions,omitempty" jsonschema:"description=what a person may do"`
	Chain               []protocol.ChainLink `json:"chain,omitempty"`
}

// concluded is the effect of produce_insight: an insight, or a refusal of the fact check.
type concluded struct {
	Insight *protocol.Insight `json:"insight,omitempty"`
	Refused bool              `json:"refused,omitempty"`
}

func (c *CoordinatorTools) insight(ctx context.Context, call Call, a insightArgs) (Outcome, error) {
	if err := c.checkInsight(a); err != nil {
		return Outcome{}, err
	}
	if a.SupportingIDs == nil {
		a.SupportingIDs = a.NotificationIDs
	}
	evidence := c.state.evidence(a.NotificationIDs, a.CorrelationType)
	facts := c.state.facts(evidence, a.NotificationIDs)
	figures := grounding.Check(a.Summary, facts)
	evidence = append(evidence, counts(figures, facts)...)
	if problem := missing(figures); problem != nil && c.state.refused < maxFactRefusals {
		return Outcome{Effect: concluded{Refused: true}}, problem
	}
	i := protocol.Insight{
		ID: call.EffectID("insight"), InvestigationID: c.state.Subject.InvestigationID, Group: c.state.Subject.Request.Group, NotificationIDs: a.NotificationIDs,
		SupportingIDs: a.SupportingIDs, CorrelationType: a.CorrelationType, Severity: a.Severity, Summary: a.Summary,
		MatchedObservations: a.MatchedObservations, RootCauseHypothesis: a.RootCauseHypothesis, Confidence: a.Confidence,
		Evidence: evidence, Figures: figures, Chain: a.Chain, RuledOut: c.state.RuledOut(), NotChecked: c.state.Unchecked(),
		Trigger: c.state.Subject.Request.Reason, SuggestedActions: a.SuggestedActions, CreatedAt: call.At, Model: call.Model,
	}
	i.HypothesisGrounded, i.Grounding = c.state.grounded(a.HypothesisGrounded, a.RootCauseHypothesis, a.SupportingIDs)
	c.place(&i)
	for k := range i.Evidence[:min(len(i.Evidence), maxSeries)] {
		if _, numeric := i.Evidence[k].Value.(float64); numeric {
			i.Evidence[k].Series = c.deps.Conclusions.Series(ctx, c.skillOf(i.Evidence[k], i), i.Evidence[k])
		}
	}
	for _, t := range c.state.Told {
		if call.Model == protocol.RulesModel {
			i.NotChecked = append(i.NotChecked, fmt.Sprintf("what %s said (%q): the rules analyst cannot read", t.By, firstLine(t.Text)))
		}
	}
	if call.Instead != "" {
		i.NotChecked = append([]string{"the rules analyst concluded in place of the model: " + firstLine(call.Instead)}, i.NotChecked...)
	}
	i.Usage = call.Usage.Plus(c.state.Asked)
	for _, done := range c.state.Completions() {
		i.Usage = i.Usage.Plus(done.Usage)
	}
	if i.SuggestedActions == nil {
		i.SuggestedActions = []string{}
	}
	if err := c.deps.Conclusions.Publish(ctx, i); err != nil {
		return Outcome{}, err
	}
	content := map[string]any{"insight_produced": i.ID, "hypothesis_grounded": i.HypothesisGrounded, "grounding": i.Grounding}
	return Outcome{Content: content, Effect: concluded{Insight: &i}}, nil
}

// counts returns as evidence how many nodes there are, were looked at and are
// concerned, and the other counts of the investigation that figures were found
// in: whatever a summary states stands in the evidence of its insight, small
// numbers too, which the fact check passes over.
func counts(figures []protocol.Figure, facts []grounding.Fact) []protocol.Evidence {
	var out []protocol.Evidence
	for _, fact := range facts {
		if !strings.HasPrefix(fact.Address, "investigation#") {
			continue
		}
		cited := slices.ContainsFunc(figures, func(f protocol.Figure) bool { return f.Found && f.Evidence == fact.Address })
		if cited || slices.Contains([]string{"matched_nodes", "checked_nodes", "affected_nodes"}, fact.Name) {
			out = append(out, protocol.Evidence{Address: fact.Address, Name: fact.Name, Value: fact.Value, Unit: fact.Unit})
		}
	}
	return out
}

// maxSeries is how many pieces of evidence carry a series: the insight outlives
// the snapshots, but it has a size.
const maxSeries = 12

func (c *CoordinatorTools) skillOf(e protocol.Evidence, i protocol.Insight) string {
	for _, id := range i.NotificationIDs {
		if n, ok := c.state.notification(id); ok && n.Node == e.Node {
			return n.Operator
		}
	}
	for _, k := range c.state.Checked() {
		if k.Address == e.Address {
			return k.Skill
		}
	}
	return ""
}

// place sets the severity, nodes and skills of an insight from its notifications.
func (c *CoordinatorTools) place(i *protocol.Insight) {
	i.Nodes, i.Skills = []string{}, []string{}
	worst := protocol.SeverityInfo
	for _, id := range i.NotificationIDs {
		n, ok := c.state.notification(id)
		if !ok {
			continue
		}
		i.Skills = append(i.Skills, n.Operator)
		if n.Severity.Rank() > worst.Rank() {
			worst = n.Severity
		}
	}
	i.Nodes, _ = c.state.affected(i.NotificationIDs)
	if i.CorrelationType == protocol.None {
		i.Nodes = append(i.Nodes, c.state.Nodes()...)
		for _, done := range c.state.Completions() {
			i.Skills = append(i.Skills, done.Skill)
		}
	}
	slices.Sort(i.Nodes)
	slices.Sort(i.Skills)
	i.Nodes, i.Skills = slices.Compact(i.Nodes), slices.Compact(i.Skills)
	if i.Severity == "" {
		i.Severity = worst
	}
}

func (c *CoordinatorTools) checkInsight(a insightArgs) error {
	var problems []error
	for _, id := range slices.Concat(a.NotificationIDs, a.SupportingIDs) {
		if _, ok := c.state.notification(id); !ok {
			problems = append(problems, fmt.Errorf("unknown notification %q", id))
		}
	}
	if len(a.NotificationIDs) == 0 && a.CorrelationType != protocol.None {
		problems = append(problems, errors.New("name the notifications it correlates; only correlation_type none has none"))
	}
	if a.CorrelationType == protocol.None && !c.state.Looked() {
		problems = append(problems, errors.New("no operator has looked at anything: nothing can be said to be fine"))
	}
	for _, text := range a.MatchedObservations {
		matches := func(id string) bool {
			n, ok := c.state.notification(id)
			return ok && n.Observation == text
		}
		if !slices.ContainsFunc(a.NotificationIDs, matches) {
			problems = append(problems, fmt.Errorf("matched_observations: %q is not the exact observation of a notification that is named", text))
		}
	}
	return errors.Join(problems...)
}

// missing says which figures of a summary are not in the evidence, or nil.
func missing(figures []protocol.Figure) error {
	var problems []string
	for _, f := range figures {
		if !f.Found {
			problems = append(problems, fmt.Sprintf("%q (nearest: %s)", f.Text, f.Nearest))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("summary: figures that are not in the evidence of the named notifications: %s", strings.Join(problems, ", "))
}

func (c *CoordinatorTools) foldInsight(e concluded) error {
	if e.Refused {
		c.state.refused++
		return nil
	}
	c.state.refused = 0
	c.state.Insights = append(c.state.Insights, *e.Insight)
	for _, id := range e.Insight.NotificationIDs {
		if n, ok := c.state.notification(id); ok {
			n.Status = Resolved
		}
	}
	return nil
}

func (c *CoordinatorTools) statuses(ctx context.Context, _ Call, _ none) (Outcome, error) {
	type view struct {
		Skill     string          `json:"skill"`
		RunID     string          `json:"run_id"`
		Targets   int             `json:"targets"`
		Running   bool            `json:"running"`
		State     protocol.Health `json:"state,omitempty"`
		StartedAt time.Time       `json:"started_at"`
		RunStatus
	}
	views := []view{}
	for _, r := range c.state.Runs {
		v := view{Skill: r.Skill, RunID: r.RunID, Targets: len(r.Targets), Running: r.Completion == nil, StartedAt: r.StartedAt}
		if r.Completion != nil {
			v.State, v.RunStatus.State = r.Completion.State, r.Completion.Outcome
		} else if st, err := c.deps.Operators.Status(ctx, r.RunID); err == nil {
			v.RunStatus = st
		}
		views = append(views, v)
	}
	return Outcome{Content: views}, nil
}

func (c *CoordinatorTools) overview(ctx context.Context, _ Call, _ none) (Outcome, error) {
	v, err := c.deps.Fleet.Overview(ctx, c.state.Subject.Request.Nodes, c.state.Subject.Request.Labels)
	return Outcome{Content: v}, err
}

func (c *CoordinatorTools) done(context.Context, Call, none) (Outcome, error) {
	if err := c.idle("done"); err != nil {
		return Outcome{}, err
	}
	return Outcome{Content: map[string]bool{"done": true}}, nil
}
