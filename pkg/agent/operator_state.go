package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Probes is how an operator asks hosts. Implementations are safe for concurrent use.
type Probes interface {
	// Snapshot asks the target's probe for a fresh snapshot, and falls back to the
	// latest one it published; its captured_at tells the age. It fails when there is none.
	Snapshot(ctx context.Context, t protocol.TargetRef, skill string) (protocol.Snapshot, error)
	// Call asks one callback of one target.
	Call(ctx context.Context, t protocol.TargetRef, callback string, args []any) (protocol.CallReply, error)
}

// Findings is where an operator's findings go. Both may be called again with the
// same id after a crash; they must store it once.
type Findings interface {
	Notify(ctx context.Context, n protocol.Notification) error
	StateChanged(ctx context.Context, s protocol.State) error
}

// Scripts runs LLM-written Lua against callbacks.
type Scripts interface {
	// Run runs the script. call asks one callback of the run's targets: of its only
	// one, or of the named one. The result is a JSON value; output is what it printed.
	Run(ctx context.Context, code string, callbacks []string, call func(ctx context.Context, callback string, args []any) (any, error)) (value any, output string, err error)
}

// An OperatorSubject is what an operator's run is about; it stands in the start record.
type OperatorSubject struct {
	Task      protocol.Task       `json:"task"`
	Words     protocol.Words      `json:"words"`
	Custom    bool                `json:"custom,omitempty"` // the words come from a host
	Snapshots []protocol.Snapshot `json:"snapshots"`        // the latest of each target when the run began
}

// An Answered is what a callback or a script answered: evidence.
type Answered struct {
	Address string             `json:"address"` // RUN/STEP
	Target  protocol.TargetRef `json:"target"`  // the zero value: a script over all targets
	What    string             `json:"what"`    // the call as it was made
	Value   any                `json:"value,omitempty"`
	Error   string             `json:"error,omitempty"`
}

// OperatorState is an operator's run so far.
type OperatorState struct {
	Subject       OperatorSubject
	Health        protocol.Health
	Snapshots     []protocol.Snapshot // as they were taken, the starting ones first
	Taken         bool                // take_snapshot succeeded at least once
	Answers       []Answered
	Notifications []protocol.Notification
	Unanswered    map[string]string // target → why it did not answer
	refused       int               // send_notification refusals in a row by the fact check
}

// Latest returns the last snapshot of a target.
func (s *OperatorState) Latest(t protocol.TargetRef) (protocol.Snapshot, bool) {
	for _, v := range slices.Backward(s.Snapshots) {
		if v.Ref() == t {
			return v, true
		}
	}
	return protocol.Snapshot{}, false
}

// snapshot returns the snapshot of an id.
func (s *OperatorState) snapshot(id string) (protocol.Snapshot, bool) {
	for _, snap := range s.Snapshots {
		if snap.ID == id {
			return snap, true
		}
	}
	return protocol.Snapshot{}, false
}

// Facts returns what is known of one node: its snapshots, what its callbacks
// answered, and the thresholds of the skill. The latest come first, so that a
// figure is found where it is newest.
func (s *OperatorState) Facts(node string) []grounding.Fact {
	var facts []grounding.Fact
	for _, snap := range slices.Backward(s.Snapshots) {
		if snap.Node == node {
			facts = append(facts, snapshotFacts(snap, s.Subject.Words)...)
		}
	}
	for _, a := range slices.Backward(s.Answers) {
		switch a.Target.Node {
		case node:
			facts = append(facts, grounding.Flatten(a.Address, a.Value)...)
		case "":
			facts = append(facts, s.ofNode(node, a)...)
		}
	}
	for _, c := range s.Subject.Words.Checks {
		m, _ := s.Subject.Words.Metric(c.Metric)
		for _, l := range []struct { // in this order: where both are equal, a figure is found in the first
			name  string
			level *float64
		}{{"warn", c.Warn}, {"critical", c.Critical}} {
			if l.level != nil {
				facts = append(facts, grounding.Fact{Address: "threshold#" + c.Metric + "." + l.name, Name: c.Metric, Value: *l.level, Unit: m.Unit})
			}
		}
		// "in {value} % of the last 10 s": the window is part of the metric's meaning.
		facts = append(facts, grounding.Fact{Address: "words#" + c.Metric, Name: c.Metric, Text: c.Says})
	}
	return facts
}

