package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Journals of runs as they were, one file a run, a record a line. They are
// replayed for ever: files are added, by -record, and never changed.
const journals = "testdata/journals"

var record = flag.Bool("record", false, "write the journals of the runs of this test that "+journals+" does not have yet")

func readJournal(t *testing.T, path string) []protocol.Record {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []protocol.Record
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, protocol.MaxMessage)
	for lines.Scan() {
		r, err := protocol.Decode[protocol.Record](lines.Bytes())
		if err != nil {
			t.Fatalf("%s:%d: %v", path, len(out)+1, err)
		}
		out = append(out, r)
	}
	return out
}

// TestJournalsOfEveryVersionAreReplayed holds that today's code comes to the same
// verdicts, effects and ends. What a decider reads may be worded anew: requests
// and results are not compared.
func TestJournalsOfEveryVersionAreReplayed(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(journals, "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no journals in %s: %v", journals, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl"), func(t *testing.T) {
			got, err := agent.Replay(t.Context(), readJournal(t, path))
			if err != nil {
				t.Fatal(err)
			}
			if got.Steps == 0 || got.Calls == 0 {
				t.Errorf("nothing was replayed: %+v", got)
			}
			for _, d := range got.Differences {
				if d.What != agent.PartRequest && d.What != agent.PartResult {
					t.Errorf("step %d, %s %s: was %s\nnow %s", d.Step, d.What, d.Tool, d.Recorded, d.Now)
				}
			}
		})
	}
}

// cannedLua answers scripts.
type cannedLua struct{}

func (cannedLua) Run(_ context.Context, code string, _ []string, _ func(context.Context, string, []any) (any, error)) (any, string, error) {
	if strings.Contains(code, "error") {
		return nil, "", errors.New("line 1: it is an error")
	}
	return map[string]any{"left_pct": 9.0}, "as printed", nil
}

// runs are what the journals of this version hold.
var runs = map[string]func(t *testing.T) *agent.MemoryJournal{
	"operator": func(t *testing.T) *agent.MemoryJournal {
		r := newOperatorRun("web-1", "web-2")
		r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 91.0, "memory_available_mb": 700.0})
		r.probes.answer = func(protocol.TargetRef, string, []any) (any, error) {
			return []any{map[string]any{"name": "java", "rss_mb": 6100.0}}, nil
		}
		r.probes.silent["web-2"] = "its probe is not connected"
		r.scripts = cannedLua{}
		f := r.play(t, steps(
			take,
			agenttest.Call("take_snapshot", map[string]any{"targets": []string{"db-9"}}),
			agenttest.Call("call", map[string]any{"callback": "system_top", "args": []any{3, "memory"}}),
			agenttest.Call("call", map[string]any{"callback": "system_top", "args": []any{3, "tea"}}),
			agenttest.Call("execute", map[string]any{"code": "return {left_pct = 9}"}),
			agenttest.Call("execute", map[string]any{"code": "error()"}),
			notify("memory is 97 % used", "s1"),
			notify("memory is 91 % used", "s1"),
			notify("memory is 91 % used", "s9"),
			agenttest.Call("get_notifications", nil),
			agenttest.Call("get_snapshots", map[string]any{"limit": 1}),
			agenttest.Call("get_snapshot", map[string]any{"id": "s9"}),
			agenttest.Call("dance", nil),
			agenttest.Call("wait", map[string]any{"ms": 50}),
			agenttest.Call("wait", map[string]any{"ms": -1}),
			think,
			agenttest.Call("set_state", map[string]any{"state": "warning", "reason": "memory"}),
			over,
		)...)
		if f.Outcome != protocol.OutcomeDone {
			t.Errorf("finish %+v", f)
		}
		return r.journal
	},
	"coordinator": func(t *testing.T) *agent.MemoryJournal {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1", "web-2"), "gc": hosts("web-1")})
		r.operators.unserved = map[string]error{"gc": errors.New("no worker serves gc")}
		r.operators.report = func(task protocol.Task) ([]protocol.Notification, protocol.Completion) {
			c := done(task)
			c.State, c.NotificationIDs = protocol.Warning, []string{"n1", "n2"}
			return []protocol.Notification{
				finding("n1", task.RunID, "os", "web-1", "memory is 91 % used"), finding("n2", task.RunID, "os", "web-2", "memory is 91 % used"),
			}, c
		}
		insight := func(summary string) protocol.ToolCall {
			return agenttest.Call("produce_insight", map[string]any{
				"notification_ids": []string{"n1", "n2"}, "correlation_type": "symptomatic", "summary": summary, "confidence": "medium",
				"matched_observations": []string{"memory is 91 % used"}, "hypothesis_grounded": true, "root_cause_hypothesis": "a deploy",
			})
		}
		f := r.play(t, steps(
			agenttest.Call("get_notifications", nil),
			agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os", "gc", "tarot"}}),
			agenttest.Call("get_operator_statuses", nil),
			agenttest.Call("get_notifications", map[string]any{"status": "unread"}),
			agenttest.Call("update_notification_statuses", map[string]any{"notification_ids": []string{"n1", "n9"}, "status": "acknowledged"}),
			insight("memory is 97 % used on 2 nodes"),
			insight("memory is 91 % used on 2 nodes"),
			agenttest.Call("fleet_overview", nil),
			agenttest.Call("produce_insight", nil),
			over,
		)...)
		if f.Outcome != protocol.OutcomeDone {
			t.Errorf("finish %+v", f)
		}
		return r.journal
	},
	"told-and-stood-in": func(t *testing.T) *agent.MemoryJournal {
		r := newCoordinatorRun(map[string][]protocol.TargetRef{"os": hosts("web-1")})
		r.operators.told = []protocol.Told{{ID: "t1", InvestigationID: "inv-1", Text: "we deployed at 09:20", By: "dana", At: t0}}
		r.instead = agenttest.NewScript(steps(think, think, agenttest.Call("invoke_operators", map[string]any{"skills": []string{"os"}}))...)
		model := agenttest.NewScript(agenttest.Calls(think), agenttest.Fail(fmt.Errorf("no such key: %w", agent.ErrFinal)))
		if _, err := r.run(t, model); err != nil {
			t.Fatal(err)
		}
		return r.journal
	},
	"never-done": func(t *testing.T) *agent.MemoryJournal {
		r := newOperatorRun("web-1")
		r.probes.snaps["web-1"] = snapshot("s1", "web-1", map[string]any{"memory_used_pct": 42.0})
		r.settings.MaxIterations = 2
		if f := r.play(t, steps(take, think, think)...); f.Outcome != protocol.OutcomeMaxIterations {
			t.Errorf("finish %+v", f)
		}
		return r.journal
	},
	"only-nonsense": func(t *testing.T) *agent.MemoryJournal {
		r := newOperatorRun("web-1")
		nonsense := agenttest.Call("dance", nil)
		if f := r.play(t, steps(nonsense, nonsense, nonsense)...); f.Outcome != protocol.OutcomeFailed {
			t.Errorf("finish %+v", f)
		}
		return r.journal
	},
}

