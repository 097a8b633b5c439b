package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Fleet is what a coordinator knows of the nodes.
type Fleet interface {
	// Targets returns the targets that have the skill, of the nodes a request
	// selects, at most limit: those that stand out among their peers come first.
	// leftOut says what was not taken and why.
	Targets(ctx context.Context, q TargetQuery) (targets []protocol.TargetRef, leftOut []string, err error)
	// Overview returns the fleet as a model should see it: a JSON value.
	Overview(ctx context.Context, nodes []string, labels map[string]string) (any, error)
}

// A TargetQuery says which targets are wanted.
type TargetQuery struct {
	Skill  string
	Nodes  []string // none: all
	Labels map[string]string
	// Words are the hashes of the words by kind of target, of a skill whose words come
	// from probes: only targets that announce them. Nil for others.
	Words map[string]string
	Limit int
}

// A Cursor is how far a coordinator has read its investigation's findings.
type Cursor struct {
	Notifications uint64 `json:"notifications"`
	Completions   uint64 `json:"completions"`
	Told          uint64 `json:"told,omitempty"`
}

// News is what came to an investigation since a Cursor.
type News struct {
	Notifications []protocol.Notification
	Completions   []protocol.Completion
	Told          []protocol.Told // by people
	Cursor        Cursor
}

// Operators is how a coordinator has work done.
type Operators interface {
	// Serves returns nil when a worker serves the skill, else why none can.
	Serves(ctx context.Context, skill string) error
	// Start queues a task. A task of the same run id is queued once.
	Start(ctx context.Context, t protocol.Task) error
	// News returns what came since the cursor: completions, every notification that
	// was sent before them, and what people said.
	News(ctx context.Context, investigation string, since Cursor) (News, error)
	// Wake returns a channel that is closed when something came.
	Wake() <-chan struct{}
	// Status says how far an operator's run is: worker, step, last activity.
	Status(ctx context.Context, run string) (RunStatus, error)
}

// RunStatus says how far a run is.
type RunStatus struct {
	Worker string           `json:"worker,omitempty"` // empty: no worker has taken it yet
	Step   int              `json:"step"`
	State  protocol.Outcome `json:"outcome,omitempty"` // when it ended
	Last   time.Time        `json:"last,omitzero"`     // its last sign of life
}

// Conclusions is where insights go.
type Conclusions interface {
	// Publish stores an insight once, however often it is called with its id.
	Publish(ctx context.Context, i protocol.Insight) error
	// Series returns the recent values of an evidence's metric, oldest first; nil when there are none.
	Series(ctx context.Context, skill string, e protocol.Evidence) []protocol.Point
}

// A SkillInfo is a skill that a coordinator may invoke.
type SkillInfo struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Summary string `json:"summary"`
}

// A CoordinatorSubject is what a coordinator's run is about; it stands in the start record.
type CoordinatorSubject struct {
	InvestigationID string           `json:"investigation_id"`
	Request         protocol.Request `json:"request"`
	Deadline        time.Time        `json:"deadline"`
	Skills          []SkillInfo      `json:"skills"` // those that the request allows
	// Custom are the words of those skills that this coordinator was not built with:
	// probes announced them.
	Custom  []protocol.Words `json:"custom,omitempty"`
	Matched int              `json:"matched"` // nodes that the request selects
	Silent  []string         `json:"silent,omitempty"`
	// Past are insights of other investigations that are like what this one begins with,
	// the most alike first, with what people said of them. Nothing of it is evidence.
	Past []PastInsight `json:"past,omitempty"`
}

// has reports whether the request allows the skill.
func (s CoordinatorSubject) has(skill string) bool {
	return slices.ContainsFunc(s.Skills, func(i SkillInfo) bool { return i.Name == skill })
}

// custom returns the words of a custom skill by kind, and their hashes; nil of
// another skill.
func (s CoordinatorSubject) custom(skill string) (words map[string]*protocol.Words, hashes map[string]string) {
	for i, w := range s.Custom {
		if w.Skill != skill {
			continue
		}
		if words == nil {
			words, hashes = map[string]*protocol.Words{}, map[string]string{}
		}
		words[w.Kind], hashes[w.Kind] = &s.Custom[i], w.Hash()
	}
	return words, hashes
}

