package agent_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudwego/eino/schema"
	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// shortID is what the ids of notifications and insights look like.
var shortID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// distinct wants n ids, each of 16 hex digits and none twice.
func distinct(t *testing.T, n int, ids []string) {
	t.Helper()
	if len(ids) != n {
		t.Fatalf("%d ids, want %d", len(ids), n)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if !shortID.MatchString(id) || seen[id] {
			t.Fatalf("%q is no id, or came twice", id)
		}
		seen[id] = true
	}
}

// batches makes steps of at most sixteen calls.
func batches(n int, call func(i int) protocol.ToolCall) []agenttest.Step {
	var calls []protocol.ToolCall
	for i := range n {
		calls = append(calls, call(i))
	}
	var out []agenttest.Step
	for c := range slices.Chunk(calls, agent.MaxCallsPerStep) {
		out = append(out, agenttest.Calls(c...))
	}
	return out
}

// Behaviour: 1.
func TestAHundredNotificationsHaveAHundredIDs(t *testing.T) {
	r := twoHosts()
	r.play(t, batches(100, func(int) protocol.ToolCall { return notify("memory is short", "s1") })...)
	var ids []string
	for _, n := range r.findings.sent {
		ids = append(ids, n.ID)
	}
	distinct(t, 100, ids)
}

// Behaviour: 6, 8, 9, 18, 19.
func TestANotificationSaysWhatItsOperatorSaid(t *testing.T) {
	for _, tt := range []struct {
		name       string
		severity   protocol.Severity
		hypothesis any
		want       string
	}{
		{"info, with a hypothesis", protocol.SeverityInfo, "it might leak", "it might leak"},
		{"warning, with a null for it", protocol.SeverityWarning, nil, ""},
		{"critical, with an empty one", protocol.SeverityCritical, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := twoHosts()
			before := time.Now()
			r.play(t, steps(agenttest.Call("send_notification", map[string]any{
				"type": "memory_used_pct", "severity": tt.severity, "context": "a host of two", "observation": "memory is short",
				"hypothesis": tt.hypothesis, "snapshot_ids": []string{"s2"},
			}))...)
			if len(r.findings.sent) != 1 {
				t.Fatalf("sent %+v", r.findings.sent)
			}
			n := r.findings.sent[0]
			if n.Operator != "os" || n.AnomalyType != "memory_used_pct" || n.Severity != tt.severity || n.Context != "a host of two" ||
				n.Observation != "memory is short" || n.Hypothesis != tt.want || n.Node != "web-2" || n.TraceID != "trace-1" {
				t.Errorf("notification %+v", n)
			}
			if diff := cmp.Diff([]protocol.Snapshot{r.starting[1]}, n.Snapshots); diff != "" {
				t.Errorf("its snapshots (-taken +sent):\n%s", diff)
			}
			if n.DetectedAt.Before(before) || n.DetectedAt.After(time.Now()) {
				t.Errorf("detected at %s", n.DetectedAt)
			}
		})
	}
	t.Run("without the word hypothesis", func(t *testing.T) {
		r := twoHosts()
		r.play(t, steps(notify("memory is short", "s1"))...)
		if len(r.findings.sent) != 1 || r.findings.sent[0].Hypothesis != "" {
			t.Errorf("sent %+v", r.findings.sent)
		}
	})
}

// Behaviour: 10.
func TestANotificationWithoutItsFactsIsRefused(t *testing.T) {
	for _, missing := range []string{"type", "severity", "context", "observation"} {
		t.Run("without "+missing, func(t *testing.T) {
			args := map[string]any{"type": "x", "severity": "info", "context": "c", "observation": "o", "snapshot_ids": []string{"s1"}}
			delete(args, missing)
			r := twoHosts()
			r.play(t, steps(agenttest.Call("send_notification", args))...)
			res := one(t, r.journal, "send_notification")
			if !res.Invalid || len(r.findings.sent) != 0 {
				t.Errorf("result %+v, sent %+v", res, r.findings.sent)
			}
			wantIn(t, res.Content, missing)
		})
	}
}

// Behaviour: 21.
func TestToolsWithoutArgumentsNeedNone(t *testing.T) {
	for _, args := range []string{"", "{}", "null", " "} {
		for _, tool := range []string{"get_notifications", "take_snapshot", "done"} {
			t.Run(fmt.Sprintf("%s with %q", tool, args), func(t *testing.T) {
				r := twoHosts()
				f := r.play(t, agenttest.Calls(protocol.ToolCall{Tool: tool, Args: args}))
				if res := results(t, r.journal)[0]; res.Invalid || res.Failed || f.Outcome != protocol.OutcomeDone {
					t.Errorf("result %+v, ended as %+v", res, f)
				}
			})
		}
	}
}

// echoes is an interpreter that returns the code it was given.
type echoes struct{}

func (echoes) Run(_ context.Context, code string, _ []string, _ func(context.Context, string, []any) (any, error)) (any, string, error) {
	return code, "", nil
}