// TestARunReplaysAsItWas compares everything, what deciders read included: the
// journals are of this very code.
func TestARunReplaysAsItWas(t *testing.T) {
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := run(t)
				got, err := agent.Replay(t.Context(), j.Log)
				if err != nil {
					t.Fatal(err)
				}
				if got.Requests != got.Steps || got.Steps == 0 {
					t.Errorf("%d requests compared at %d steps", got.Requests, got.Steps)
				}
				for _, d := range got.Differences {
					t.Errorf("step %d, %s %s: was %s\nnow %s", d.Step, d.What, d.Tool, d.Recorded, d.Now)
				}
				if *record {
					write(t, name, j)
				}
			})
		})
	}
}

func write(t *testing.T, name string, j *agent.MemoryJournal) {
	t.Helper()
	path := filepath.Join(journals, name+".jsonl")
	if _, err := os.Stat(path); err == nil {
		t.Logf("%s is there and stays", path)
		return
	}
	var b bytes.Buffer
	for _, r := range j.Log {
		raw, err := protocol.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAReplayTellsWhatDiffers changes a journal in one place each time.
func TestAReplayTellsWhatDiffers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *protocol.Record) bool // whether it was the place
		want   agent.Part
	}{
		{"another request", func(r *protocol.Record) bool {
			return replace(r, protocol.RecordAnswer, `"request_hash":"`, `"request_hash":"0`)
		}, agent.PartRequest},
		{"a result that the decider read otherwise", func(r *protocol.Record) bool {
			return replace(r, protocol.RecordResult, `"content":"{\"notification\"`, `"content":"{\"notifikation\"`)
		}, agent.PartResult},
		{"a refusal that was none", func(r *protocol.Record) bool {
			return replace(r, protocol.RecordResult, `"failed":true`, `"failed":false`)
		}, agent.PartVerdict},
		{"an effect of another id", func(r *protocol.Record) bool {
			return replace(r, protocol.RecordResult, `"notification":{"id":"`, `"notification":{"id":"f`)
		}, agent.PartEffect},
		{"another end", func(r *protocol.Record) bool {
			return replace(r, protocol.RecordFinish, `"outcome":"done"`, `"outcome":"failed"`)
		}, agent.PartEnd},
		{"another summary", func(r *protocol.Record) bool {
			return replace(r, protocol.RecordFinish, `"health":"warning"`, `"health":"healthy"`)
		}, agent.PartEnd},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := slices.Clone(runs["operator"](t).Log)
				if !slices.ContainsFunc(log, func(r protocol.Record) bool { // the first place only
					i := slices.IndexFunc(log, func(o protocol.Record) bool { return o.N == r.N })
					return tt.change(&log[i])
				}) {
					t.Fatal("there is no such place")
				}
				got, err := agent.Replay(t.Context(), log)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(got.Differences, func(d agent.Difference) bool { return d.What == tt.want }) {
					t.Errorf("differences %+v, want one of %s", got.Differences, tt.want)
				}
			})
		})
	}
}

func replace(r *protocol.Record, kind protocol.RecordKind, was, now string) bool {
	if r.Kind != kind || !strings.Contains(string(r.Data), was) {
		return false
	}
	r.Data = json.RawMessage(strings.Replace(string(r.Data), was, now, 1))
	return true
}

func TestWhatIsNoRunIsNotReplayed(t *testing.T) {
	for name, records := range map[string][]protocol.Record{
		"the journal has no start record":     nil,
		`a run of the agent "oracle"`:         {{Kind: protocol.RecordStart, Data: json.RawMessage(`{"agent":"oracle"}`)}},
		"it is the result of no call: call_1": {{Kind: protocol.RecordStart, Data: json.RawMessage(`{"agent":"operator","subject":{}}`)}, {N: 2, Kind: protocol.RecordResult, Data: json.RawMessage(`{"call_id":"call_1"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := agent.Replay(t.Context(), records); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}
