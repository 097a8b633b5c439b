package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// twoHosts is a run over two hosts that has their snapshots s1 and s2.
func twoHosts() *operatorRun {
	r := newOperatorRun("web-1", "web-2")
	r.starting = []protocol.Snapshot{
		snapshot("s1", "web-1", map[string]any{"memory_used_pct": 42.0, "memory_available_mb": 4096.0, "kernel": "6.1"}),
		snapshot("s2", "web-2", map[string]any{"memory_used_pct": 91.0, "memory_available_mb": 150.0}),
	}
	for _, s := range r.starting {
		r.probes.snaps[s.Node] = s
	}
	r.probes.answer = func(protocol.TargetRef, string, []any) (any, error) {
		return map[string]any{"name": "postgres", "memory_mb": 812.0}, nil
	}
	return r
}

// Behaviour: 39, 40, 41.
func TestANotificationCitesSnapshotsOfOneTarget(t *testing.T) {
	for _, tt := range []struct {
		name string
		ids  []string
		says string // of the refusal; empty: it is sent
	}{
		{"none", nil, "a notification needs at least one snapshot id"},
		{"one that is not known", []string{"s9"}, `unknown snapshot ids: s9"`},
		{"unknown ones among known", []string{"s1", "s8", "s9"}, `unknown snapshot ids: s8, s9"`},
		{"of two targets", []string{"s1", "s2"}, "the snapshots are of web-1/host and web-2/host: send one notification for each"},
		{"one", []string{"s1"}, ""},
		{"the same twice", []string{"s1", "s1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := twoHosts()
			f := r.play(t, steps(notify("memory is short", tt.ids...))...)
			res := one(t, r.journal, "send_notification")
			if tt.says != "" {
				wantIn(t, res.Content, tt.says)
				if !res.Failed || len(r.findings.sent) != 0 || f.Steps != 2 {
					t.Errorf("result %+v, sent %+v, finish %+v", res, r.findings.sent, f)
				}
				return
			}
			if len(r.findings.sent) != 1 || len(r.findings.sent[0].Snapshots) != 1 || r.findings.sent[0].Snapshots[0].ID != "s1" {
				t.Fatalf("result %+v, sent %+v", res, r.findings.sent)
			}
		})
	}
}

