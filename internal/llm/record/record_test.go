package record_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/llm/record"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

var words = protocol.Words{
	Skill: "os", Kind: "host", Title: "System", Summary: "Memory.", Prompt: "Read the metrics.",
	Metrics: []protocol.Metric{{Name: "memory_used_pct", Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "Memory in use."}},
	Checks:  []protocol.Check{{Metric: "memory_used_pct", Op: protocol.Above, Warn: skills.Level(85), Says: "memory is {value} % used"}},
}

func snapshot(id, node string, used float64) protocol.Snapshot {
	return protocol.Snapshot{ID: id, Node: node, Target: "host", Kind: "host", Skill: "os", CapturedAt: time.Unix(1, 0).UTC(), Data: map[string]any{"memory_used_pct": used}}
}

// looker takes a snapshot, reports it and ends.
func looker(used float64) *agenttest.Model {
	return agenttest.NewModel(
		agenttest.Say("I look first.", agenttest.Call("take_snapshot", nil)),
		agenttest.SayOf("", func(a agenttest.Ask) []protocol.ToolCall {
			return []protocol.ToolCall{agenttest.Call("send_notification", map[string]any{
				"type": "memory_used_pct", "severity": "warning", "context": "a host",
				"observation": fmt.Sprintf("memory is %v %% used", used), "snapshot_ids": []string{a.Last("take_snapshot")},
			})}
		}),
	)
}

func operator(run string, snaps ...protocol.Snapshot) agenttest.Operator {
	return agenttest.Operator{RunID: run, Words: words, Snapshots: snaps, Now: time.Unix(2, 0).UTC()}
}

func cassette(t *testing.T) string { return filepath.Join(t.TempDir(), "calls.jsonl") }

func recorder(file string) record.Recorder {
	return record.Recorder{
		File: file, Model: "m", Clean: func(s string) string { return strings.ReplaceAll(s, "sk-secret", "[the key]") },
		Failure: func(err error) record.Failure {
			return record.Failure{Text: err.Error(), Status: 429, RetryAfterMS: 1}
		},
	}
}

func recording(t *testing.T, file string, m model.ToolCallingChatModel) agent.Decider {
	t.Helper()
	r, err := recorder(file).Around(m)
	if err != nil {
		t.Fatal(err)
	}
	return record.By(agent.NewModelDecider("m", r))
}

func playing(t *testing.T, file, match string) agent.Decider {
	t.Helper()
	m, err := record.Player{File: file, Match: match, Error: func(f record.Failure) error {
		return agent.RetryAfter(errors.New(f.Text), time.Duration(f.RetryAfterMS)*time.Millisecond)
	}}.Model()
	if err != nil {
		t.Fatal(err)
	}
	return record.By(agent.NewModelDecider("m", m))
}

