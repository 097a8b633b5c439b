package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/cloudwego/eino/adk"
	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/components/tool"
	"github.com/cloudwego/eino/schema"
	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// loopReport is what a turn costs in each of the loops.
type loopReport struct {
	Rounds int                 `json:"rounds"`
	Turns  int                 `json:"turns_per_run"`
	Loops  map[string]turnCost `json:"loops"`
}

// turnCost is the time from one question to the model to the next.
type turnCost struct {
	P50     figure  `json:"turn_ms_p50"`
	P99     float64 `json:"turn_ms_p99"`
	LateP50 float64 `json:"last_ten_turns_ms_p50"` // when the conversation is long
	Run     float64 `json:"run_ms_p50"`
}

// turnBudget is what DESIGN.md allows a turn that is journaled to disk, in ms.
const turnBudget = 1

func loopCommand() *cobra.Command {
	var rounds, turns int
	cmd := subcommand("loop", "A turn of the loop, beside eino's own agent in memory",
		`Run the same conversation through three loops, one after the other in each round:
the loop of pkg/agent with its journal in a JetStream on file storage in this
process; the same loop with a journal in memory; and eino's adk.ChatModelAgent,
which keeps nothing. All have the same instant model, the same prompt, the schemas of
the same tools and the same Go function behind the one that is called: each turn asks
one callback of one host, whose answer has some 600 bytes.

What they do is not the same. The loop of pkg/agent validates arguments against the
schema, renders and bounds results, checks the deadline and whether the conversation
must be compacted, and writes two records a turn before it goes on, so that another
worker can. It builds the conversation anew from the journal each time. eino's agent
sends an event for each message, and cannot be resumed from where a crash left it.
A turn is from one question to the model to the next.`,
		func(ctx context.Context, b *bench) (any, error) { return b.loop(ctx, rounds, turns) })
	cmd.Flags().IntVar(&rounds, "rounds", 40, "runs of each loop")
	cmd.Flags().IntVar(&turns, "turns", 25, "turns of a run")
	return cmd
}

// The loops, as they are called in the report.
const (
	onDisk   = "pkg/agent, journal on file storage"
	inMemory = "pkg/agent, journal in memory"
	einoADK  = "eino adk.ChatModelAgent, in memory"
)

func (b *bench) loop(ctx context.Context, rounds, turns int) (*loopReport, error) {
	server, err := natsd.Start(natsd.Options{StoreDir: filepath.Join(b.dir, "nats")})
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	conn, err := b.dial(ctx, bus.Config{InProcess: server})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Setup(ctx, bus.SetupOptions{Skills: []string{"os"}}); err != nil {
		return nil, err
	}
	start, err := loopStart(turns)
	if err != nil {
		return nil, err
	}
	ours := func(j agent.Journal, run string) func(context.Context, *instant) error {
		return func(ctx context.Context, m *instant) error { return runOurs(ctx, m, start, j, run) }
	}
	took := map[string][][]time.Duration{}
	for n := range rounds + 1 { // the first warms up
		if n%10 == 0 {
			b.say("round %d of %d", n, rounds)
		}
		run := protocol.NewID()
		durable, err := journal.Claim(ctx, conn, protocol.OperatorAgent, run, "bench")
		if err != nil {
			return nil, err
		}
		for _, l := range []struct {
			name string
			run  func(context.Context, *instant) error
		}{
			{onDisk, ours(durable, run)}, {inMemory, ours(&agent.MemoryJournal{Run: run}, run)},
			{einoADK, func(ctx context.Context, m *instant) error { return runEino(ctx, m, start, turns) }},
		} {
			m := &instant{turns: turns}
			if err := l.run(ctx, m); err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			if len(m.asked) != turns+1 {
				return nil, fmt.Errorf("%s: the model was asked %d times, want %d", l.name, len(m.asked), turns+1)
			}
			if n > 0 {
				took[l.name] = append(took[l.name], m.took())
			}
		}
	}
	r := &loopReport{Rounds: rounds, Turns: turns, Loops: map[string]turnCost{}}
	for name, runs := range took {
		r.Loops[name] = costOf(runs)
	}
	return r, r.table(b.errOut)
}

func costOf(runs [][]time.Duration) turnCost {
	var all, late, whole []time.Duration
	for _, turns := range runs {
		all, late = append(all, turns...), append(late, turns[max(0, len(turns)-10):]...)
		var sum time.Duration
		for _, d := range turns {
			sum += d
		}
		whole = append(whole, sum)
	}
	return turnCost{P50: atMost(ms(percentile(all, 50)), turnBudget), P99: ms(percentile(all, 99)), LateP50: ms(percentile(late, 50)), Run: ms(percentile(whole, 50))}
}

func (r *loopReport) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\nms a turn\tp50\tp99\tp50 of the last ten\trun of %d\t\n", r.Turns)
	for _, name := range []string{onDisk, inMemory, einoADK} {
		c := r.Loops[name]
		fmt.Fprintf(t, "%s\t%v\t%v\t%v\t%v\t\n", name, c.P50.Value, c.P99, c.LateP50, c.Run)
	}
	return t.Flush()
}

// loopTarget is the host that is asked.
var loopTarget = protocol.TargetRef{Node: "web-1", Target: "host", Kind: "host"}

func loopStart(turns int) (protocol.Start, error) {
	words, err := scriptWords("os")
	if err != nil {
		return protocol.Start{}, err
	}
	deadline := time.Now().Add(longest)
	sub := agent.OperatorSubject{Words: words, Task: protocol.Task{Skill: "os", Reason: "checkout is slow", Targets: []protocol.TargetRef{loopTarget}, Deadline: deadline}}
	return agent.OperatorStart(sub, protocol.RunSettings{Deadline: deadline, MaxIterations: turns + 1}, time.Now())
}