// Behaviour: 6, 8.
func TestANotificationCarriesWhatIsKnown(t *testing.T) {
	r := twoHosts()
	r.play(t, steps(agenttest.Call("send_notification", map[string]any{
		"type": "memory_used_pct", "severity": "critical", "context": "2 hosts were asked", "observation": "memory is 91 % used, 150 MiB are left",
		"hypothesis": "it might leak", "snapshot_ids": []string{"s2"},
	}))...)
	if len(r.findings.sent) != 1 {
		t.Fatalf("sent %+v", r.findings.sent)
	}
	n := r.findings.sent[0]
	if n.RunID != "run-1" || n.InvestigationID != "inv-1" || n.Operator != "os" || n.Node != "web-2" || n.Target != "host" || n.TraceID != "trace-1" ||
		n.Hypothesis != "it might leak" || n.Severity != protocol.SeverityCritical || !n.DetectedAt.Equal(r.journal.Log[1].At) || n.Validate() != nil {
		t.Errorf("notification %+v (%v)", n, n.Validate())
	}
	warn, low := 85.0, 200.0
	want := []protocol.Evidence{
		{Address: "s2#memory_used_pct", Node: "web-2", Target: "host", Name: "memory_used_pct", Value: 91.0, Unit: protocol.Percent, Threshold: &warn},
		{Address: "s2#memory_available_mb", Node: "web-2", Target: "host", Name: "memory_available_mb", Value: 150.0, Unit: protocol.Mebibytes, Threshold: &low},
	}
	if diff := cmp.Diff(want, n.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if res := one(t, r.journal, "send_notification"); !strings.Contains(res.Content, n.ID) || !strings.Contains(res.Content, `"verified":true`) {
		t.Errorf("the model reads %s", res.Content)
	}
}

func TestTheFactCheckOfNotifications(t *testing.T) {
	ask := agenttest.Call("call", map[string]any{"callback": "system_top", "targets": []string{"web-1"}})
	for _, tt := range []struct {
		name     string
		before   []protocol.ToolCall
		text     string
		snapshot string
		verified bool
		evidence string // where its first figure is; empty: it is found nowhere
		says     []string
	}{
		{"a figure of the snapshot", nil, "memory is 42 % used", "s1", true, "s1#memory_used_pct", nil},
		{"a figure in another unit", nil, "4 GiB are left", "s1", true, "s1#memory_available_mb", nil},
		{"a figure of a threshold", nil, "the warning begins at 85 %", "s1", true, "threshold#memory_used_pct.warn", nil},
		{"a figure that a callback gave", []protocol.ToolCall{ask}, "postgres holds 812 MB", "s1", true, "run-1/1#web-1/host.memory_mb", nil},
		{"an invented figure", nil, "memory is 99 % used", "s1", false, "", []string{`\"99 %\" is not in the evidence of this node`, "the nearest seen is", "memory_used_pct"}},
		{"a figure of another node", nil, "memory is 91 % used", "s1", false, "", []string{`\"91 %\" is not in the evidence of this node`}},
		{"a callback of another node", []protocol.ToolCall{ask}, "postgres holds 812 MB", "s2", false, "", []string{`\"812 MB\" is not in the evidence`}},
		{"hedging words", nil, "memory might be short, probably", "s1", false, "", []string{`might`, `probably`, "put it into hypothesis"}},
		{"hedging words in quotes", nil, `the log says "might be short"`, "s1", true, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := twoHosts()
			send := notify(tt.text, tt.snapshot)
			r.play(t, steps(append(tt.before, send, send, send)...)...)
			var res []protocol.ToolResult
			for _, x := range results(t, r.journal) {
				if x.Tool == "send_notification" {
					res = append(res, x)
				}
			}
			if tt.verified {
				if len(r.findings.sent) != 3 || !r.findings.sent[0].Verified {
					t.Fatalf("it is not verified: %s", res[0].Content)
				}
				if tt.evidence != "" && (len(r.findings.sent[0].Figures) == 0 || r.findings.sent[0].Figures[0].Evidence != tt.evidence) {
					t.Errorf("figures %+v, want the first in %s", r.findings.sent[0].Figures, tt.evidence)
				}
				return
			}
			if !res[0].Failed || !res[1].Failed || res[2].Failed {
				t.Fatalf("want it refused twice and then stored: %+v", res)
			}
			wantIn(t, res[0].Content, tt.says...)
			if len(r.findings.sent) != 1 || r.findings.sent[0].Verified {
				t.Fatalf("sent %+v, want it stored unverified", r.findings.sent)
			}
			for _, f := range r.findings.sent[0].Figures {
				if f.Found {
					t.Errorf("figure %+v is found", f)
				}
			}
		})
	}
}

func TestRefusalsAreCountedAgainAfterANotification(t *testing.T) {
	r := twoHosts()
	bad, good := notify("memory is 99 % used", "s1"), notify("memory is 42 % used", "s1")
	r.play(t, steps(bad, bad, good, bad, bad, good)...)
	if len(r.findings.sent) != 2 || !r.findings.sent[0].Verified || !r.findings.sent[1].Verified {
		t.Errorf("sent %+v", r.findings.sent)
	}
}