// Behaviour: 23.
func TestWhatAToolIsGivenReachesItUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const code = "-- <b> & \"ä\"\nreturn 1 < 2\n"
		r := twoHosts()
		r.scripts = echoes{}
		began := time.Now()
		r.play(t, agenttest.Calls(
			agenttest.Call("execute", map[string]any{"code": code}),
			agenttest.Call("wait", map[string]any{"ms": 5000}),
			agenttest.Call("think", map[string]any{"thought": "why <now>?"}),
		))
		if len(r.state.Answers) != 1 || r.state.Answers[0].Value != code {
			t.Errorf("the script was %+v", r.state.Answers)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it waited %s", took)
		}
		if got := one(t, r.journal, "wait").Content; got != `{"waited":5000}` {
			t.Errorf("wait says %s", got)
		}
		if got := data[map[string]any](t, protocol.Record{Data: []byte(one(t, r.journal, "think").Content)}); got["thought"] != "why <now>?" || got["recorded"] != true {
			t.Errorf("think says %v", got)
		}
	})
}

// Behaviour: 33.
func TestAnOperatorsRunBeginsHealthyAndWithNothingFound(t *testing.T) {
	r := newOperatorRun("web-1")
	r.play(t, func(v agent.View) (protocol.Answer, error) {
		s := v.State.(*agent.OperatorState)
		if v.Step != 1 || s.Health != protocol.Healthy || len(s.Notifications)+len(s.Snapshots)+len(s.Answers) != 0 || s.Taken {
			t.Errorf("step %d begins with %+v", v.Step, s)
		}
		return say(over), nil
	})
}