// instant is the model: it answers at once, and notes when it was asked.
type instant struct {
	turns int
	ends  bool // by a call of done, else by words
	asked []time.Time
}

// WithTools implements model.ToolCallingChatModel.
func (m *instant) WithTools([]*schema.ToolInfo) (model.ToolCallingChatModel, error) { return m, nil }

// Generate implements model.BaseChatModel.
func (m *instant) Generate(context.Context, []*schema.Message, ...model.Option) (*schema.Message, error) {
	m.asked = append(m.asked, time.Now())
	name, args := "call", `{"callback":"system_top_processes","args":[5,"memory"]}`
	if len(m.asked) > m.turns {
		if !m.ends {
			return schema.AssistantMessage("That is all.", nil), nil
		}
		name, args = "done", "{}"
	}
	return schema.AssistantMessage("I ask who holds the memory.", []schema.ToolCall{{
		ID: fmt.Sprint("call_", len(m.asked)), Type: "function", Function: schema.FunctionCall{Name: name, Arguments: args},
	}}), nil
}

// Stream implements model.BaseChatModel.
func (m *instant) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	answer, err := m.Generate(ctx, in, opts...)
	return schema.StreamReaderFromArray([]*schema.Message{answer}), err
}

func (m *instant) took() []time.Duration {
	var list []time.Duration
	for i := range m.asked[1:] {
		list = append(list, m.asked[i+1].Sub(m.asked[i]))
	}
	return list
}

// sameProbe is the function behind the tool in every loop.
type sameProbe struct{}

var sameAnswer = map[string]any{"cpu_basis": "interval", "interval_seconds": 30.0, "process_count": 214.0, "processes": []any{
	map[string]any{"pid": 4711.0, "name": "java", "ppid": 1.0, "uid": 1001.0, "cgroup": "/system.slice/checkout.service", "cpu_pct": 212.4, "memory_mb": 13244.8, "threads": 311.0},
	map[string]any{"pid": 1204.0, "name": "envoy", "ppid": 1.0, "uid": 101.0, "cgroup": "/system.slice/envoy.service", "cpu_pct": 61.2, "memory_mb": 402.6, "threads": 24.0},
	map[string]any{"pid": 811.0, "name": "journald", "ppid": 1.0, "uid": 0.0, "cgroup": "/system.slice/systemd-journald.service", "cpu_pct": 3.1, "memory_mb": 148.2, "threads": 1.0},
}}

// Snapshot implements agent.Probes.
func (sameProbe) Snapshot(context.Context, protocol.TargetRef, string) (protocol.Snapshot, error) {
	return protocol.Snapshot{}, errors.New("nobody asks for one")
}

// Call implements agent.Probes.
func (sameProbe) Call(context.Context, protocol.TargetRef, string, []any) (protocol.CallReply, error) {
	return protocol.CallReply{Value: sameAnswer}, nil
}

func runOurs(ctx context.Context, m *instant, start protocol.Start, j agent.Journal, run string) error {
	m.ends = true
	f, err := agent.Run(ctx, agent.Spec{
		RunID: run, Start: start, Tools: agent.NewOperatorTools(agent.OperatorDeps{Probes: sameProbe{}}),
		Decider: agent.NewModelDecider("instant", m), Journal: j, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil && f.Outcome != protocol.OutcomeDone {
		err = fmt.Errorf("it ended as %s: %s", f.Outcome, f.Error)
	}
	return err
}

func runEino(ctx context.Context, m *instant, start protocol.Start, turns int) error {
	cfg := &adk.ChatModelAgentConfig{
		Name: "operator", Description: "looks at hosts", Model: m, MaxIterations: turns + 1,
		// Without it, braces in the prompt would be taken for variables.
		GenModelInput: func(_ context.Context, _ string, in *adk.AgentInput) ([]adk.Message, error) {
			return append([]adk.Message{schema.SystemMessage(start.System)}, in.Messages...), nil
		},
	}
	for _, t := range agent.NewOperatorTools(agent.OperatorDeps{}).Tools() {
		cfg.ToolsConfig.Tools = append(cfg.ToolsConfig.Tools, einoTool{t})
	}
	a, err := adk.NewChatModelAgent(ctx, cfg)
	if err != nil {
		return err
	}
	events := adk.NewRunner(ctx, adk.RunnerConfig{Agent: a}).Run(ctx, []adk.Message{schema.UserMessage(start.User)})
	for {
		e, ok := events.Next()
		switch {
		case !ok:
			return nil
		case e.Err != nil:
			return e.Err
		}
	}
}

// einoTool is a tool of the operators' for eino: the same schema and, of the one
// that is called, the same function.
type einoTool struct{ agent.Tool }

var _ tool.InvokableTool = einoTool{}

// Info implements tool.BaseTool.
func (t einoTool) Info(context.Context) (*schema.ToolInfo, error) {
	return &schema.ToolInfo{Name: t.Name, Desc: t.Doc, ParamsOneOf: schema.NewParamsOneOfByJSONSchema(t.Schema)}, nil
}

// InvokableRun implements tool.InvokableTool.
func (t einoTool) InvokableRun(ctx context.Context, args string, _ ...tool.Option) (string, error) {
	var a struct {
		Callback string `json:"callback"`
		Args     []any  `json:"args"`
	}
	if err := json.Unmarshal([]byte(args), &a); err != nil {
		return "", err
	}
	reply, err := sameProbe{}.Call(ctx, loopTarget, a.Callback, a.Args)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal([]any{map[string]any{"target": loopTarget.String(), "value": reply.Value}})
	return string(raw), err
}
