package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func invoke(skills ...string) protocol.ToolCall {
	return agenttest.Call("invoke_operators", map[string]any{"skills": skills})
}

// insight is a call of produce_insight; change overrides its arguments.
func insight(change map[string]any) protocol.ToolCall {
	args := map[string]any{
		"notification_ids": []string{"n1"}, "correlation_type": "temporal", "summary": "memory is short", "matched_observations": []string{},
		"hypothesis_grounded": false, "confidence": "medium",
	}
	maps.Copy(args, change)
	return agenttest.Call("produce_insight", args)
}

// found is a run whose only operator reports these notifications.
func found(list ...protocol.Notification) *coordinatorRun {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1", "web-2")})
	r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) { return list, done(t) }
	return r
}

// produced runs invoke_operators and then calls, and returns their results.
func produced(t *testing.T, r *coordinatorRun, calls ...protocol.ToolCall) []protocol.ToolResult {
	t.Helper()
	f := r.play(t, steps(append([]protocol.ToolCall{invoke("os")}, calls...)...)...)
	if f.Outcome != protocol.OutcomeDone {
		t.Fatalf("the run ended as %+v", f)
	}
	return results(t, r.journal)[1:]
}

// Behaviour: 80.
func TestDoneIsRefusedWhileOperatorsRun(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
	r.operators.hold = true
	f := r.play(t, agenttest.Calls(invoke("os")), agenttest.Calls(over), func(agent.View) (protocol.Answer, error) {
		r.operators.hold = false
		return say(think), nil
	}, agenttest.Calls(over))
	res := results(t, r.journal)
	if f.Outcome != protocol.OutcomeDone || f.Steps != 4 || !res[1].Failed || res[3].Failed {
		t.Fatalf("ended as %+v: %+v", f, res)
	}
	wantIn(t, res[1].Content, "operators are running: os "+r.operators.tasks[0].RunID)
	if got := kinds(r.journal); got != "start answer result answer result answer result input answer result finished" {
		t.Errorf("the journal holds %s", got)
	}
}

// Behaviour: 79.
func TestDoneWithUnreadNotificationsIsAllowed(t *testing.T) {
	r := found(finding("n1", "r1", "os", "web-1", "memory is short"))
	f := r.play(t, steps(invoke("os"), think, over)...)
	if f.Outcome != protocol.OutcomeDone || len(r.state.Unresolved()) != 1 {
		t.Errorf("ended as %+v with %+v", f, r.state.Notifications)
	}
}

