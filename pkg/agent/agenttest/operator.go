package agenttest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Operator is an operator's run in memory.
type Operator struct {
	RunID   string // empty: "run-1"
	Reason  string // empty: "a test"
	Words   protocol.Words
	Targets []protocol.TargetRef // empty: those of Snapshots
	// Snapshots are what take_snapshot returns, the first of each target. A target
	// without one does not answer.
	Snapshots []protocol.Snapshot
	// Published are those that the run begins with.
	Published []protocol.Snapshot
	// Answer answers callbacks; nil: none answers.
	Answer  func(t protocol.TargetRef, callback string, args []any) (any, error)
	Scripts agent.Scripts // nil: no execute tool
	Now     time.Time     // when the run begins; zero: now
}

// A Report is how a run went.
type Report struct {
	Finish        protocol.Finish
	State         *agent.OperatorState
	Notifications []protocol.Notification
	Records       []protocol.Record
}

// Run runs the real loop with the real tools to its end.
func (o Operator) Run(ctx context.Context, d agent.Decider) (Report, error) {
	o.RunID, o.Reason = cmp.Or(o.RunID, "run-1"), cmp.Or(o.Reason, "a test")
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if len(o.Targets) == 0 {
		for _, s := range o.Snapshots {
			o.Targets = append(o.Targets, s.Ref())
		}
	}
	deadline := time.Now().Add(time.Hour)
	task := protocol.Task{RunID: o.RunID, InvestigationID: "inv-1", Skill: o.Words.Skill, Targets: o.Targets, Reason: o.Reason, Deadline: deadline}
	start, err := agent.OperatorStart(agent.OperatorSubject{Task: task, Words: o.Words, Snapshots: o.Published}, protocol.RunSettings{Deadline: deadline, MaxIterations: 25}, o.Now)
	if err != nil {
		return Report{}, err
	}
	found := &findings{}
	tools := agent.NewOperatorTools(agent.OperatorDeps{Probes: inMemory{o}, Findings: found, Scripts: o.Scripts})
	journal := &agent.MemoryJournal{Run: o.RunID}
	f, err := agent.Run(ctx, agent.Spec{RunID: o.RunID, Start: start, Tools: tools, Decider: d, Journal: journal, Log: slog.New(slog.DiscardHandler)})
	state, _ := tools.State().(*agent.OperatorState)
	return Report{Finish: f, State: state, Notifications: found.list, Records: journal.Log}, err
}

// inMemory answers for the hosts of an operator.
type inMemory struct{ Operator }

// Snapshot implements agent.Probes.
func (m inMemory) Snapshot(_ context.Context, t protocol.TargetRef, _ string) (protocol.Snapshot, error) {
	i := slices.IndexFunc(m.Snapshots, func(s protocol.Snapshot) bool { return s.Ref() == t })
	if i < 0 {
		return protocol.Snapshot{}, fmt.Errorf("%s does not answer", t)
	}
	return m.Snapshots[i], nil
}

// Call implements agent.Probes.
func (m inMemory) Call(_ context.Context, t protocol.TargetRef, callback string, args []any) (protocol.CallReply, error) {
	if m.Answer == nil {
		return protocol.CallReply{}, fmt.Errorf("%s has no answer for %s", t, callback)
	}
	v, err := m.Answer(t, callback, args)
	return protocol.CallReply{Value: v}, err
}

// findings keeps what a run found.
type findings struct {
	mu   sync.Mutex
	list []protocol.Notification
}

// Notify implements agent.Findings.
func (f *findings) Notify(_ context.Context, n protocol.Notification) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, n)
	return nil
}

// StateChanged implements agent.Findings: the run's own state tells.
func (f *findings) StateChanged(context.Context, protocol.State) error { return nil }
