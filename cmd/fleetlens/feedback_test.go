package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// stack is everything, running, with the rules analyst.
func stack(t *testing.T) *allinone.Stack {
	t.Helper()
	o := allinone.Options{
		DataDir: t.TempDir(), Listen: "127.0.0.1", Probe: watch.New(), Operator: operator.DefaultConfig(), Coordinator: coordinator.DefaultConfig(),
		LLM: llm.DefaultConfig(), Log: natstest.Log(t),
	}
	o.Probe.Node, o.Operator.Watch, o.Coordinator.Lead, o.Coordinator.Alerts.Addr = "here", false, false, ""
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := allinone.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// fleetlens runs the command and returns what it printed, and its exit code.
func fleetlens(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	err := cmd.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[proc.ExitError](err); ok {
		return o.String(), e.String(), exit.Code
	}
	if err != nil {
		t.Fatalf("fleetlens %s: %v\n%s", strings.Join(args, " "), err, e.String())
	}
	return o.String(), e.String(), 0
}

func say(t *testing.T, conn *bus.Conn, f protocol.Feedback) {
	t.Helper()
	f.At = time.Now().UTC()
	if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.PeopleSubject("feedback", f.ID), Body: f}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatPeopleSaidIsExportedAndReplayedAsACase(t *testing.T) {
	s := stack(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	raw, err := s.Bus.Request(ctx, protocol.RunSubject, protocol.Request{ID: "inv-1", Reason: "is it healthy?", Skills: []string{"os", "overload"}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := protocol.Decode[protocol.Result](raw)
	if err != nil || len(result.Insights) == 0 {
		t.Fatalf("result %+v, %v", result, err)
	}
	insight := result.Insights[0]
	folder := filepath.Join(t.TempDir(), "cases")
	if _, stderr, _ := fleetlens(t, "-s", s.Server.URL(), "feedback", "export", folder); !strings.Contains(stderr, "nobody judged an insight") || isFolder(folder) {
		t.Errorf("without feedback: %s", stderr)
	}
	say(t, s.Bus, protocol.Feedback{ID: insight.ID, Verdict: "wrong", By: "ann"})
	say(t, s.Bus, protocol.Feedback{ID: insight.ID, Verdict: "not_quite", Comment: "the disk was the cause", By: "ann"})
	say(t, s.Bus, protocol.Feedback{ID: insight.ID, Verdict: "right", By: "bob"})
	say(t, s.Bus, protocol.Feedback{ID: "expired", Verdict: "right", By: "bob"})
	stdout, stderr, _ := fleetlens(t, "-s", s.Server.URL(), "feedback", "export", folder)
	if !strings.Contains(stdout, "not quite, right") || !strings.Contains(stderr, "insight expired is left out: there is none in the last 30 days") {
		t.Errorf("export: %s%s", stdout, stderr)
	}
	if stdout, _, _ := fleetlens(t, "-s", s.Server.URL(), "feedback", "export", "--since", "1ns", filepath.Join(t.TempDir(), "late")); stdout != "" {
		t.Errorf("what was said before --since: %s", stdout)
	}
	s.Stop() // nobody is asked from here on

	one := filepath.Join(folder, insight.ID)
	stdout, _, code := fleetlens(t, "run", "replay", one)
	for _, want := range []string{one + "  concludes the same", insight.Summary[:min(100, len(insight.Summary))], "ann called it not quite: the disk was the cause", "bob called it right", "1 of 1 cases conclude the same"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in %s", want, stdout)
		}
	}
	if code != 0 || strings.Contains(stdout, "a model's") {
		t.Errorf("exit %d: %s", code, stdout)
	}
	stdout, _, _ = fleetlens(t, "--json", "run", "replay", folder)
	var c caseResult
	if err := json.Unmarshal([]byte(stdout), &c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{insight.ID, "not quite, right"}, []string{c.Insight.ID, verdicts(c.Said)}); d != "" || !c.Same || len(c.Runs) != 1+len(result.OperatorResults) {
		t.Errorf("%d runs of %+v: %s", len(c.Runs), result.OperatorResults, d)
	}
	for _, r := range c.Runs {
		if r.Steps == 0 || r.Decisions != r.Steps || len(r.Differences) > 0 {
			t.Errorf("%d of %d decisions of %s made again: %+v", r.Decisions, r.Steps, r.RunID, r.Differences)
		}
	}

	// A journal of a program that said something else of the same hosts.
	path := filepath.Join(one, caseJournals)
	journals, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(journals), `\"confidence\":\"`+string(insight.Confidence), `\"confidence\":\"low`, 1)
	if other == string(journals) {
		t.Fatal("the journal does not call produce_insight as expected")
	}
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, code = fleetlens(t, "run", "replay", folder)
	if code != proc.ExitResult || !strings.Contains(stdout, "concludes otherwise") || !strings.Contains(stdout, "the decision differs") || !strings.Contains(stdout, "0 of 1 cases conclude the same") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}