// ofNode returns what a script over several targets returned of one node: the
// entries of a table whose keys are the node or its targets. What it returned
// without saying of whom proves nothing about a node.
func (s *OperatorState) ofNode(node string, a Answered) []grounding.Fact {
	table, ok := a.Value.(map[string]any)
	if !ok {
		return nil
	}
	var facts []grounding.Fact
	for _, t := range s.Subject.Task.Targets {
		for _, key := range []string{t.Node, t.String()} {
			if v, ok := table[key]; ok && t.Node == node {
				facts = append(facts, grounding.Flatten(a.Address+key, v)...)
			}
		}
	}
	return facts
}

func snapshotFacts(snap protocol.Snapshot, words protocol.Words) []grounding.Fact {
	names := make([]string, 0, len(snap.Data))
	for name := range snap.Data {
		names = append(names, name)
	}
	sort.Strings(names)
	var facts []grounding.Fact
	for _, name := range names {
		m, _ := words.Metric(name)
		switch v := snap.Data[name].(type) {
		case float64:
			facts = append(facts, grounding.Fact{Address: snap.ID + "#" + name, Name: name, Value: v, Unit: m.Unit})
		case string:
			facts = append(facts, grounding.Fact{Address: snap.ID + "#" + name, Name: name, Text: v})
		}
	}
	return facts
}

// Checked is the worst value that one check met over a run's targets.
func (s *OperatorState) Checked() []protocol.Checked {
	var out []protocol.Checked
	for _, c := range s.Subject.Words.Checks {
		m, _ := s.Subject.Words.Metric(c.Metric)
		best := protocol.Checked{Skill: s.Subject.Task.Skill, Metric: c.Metric, Unit: m.Unit, Op: c.Op, Warn: c.Warn, Critical: c.Critical}
		for _, t := range s.Subject.Task.Targets {
			snap, ok := s.Latest(t)
			v, isNumber := snap.Data[c.Metric].(float64)
			if !ok || !isNumber {
				continue
			}
			best.Targets++
			if crossed := skills.Evaluate([]protocol.Check{c}, snap.Data); len(crossed) > 0 {
				best.Crossed++
			}
			if best.Targets == 1 || (c.Op == protocol.Above) == (v > best.Worst) && v != best.Worst {
				best.Worst, best.Node, best.Target, best.Address = v, t.Node, t.Target, snap.ID+"#"+c.Metric
			}
		}
		if best.Targets > 0 {
			out = append(out, best)
		}
	}
	return out
}

var errNoTarget = errors.New("no such target in this task")

// target finds a target of the task by node/target, node or nothing when there is one.
func (s *OperatorState) target(name string) (protocol.TargetRef, error) {
	return targetOf(s.Subject.Task.Targets, name)
}

// OperatorSummary is what an operator's finish record keeps: what its completion is made of.
type OperatorSummary struct {
	Health          protocol.Health    `json:"health"`
	NotificationIDs []string           `json:"notification_ids"`
	SnapshotIDs     []string           `json:"snapshot_ids"`
	NotChecked      []string           `json:"not_checked,omitempty"`
	Checked         []protocol.Checked `json:"checked,omitempty"`
}

// Summary returns what the finish record keeps.
func (s *OperatorState) Summary() OperatorSummary {
	sum := OperatorSummary{Health: s.Health, NotificationIDs: []string{}, SnapshotIDs: []string{}, Checked: s.Checked()}
	for _, n := range s.Notifications {
		sum.NotificationIDs = append(sum.NotificationIDs, n.ID)
	}
	for _, snap := range s.Snapshots {
		sum.SnapshotIDs = append(sum.SnapshotIDs, snap.ID)
	}
	for _, t := range s.Subject.Task.Targets {
		if why, ok := s.Unanswered[t.String()]; ok {
			sum.NotChecked = append(sum.NotChecked, fmt.Sprintf("%s %s: %s", s.Subject.Task.Skill, t, why))
		}
	}
	return sum
}

// Completion returns how an operator's run ended, from its task and its finish record.
func Completion(task protocol.Task, f protocol.Finish, sum OperatorSummary, at time.Time) protocol.Completion {
	c := protocol.Completion{
		RunID: task.RunID, InvestigationID: task.InvestigationID, Skill: task.Skill, Targets: task.Targets, State: sum.Health,
		Outcome: f.Outcome, Error: f.Error, NotificationIDs: sum.NotificationIDs, SnapshotIDs: sum.SnapshotIDs,
		NotChecked: sum.NotChecked, Checked: sum.Checked, Model: f.Model, Instead: f.Instead, Usage: f.Usage, At: at,
	}
	if c.State == "" {
		c.State = protocol.Observing
	}
	if c.Outcome == protocol.OutcomeDone {
		c.Error = ""
	} else if c.State == protocol.Healthy {
		c.State = protocol.Observing // a run that did not finish found no health
	}
	return c
}