// A Status is where a notification stands.
type Status string

// Statuses of a notification.
const (
	Unread       Status = "unread"
	Acknowledged Status = "acknowledged"
	Resolved     Status = "resolved"
)

// A Received is a notification with its status.
type Received struct {
	protocol.Notification
	Status Status
}

// An OperatorRun is a task that the coordinator started.
type OperatorRun struct {
	RunID      string               `json:"run_id"`
	Skill      string               `json:"skill"`
	Targets    []protocol.TargetRef `json:"targets"`
	StartedAt  time.Time            `json:"started_at"`
	Completion *protocol.Completion `json:"-"`
}

// CoordinatorState is a coordinator's run so far.
type CoordinatorState struct {
	Subject       CoordinatorSubject
	Notifications []Received
	Runs          []OperatorRun
	Insights      []protocol.Insight
	NotChecked    []string // what could not be looked into, and why
	Invoked       bool     // invoke_operators was called, whatever came of it
	Cursor        Cursor
	Asked         protocol.Usage // of the questions to operators
	Told          []protocol.Told
	Past          []PastInsight // that the run was told of, at its beginning and by rank_causes
	Ranks         bool          // rank_causes is among the tools
	Ranking       *Ranking      // what it said last; nil: it was not asked
	refused       int
}

// Running returns the operators that have not completed.
func (s *CoordinatorState) Running() []OperatorRun {
	var out []OperatorRun
	for _, r := range s.Runs {
		if r.Completion == nil {
			out = append(out, r)
		}
	}
	return out
}

// Completions returns how the operators ended, in the order they were started.
func (s *CoordinatorState) Completions() []protocol.Completion {
	out := []protocol.Completion{}
	for _, r := range s.Runs {
		if r.Completion != nil {
			out = append(out, *r.Completion)
		}
	}
	return out
}

// Unresolved returns the notifications that no insight holds yet.
func (s *CoordinatorState) Unresolved() []protocol.Notification {
	var out []protocol.Notification
	for _, n := range s.Notifications {
		if n.Status != Resolved {
			out = append(out, n.Notification)
		}
	}
	return out
}

func (s *CoordinatorState) notification(id string) (*Received, bool) {
	for i := range s.Notifications {
		if s.Notifications[i].ID == id {
			return &s.Notifications[i], true
		}
	}
	return nil, false
}

// Unchecked returns what was not looked into: what the operators could not reach
// and the runs that failed, among the rest.
func (s *CoordinatorState) Unchecked() []string {
	out := slices.Clone(s.NotChecked)
	for _, c := range s.Completions() {
		out = append(out, c.NotChecked...)
		if c.Instead != "" {
			out = append(out, fmt.Sprintf("%s on %d targets: the rules analyst looked in place of the model: %s", c.Skill, len(c.Targets), firstLine(c.Instead)))
		}
		if c.Outcome != protocol.OutcomeDone {
			out = append(out, fmt.Sprintf("%s on %d targets: the operator ended as %s: %s", c.Skill, len(c.Targets), c.Outcome, c.Error))
		}
	}
	for _, r := range s.Running() {
		out = append(out, fmt.Sprintf("%s on %d targets: the operator was still running", r.Skill, len(r.Targets)))
	}
	for _, node := range s.Subject.Silent {
		out = append(out, node+": the node is silent")
	}
	slices.Sort(out)
	return bounded(slices.Compact(out), 100)
}

// bounded cuts a list and says so in its last entry.
func bounded(list []string, n int) []string {
	if len(list) <= n {
		if list == nil {
			return []string{}
		}
		return list
	}
	return append(list[:n-1:n-1], fmt.Sprintf("and %d more", len(list)-n+1))
}