// Behaviour: 22, 42.
func TestGetSnapshots(t *testing.T) {
	list := func(t *testing.T, args map[string]any) []string {
		r := newOperatorRun("web-1")
		for i := range 5 {
			r.starting = append(r.starting, snapshot(fmt.Sprint("s", i+1), "web-1", map[string]any{"memory_used_pct": float64(i)}))
		}
		r.play(t, steps(agenttest.Call("get_snapshots", args))...)
		var got []protocol.Snapshot
		if err := json.Unmarshal([]byte(one(t, r.journal, "get_snapshots").Content), &got); err != nil {
			t.Fatal(err)
		}
		ids := []string{}
		for _, s := range got {
			ids = append(ids, s.ID)
		}
		return ids
	}
	for _, tt := range []struct {
		name string
		args map[string]any
		want []string
	}{
		{"all, the oldest first", nil, []string{"s1", "s2", "s3", "s4", "s5"}},
		{"a limit after an offset", map[string]any{"limit": 2, "offset": 1}, []string{"s2", "s3"}},
		{"a limit past the end", map[string]any{"limit": 9, "offset": 4}, []string{"s5"}},
		{"an offset past the end", map[string]any{"offset": 9}, []string{}},
		{"a limit of nothing", map[string]any{"limit": 0}, []string{}},
		{"nulls, as models send them", map[string]any{"limit": nil, "offset": nil}, []string{"s1", "s2", "s3", "s4", "s5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, list(t, tt.args)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("none at all is an empty list", func(t *testing.T) {
		r := newOperatorRun("web-1")
		r.play(t, steps(agenttest.Call("get_snapshots", nil), agenttest.Call("get_notifications", nil))...)
		if a, b := one(t, r.journal, "get_snapshots").Content, one(t, r.journal, "get_notifications").Content; a != "[]" || b != "[]" {
			t.Errorf("%s and %s", a, b)
		}
	})
	t.Run("one by its id", func(t *testing.T) {
		r := twoHosts()
		r.play(t, agenttest.Calls(agenttest.Call("get_snapshot", map[string]any{"id": "s2"}), agenttest.Call("get_snapshot", map[string]any{"id": "s9"})))
		res := results(t, r.journal)
		wantIn(t, res[0].Content, `"id":"s2"`, `"memory_used_pct":91`)
		if res[1].Content != `{"error":"snapshot_not_found","id":"s9"}` || res[1].Invalid {
			t.Errorf("an unknown one: %+v", res[1])
		}
	})
}

func TestACallThatIsWrongReachesNoProbe(t *testing.T) {
	for _, tt := range []struct {
		name string
		args map[string]any
		says []string
	}{
		{"an unknown callback", map[string]any{"callback": "system_shell"}, []string{`unknown callback \"system_shell\"`, "system_top", "get_node_info"}},
		{"too many arguments", map[string]any{"callback": "system_top", "args": []any{1, "cpu", 3}}, []string{"takes 2 arguments, got 3"}},
		{"an argument out of its bounds", map[string]any{"callback": "system_top", "args": []any{500}}, []string{"limit must be", "from 1 to 50", "500"}},
		{"an argument of another type", map[string]any{"callback": "system_top", "args": []any{"five"}}, []string{"limit must be a whole number"}},
		{"a value that is not allowed", map[string]any{"callback": "system_top", "args": []any{5, "disk"}}, []string{"by must be one of", "memory", "cpu"}},
		{"a target of another task", map[string]any{"callback": "system_top", "targets": []string{"web-9/host"}}, []string{"web-9/host", "no such target", "web-1/host"}},
		{"a base callback with an argument", map[string]any{"callback": "get_current_time", "args": []any{1}}, []string{"takes no arguments"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := twoHosts()
			r.play(t, steps(agenttest.Call("call", tt.args))...)
			res := one(t, r.journal, "call")
			if !res.Failed || len(r.state.Answers) != 0 {
				t.Errorf("result %+v", res)
			}
			wantIn(t, res.Content, tt.says...)
			if q := r.probes.questions(); len(q) > 0 {
				t.Errorf("the probe was asked %v", q)
			}
		})
	}
}

func TestACallAsksItsTargetsAtOnce(t *testing.T) {
	r := twoHosts()
	r.probes.silent["web-2"] = "its probe is not connected"
	f := r.play(t,
		agenttest.Calls(agenttest.Call("call", map[string]any{"callback": "system_top", "args": []any{3, "cpu"}})),
		agenttest.Calls(agenttest.Call("call", map[string]any{"callback": "system_top", "targets": []string{"web-2/host"}})),
		agenttest.Calls(agenttest.Call("call", map[string]any{"callback": "system_top", "targets": []string{"web-1"}})))
	res := results(t, r.journal)
	if res[0].Failed || !res[1].Failed || res[2].Failed || f.Outcome != protocol.OutcomeDone {
		t.Fatalf("one of two answers, then none, then one: %+v", res)
	}
	wantIn(t, res[0].Content, `"target":"web-1/host","value":{"memory_mb":812`, `"target":"web-2/host","error":"its probe is not connected"`)
	wantIn(t, res[1].Content, "no target answered system_top(): its probe is not connected")
	want := []string{"system_top[3 cpu] of web-1/host", "system_top[3 cpu] of web-2/host", "system_top[] of web-1/host", "system_top[] of web-2/host"}
	if diff := cmp.Diff(want, r.probes.questions()); diff != "" {
		t.Error(diff)
	}
	if len(r.state.Answers) != 4 || r.state.Answers[0].What != `system_top(3,"cpu")` || r.state.Answers[0].Address != "run-1/1#web-1/host" {
		t.Errorf("answers %+v", r.state.Answers)
	}
}

func TestTakeSnapshot(t *testing.T) {
	t.Run("of those that answer; the others are told and counted as not checked", func(t *testing.T) {
		r := twoHosts()
		r.starting = nil
		r.probes.silent["web-2"] = "its probe is not connected"
		r.play(t, steps(take)...)
		wantIn(t, one(t, r.journal, "take_snapshot").Content, `"id":"s1"`, `"unanswered":{"web-2/host":"its probe is not connected"}`)
		if got := r.state.Summary(); cmp.Diff([]string{"s1"}, got.SnapshotIDs) != "" || cmp.Diff([]string{"os web-2/host: its probe is not connected"}, got.NotChecked) != "" {
			t.Errorf("summary %+v", got)
		}
	})
	t.Run("of nobody is a failure that names all", func(t *testing.T) {
		r := twoHosts()
		r.probes.silent["web-1"], r.probes.silent["web-2"] = "gone", "hangs"
		r.play(t, steps(take)...)
		res := one(t, r.journal, "take_snapshot")
		if !res.Failed || r.state.Taken || len(r.state.Unanswered) != 2 {
			t.Errorf("%+v, unanswered %v", res, r.state.Unanswered)
		}
		wantIn(t, res.Content, "web-1/host: gone; web-2/host: hangs")
	})
	t.Run("again of one that is back takes it from what is not checked", func(t *testing.T) {
		r := newOperatorRun("web-1")
		r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 1.0})
		r.probes.silent["web-1"] = "gone"
		r.play(t, agenttest.Calls(take), func(agent.View) (protocol.Answer, error) {
			delete(r.probes.silent, "web-1")
			return say(take), nil
		})
		if got := r.state.Summary(); len(got.NotChecked) != 0 || len(got.SnapshotIDs) != 1 {
			t.Errorf("summary %+v", got)
		}
	})
	t.Run("of named targets only", func(t *testing.T) {
		r := twoHosts()
		r.play(t, steps(agenttest.Call("take_snapshot", map[string]any{"targets": []string{"web-2/host"}}))...)
		if diff := cmp.Diff([]string{"snapshot os of web-2/host"}, r.probes.questions()); diff != "" {
			t.Error(diff)
		}
	})
	for n, table := range map[int]bool{1: false, 3: false, 4: true, 50: true} {
		t.Run(fmt.Sprintf("of %d targets is a table: %v", n, table), func(t *testing.T) {
			var nodes []string
			for i := range n {
				nodes = append(nodes, fmt.Sprintf("web-%02d", i))
			}
			r := newOperatorRun(nodes...)
			for i, node := range nodes {
				r.probes.snaps[node] = snapshot("s"+node, node, map[string]any{"memory_used_pct": float64(i)})
			}
			r.probes.snaps["web-00"] = snapshot("sweb-00", "web-00", map[string]any{"memory_used_pct": 1.5, "kernel": "6.1"})
			r.play(t, steps(take)...)
			content := one(t, r.journal, "take_snapshot").Content
			if !table {
				wantIn(t, content, `{"snapshots":[{"id":"sweb-00"`)
				return
			}
			lines := strings.Split(strings.TrimSpace(content), "\n")
			if len(lines) != n+1 || lines[0] != "id\ttarget\tcaptured_at\tkernel\tmemory_used_pct" || lines[1] != "sweb-00\tweb-00/host\t2026-03-14T09:26:53Z\t6.1\t1.5" ||
				lines[3] != "sweb-02\tweb-02/host\t2026-03-14T09:26:53Z\t-\t2" {
				t.Errorf("the table is\n%s", content)
			}
		})
	}
	t.Run("the silent ones stand under the table, in order", func(t *testing.T) {
		nodes := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		r := newOperatorRun(nodes...)
		for i, node := range nodes {
			if r.probes.snaps[node] = snapshot("s"+node, node, map[string]any{"memory_used_pct": 1.0}); i >= 4 {
				r.probes.silent[node] = "gone"
			}
		}
		r.play(t, steps(take)...)
		wantIn(t, one(t, r.journal, "take_snapshot").Content,
			"# e/host did not answer: gone\n# f/host did not answer: gone\n# g/host did not answer: gone\n# h/host did not answer: gone\n")
	})
}