// Behaviour: 83, defect 14.
func TestInvokeOperators(t *testing.T) {
	many := func(n int, kind string) []protocol.TargetRef {
		var out []protocol.TargetRef
		for i := range n {
			out = append(out, protocol.TargetRef{Node: fmt.Sprintf("web-%03d", i), Target: kind, Kind: kind})
		}
		return out
	}
	sizes := func(r *coordinatorRun) (out []string) {
		for _, task := range r.operators.tasks {
			out = append(out, fmt.Sprint(task.Skill, " ", len(task.Targets), " ", task.Targets[0].Kind))
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		targets map[string][]protocol.TargetRef
		skills  []string
		want    []string
		refused []string // not_started
	}{
		{"one skill", map[string][]protocol.TargetRef{"os": many(2, "host")}, []string{"os"}, []string{"os 2 host"}, nil},
		{"a skill named twice starts once", map[string][]protocol.TargetRef{"os": many(1, "host"), "net": many(1, "host")}, []string{"os", "net", "os"}, []string{"os 1 host", "net 1 host"}, nil},
		{"a skill that is not known", map[string][]protocol.TargetRef{"os": many(1, "host")}, []string{"gc", "os"}, []string{"os 1 host"}, []string{"gc: not among the skills of this investigation (os)"}},
		{"a skill that no node has", map[string][]protocol.TargetRef{"os": nil}, []string{"os"}, nil, []string{"os: no node that matches has it"}},
		{"fifty targets are one task", map[string][]protocol.TargetRef{"os": many(50, "host")}, []string{"os"}, []string{"os 50 host"}, nil},
		{"more are split", map[string][]protocol.TargetRef{"os": many(120, "host")}, []string{"os"}, []string{"os 50 host", "os 50 host", "os 20 host"}, nil},
		{"kinds are apart", map[string][]protocol.TargetRef{"gc": slices.Concat(many(2, "go"), many(51, "beam"), many(1, "go"))}, []string{"gc"}, []string{"gc 3 go", "gc 50 beam", "gc 1 beam"}, nil},
		{"none at all", map[string][]protocol.TargetRef{"os": many(1, "host")}, []string{}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newCoordinatorRun(tt.targets)
			f := r.play(t, steps(invoke(tt.skills...), think)...)
			if diff := cmp.Diff(tt.want, sizes(r)); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			var content struct {
				Started    []map[string]any `json:"started"`
				Count      int              `json:"count"`
				NotStarted []string         `json:"not_started"`
			}
			if err := json.Unmarshal([]byte(one(t, r.journal, "invoke_operators").Content), &content); err != nil {
				t.Fatal(err)
			}
			if content.Count != len(tt.want) || len(content.Started) != len(tt.want) || cmp.Diff(tt.refused, content.NotStarted) != "" {
				t.Errorf("the model reads %+v", content)
			}
			if f.Outcome != protocol.OutcomeDone || len(r.state.Completions()) != len(tt.want) || !r.state.Invoked || cmp.Diff(tt.refused, r.state.NotChecked) != "" {
				t.Errorf("ended as %+v, completions %d, not checked %v", f, len(r.state.Completions()), r.state.NotChecked)
			}
		})
	}

	t.Run("a skill that no worker serves", func(t *testing.T) {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1"), "net": hosts("web-1")})
		r.operators.unserved = map[string]error{"os": errors.New("no worker serves os: start one")}
		r.play(t, steps(invoke("os", "net"))...)
		wantIn(t, one(t, r.journal, "invoke_operators").Content, `"not_started":["os: no worker serves os: start one"]`, `"count":1`)
	})
	t.Run("a skill that runs already", func(t *testing.T) {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
		r.operators.hold = true
		r.play(t, agenttest.Calls(invoke("os"), invoke("os")), func(agent.View) (protocol.Answer, error) {
			r.operators.hold = false
			return say(think), nil
		}, agenttest.Calls(invoke("os")))
		res := results(t, r.journal)
		wantIn(t, res[1].Content, `"count":0`, "os: it is running already")
		wantIn(t, res[3].Content, `"count":1`)
		if len(r.operators.tasks) != 2 || r.operators.tasks[0].RunID == r.operators.tasks[1].RunID {
			t.Errorf("tasks %+v: one that ended may be invoked again", r.operators.tasks)
		}
	})
	t.Run("a task says what the request says", func(t *testing.T) {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
		r.request = protocol.Request{Reason: "slow", Context: map[string]any{"since": "9"}, Model: "m", MaxIterations: 7, MaxTokens: 99, Nodes: []string{"web-1", "web-2"}}
		r.fleet.leftOut = []string{"web-2: no probe of this name has ever reported"}
		r.play(t, steps(agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}, "context": "look at memory", "nodes": []string{"web-2"}}))...)
		task := r.operators.tasks[0]
		if task.Reason != "slow\nlook at memory" || task.Model != "m" || task.MaxIterations != 7 || task.MaxTokens != 99 || task.Context["since"] != "9" ||
			task.InvestigationID != "inv-1" || task.TraceID != "trace-1" || task.Validate() != nil || !task.Deadline.Before(r.state.Subject.Deadline) {
			t.Errorf("task %+v", task)
		}
		if r.fleet.nodes[0][0] != "web-2" || r.fleet.limits[0] != 200 || !slices.Contains(r.state.NotChecked, r.fleet.leftOut[0]) {
			t.Errorf("asked for %v, limits %v, not checked %v", r.fleet.nodes, r.fleet.limits, r.state.NotChecked)
		}
	})
}

