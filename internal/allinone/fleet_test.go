package allinone_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

// TestOneScriptAsksFiftyHosts has an operator's script ask fifty real probes at
// once, three of which hang.
func TestOneScriptAsksFiftyHosts(t *testing.T) {
	const hanging = 3
	script := agenttest.NewScript(agenttest.Calls(agenttest.Call("execute", map[string]any{"code": `return fleet("system_get_memory")`})))
	var stack *allinone.Stack
	conn := up(t, script, func(o *allinone.Options) {
		o.Operator.Execute, o.Operator.CallTimeout = true, 3*time.Second
	}, func(s *allinone.Stack) { stack = s })
	task := protocol.Task{
		RunID: "run-50", InvestigationID: "inv-50", Skill: "os", Reason: "how is memory?", Deadline: time.Now().Add(time.Minute),
	}
	for n := range protocol.MaxTaskTargets {
		node := fmt.Sprintf("web-%02d", n)
		task.Targets = append(task.Targets, protocol.TargetRef{Node: node, Target: "host", Kind: "host"})
		if n < hanging {
			stop, err := conn.Subscribe(protocol.ProbeSubject(node, "call"), func(bus.Msg) {})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			continue
		}
		another(t, stack, node)
	}
	ended := make(chan struct{}, 1)
	stop, err := conn.Subscribe(protocol.CompletionSubject("os", task.InvestigationID), func(bus.Msg) { ended <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.TaskSubject("os"), Body: task, ID: task.RunID, Dedupe: true}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the run did not end")
	}
	table := executed(t, conn, task.RunID)
	if len(table) != protocol.MaxTaskTargets {
		t.Fatalf("the table has %d rows, want %d", len(table), protocol.MaxTaskTargets)
	}
	for n, target := range task.Targets {
		row, _ := table[target.String()].(map[string]any)
		said, failed := row["error"].(string)
		switch {
		case n < hanging && !strings.Contains(said, "the probe of "+target.Node+" did not answer within 3s"):
			t.Errorf("%s: %v", target, row)
		case n >= hanging && (failed || row["total_mb"] == nil):
			t.Errorf("%s: %v", target, row)
		}
	}
}

// another runs one more probe of this host, under another name.
func another(t *testing.T, s *allinone.Stack, node string) {
	t.Helper()
	cfg := probe.DefaultConfig()
	cfg.Node, cfg.Interval = node, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	conn := natstest.Dial(t, s.Server, "probe/"+node)
	reader := host.New(host.Config{})
	go func() {
		ended <- probe.Run(ctx, cfg, probe.Deps{
			Log: natstest.Log(t), Bus: conn, Skills: all.Skills(all.Options{}), Node: hostos.Node(reader, node), Version: "v1.0.0",
			Identity: probe.Identity{MachineID: node, BootID: "boot-1"}, Ready: func() { close(ready) },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the probe of %s ended with %v", node, err)
		}
	})
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Fatalf("the probe of %s is not ready", node)
	}
}

// executed returns what the script of a run returned.
func executed(t *testing.T, conn *bus.Conn, run string) map[string]any {
	t.Helper()
	records, err := journal.Read(t.Context(), conn, protocol.OperatorAgent, run)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		var res protocol.ToolResult
		if r.Kind != protocol.RecordResult || json.Unmarshal(r.Data, &res) != nil || res.Tool != "execute" {
			continue
		}
		var effect struct {
			Answers []struct {
				Value map[string]any `json:"value"`
			} `json:"answers"`
		}
		if err := json.Unmarshal(res.Effect, &effect); err != nil || len(effect.Answers) != 1 {
			t.Fatalf("execute gave %s", res.Content)
		}
		return effect.Answers[0].Value
	}
	t.Fatal("no script was run")
	return nil
}