// lua is a script interpreter that calls what it is told to.
type lua func(ctx context.Context, names []string, call func(context.Context, string, []any) (any, error)) (any, string, error)

func (l lua) Run(ctx context.Context, _ string, names []string, call func(context.Context, string, []any) (any, error)) (any, string, error) {
	return l(ctx, names, call)
}

// Behaviour: 55.
func TestExecute(t *testing.T) {
	run := agenttest.Call("execute", map[string]any{"code": "return …"})
	t.Run("its result is evidence, its output is shown", func(t *testing.T) {
		r := twoHosts()
		r.scripts = lua(func(ctx context.Context, names []string, call func(context.Context, string, []any) (any, error)) (any, string, error) {
			if !slices.Contains(names, "system_top") || !slices.Contains(names, "get_node_info") || !slices.Contains(names, "on") {
				t.Errorf("the script may call %v", names)
			}
			_, err := call(ctx, "on", []any{"web-1/host", "system_top", 3.0})
			return map[string]any{"web-1/host": map[string]any{"rate_per_s": 73.5}}, "hello\n", err
		})
		r.play(t, steps(run, notify("it writes 73.5 per second", "s1"))...)
		wantIn(t, one(t, r.journal, "execute").Content, `"rate_per_s":73.5`, `"output":"hello\n"`)
		if len(r.findings.sent) != 1 || !r.findings.sent[0].Verified {
			t.Errorf("sent %+v", r.findings.sent)
		}
		if diff := cmp.Diff([]string{"system_top[3] of web-1/host"}, r.probes.questions()); diff != "" {
			t.Error(diff)
		}
	})
	for name, tt := range map[string]struct {
		callback string
		args     []any
		says     string
	}{
		"an unknown callback":              {"on", []any{"web-1/host", "system_shell"}, `unknown callback "system_shell"`},
		"an unknown callback of a target":  {"on", []any{"web-1", "system_shell"}, "unknown callback"},
		"wrong arguments":                  {"on", []any{"web-1", "system_top", 500.0}, "limit must be"},
		"a target that is not in the task": {"on", []any{"web-9", "system_top"}, "no such target"},
		"no target where there are two":    {"system_top", nil, `there are 2 targets: name one of web-1/host, web-2/host, or ask all: fleet("system_top")`},
		"fleet without a callback":         {"fleet", nil, "fleet takes a callback"},
		"fleet of an unknown callback":     {"fleet", []any{"system_shell"}, "unknown callback"},
		"fleet with wrong arguments":       {"fleet", []any{"system_top", 500.0}, "limit must be"},
		"on without a callback":            {"on", []any{"web-1"}, "on takes a target and a callback"},
		"on with a number":                 {"on", []any{1.0, 2.0}, "as strings"},
	} {
		t.Run(name+" reaches no probe", func(t *testing.T) {
			r := twoHosts()
			r.scripts = lua(func(ctx context.Context, _ []string, call func(context.Context, string, []any) (any, error)) (any, string, error) {
				v, err := call(ctx, tt.callback, tt.args)
				return v, "", err
			})
			r.play(t, steps(run)...)
			res := one(t, r.journal, "execute")
			var said map[string]string
			if err := json.Unmarshal([]byte(res.Content), &said); err != nil || !res.Failed || !strings.Contains(said["error"], tt.says) {
				t.Errorf("result %+v, want %q", res, tt.says)
			}
			if q := r.probes.questions(); len(q) > 0 {
				t.Errorf("the probe was asked %v", q)
			}
		})
	}
	t.Run("a script that fails is told and changes nothing", func(t *testing.T) {
		r := twoHosts()
		r.scripts = lua(func(context.Context, []string, func(context.Context, string, []any) (any, error)) (any, string, error) {
			return nil, "", errors.New("line 3: unexpected symbol")
		})
		r.play(t, steps(run)...)
		if res := one(t, r.journal, "execute"); !res.Failed || len(r.state.Answers) > 0 {
			t.Errorf("result %+v", res)
		}
	})
	t.Run("there is none without an interpreter", func(t *testing.T) {
		r := twoHosts()
		r.play(t, steps(run)...)
		if res := one(t, r.journal, "execute"); !res.Invalid || !strings.Contains(res.Content, "unknown tool") {
			t.Errorf("result %+v", res)
		}
	})
	// Behaviour: 56, 60.
	t.Run("a result that JSON cannot express is told", func(t *testing.T) {
		r := twoHosts()
		r.scripts = lua(func(context.Context, []string, func(context.Context, string, []any) (any, error)) (any, string, error) {
			return func() {}, "", nil
		})
		f := r.play(t, steps(run)...)
		if res := one(t, r.journal, "execute"); f.Outcome != protocol.OutcomeDone || !res.Failed {
			t.Errorf("ended as %+v, result %+v", f, res)
		}
		wantIn(t, one(t, r.journal, "execute").Content, "the result cannot be expressed in JSON")
	})
}