// Behaviour: 13, 28.
func TestProduceInsightRefusesWhatIsNotSo(t *testing.T) {
	list := []protocol.Notification{
		finding("n1", "r1", "os", "web-1", "memory is short"), finding("n2", "r2", "os", "web-2", "swap is in use"),
	}
	for _, tt := range []struct {
		name   string
		change map[string]any
		says   []string // empty: it is published
	}{
		{"what is so", map[string]any{"matched_observations": []string{"memory is short"}}, nil},
		{"an unknown notification", map[string]any{"notification_ids": []string{"n1", "n9"}}, []string{`unknown notification \"n9\"`}},
		{"an unknown supporting one", map[string]any{"supporting_ids": []string{"n8"}}, []string{`unknown notification \"n8\"`}},
		{"an observation in other words", map[string]any{"matched_observations": []string{"memory is shorter"}}, []string{"memory is shorter", "not the exact observation"}},
		{"the observation of one that is not named", map[string]any{"matched_observations": []string{"swap is in use"}}, []string{"not the exact observation"}},
		{"nothing named", map[string]any{"notification_ids": []string{}}, []string{"only correlation_type none has none"}},
		{"nothing named, and nothing wrong", map[string]any{"notification_ids": []string{}, "correlation_type": "none"}, nil},
		{"every fault at once", map[string]any{"notification_ids": []string{"n8", "n9"}, "matched_observations": []string{"x"}}, []string{"n8", "n9", `\"x\" is not`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := found(list...)
			res := produced(t, r, insight(tt.change))[0]
			if (len(tt.says) > 0) != res.Failed || (len(tt.says) == 0) != (len(r.conclusions.list) == 1) {
				t.Fatalf("result %+v, published %d", res, len(r.conclusions.list))
			}
			wantIn(t, res.Content, tt.says...)
		})
	}
	t.Run("that nothing is wrong where nothing was looked at", func(t *testing.T) {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
		r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
			c := done(t)
			c.SnapshotIDs = nil
			return nil, c
		}
		res := produced(t, r, insight(map[string]any{"notification_ids": []string{}, "correlation_type": "none"}))[0]
		if !res.Failed || !strings.Contains(res.Content, "no operator has looked at anything") {
			t.Errorf("result %+v", res)
		}
	})
	t.Run("that nothing is wrong where the operator failed", func(t *testing.T) {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
		r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
			c := done(t)
			c.Outcome, c.Error = protocol.OutcomeFailed, "boom"
			return nil, c
		}
		res := produced(t, r, insight(map[string]any{"notification_ids": []string{}, "correlation_type": "none"}))[0]
		if !res.Failed || !slices.Contains(r.state.Unchecked(), "os on 1 targets: the operator ended as failed: boom") {
			t.Errorf("result %+v, not checked %v", res, r.state.Unchecked())
		}
	})
	for name, change := range map[string]map[string]any{
		"without notification ids": {"notification_ids": nil}, "without a correlation": {"correlation_type": nil}, "without a summary": {"summary": nil},
		"without observations": {"matched_observations": nil}, "without the grounding": {"hypothesis_grounded": nil}, "without confidence": {"confidence": nil},
		"of a correlation that does not exist": {"correlation_type": "magical"}, "of a confidence that does not exist": {"confidence": "total"},
	} {
		t.Run("an insight "+name, func(t *testing.T) {
			r := found(list...)
			if res := produced(t, r, insight(change))[0]; !res.Invalid {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// Behaviour: defect 16.
func TestAHypothesisIsGroundedByFindingsOfTwoRuns(t *testing.T) {
	n := func(id, run, skill, node string, change ...func(*protocol.Notification)) protocol.Notification {
		out := finding(id, run, skill, node, "memory is short")
		for _, c := range change {
			c(&out)
		}
		return out
	}
	unverified := func(n *protocol.Notification) { n.Verified = false }
	seeded := func(n *protocol.Notification) { n.Origin = agent.OriginRequest }
	for _, tt := range []struct {
		name     string
		list     []protocol.Notification
		change   map[string]any
		grounded bool
		why      string
	}{
		{"of another node", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-2")}, nil, true, "n1 (os on web-1) and n2 (os on web-2)"},
		{"of another skill", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "net", "web-1")}, nil, true, "n2 (net on web-1)"},
		{"one alone", []protocol.Notification{n("n1", "r1", "os", "web-1")}, nil, false, "1 of 1 supporting notifications are verified"},
		{"of the same run", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r1", "os", "web-2")}, nil, false, "no two of them come from different runs"},
		{"of the same skill and node", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-1")}, nil, false, "another skill or node"},
		{"one of them not verified", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-2", unverified)}, nil, false, "1 of 2"},
		{"one of them brought by the request", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-2", seeded)}, nil, false, "1 of 2"},
		{"the second pair of three", []protocol.Notification{n("n1", "r1", "os", "web-1", unverified), n("n2", "r2", "os", "web-2"), n("n3", "r3", "net", "web-2")}, nil, true, "n2"},
		{"supported by nobody", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-2")}, map[string]any{"supporting_ids": []string{}}, false, "0 of 0"},
		{"not claimed", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-2")}, map[string]any{"hypothesis_grounded": false}, false, "not claimed"},
		{"without a hypothesis", []protocol.Notification{n("n1", "r1", "os", "web-1"), n("n2", "r2", "os", "web-2")}, map[string]any{"root_cause_hypothesis": ""}, false, "no hypothesis"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := found(tt.list...)
			var ids []string
			for _, n := range tt.list {
				ids = append(ids, n.ID)
			}
			change := map[string]any{"notification_ids": ids, "hypothesis_grounded": true, "root_cause_hypothesis": "a leak"}
			maps.Copy(change, tt.change)
			res := produced(t, r, insight(change))[0]
			if len(r.conclusions.list) != 1 {
				t.Fatalf("result %+v", res)
			}
			i := r.conclusions.list[0]
			if i.HypothesisGrounded != tt.grounded || !strings.Contains(i.Grounding, tt.why) {
				t.Errorf("grounded %v: %s", i.HypothesisGrounded, i.Grounding)
			}
			wantIn(t, res.Content, fmt.Sprintf(`"hypothesis_grounded":%v`, tt.grounded))
		})
	}
}

func TestTheFactCheckOfInsights(t *testing.T) {
	warn := 85.0
	n := finding("n1", "r1", "os", "web-1", "memory is 91 % used")
	n.Evidence[0].Threshold = &warn
	n.Figures = []protocol.Figure{{Text: "812 MB", Value: 812, Unit: "MB", Found: true, Evidence: "r1/3#web-1/host.memory_mb"}}
	for _, tt := range []struct {
		name     string
		summary  string
		evidence string // where its first figure is found
	}{
		{"a figure of the evidence", "memory is 91 % used", "s-web-1#memory_used_pct"},
		{"a threshold", "the warning begins at 85 %", "s-web-1#memory_used_pct.threshold"},
		{"a figure of the notification's words", "postgres holds 812 MB", "r1/3#web-1/host.memory_mb"},
		{"how many nodes match", "of 40 nodes one is short", "investigation#matched_nodes"},
	} {
		t.Run(tt.name+" is found", func(t *testing.T) {
			r := found(n)
			r.matched = 40
			res := produced(t, r, insight(map[string]any{"summary": tt.summary}))[0]
			if len(r.conclusions.list) != 1 {
				t.Fatalf("result %+v", res)
			}
			i := r.conclusions.list[0]
			if len(i.Figures) != 1 || !i.Figures[0].Found || i.Figures[0].Evidence != tt.evidence {
				t.Errorf("figures %+v, want %s", i.Figures, tt.evidence)
			}
			if strings.HasPrefix(tt.evidence, "investigation#") && !slices.ContainsFunc(i.Evidence, func(e protocol.Evidence) bool { return e.Address == tt.evidence && e.Value == 40.0 }) {
				t.Errorf("the count is not in the evidence: %+v", i.Evidence)
			}
		})
	}
	t.Run("an invented one is refused twice and then marked", func(t *testing.T) {
		r := found(n)
		bad := insight(map[string]any{"summary": "memory is 99 % used"})
		res := produced(t, r, bad, bad, bad)
		if !res[0].Failed || !res[1].Failed || res[2].Failed || len(r.conclusions.list) != 1 {
			t.Fatalf("results %+v", res)
		}
		wantIn(t, res[0].Content, `\"99 %\"`, "nearest: 91 %", "memory_used_pct")
		if f := r.conclusions.list[0].Figures; len(f) != 1 || f[0].Found || f[0].Text != "99 %" {
			t.Errorf("figures %+v", f)
		}
	})
	t.Run("the evidence of other notifications does not count", func(t *testing.T) {
		other := finding("n2", "r2", "os", "web-2", "swap is in use")
		other.Evidence[0].Value = 73.0
		r := found(n, other)
		if res := produced(t, r, insight(map[string]any{"summary": "memory is 73 % used"}))[0]; !res.Failed {
			t.Errorf("result %+v", res)
		}
	})
	t.Run("equal counts are found in the same place every time", func(t *testing.T) {
		for range 20 {
			r := found(n)
			r.matched = 12
			for i := range 11 {
				r.request.Notifications = append(r.request.Notifications, finding(fmt.Sprint("q", i), "", "os", "web-1", "x"))
			}
			produced(t, r, insight(map[string]any{"summary": "12 nodes match"}))
			if got := r.conclusions.list[0].Figures[0].Evidence; got != "investigation#matched_nodes" {
				t.Fatalf("found in %s", got)
			}
		}
	})
}

// Behaviour: 12.
func TestAnInsightSaysWhatItStandsOn(t *testing.T) {
	a, b := finding("n1", "r1", "os", "web-1", "memory is short"), finding("n2", "r2", "net", "web-2", "sockets pile up")
	b.Severity = protocol.SeverityCritical
	r := found(a, b)
	r.fleet.leftOut = []string{"web-3: no probe of this name has ever reported"}
	r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
		c := done(t)
		c.NotChecked = []string{"os web-4/host: hangs"}
		c.Usage = protocol.Usage{LLMCalls: 3, InputTokens: 10}
		return []protocol.Notification{a, b}, c
	}
	produced(t, r, insight(map[string]any{"notification_ids": []string{"n1", "n2"}, "correlation_type": "causal", "suggested_actions": []string{"add memory"}}))
	i := r.conclusions.list[0]
	if i.Severity != protocol.SeverityCritical || cmp.Diff([]string{"web-1", "web-2"}, i.Nodes) != "" || cmp.Diff([]string{"net", "os"}, i.Skills) != "" ||
		len(i.Evidence) != 5 || len(i.Evidence[0].Series) != 1 || i.Usage.LLMCalls != 3 || i.Model != "script" || i.Trigger != "checkout is slow" || i.InvestigationID != "inv-1" ||
		cmp.Diff([]string{"os web-4/host: hangs", "web-3: no probe of this name has ever reported"}, i.NotChecked) != "" || i.SuggestedActions[0] != "add memory" {
		t.Errorf("insight %+v", i)
	}
	if len(r.state.Unresolved()) != 0 {
		t.Errorf("unresolved: %+v", r.state.Unresolved())
	}
}

func TestAHealthyInsightSaysWhatWasRuledOut(t *testing.T) {
	warn := 85.0
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"net": hosts("web-1"), "os": hosts("web-1", "web-2")})
	r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
		c := done(t)
		c.Checked = []protocol.Checked{
			{Skill: t.Skill, Metric: "used_pct", Unit: protocol.Percent, Op: protocol.Above, Warn: &warn, Worst: 42, Node: "web-1", Target: "host", Address: "s#used_pct", Targets: len(t.Targets)},
			{Skill: t.Skill, Metric: "crossed_pct", Unit: protocol.Percent, Op: protocol.Above, Warn: &warn, Worst: 90, Node: "web-1", Target: "host", Address: "s#crossed_pct", Targets: 1, Crossed: 1},
		}
		return nil, c
	}
	r.play(t, steps(invoke("net", "os"), insight(map[string]any{"notification_ids": []string{}, "correlation_type": "none", "summary": "used_pct is 42 % at most"}))...)
	if len(r.conclusions.list) != 1 {
		t.Fatal(one(t, r.journal, "produce_insight").Content)
	}
	i := r.conclusions.list[0]
	want := []string{"net.used_pct is 42 % on web-1/host, below 85 %", "os.used_pct at most 42 % (web-1/host, of 2 targets), below 85 %"}
	if diff := cmp.Diff(want, i.RuledOut); diff != "" {
		t.Errorf("ruled out (-want +got):\n%s", diff)
	}
	if cmp.Diff([]string{"web-1", "web-2"}, i.Nodes) != "" || cmp.Diff([]string{"net", "os"}, i.Skills) != "" || i.Severity != protocol.SeverityInfo || i.CorrelationType != protocol.None {
		t.Errorf("insight %+v", i)
	}
}

func TestChecksOfSeveralRunsAreMerged(t *testing.T) {
	low := 10.0
	worst := map[string]float64{"web-1": 50, "web-2": 20, "web-3": 30}
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": {
		{Node: "web-1", Target: "a", Kind: "a"}, {Node: "web-2", Target: "b", Kind: "b"}, {Node: "web-3", Target: "c", Kind: "c"},
	}})
	r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
		c, node := done(t), t.Targets[0].Node
		c.Checked = []protocol.Checked{{Skill: "os", Metric: "free_mb", Op: protocol.Below, Warn: &low, Worst: worst[node], Node: node, Targets: 1, Address: node}}
		return nil, c
	}
	r.play(t, steps(invoke("os"), think)...)
	want := []protocol.Checked{{Skill: "os", Metric: "free_mb", Op: protocol.Below, Warn: &low, Worst: 20, Node: "web-2", Address: "web-2", Targets: 3}}
	if diff := cmp.Diff(want, r.state.Checked()); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
}

