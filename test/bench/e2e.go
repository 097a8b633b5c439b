package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// Names of the deciders of this benchmark.
const (
	scripted = "script" // an instant model
	thinking = "think"  // an operator that only thinks: the loop and its journal alone
)

// e2eReport is how long an investigation takes.
type e2eReport struct {
	Script latencies `json:"script"` // an instant model for both agents
	Rules  latencies `json:"rules"`  // the analyst without a model
	Loop   loopCost  `json:"loop"`
}

// latencies are those of the same request, asked again when its investigation ended.
type latencies struct {
	Requests    int     `json:"requests"`
	InsightP50  figure  `json:"request_to_insight_ms_p50"`
	InsightP99  float64 `json:"request_to_insight_ms_p99"`
	FinishedP50 float64 `json:"request_to_finished_ms_p50"`
	FirstP50    float64 `json:"first_hundred_ms_p50"` // of request to insight: does history cost?
	LastP50     float64 `json:"last_hundred_ms_p50"`
	AllFine     int     `json:"insights_that_nothing_is_wrong"`
	// Steps tells where the time goes, from the journals: from each record to the
	// one before it. An answer's share is writing the record before it and deciding;
	// a result's is writing the answer and running the tool. The coordinator's wait
	// contains all of its operator's run.
	Steps map[string]float64 `json:"steps_ms_p50"`
}

// loopCost is a turn of a run that calls think and nothing else: two records,
// each on file storage before the next.
type loopCost struct {
	Turns   int     `json:"turns"`
	TurnP50 figure  `json:"turn_ms_p50"`
	TurnP99 float64 `json:"turn_ms_p99"`
}

func e2eCommand() *cobra.Command {
	var requests, warmup int
	cmd := subcommand("e2e", "From a request to its insight, with a model that answers at once",
		`Run everything in this process, NATS with file storage included: one
coordinator, one operator, one probe of this host. A plain NATS client publishes to
investigate.request and waits at insights.>, one request after the other; first
with a script in place of the model (invoke, wait, conclude, done; take_snapshot,
send_notification, done), then with the rules analyst.

Then the loop alone: runs of an operator that only thinks, from their journals.`,
		func(ctx context.Context, b *bench) (any, error) { return b.e2e(ctx, requests, warmup) })
	cmd.Flags().IntVar(&requests, "requests", 300, "requests to measure, of each of the two")
	cmd.Flags().IntVar(&warmup, "warmup", 30, "requests before those")
	return cmd
}

func (b *bench) e2e(ctx context.Context, requests, warmup int) (*e2eReport, error) {
	list := all.Skills(all.Options{})
	words, err := skills.Words(list, nil)
	if err != nil {
		return nil, err
	}
	models := llm.DefaultConfig()
	rules, err := models.Deciders(ctx, words, nil)
	if err != nil {
		return nil, err
	}
	node := watch.New()
	node.Node = "bench"
	stack, err := allinone.Start(ctx, allinone.Options{
		DataDir: filepath.Join(b.dir, "nats"), Listen: "127.0.0.1", Log: b.log,
		Probe: node, Operator: operator.DefaultConfig(), Coordinator: coordinator.DefaultConfig(), LLM: models,
		Deciders: func(model string) (agent.Decider, error) {
			switch model {
			case scripted:
				return agenttest.By(agenttest.NewScript(observe...), investigator{}), nil
			case thinking:
				return agenttest.NewScript(think...), nil
			}
			return rules(model)
		},
	})
	if err != nil {
		return nil, err
	}
	defer stack.Stop()
	if err := stack.Settle(ctx); err != nil {
		return nil, err
	}
	r := &e2eReport{}
	if r.Script, err = b.investigations(ctx, stack, scripted, warmup, requests); err != nil {
		return nil, fmt.Errorf("with the script: %w", err)
	}
	if r.Rules, err = b.investigations(ctx, stack, llm.Rules, warmup, requests); err != nil {
		return nil, fmt.Errorf("with the rules analyst: %w", err)
	}
	r.Loop, err = b.turns(ctx, stack)
	return r, err
}

// observe is what the scripted operator does.
var observe = []agenttest.Step{
	agenttest.Calls(agenttest.Call("take_snapshot", nil)),
	agenttest.Notify("memory", protocol.SeverityWarning, func(s protocol.Snapshot) string {
		return fmt.Sprintf("memory_used_pct is %v", s.Data["memory_used_pct"])
	}),
	agenttest.Calls(agenttest.Call("done", nil)),
}

