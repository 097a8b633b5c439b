package llm_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func recordedModel(file string) llm.Config {
	return llm.Config{Default: "again", Models: map[string]llm.Model{"again": {Provider: llm.Recorded, File: file}}}
}

func TestEveryProviderIsRecordedAndReplayed(t *testing.T) {
	each(t, func(t *testing.T, w wire, stream bool) {
		w.model.Record = filepath.Join(t.TempDir(), "calls.jsonl")
		want, err := w.serve(t, stream, w.answers(stream, said{"Both.", []called{{"call_1", "take_snapshot", `{}`}, {"call_2", "think", `{"thought":"hm"}`}}})).Decide(t.Context(), view())
		if err != nil {
			t.Fatal(err)
		}
		got, err := decider(t, recordedModel(w.model.Record)).Decide(t.Context(), view())
		if err != nil {
			t.Fatal(err)
		}
		if got.Model != "again (recorded)" {
			t.Errorf("it says that %q decided", got.Model)
		}
		if got.Usage.CostUSD == nil || *got.Usage.CostUSD != 0 {
			t.Errorf("an answer from a file costs %v", got.Usage.CostUSD)
		}
		want.Extra, got.Extra, got.Model, want.Usage.CostUSD, got.Usage.CostUSD = nil, nil, want.Model, nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if raw, err := os.ReadFile(w.model.Record); err != nil || strings.Contains(string(raw), key) {
			t.Errorf("%v; the file holds the key, or cannot be read", err)
		}
	})
}

func TestRefusalsAreReplayedAsTheyWere(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		after  string
		final  bool
	}{
		{"a wrong key", http.StatusUnauthorized, "", true},
		{"too many requests", http.StatusTooManyRequests, "7", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", tt.after)
				http.Error(w, "no, "+r.Header.Get("Authorization"), tt.status)
			}))
			defer server.Close()
			t.Setenv("FLEETLENS_TEST_KEY", key)
			file := filepath.Join(t.TempDir(), "calls.jsonl")
			m := llm.Model{Provider: llm.OpenAIGeneric, BaseURL: server.URL, Model: "m", APIKeyEnv: "FLEETLENS_TEST_KEY", Record: file}
			_, then := decider(t, llm.Config{Default: "m", Models: map[string]llm.Model{"m": m}}).Decide(t.Context(), view())
			_, now := decider(t, recordedModel(file)).Decide(t.Context(), view())
			status, _ := errors.AsType[*llm.StatusError](now)
			if then == nil || now == nil || status == nil || !strings.HasSuffix(then.Error(), now.Error()) {
				t.Fatalf("then %v, now %v", then, now)
			}
			if status.Status != tt.status || status.RetryAfter.Seconds() != map[string]float64{"7": 7}[tt.after] || errors.Is(now, agent.ErrFinal) != tt.final {
				t.Errorf("got %+v, final %v", status, errors.Is(now, agent.ErrFinal))
			}
			if raw, err := os.ReadFile(file); err != nil || strings.Contains(string(raw), key) {
				t.Errorf("%v; the file holds the key, or cannot be read", err)
			}
		})
	}
}

func TestARecordedModelOfASetAnswersWhereItCan(t *testing.T) {
	w := wires()[0]
	w.model.Record = filepath.Join(t.TempDir(), "calls.jsonl")
	if _, err := w.serve(t, true, w.answers(true, said{text: "x"})).Decide(t.Context(), view()); err != nil {
		t.Fatal(err)
	}
	cfg := recordedModel(w.model.Record)
	cfg.Default, cfg.Sets = "main", map[string]llm.Set{"main": {Fallback: []string{"again", llm.Rules}}}
	if a, err := decider(t, cfg).Decide(t.Context(), view()); err != nil || a.Text != "x" {
		t.Errorf("got %+v, %v", a, err)
	}
	other := view()
	other.Start.Agent, other.State = protocol.OperatorAgent, &agent.OperatorState{}
	if a, err := decider(t, cfg).Decide(t.Context(), other); err != nil || a.Model != protocol.RulesModel {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestFaultsOfRecordingsAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "calls.jsonl")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		m    llm.Model
		says string // empty: it is right
	}{
		{"answers from a file", llm.Model{Provider: llm.Recorded, File: file}, ""},
		{"no file", llm.Model{Provider: llm.Recorded}, "the provider recorded needs file"},
		{"a file that is not there", llm.Model{Provider: llm.Recorded, File: file + "x"}, "no such file"},
		{"a way to match that is none", llm.Model{Provider: llm.Recorded, File: file, Match: "nearly"}, `match is "nearly"; it may be turn or exact`},
		{"a file of another provider", llm.Model{Provider: llm.Ollama, Model: "m", File: file}, "the provider ollama has no file; remove it"},
		{"a match of another provider", llm.Model{Provider: llm.Ollama, Model: "m", Match: "turn"}, "of the provider recorded"},
		{"a recording", llm.Model{Provider: llm.Ollama, Model: "m", Record: file}, ""},
		{"a recording in a folder that is not there", llm.Model{Provider: llm.Ollama, Model: "m", Record: "/nowhere/x"}, "no such file"},
		{"a recording of a recording", llm.Model{Provider: llm.Recorded, File: file, Record: file}, "there is nothing to record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var says []string
			if tt.says != "" {
				says = append(says, tt.says)
			}
			check(t, llm.Config{Default: llm.Rules, Models: map[string]llm.Model{"small": tt.m}}, "models.small: ", says)
		})
	}
	cfg := recordedModel(file)
	if _, err := cfg.Deciders(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "models.again: recorded answers: "+file+": it holds no call") {
		t.Errorf("an empty file: %v", err)
	}
}