// Behaviour: 26, 27, 76, 77.
func TestNotificationStatuses(t *testing.T) {
	list := []protocol.Notification{finding("n1", "r1", "os", "web-1", "a"), finding("n2", "r1", "os", "web-1", "b"), finding("n3", "r1", "os", "web-1", "c")}
	set := func(status string, ids ...string) protocol.ToolCall {
		return agenttest.Call("update_notification_statuses", map[string]any{"notification_ids": ids, "status": status})
	}
	get := func(status string) protocol.ToolCall {
		return agenttest.Call("get_notifications", map[string]any{"status": status})
	}
	r := found(list...)
	res := produced(t, r, set("acknowledged", "n1", "n9"), set("resolved", "n2"), get("unread"), get("acknowledged"), get("resolved"), get("all"), agenttest.Call("get_notifications", nil))
	if res[0].Content != `{"status":"acknowledged","unknown":["n9"],"updated":["n1"]}` || len(r.state.Notifications) != 3 {
		t.Errorf("updated: %s", res[0].Content)
	}
	for i, want := range [][]string{{"n3"}, {"n1"}, {"n2"}, {"n1", "n2", "n3"}, {"n1", "n2", "n3"}} {
		var views []map[string]any
		if err := json.Unmarshal([]byte(res[2+i].Content), &views); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, v := range views {
			ids = append(ids, v["id"].(string))
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("list %d: %s", i, diff)
		}
	}
	wantIn(t, res[3].Content, `"status":"acknowledged"`, `"operator":"os"`, `"node":"web-1"`, `"observation":"a"`, `"verified":true`)
	if strings.Contains(res[3].Content, "snapshots") {
		t.Errorf("a view holds no snapshots: %s", res[3].Content)
	}
	if bad := produced(t, found(list...), set("unread", "n1"))[0]; !bad.Invalid {
		t.Errorf("a status that cannot be set: %+v", bad)
	}
}