// An investigator is the scripted coordinator: it invokes, waits, concludes, ends.
type investigator struct{}

// Name implements agent.Decider.
func (investigator) Name() string { return scripted }

// Decide implements agent.Decider.
func (investigator) Decide(_ context.Context, v agent.View) (protocol.Answer, error) {
	s, ok := v.State.(*agent.CoordinatorState)
	if !ok {
		return protocol.Answer{}, fmt.Errorf("a run of %T: %w", v.State, agent.ErrFinal)
	}
	var next agenttest.Step
	switch {
	case !s.Invoked:
		next = agenttest.Calls(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}}))
	case len(s.Running()) > 0:
		next = agenttest.Calls(agenttest.Call("wait", map[string]any{"ms": 10_000}))
	case len(s.Insights) == 0:
		next = agenttest.Conclude()
	default:
		next = agenttest.Calls(agenttest.Call("done", nil))
	}
	return next(v)
}

// investigations asks the same again and again, each time once the investigation
// before has ended.
func (b *bench) investigations(ctx context.Context, stack *allinone.Stack, model string, warmup, requests int) (latencies, error) {
	client, err := nats.Connect(stack.Server.URL())
	if err != nil {
		return latencies{}, err
	}
	defer client.Close()
	insights, err := client.SubscribeSync("insights.>")
	if err != nil {
		return latencies{}, err
	}
	ended, err := client.SubscribeSync(protocol.InvestigationSubject(protocol.Any, protocol.PhaseFinished))
	if err != nil {
		return latencies{}, err
	}
	b.say("%s: %d requests, %d before them to warm up", model, requests, warmup)
	var toInsight, toEnd []time.Duration
	steps := map[string][]time.Duration{}
	out := latencies{Requests: requests}
	for n := range warmup + requests {
		one, err := ask(ctx, client, insights, ended, model)
		if err != nil {
			return out, fmt.Errorf("request %d: %w", n+1, err)
		}
		if n < warmup {
			continue
		}
		toInsight, toEnd = append(toInsight, one.insight), append(toEnd, one.end)
		if one.fine {
			out.AllFine++
		}
		if err := addSteps(ctx, stack.Bus, one, steps); err != nil {
			return out, err
		}
	}
	hundred := min(100, len(toInsight))
	out.InsightP50, out.InsightP99 = atMost(ms(percentile(toInsight, 50)), 25), ms(percentile(toInsight, 99))
	out.FinishedP50 = ms(percentile(toEnd, 50))
	out.FirstP50, out.LastP50 = ms(percentile(toInsight[:hundred], 50)), ms(percentile(toInsight[len(toInsight)-hundred:], 50))
	out.Steps = map[string]float64{}
	for name, took := range steps {
		out.Steps[name] = ms(percentile(took, 50))
	}
	return out, nil
}

// An asked is one investigation.
type asked struct {
	at           time.Time // when its request was published
	insight, end time.Duration
	fine         bool // it says that nothing is wrong
	result       protocol.Result
}