// Checked merges what the operators' checks met, the worst value of each.
func (s *CoordinatorState) Checked() []protocol.Checked {
	var out []protocol.Checked
	for _, c := range s.Completions() {
		if c.Outcome != protocol.OutcomeDone {
			continue
		}
		for _, k := range c.Checked {
			i := slices.IndexFunc(out, func(o protocol.Checked) bool { return o.Skill == k.Skill && o.Metric == k.Metric })
			if i < 0 {
				out = append(out, k)
				continue
			}
			o := &out[i]
			if (k.Op == protocol.Above) == (k.Worst > o.Worst) && k.Worst != o.Worst {
				o.Worst, o.Node, o.Target, o.Address = k.Worst, k.Node, k.Target, k.Address
			}
			o.Targets += k.Targets
			o.Crossed += k.Crossed
		}
	}
	return out
}

// RuledOut says which checks no target crossed, with the worst value of each.
func (s *CoordinatorState) RuledOut() []string {
	out := []string{}
	for _, k := range s.Checked() {
		if k.Crossed > 0 {
			continue
		}
		level := k.Warn
		if level == nil {
			level = k.Critical
		}
		verb, bound := "at most", "below"
		if k.Op == protocol.Below {
			verb, bound = "at least", "above"
		}
		if k.Targets == 1 {
			verb = "is"
		}
		where := fmt.Sprintf(" on %s/%s", k.Node, k.Target)
		if k.Targets > 1 {
			where = fmt.Sprintf(" (%s/%s, of %d targets)", k.Node, k.Target, k.Targets)
		}
		text := fmt.Sprintf("%s.%s %s %s%s", k.Skill, k.Metric, verb, strings.TrimSpace(trim(k.Worst)+" "+k.Unit.Symbol()), where)
		if level != nil {
			text += fmt.Sprintf(", %s %s", bound, strings.TrimSpace(trim(*level)+" "+k.Unit.Symbol()))
		}
		out = append(out, text)
	}
	return bounded(out, 100)
}