// Behaviour: 88, defect 8.
func TestANotificationThatIsReportedAgainKeepsItsStatus(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1"), "net": hosts("web-1")})
	r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
		return []protocol.Notification{finding("n1", "r1", "os", "web-1", "memory is short")}, done(t)
	}
	f := r.play(t, steps(invoke("os"), insight(nil), invoke("net"), think)...)
	if f.Outcome != protocol.OutcomeDone || len(r.state.Notifications) != 1 || r.state.Notifications[0].Status != agent.Resolved {
		t.Errorf("ended as %+v with %+v", f, r.state.Notifications)
	}
}

// Behaviour: 101.
func TestNotificationsOfTheRequestAreUnreadFromTheStart(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
	seed := finding("q1", "", "person", "web-1", "it feels slow")
	seed.Origin, seed.Verified = agent.OriginRequest, false
	r.request.Notifications = []protocol.Notification{seed}
	f := r.play(t, steps(agenttest.Call("get_notifications", nil), insight(map[string]any{"notification_ids": []string{"q1"}}))...)
	if f.Outcome != protocol.OutcomeDone || len(r.conclusions.list) != 1 || !strings.Contains(results(t, r.journal)[0].Content, `"status":"unread"`) {
		t.Errorf("ended as %+v: %+v", f, results(t, r.journal))
	}
}