// ask publishes a request and waits for its insight and its end. All insights
// before it have been read, because their investigations ended.
func ask(ctx context.Context, client *nats.Conn, insights, ended *nats.Subscription, model string) (asked, error) {
	body, err := json.Marshal(protocol.Request{Reason: "is this host healthy?", Model: model})
	if err != nil {
		return asked{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	a := asked{at: time.Now()}
	if err := client.Publish(protocol.RequestSubject, body); err != nil {
		return a, err
	}
	m, err := insights.NextMsgWithContext(ctx)
	if err != nil {
		return a, fmt.Errorf("no insight: %w", err)
	}
	a.insight = time.Since(a.at)
	a.fine = strings.Contains(m.Subject, "."+string(protocol.None)+".")
	m, err = ended.NextMsgWithContext(ctx)
	if err != nil {
		return a, fmt.Errorf("it did not end: %w", err)
	}
	a.end = time.Since(a.at)
	a.result, err = protocol.Decode[protocol.Result](m.Data)
	if err == nil && a.result.State != protocol.ResultDone {
		err = fmt.Errorf("it ended as %s: %s", a.result.State, a.result.Error)
	}
	for range len(a.result.Insights) - 1 { // one request may have several; the first one counted
		if err == nil {
			_, err = insights.NextMsgWithContext(ctx)
		}
	}
	return a, err
}

// addSteps adds how long each step of an investigation's runs took.
func addSteps(ctx context.Context, conn *bus.Conn, a asked, steps map[string][]time.Duration) error {
	add := func(name string, d time.Duration) { steps[name] = append(steps[name], d) }
	records, err := journal.Read(ctx, conn, protocol.CoordinatorAgent, a.result.InvestigationID)
	if err != nil {
		return err
	}
	add("request to coordinator", records[0].At.Sub(a.at))
	invoked := stepTimes("coordinator", records, add)
	for _, op := range a.result.OperatorResults {
		records, err := journal.Read(ctx, conn, protocol.OperatorAgent, op.RunID)
		if err != nil {
			return err
		}
		add("invoke_operators to operator", records[0].At.Sub(invoked))
		stepTimes("operator", records, add)
	}
	return nil
}

// stepTimes tells add the time from each record to the one before it, and
// returns when operators were invoked.
func stepTimes(who string, records []protocol.Record, add func(string, time.Duration)) (invoked time.Time) {
	for i, r := range records[1:] {
		name := string(r.Kind)
		if r.Kind == protocol.RecordResult {
			var res protocol.ToolResult
			if err := json.Unmarshal(r.Data, &res); err == nil {
				name = res.Tool
			}
			if res.Tool == "invoke_operators" {
				invoked = records[i].At
			}
		}
		add(who+" "+name, r.At.Sub(records[i].At))
	}
	return invoked
}

// thoughts is how many turns a run of the loop alone has; its runs are loopRuns.
const (
	thoughts = 50
	loopRuns = 20
)

// think is a run that calls nothing else.
var think = func() []agenttest.Step {
	var steps []agenttest.Step
	for range thoughts {
		steps = append(steps, agenttest.Calls(agenttest.Call("think", map[string]any{"thought": "the disk fills since noon"})))
	}
	return steps
}()

// turns measures the loop with its journal: from one answer to the next.
func (b *bench) turns(ctx context.Context, stack *allinone.Stack) (loopCost, error) {
	b.say("loop: %d runs of %d turns", loopRuns, thoughts)
	var took []time.Duration
	for range loopRuns {
		task := newTask("bench", thinking)
		task.MaxIterations = thoughts + 1
		if err := runTask(ctx, stack.Bus, task); err != nil {
			return loopCost{}, err
		}
		records, err := journal.Read(ctx, stack.Bus, protocol.OperatorAgent, task.RunID)
		if err != nil {
			return loopCost{}, err
		}
		var last time.Time
		for _, r := range records {
			if r.Kind != protocol.RecordAnswer {
				continue
			}
			if !last.IsZero() {
				took = append(took, r.At.Sub(last))
			}
			last = r.At
		}
	}
	return loopCost{Turns: len(took), TurnP50: atMost(ms(percentile(took, 50)), 1), TurnP99: ms(percentile(took, 99))}, nil
}

// newTask returns a task for the operators of the os skill.
func newTask(node, model string) protocol.Task {
	return protocol.Task{
		RunID: protocol.NewID(), InvestigationID: protocol.NewID(), Skill: "os", Reason: "a benchmark", Model: model,
		Targets: []protocol.TargetRef{{Node: node, Target: "host", Kind: string(skills.Host)}}, Deadline: time.Now().Add(longest),
	}
}

// queueTask gives a task to the operators.
func queueTask(ctx context.Context, conn *bus.Conn, t protocol.Task) error {
	_, err := conn.Publish(ctx, bus.Outgoing{Subject: protocol.TaskSubject(t.Skill), Body: t, ID: t.RunID, Dedupe: true})
	return err
}

// runTask returns when the task's run is done.
func runTask(ctx context.Context, conn *bus.Conn, t protocol.Task) error {
	ended := make(chan bus.Msg, 1)
	stop, err := conn.Subscribe(protocol.CompletionSubject(t.Skill, t.InvestigationID), func(m bus.Msg) { ended <- m })
	if err != nil {
		return err
	}
	defer stop()
	if err := queueTask(ctx, conn, t); err != nil {
		return err
	}
	select {
	case m := <-ended:
		return checkDone(m)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkDone returns an error unless a completion tells of a run that was done.
func checkDone(m bus.Msg) error {
	c, err := protocol.Decode[protocol.Completion](m.Data)
	if err == nil && c.Outcome != protocol.OutcomeDone {
		err = fmt.Errorf("run %s ended as %s: %s", c.RunID, c.Outcome, c.Error)
	}
	return err
}
