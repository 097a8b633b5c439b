package ports_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func plain(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// probe answers an operator with one skill, and keeps what it finds.
type probe struct {
	skill skills.Skill
	asked []string
	notes []protocol.Notification
	state protocol.State
}

func (p *probe) Snapshot(ctx context.Context, t protocol.TargetRef, _ string) (protocol.Snapshot, error) {
	d, err := p.skill.Sources[0].Snapshot(ctx)
	return protocol.Snapshot{ID: "s-1", Node: t.Node, Target: t.Target, Kind: t.Kind, Skill: p.skill.Name, CapturedAt: time.Now(), Data: d}, err
}

func (p *probe) Call(ctx context.Context, _ protocol.TargetRef, callback string, args []any) (protocol.CallReply, error) {
	b, err := json.Marshal(args)
	if err != nil {
		return protocol.CallReply{}, err
	}
	call := callback + "(" + strings.Trim(string(b), "[]") + ")"
	if len(args) == 0 {
		call = callback + "()"
	}
	p.asked = append(p.asked, call)
	v, err := answer(ctx, p.skill, call)
	return protocol.CallReply{Value: v}, err
}

func (p *probe) Notify(_ context.Context, n protocol.Notification) error {
	p.notes = append(p.notes, n)
	return nil
}

func (p *probe) StateChanged(_ context.Context, s protocol.State) error {
	p.state = s
	return nil
}

// The analyst without an LLM must come from a crossed threshold to a name.
func TestRulesNameWhoLeaksConnections(t *testing.T) {
	s, _ := sick(t)
	p := &probe{skill: s}
	start := time.Now()
	task := protocol.Task{RunID: "run-1", InvestigationID: "inv-1", Skill: "ports", Targets: []protocol.TargetRef{{Node: "web-1", Target: "host", Kind: "host"}}}
	words := s.Words(s.Sources[0])
	subject, err := agent.OperatorStart(agent.OperatorSubject{Task: task, Words: words}, protocol.RunSettings{Deadline: start.Add(time.Minute), MaxIterations: 25}, start)
	if err != nil {
		t.Fatal(err)
	}
	f, err := agent.Run(t.Context(), agent.Spec{
		RunID: task.RunID, Start: subject, Tools: agent.NewOperatorTools(agent.OperatorDeps{Probes: p, Findings: p}), Decider: rules.New([]protocol.Words{words}),
		Journal: &agent.MemoryJournal{Run: task.RunID, Time: time.Now}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil || f.Outcome != protocol.OutcomeDone {
		t.Fatalf("the run ended %+v, %v", f, err)
	}
	for kind, want := range map[string][2]string{
		"fd_max_used_pct":        {"ports_top_fds(5)", "java (4711) uses the most file descriptors"},
		"tcp_close_wait":         {`ports_top_sockets(5,"close_wait")`, "java (4711) uses the most sockets"},
		"ephemeral_max_used_pct": {`ports_peers(5,"out")`, "worker (812) uses the most ephemeral ports"},
	} {
		if !strings.Contains(strings.Join(p.asked, " "), want[0]) {
			t.Errorf("%s was not asked: %q", want[0], p.asked)
		}
		found := false
		for _, n := range p.notes {
			if n.AnomalyType != kind {
				continue
			}
			if found = true; n.Hypothesis != want[1] {
				t.Errorf("%s is put down to %q, want %q; %s", kind, n.Hypothesis, want[1], n.Context)
			}
		}
		if !found {
			t.Errorf("nobody is told of %s", kind)
		}
	}
}
