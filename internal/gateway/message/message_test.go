package message_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func insight() protocol.Insight {
	limit, cost := 475.0, 0.006
	return protocol.Insight{
		ID: "c1f09a", InvestigationID: "5be0c2", CorrelationType: protocol.Causal, Severity: protocol.SeverityCritical,
		Summary:             "Checkout is slow because PostgreSQL on db-3 has 500 of 500 connections in use.\nSee\u202e it",
		RootCauseHypothesis: "The deploy raised the pool.", HypothesisGrounded: true, Grounding: "2 nodes, 2 runs", Confidence: protocol.High,
		Nodes: []string{"db-3", "web-1"},
		Evidence: []protocol.Evidence{
			{Address: "s1#cpu", Node: "db-3", Target: "host", Name: "cpu_used_pct", Value: 41.0, Unit: protocol.Percent},
			{Address: "s1#used", Node: "db-3", Target: "pg-main", Name: "connections_used", Value: 500.0, Threshold: &limit},
		},
		Figures: []protocol.Figure{
			{Text: "500", Found: true, Evidence: "s1#used"},
			{Text: "9 ms", Nearest: "1.1 ms (s2#latency)"},
		},
		Chain:    []protocol.ChainLink{{At: time.Date(2026, 3, 14, 14, 2, 10, 0, time.UTC), Node: "web-1", What: "deploy", Role: "change"}},
		RuledOut: []string{"CPU"}, Model: "haiku", Usage: protocol.Usage{CostUSD: &cost},
	}
}

func TestAnInsightIsSaidInFiveParts(t *testing.T) {
	m := message.Of(insight(), "https://fleet.example/")
	got := []string{m.Title(), m.Hypothesis, strings.Join(m.Facts, "|"), m.Context, m.Links[0].URL, m.Links[1].URL, strings.Join(m.Chain, "|")}
	want := []string{
		"▲ critical: Checkout is slow because PostgreSQL on db-3 has 500 of 500 connections in use. See it",
		"Hypothesis, not a fact: The deploy raised the pool.",
		`✓ connections_used = 500, threshold 475 · db-3/pg-main|? "9 ms" is not in the evidence; nearest is 1.1 ms (s2#latency)|✓ cpu_used_pct = 41 % · db-3`,
		"grounded: 2 nodes, 2 runs · confidence high · 1 of 2 figures verified · 2 nodes · by haiku · $0.0060 · insight c1f09a",
		"https://fleet.example/insights/c1f09a", "https://fleet.example/investigations/5be0c2",
		"14:02:10 web-1, change: deploy",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	replies := []message.Link{{"Evidence", "https://fleet.example/insights/c1f09a#facts"}, {"Acknowledge", "https://fleet.example/insights/c1f09a?ack"}, {"Not quite", "https://fleet.example/insights/c1f09a?feedback=not_quite"}}
	if diff := cmp.Diff(replies, m.Replies); diff != "" {
		t.Error(diff)
	}
	if m.Shown() != "" {
		t.Errorf("all facts are there, and it says %q", m.Shown())
	}
}

func TestWhatIsUngroundedAndWithoutModelSaysSo(t *testing.T) {
	i := insight()
	i.HypothesisGrounded, i.Grounding, i.Model = false, "one run only", protocol.RulesModel
	if m := message.Of(i, ""); !strings.HasPrefix(m.Context, "not grounded: one run only") || !strings.Contains(m.Context, "no LLM used") || len(m.Links) > 0 {
		t.Errorf("%q, links %v", m.Context, m.Links)
	}
	i.CorrelationType = protocol.None
	if m := message.Of(i, ""); !strings.HasPrefix(m.Title(), "● nothing wrong: ") {
		t.Error(m.Title())
	}
}

func TestCut(t *testing.T) {
	double := func(rune) int { return 2 }
	for _, tt := range []struct {
		name, s string
		most    int
		w       func(rune) int
		want    string
	}{
		{"what fits is left", "One. Two", 8, nil, "One. Two"},
		{"one rune more ends with a sentence", "One is one. Two is", 17, nil, "One is one. …"},
		{"without a sentence it ends with a word", "one two three", 12, nil, "one two…"},
		{"without a word it ends anywhere", "ääääääää", 5, nil, "ääää…"},
		{"runes count, not bytes", "ääää", 4, nil, "ääää"},
		{"escapes count", "ääää", 7, double, "ää…"},
		{"no room is nothing", "abc", 0, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := message.Cut(tt.s, tt.most, tt.w); got != tt.want {
				t.Errorf("Cut(%q, %d) = %q, want %q", tt.s, tt.most, got, tt.want)
			}
		})
	}
}

func TestFactsAreCutAsWholeLinesAndCounted(t *testing.T) {
	m := message.Of(insight(), "")
	m.Facts = []string{"✓ aaaa", "✓ bbbb", "✓ cccc"}
	for _, tt := range []struct {
		name        string
		lines, room int
		facts       int
		note        string
	}{
		{"all fit at the limit", 3, 21, 3, ""},
		{"one rune less and the last is missing", 3, 20, 2, "… 1 more fact"},
		{"two lines are wanted", 2, 99, 2, "… 1 more fact"},
		{"one alone is too long and is cut", 3, 7, 1, "… 2 more facts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := m.Cut(message.Limits{Title: 99, Facts: tt.room, Lines: tt.lines})
			if len(got.Facts) != tt.facts || got.Shown() != tt.note {
				t.Errorf("%q, note %q; want %d, %q", got.Facts, got.Shown(), tt.facts, tt.note)
			}
		})
	}
}

func TestAHeadlineThatWasCutIsThereInFull(t *testing.T) {
	i := insight()
	i.Summary = strings.Repeat("a", 138) // with "▲ critical: " 150
	if m := message.Of(i, "").Cut(message.Limits{Title: 150, More: 500}); m.More != "" || utf8.RuneCountInString(m.Title()) != 150 {
		t.Errorf("at the limit: %d runes, more %q", utf8.RuneCountInString(m.Title()), m.More)
	}
	i.Summary += "a"
	m := message.Of(i, "").Cut(message.Limits{Title: 150, More: 500})
	if m.More != i.Summary || !strings.HasSuffix(m.Title(), "…") || utf8.RuneCountInString(m.Title()) > 150 {
		t.Errorf("over it: %q, more %q", m.Title(), m.More)
	}
}

func FuzzCut(f *testing.F) {
	f.Add("One is one. Two is two", 12)
	f.Add("a\xff\xfe. b", 3)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = max(0, min(most, 1000))
		got := message.Cut(message.Clean(s), most, nil)
		if n := utf8.RuneCountInString(got); n > most || !utf8.ValidString(got) {
			t.Errorf("%d runes of at most %d: %q", n, most, got)
		}
	})
}