// Behaviour: 88.
func TestACompletionOfAnotherRunIsPassedOver(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
	r.operators.report = func(t protocol.Task) ([]protocol.Notification, protocol.Completion) {
		stranger := done(t)
		stranger.RunID = "another"
		r.operators.cs = append(r.operators.cs, stranger)
		return nil, done(t)
	}
	r.play(t, steps(invoke("os"), think)...)
	if c := r.state.Completions(); len(c) != 1 || c[0].RunID != r.operators.tasks[0].RunID {
		t.Errorf("completions %+v", c)
	}
}

// Behaviour: 37, 85.
func TestOperatorStatuses(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
	statuses := agenttest.Call("get_operator_statuses", nil)
	r.operators.hold = true
	r.play(t, agenttest.Calls(statuses, invoke("os"), statuses), func(agent.View) (protocol.Answer, error) {
		r.operators.hold = false
		return say(think), nil
	}, agenttest.Calls(statuses))
	res := results(t, r.journal)
	if res[0].Content != "[]" {
		t.Errorf("none: %s", res[0].Content)
	}
	wantIn(t, res[2].Content, `"skill":"os"`, `"running":true`, `"worker":"op-1"`, `"step":3`)
	wantIn(t, res[4].Content, `"running":false`, `"outcome":"done"`, `"state":"healthy"`)
}

func TestTheSummaryOfACoordinatorIsNeverNull(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": nil})
	f := r.play(t)
	if string(f.Summary) != `{"insights":[],"completions":[],"not_checked":[]}` {
		t.Errorf("summary %s", f.Summary)
	}
}

func TestAWaitEndsEarlyOnlyWhenSomebodyCanReport(t *testing.T) {
	r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
	r.operators.hold = true
	long, short := agenttest.Call("wait", map[string]any{"ms": 600_000}), agenttest.Call("wait", map[string]any{"ms": 30})
	r.play(t, agenttest.Calls(short), agenttest.Calls(invoke("os"), long), func(agent.View) (protocol.Answer, error) {
		r.operators.hold = false
		return say(think), nil
	})
	var waited []float64
	for _, res := range results(t, r.journal) {
		if res.Tool == "wait" {
			var v struct {
				Waited float64 `json:"waited"`
			}
			if err := json.Unmarshal([]byte(res.Content), &v); err != nil {
				t.Fatal(err)
			}
			waited = append(waited, v.Waited)
		}
	}
	if len(waited) != 2 || waited[0] < 30 || waited[1] > 60_000 {
		t.Errorf("waited %v ms: want 30 while nobody runs, and at most a moment while somebody does", waited)
	}
}