// Behaviour: 36.
func TestEachStepIsToldWithItsNumber(t *testing.T) {
	var told []string
	r := newOperatorRun("web-1")
	start, err := agent.OperatorStart(agent.OperatorSubject{Words: words(), Task: protocol.Task{
		RunID: "run-1", Skill: "os", Targets: r.targets, Reason: "x", TraceID: "0123456789abcdef0123456789abcdef",
	}}, r.settings, t0)
	if err != nil {
		t.Fatal(err)
	}
	if start.TraceID != "0123456789abcdef0123456789abcdef" {
		t.Errorf("the run has the trace %q", start.TraceID)
	}
	_, err = agent.Run(t.Context(), agent.Spec{
		RunID: "run-1", Start: start, Tools: agent.NewOperatorTools(agent.OperatorDeps{Probes: r.probes, Findings: r.findings}),
		Decider: agenttest.NewScript(steps(think, think, think, think, think, over)...), Journal: r.journal, Log: quiet(),
		OnStep: func(step int, text string) {
			tool, _, _ := strings.Cut(text, " ")
			told = append(told, fmt.Sprint(step, " ", tool))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 think", "2 think", "3 think", "4 think", "5 think", "6 done"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// Behaviour: 46, defect 18.
func TestARunAtItsLimitKeepsWhatItFound(t *testing.T) {
	r := twoHosts()
	r.settings.MaxIterations = 2
	f := r.play(t, steps(notify("memory is short", "s1"), notify("memory is shorter", "s2"), think)...)
	c := agent.Completion(r.state.Subject.Task, f, r.state.Summary(), t0)
	if c.Outcome != protocol.OutcomeMaxIterations || c.Error == "" || c.State == protocol.Healthy {
		t.Errorf("completion %+v", c)
	}
	var order []string
	for _, n := range r.findings.sent {
		order = append(order, n.ID)
	}
	if diff := cmp.Diff(order, c.NotificationIDs); diff != "" || len(order) != 2 {
		t.Errorf("notifications in the order of the run (-sent +completion):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s1", "s2"}, c.SnapshotIDs); diff != "" {
		t.Errorf("snapshots in the order of the run (-want +got):\n%s", diff)
	}
}

// Behaviour: 57, defect 17.
func TestAfterAWaitAModelReadsAllThatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := twoHosts()
		log := &chatLog{}
		m := chat{log: log, answer: func([]*schema.Message) []protocol.ToolCall {
			switch len(log.decisions) {
			case 1:
				return []protocol.ToolCall{agenttest.Call("think", map[string]any{"thought": "before the wait"})}
			case 2:
				return []protocol.ToolCall{agenttest.Call("wait", map[string]any{"ms": 60_000})}
			}
			return []protocol.ToolCall{over}
		}}
		if _, err := r.run(t, t.Context(), agent.NewModelDecider("m", m)); err != nil {
			t.Fatal(err)
		}
		last := log.decisions[2]
		wantWhole(t, last)
		wantIn(t, text(last), "Reason: checkout is slow", `"thought":"before the wait"`, `{"waited":60000}`)
		if len(last) != 6 || len(last) < len(log.decisions[1]) {
			t.Errorf("after the wait it reads %d messages, want prompt, question, and two answers with their results", len(last))
		}
	})
}

// Behaviour: 54, defect 10.
func TestWhatARequestSaysOfCompactionReachesTheTasks(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
	r.request.CompactionMaxTokens, r.request.CompactionKeepLast = 75_000, 8
	r.play(t, steps(invoke("os"))...)
	if task := r.operators.tasks[0]; task.CompactionMaxTokens != 75_000 || task.CompactionKeepLast != 8 {
		t.Errorf("task %+v", task)
	}
}

// Behaviour: 54, 100.
func TestTheInstructionOfACompactionAsksForWhatARunNeeds(t *testing.T) {
	for agentName, want := range map[string][]string{
		protocol.OperatorAgent:    {"watches machines", "anomalies", "exact ids of the snapshots"},
		protocol.CoordinatorAgent: {"exact ids of the notifications with their statuses", "correlations", "insights"},
	} {
		v := journalOf(t, protocol.RunSettings{CompactionMaxTokens: 1000, CompactionKeepLast: 1}, protocol.Input{Text: strings.Repeat("x", 4000)}, protocol.Input{Text: "end"})
		v.Start.Agent = agentName
		m := thinker(0, 0)
		if _, err := agent.NewModelDecider("m", m).(agent.Compactor).Compact(t.Context(), v); err != nil || len(m.log.summaries) != 1 {
			t.Fatalf("%s: %d questions, %v", agentName, len(m.log.summaries), err)
		}
		wantIn(t, m.log.summaries[0][0].Content, want...)
	}
}

// conversationOf is what a model reads of these records.
func conversationOf(t *testing.T, records ...any) []*schema.Message {
	t.Helper()
	messages, err := agent.Conversation(journalOf(t, protocol.RunSettings{}, records...))
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// Behaviour: 58, 59, 61.
func TestAResultIsAMessageBehindThoseThereAre(t *testing.T) {
	answer := protocol.Answer{Text: "I look.", Calls: []protocol.ToolCall{{ID: "c1", Tool: "take_snapshot", Args: "{}"}}}
	before := conversationOf(t, answer)
	after := conversationOf(t, answer, protocol.ToolResult{CallID: "c1", Tool: "take_snapshot", Content: `{"id":"s1","data":{"n":1}}`}, protocol.Input{Text: "news"})
	if len(after) != len(before)+2 || cmp.Diff(before, after[:len(before)]) != "" {
		t.Fatalf("%d messages became %d: %s", len(before), len(after), cmp.Diff(before, after))
	}
	for i, want := range []struct {
		role schema.RoleType
		text string
	}{{schema.System, "s"}, {schema.User, "u"}, {schema.Assistant, "I look."}, {schema.Tool, "<data>\n{\"id\":\"s1\",\"data\":{\"n\":1}}\n</data>"}, {schema.User, "<data>\nnews\n</data>"}} {
		if after[i].Role != want.role || after[i].Content != want.text {
			t.Errorf("message %d is %s %q, want %s %q", i, after[i].Role, after[i].Content, want.role, want.text)
		}
	}
	if after[3].ToolCallID != "c1" || after[3].ToolName != "take_snapshot" {
		t.Errorf("the result belongs to %q of %q", after[3].ToolCallID, after[3].ToolName)
	}
	if empty := conversationOf(t); len(empty) != 2 || empty[0].Role != schema.System || empty[1].Role != schema.User {
		t.Errorf("an empty journal gives %v", empty)
	}
}

// Behaviour: 58.
func TestAResultIsCompactJSON(t *testing.T) {
	r := twoHosts()
	r.play(t, steps(agenttest.Call("get_snapshot", map[string]any{"id": "s2"}))...)
	if got, want := one(t, r.journal, "get_snapshot").Content, `{"id":"s2","node":"web-2","target":"host","kind":"host","skill":"os","captured_at":"2026-03-14T09:26:53Z","data":{"memory_available_mb":150,"memory_used_pct":91}}`; got != want {
		t.Errorf("the model reads %s\nwant %s", got, want)
	}
}

// Behaviour: 62.
func TestAnAnswerWithoutTextHasNone(t *testing.T) {
	messages := conversationOf(t, protocol.Answer{Calls: []protocol.ToolCall{{ID: "c1", Tool: "done"}}}, protocol.ToolResult{CallID: "c1", Tool: "done", Content: "{}"})
	if m := messages[2]; m.Content != "" || len(m.ToolCalls) != 1 {
		t.Errorf("message %+v", m)
	}
}

func TestTheListOfADecidersCallsIsItsOwn(t *testing.T) {
	calls := []protocol.ToolCall{think, think}
	r := newOperatorRun("web-1")
	r.play(t, agenttest.Calls(think), agenttest.Calls(calls...))
	if calls[0].ID != "" || calls[1].ID != "" {
		t.Errorf("the loop wrote into it: %+v", calls)
	}
	if res := results(t, r.journal); res[1].CallID != "call_2_0" || res[2].CallID != "call_2_1" {
		t.Errorf("results %+v", res)
	}
}