// Nodes returns the nodes that the operators looked at.
func (s *CoordinatorState) Nodes() []string {
	var out []string
	for _, c := range s.Completions() {
		for _, t := range c.Targets {
			out = append(out, t.Node)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Looked reports whether an operator has seen anything at all.
func (s *CoordinatorState) Looked() bool {
	return slices.ContainsFunc(s.Completions(), func(c protocol.Completion) bool {
		return c.Outcome == protocol.OutcomeDone && len(c.SnapshotIDs) > 0
	})
}

// evidence returns the evidence of notifications, each address once; for the
// finding that nothing is wrong, the worst value of every check.
func (s *CoordinatorState) evidence(ids []string, correlation protocol.Correlation) []protocol.Evidence {
	out := []protocol.Evidence{}
	seen := map[string]bool{}
	add := func(e protocol.Evidence) {
		if !seen[e.Address] && len(out) < maxEvidence {
			seen[e.Address] = true
			out = append(out, e)
		}
	}
	for _, id := range ids {
		if n, ok := s.notification(id); ok {
			for _, e := range n.Evidence {
				add(e)
			}
		}
	}
	if correlation == protocol.None {
		for _, k := range s.Checked() {
			level := k.Warn
			if level == nil {
				level = k.Critical
			}
			add(protocol.Evidence{Address: k.Address, Node: k.Node, Target: k.Target, Name: k.Metric, Value: k.Worst, Unit: k.Unit, Threshold: level})
		}
	}
	return out
}

// maxEvidence is how many pieces of evidence an insight carries at most.
const maxEvidence = 60

// facts returns what an insight may state: its evidence with the thresholds, and
// how many nodes, targets, notifications and checks there are.
func (s *CoordinatorState) facts(evidence []protocol.Evidence, ids []string) []grounding.Fact {
	var facts []grounding.Fact
	for _, e := range evidence {
		f := grounding.Fact{Address: e.Address, Name: e.Name, Unit: e.Unit}
		switch v := e.Value.(type) {
		case float64:
			f.Value = v
		case string:
			f.Text = v
		default:
			continue
		}
		facts = append(facts, f)
		if e.Threshold != nil {
			facts = append(facts, grounding.Fact{Address: e.Address + ".threshold", Name: e.Name, Value: *e.Threshold, Unit: e.Unit})
		}
		if e.Baseline != nil {
			facts = append(facts, grounding.Fact{Address: e.Address + ".baseline", Name: e.Name, Value: *e.Baseline, Unit: e.Unit})
		}
	}
	for _, id := range ids {
		n, ok := s.notification(id)
		if !ok {
			continue
		}
		for _, f := range n.Figures { // what was checked once holds in the same words
			if f.Found {
				facts = append(facts, grounding.Fact{Address: f.Evidence, Name: "figure", Text: f.Text})
			}
		}
	}
	targets, fleet := 0, 0
	for _, c := range s.Completions() {
		targets += len(c.Targets)
	}
	if s.Ranking != nil {
		fleet = s.Ranking.Fleet
	}
	_, nodes := s.affected(ids)
	for _, c := range []struct { // last, and in this order: a figure is found in the first that has it
		name string
		n    int
	}{
		{"matched_nodes", s.Subject.Matched}, {"affected_nodes", nodes}, {"checked_nodes", len(s.Nodes())}, {"checked_targets", targets},
		{"notifications", len(s.Notifications)}, {"cited_notifications", len(ids)}, {"operators", len(s.Runs)}, {"checks", len(s.Checked())}, {"fleet_nodes", fleet},
	} {
		facts = append(facts, grounding.Fact{Address: "investigation#" + c.name, Name: c.name, Value: float64(c.n), Unit: protocol.Count})
	}
	return facts
}

// grounded says whether a hypothesis stands, and why.
func (s *CoordinatorState) grounded(claimed bool, hypothesis string, supporting []string) (bool, string) {
	if hypothesis == "" {
		return false, "no hypothesis was made"
	}
	if !claimed {
		return false, "the hypothesis was not claimed to be grounded"
	}
	var verified []protocol.Notification
	for _, id := range supporting {
		if n, ok := s.notification(id); ok && n.Verified && n.Origin != OriginRequest {
			verified = append(verified, n.Notification)
		}
	}
	for i, a := range verified {
		for _, b := range verified[i+1:] {
			if a.RunID != b.RunID && (a.Operator != b.Operator || a.Node != b.Node) {
				return true, fmt.Sprintf("supported by %s (%s on %s) and %s (%s on %s), verified findings of different runs", a.ID, a.Operator, a.Node, b.ID, b.Operator, b.Node)
			}
		}
	}
	return false, fmt.Sprintf("%d of %d supporting notifications are verified, and no two of them come from different runs and from another skill or node", len(verified), len(supporting))
}

// OriginRequest marks notifications that came with the request.
const OriginRequest = protocol.OriginRequest

// CoordinatorSummary is what a coordinator's finish record keeps.
type CoordinatorSummary struct {
	Insights    []protocol.Insight    `json:"insights"`
	Completions []protocol.Completion `json:"completions"`
	NotChecked  []string              `json:"not_checked"`
	Asked       protocol.Usage        `json:"asked,omitzero"` // what questions to operators cost
}

// fit leaves out what can be read elsewhere until the summary fits into a record
// and a result: series (they are in the snapshots and the published insights),
// then lists of ids, then the evidence of the last insights.
func (s CoordinatorSummary) fit() CoordinatorSummary {
	if fits(s) {
		return s
	}
	s.Insights, s.Completions = slices.Clone(s.Insights), slices.Clone(s.Completions)
	for i := range s.Insights {
		s.Insights[i].Evidence = slices.Clone(s.Insights[i].Evidence)
		for k := range s.Insights[i].Evidence {
			s.Insights[i].Evidence[k].Series = nil
		}
	}
	for i := range s.Completions {
		if fits(s) {
			return s
		}
		s.Completions[i].SnapshotIDs, s.Completions[i].NotificationIDs, s.Completions[i].Checked = []string{}, []string{}, nil
	}
	for i := len(s.Insights) - 1; i >= 0 && !fits(s); i-- {
		s.Insights[i].Evidence, s.Insights[i].Figures = []protocol.Evidence{}, nil
	}
	for len(s.Insights) > 1 && !fits(s) {
		s.Insights = s.Insights[:len(s.Insights)-1]
		s.NotChecked = append(slices.Clip(s.NotChecked), "an insight is left out here for want of room; it is on the stream")
	}
	return s
}

func fits(s CoordinatorSummary) bool {
	b, err := json.Marshal(s)
	return err != nil || len(b) <= maxKept
}