func run(t *testing.T, o agenttest.Operator, d agent.Decider) agenttest.Report {
	t.Helper()
	r, err := o.Run(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func observed(r agenttest.Report) string {
	text := string(r.Finish.Outcome)
	if r.Finish.Error != "" {
		text += " " + r.Finish.Error
	}
	for _, n := range r.Notifications {
		text += fmt.Sprintf("; %s %s of %s", n.Node, n.Observation, n.Snapshots[0].ID)
	}
	return text
}

func TestReplay(t *testing.T) {
	file := cassette(t)
	for run2, used := range map[string]float64{"run-a": 91, "run-b": 97} {
		node := map[string]string{"run-a": "web-1", "run-b": "web-2"}[run2]
		run(t, operator(run2, snapshot("aaaaaaaaaaaaaaaa", node, used)), recording(t, file, looker(used)))
	}
	for _, tt := range []struct {
		name, match string
		of          agenttest.Operator
		want        string
	}{
		{"the same request gets the same answer", record.Exact, operator("run-a", snapshot("aaaaaaaaaaaaaaaa", "web-1", 91)), "done; web-1 memory is 91 % used of aaaaaaaaaaaaaaaa"},
		{"and another request another one", record.Exact, operator("run-b", snapshot("aaaaaaaaaaaaaaaa", "web-2", 97)), "done; web-2 memory is 97 % used of aaaaaaaaaaaaaaaa"},
		{"another id is another request", record.Exact, operator("run-a", snapshot("bbbbbbbbbbbbbbbb", "web-1", 91)), "whose message 4 has"},
		{"at the same place of a run ids become those of now", record.Turn, operator("x", snapshot("bbbbbbbbbbbbbbbb", "web-1", 91)), "done; web-1 memory is 91 % used of bbbbbbbbbbbbbbbb"},
		{"the run whose question is alike answers", record.Turn, operator("x", snapshot("bbbbbbbbbbbbbbbb", "web-2", 97)), "done; web-2 memory is 97 % used of bbbbbbbbbbbbbbbb"},
		{"a call that ended otherwise is another place", record.Turn, agenttest.Operator{Words: words, Targets: []protocol.TargetRef{{Node: "web-1", Target: "host", Kind: "host"}}}, "no answer for the operator os after take_snapshot!; the nearest that was recorded is after nothing"},
		{"another skill was not recorded", record.Turn, agenttest.Operator{Words: protocol.Words{Skill: "disk"}}, "no answer for a run of the operator disk; it holds runs of the operator os, the operator os"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := observed(run(t, tt.of, playing(t, file, tt.match))); !strings.Contains(got, tt.want) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestSeveralRunsReplayAtOnce(t *testing.T) {
	file := cassette(t)
	for _, node := range []string{"web-1", "web-2"} {
		run(t, operator(node, snapshot("aaaaaaaaaaaaaaaa", node, 91)), recording(t, file, looker(91)))
	}
	d := playing(t, file, record.Turn)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			id := fmt.Sprintf("%016x", i)
			r, err := operator("run-"+id, snapshot(id, "web-1", 91)).Run(t.Context(), d)
			if want := "done; web-1 memory is 91 % used of " + id; err != nil || observed(r) != want {
				t.Errorf("%v, got %s, want %s", err, observed(r), want)
			}
		})
	}
	wg.Wait()
}

func TestAFailureIsReplayedAndThenTheAnswer(t *testing.T) {
	file := cassette(t)
	failed := false
	m := agenttest.NewModel(func(agenttest.Ask) (*schema.Message, error) {
		if !failed {
			failed = true
			return nil, errors.New("too many requests with sk-secret")
		}
		return schema.AssistantMessage("", []schema.ToolCall{{Function: schema.FunctionCall{Name: "done", Arguments: "{}"}}}), nil
	})
	first := func(d agent.Decider) []string {
		var texts []string
		for range 3 {
			a, err := d.Decide(t.Context(), agent.View{RunID: "run-1", Step: 1, Start: protocol.Start{Agent: protocol.OperatorAgent, User: "why?"}})
			if err != nil {
				texts = append(texts, err.Error())
				continue
			}
			texts = append(texts, a.Calls[0].Tool)
		}
		return texts
	}
	first(recording(t, file, m))
	for _, match := range []string{record.Exact, record.Turn} {
		want := []string{"too many requests with [the key]", "done", "done"}
		if diff := cmp.Diff(want, first(playing(t, file, match))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", match, diff)
		}
	}
}

func TestNothingStandsTwiceInTheFile(t *testing.T) {
	file := cassette(t)
	run(t, operator("run-a", snapshot("aaaaaaaaaaaaaaaa", "web-1", 91)), recording(t, file, looker(91)))
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, times := range map[string]int{
		"You are an operator of Fleetlens": 1, `"name":"take_snapshot","doc"`: 1,
		`memory is 91 % used\",\"severity`: 2, // what was answered is asked back in the next request
	} {
		if n := strings.Count(string(raw), text); n != times {
			t.Errorf("%q stands in it %d times, want %d", text, n, times)
		}
	}
	var after []string
	for line := range strings.Lines(string(raw)) {
		var l struct {
			Call *struct{ After, Skill string }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Call != nil {
			after = append(after, l.Call.Skill+" "+l.Call.After)
		}
	}
	if diff := cmp.Diff([]string{"os nothing", "os take_snapshot", "os take_snapshot › send_notification"}, after); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	for _, tt := range []struct{ name, text, says string }{
		{"an empty one", "", "holds no call"},
		{"not JSON", "{\n", "line 1"},
		{"a call without an answer", `{"call":{"hash":"x"}}`, "neither an answer nor a failure"},
		{"a beginning that is missing", `{"call":{"answered":{},"asked":{"from":2}}}`, `2 messages of run "" should stand before it`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := cassette(t)
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := (record.Player{File: file}).Model(); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	if _, err := (record.Player{File: "/nowhere"}).Model(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// asked asks as a coordinator would, with these messages after the question.
func asked(t *testing.T, d agent.Decider, runID string, records ...protocol.Record) protocol.Answer {
	t.Helper()
	a, err := d.Decide(t.Context(), agent.View{
		RunID: runID, Start: protocol.Start{Agent: protocol.CoordinatorAgent, User: "why?"}, Records: records,
		Tools: agent.NewCoordinatorTools(agent.CoordinatorDeps{}).Tools(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func rec(t *testing.T, kind protocol.RecordKind, data any) protocol.Record {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Record{Kind: kind, Data: raw}
}

func TestWaitsDoNotCount(t *testing.T) {
	called := func(tool, args string) []protocol.Record {
		return []protocol.Record{
			rec(t, protocol.RecordAnswer, protocol.Answer{Calls: []protocol.ToolCall{{ID: "c", Tool: tool, Args: args}}}),
			rec(t, protocol.RecordResult, protocol.ToolResult{CallID: "c", Tool: tool, Content: "{}"}),
		}
	}
	report := func(lines ...string) protocol.Record {
		return rec(t, protocol.RecordInput, protocol.Input{Text: "Reported:\n" + strings.Join(lines, "\n")})
	}
	invoke, wait := called("invoke_operators", "{}"), called("wait", `{"ms":5}`)
	join := func(parts ...[]protocol.Record) (out []protocol.Record) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	const a, b, x, y = "notification 000000000000000a: os on web-1", "notification 000000000000000b: os on web-2", "notification 000000000000000c: os on web-1", "notification 000000000000000d: os on web-2"
	file := cassette(t)
	d := recording(t, file, agenttest.NewModel(
		agenttest.Say("", agenttest.Call("invoke_operators", nil)), agenttest.Say("", agenttest.Call("wait", map[string]int{"ms": 5})),
		agenttest.Say("", agenttest.Call("produce_insight", []string{"000000000000000a", "000000000000000b"})),
	))
	asked(t, d, "inv-1")
	asked(t, d, "inv-1", invoke...)
	asked(t, d, "inv-1", join(invoke, wait, []protocol.Record{report(a, b, "operator os ended")})...)

	for _, tt := range []struct {
		name    string
		records []protocol.Record
		want    string
	}{
		{"it begins", nil, "invoke_operators {}"},
		{"nothing was reported", join(invoke, wait, wait), `wait {"ms":5}`},
		{"less was reported than then", join(invoke, wait, []protocol.Record{report(x)}), `wait {"ms":5}`},
		{"as much, at once and in the other order", join(invoke, wait, []protocol.Record{report(y, x, "operator os ended")}), `produce_insight ["000000000000000c","000000000000000d"]`},
		{"as much, one after the other", join(invoke, wait, []protocol.Record{report(y)}, wait, []protocol.Record{report(x, "operator os ended")}), `produce_insight ["000000000000000c","000000000000000d"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := asked(t, playing(t, file, record.Turn), "inv-2", tt.records...)
			if call := got.Calls[0]; call.Tool+" "+call.Args != tt.want {
				t.Errorf("got %s %s, want %s", call.Tool, call.Args, tt.want)
			}
		})
	}
}
