//go:build linux

package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The cassette is made anew, against the fake model below, by
//
//	go test ./test/e2e -run TestARecordedModel -record
//
// With an address and a model of a real provider in fakeToRecord's place it would
// hold that one's answers; nothing else would change.
var recordAnew = flag.Bool("record", false, "record the cassettes of this package anew")

const cassetteFile = "testdata/recorded/memory.jsonl"

// TestARecordedModelDecidesForEveryAgent runs every process with a model that
// answers from a file: coordinator and operator, with ids that the recording has
// never seen.
func TestARecordedModelDecidesForEveryAgent(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	config := configFile(t, fmt.Sprintf("model: again\nmodels:\n  again: {provider: recorded, file: %q}\n", absolute(t, cassetteFile)))
	if *recordAnew {
		config = fakeToRecord(t)
	}
	ready(f.coordinator("--config", config), f.operator("op-1", "--config", config),
		f.probe("web-1", tree(t, memoryFault)), f.probe("web-2", tree(t, nil)))
	for _, reason := range []string{`{"reason":"checkout is slow"}`, `{"reason":"checkout is slow again"}`} {
		r := request(t, f.nc, reason)
		if r.State != "done" || len(r.Insights) != 1 {
			t.Fatalf("got %+v", r)
		}
		got := r.Insights[0]
		if !slices.Equal(got.Nodes, []string{"web-1"}) || got.CorrelationType != "symptomatic" || got.Severity != "critical" || !strings.Contains(got.Summary, "memory is 97 % used") {
			t.Errorf("got %+v", got)
		}
		if !*recordAnew && got.Model != "again (recorded)" {
			t.Errorf("the insight says that %q decided", got.Model)
		}
		checkFigures(t, got)
		f.checkOnce(r.InvestigationID)
		if *recordAnew {
			return // one investigation is what the cassette holds
		}
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fleetlens.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeToRecord returns a configuration that records a fake model into the cassette.
func fakeToRecord(t *testing.T) string {
	t.Helper()
	file := absolute(t, cassetteFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	model := newModel(t, func(q turn) []toolCall {
		if strings.Contains(q.Messages[0].Content, "You are the coordinator") {
			return coordinates(q)
		}
		return diligent(q)
	})
	t.Cleanup(func() { // git keeps no other mode
		if err := os.Chmod(file, 0o644); err != nil {
			t.Error(err)
		}
	})
	return configFile(t, fmt.Sprintf("model: fake\nmodels:\n  fake: {provider: openai-generic, base_url: %q, model: x, record: %q}\n", model.URL+"/v1", file))
}

var (
	reported        = regexp.MustCompile(`notification ([0-9a-f]{16})`)
	anOperatorEnded = regexp.MustCompile(`(?m)^operator .* ended`)
)

// coordinates is a model that does what a coordinator should: it has the hosts
// looked at, waits until the operator has ended, concludes and ends.
func coordinates(q turn) []toolCall {
	var told strings.Builder
	for _, m := range q.Messages[1:] {
		told.WriteString(m.Content + "\n")
	}
	switch ids := reported.FindAllStringSubmatch(told.String(), -1); {
	case q.step == 0:
		return []toolCall{{"invoke_operators", map[string]any{"skills": []string{"os"}, "context": "look at memory first"}}}
	case strings.Contains(told.String(), "insight_produced"):
		return []toolCall{{"done", map[string]any{}}}
	case !anOperatorEnded.MatchString(told.String()) || len(ids) == 0:
		return []toolCall{{"wait", map[string]any{"ms": 5000}}}
	default:
		return []toolCall{{"produce_insight", map[string]any{
			"notification_ids": []string{ids[0][1]}, "correlation_type": "symptomatic", "severity": "critical",
			"summary": "web-1: memory is 97 % used.", "matched_observations": []string{"memory is 97 % used"},
			"hypothesis_grounded": false, "root_cause_hypothesis": "java has a leak", "confidence": "medium",
			"suggested_actions": []string{"look at what java keeps"},
		}}}
	}
}