// Behaviour: 17, 35, defect 18.
func TestTheStateIsToldWhenItIsSet(t *testing.T) {
	for _, health := range protocol.Healths() {
		r := twoHosts()
		r.play(t, steps(agenttest.Call("set_state", map[string]any{"state": health, "reason": "so it seems"}))...)
		if r.state.Health != health || len(r.findings.order) != 1 || one(t, r.journal, "set_state").Content != fmt.Sprintf(`{"state":%q}`, health) {
			t.Errorf("state %s: %s, effects %v", health, r.state.Health, r.findings.order)
		}
		for _, body := range r.findings.bodies {
			wantIn(t, body, fmt.Sprintf(`"state":%q,"reason":"so it seems"`, health))
		}
	}
}

// Behaviour: 48, defect 7, defect 18.
func TestCompletion(t *testing.T) {
	task := protocol.Task{RunID: "run-1", InvestigationID: "inv-1", Skill: "os", Targets: hosts("web-1")}
	for _, tt := range []struct {
		name    string
		outcome protocol.Outcome
		health  protocol.Health
		want    protocol.Health
	}{
		{"done and healthy", protocol.OutcomeDone, protocol.Healthy, protocol.Healthy},
		{"done and critical", protocol.OutcomeDone, protocol.Critical, protocol.Critical},
		{"failed is never healthy", protocol.OutcomeFailed, protocol.Healthy, protocol.Observing},
		{"nor is what ran into its limit", protocol.OutcomeMaxIterations, protocol.Healthy, protocol.Observing},
		{"nor into its deadline", protocol.OutcomeDeadline, protocol.Healthy, protocol.Observing},
		{"nor what was cancelled", protocol.OutcomeCancelled, protocol.Healthy, protocol.Observing},
		{"failed after it found something", protocol.OutcomeFailed, protocol.Critical, protocol.Critical},
		{"given up before it began", protocol.OutcomeFailed, "", protocol.Observing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sum := agent.OperatorSummary{Health: tt.health, NotificationIDs: []string{"n1"}, SnapshotIDs: []string{"s1"}, NotChecked: []string{"x"}}
			f := protocol.Finish{Outcome: tt.outcome, Error: "why", Model: "m", Usage: protocol.Usage{LLMCalls: 2}}
			c := agent.Completion(task, f, sum, t0)
			if c.State != tt.want || c.Outcome != tt.outcome || (c.Error == "") != (tt.outcome == protocol.OutcomeDone) || c.Validate() != nil {
				t.Errorf("completion %+v (%v)", c, c.Validate())
			}
			if c.RunID != "run-1" || c.Skill != "os" || len(c.Targets) != 1 || c.NotificationIDs[0] != "n1" || c.Usage.LLMCalls != 2 || !c.At.Equal(t0) {
				t.Errorf("completion %+v", c)
			}
		})
	}
}

