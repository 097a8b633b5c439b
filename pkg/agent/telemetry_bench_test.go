package agent_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals/signalstest"
)

// BenchmarkTurn is one turn of a run of 50, its journal in memory: what telling it
// costs is the difference.
func BenchmarkTurn(b *testing.B) {
	const turns = 50
	var script []agenttest.Step
	for range turns - 1 {
		script = append(script, agenttest.Calls(think))
	}
	for _, bb := range []struct {
		name string
		to   func() *agent.Telemetry
	}{
		{"told to nobody", func() *agent.Telemetry { return nil }},
		{"told", func() *agent.Telemetry { return agent.NewTelemetry(signalstest.New().Providers) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			to := bb.to()
			for i := 0; i < b.N; i += turns {
				r := newOperatorRun("web-1")
				subject := agent.OperatorSubject{Words: words(), Task: protocol.Task{RunID: "run-1", InvestigationID: "inv-1", Skill: "os", Targets: r.targets}}
				start, err := agent.OperatorStart(subject, protocol.RunSettings{Deadline: time.Now().Add(time.Hour)}, t0)
				if err != nil {
					b.Fatal(err)
				}
				_, err = agent.Run(b.Context(), agent.Spec{
					RunID: "run-1", Start: start, Tools: agent.NewOperatorTools(agent.OperatorDeps{Probes: r.probes, Findings: r.findings}),
					Decider: agenttest.NewScript(script...), Journal: r.journal, Log: quiet(), Telemetry: to, Skill: "os",
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