func TestCheckedKeepsTheWorstValueOfEachCheck(t *testing.T) {
	r := newOperatorRun("web-1", "web-2", "web-3", "web-4")
	for node, data := range map[string]map[string]any{
		"web-1": {"memory_used_pct": 42.0, "memory_available_mb": 4096.0},
		"web-2": {"memory_used_pct": 91.0, "memory_available_mb": 150.0},
		"web-3": {"memory_used_pct": 88.0, "memory_available_mb": 100.0},
		"web-4": {"kernel": "6.1"}, // it could not read its memory
	} {
		r.probes.snaps[node] = snapshot("s"+node, node, data)
	}
	r.starting = []protocol.Snapshot{snapshot("old", "web-1", map[string]any{"memory_used_pct": 99.0})}
	r.play(t, steps(take)...)
	warn, crit, low := 85.0, 95.0, 200.0
	want := []protocol.Checked{
		{Skill: "os", Metric: "memory_used_pct", Unit: protocol.Percent, Op: protocol.Above, Warn: &warn, Critical: &crit, Worst: 91, Node: "web-2", Target: "host", Address: "sweb-2#memory_used_pct", Targets: 3, Crossed: 2},
		{Skill: "os", Metric: "memory_available_mb", Unit: protocol.Mebibytes, Op: protocol.Below, Warn: &low, Worst: 100, Node: "web-3", Target: "host", Address: "sweb-3#memory_available_mb", Targets: 3, Crossed: 2},
	}
	if diff := cmp.Diff(want, r.state.Checked()); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
}

// Behaviour: 91.
func TestThePromptSaysWhatARunIsAbout(t *testing.T) {
	task := protocol.Task{Reason: "checkout is slow", Targets: hosts("web-1"), Context: map[string]any{"since": "09:00", "orders": 12}}
	start, err := agent.OperatorStart(agent.OperatorSubject{Task: task, Words: words(), Snapshots: []protocol.Snapshot{
		snapshot("s1", "web-1", map[string]any{"memory_used_pct": 42.0}),
	}}, protocol.RunSettings{}, t0.Add(90*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, start.User, "Reason: checkout is slow\n", "since: 09:00\n", "orders: 12\n", "web-1/host", "s1 of web-1/host is 1m30s old", `"memory_used_pct":42`)
	wantIn(t, start.System, "Read the metrics.", "- memory_used_pct (percent, gauge): Memory in use.", "memory_used_pct above 85 warning 95 critical", `system_top(5, "memory")`, "get_current_time()")
}
