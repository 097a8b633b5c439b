package agent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Bounds of what an investigation is told of the past: how many insights, and how
// many bytes of text in all, the introduction and the marks around it included.
const (
	MaxPast      = 3
	MaxPastBytes = 2 << 10
)

// How much of one insight of the past is kept, in bytes.
const (
	pastSummary = 240
	pastCause   = 160
	pastComment = 160
	pastWords   = 3 // of people
	pastNames   = 8 // nodes, skills
	pastMetrics = 60
)

// A PastInsight is a conclusion of another investigation that is like this one, and what
// people said of it. It is the past, and somebody's word: it is no notification and no
// evidence, so it can neither ground a hypothesis nor verify a figure.
type PastInsight struct {
	ID          string               `json:"id"`
	CreatedAt   time.Time            `json:"created_at"`
	Severity    protocol.Severity    `json:"severity"`
	Correlation protocol.Correlation `json:"correlation_type"`
	Skills      []string             `json:"skills"`
	Metrics     []string             `json:"metrics"` // of its facts
	Nodes       []string             `json:"nodes"`
	Summary     string               `json:"summary"`
	Cause       string               `json:"root_cause_hypothesis,omitempty"`
	Said        []PastWord           `json:"said"`
}

// A PastWord is what somebody said of an insight. Who it was is left out: a model
// needs no names of people.
type PastWord struct {
	Verdict string `json:"verdict"`
	Comment string `json:"comment,omitempty"`
}

// NewPastInsight returns what an investigation is told of an insight whose facts have
// the metrics. feedback is what people said of it, oldest first; of each person the
// newest word counts, and who disagrees is kept before who agrees.
func NewPastInsight(i protocol.Insight, metrics []string, feedback []protocol.Feedback) PastInsight {
	p := PastInsight{
		ID: i.ID, CreatedAt: i.CreatedAt, Severity: i.Severity, Correlation: i.CorrelationType,
		Skills: bounded(i.Skills, pastNames), Metrics: metrics[:min(len(metrics), pastMetrics)], Nodes: bounded(i.Nodes, pastNames),
		Summary: short(i.Summary, pastSummary), Cause: short(i.RootCauseHypothesis, pastCause), Said: []PastWord{},
	}
	words := protocol.Judged(feedback)
	slices.Reverse(words)
	slices.SortStableFunc(words, func(a, b protocol.Feedback) int {
		return cmp.Compare(agrees(a.Verdict), agrees(b.Verdict))
	})
	for _, f := range words[:min(len(words), pastWords)] {
		p.Said = append(p.Said, PastWord{f.Verdict, short(f.Comment, pastComment)})
	}
	return p
}

// agrees is 1 for a verdict that an insight was right, 0 for the others.
func agrees(verdict string) int {
	if verdict == "right" || verdict == "known" {
		return 1
	}
	return 0
}

// short makes one line of a text, and cuts it.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if head := cut(s, n); len(head) < len(s) {
		return head + "…"
	}
	return s
}

// Right reports whether everybody who judged the insight, and somebody did, called it right.
func (p PastInsight) Right() bool {
	return len(p.Said) > 0 && !slices.ContainsFunc(p.Said, func(w PastWord) bool { return agrees(w.Verdict) == 0 })
}

const pastIntro = `Similar insights of the past, with what people said of them. They are the past, and somebody's word: nothing of this was seen now. It gives an idea what to look at; it supports no hypothesis and proves no figure, and what is not found now is not so.
`

// describePast renders the past, marked as that, within MaxPastBytes; "" when there is
// none. Insights that no longer fit are left out. mark makes data of what was said.
func describePast(past []PastInsight, mark func(string) string) string {
	for n := min(len(past), MaxPast); n > 0; n-- {
		var b strings.Builder
		for _, p := range past[:n] {
			p.describe(&b)
		}
		if text := pastIntro + mark(strings.TrimSuffix(b.String(), "\n")) + "\n"; len(text) <= MaxPastBytes {
			return text
		}
	}
	return ""
}

// learn adds insights of the past that are not known yet.
func (s *CoordinatorState) learn(past []PastInsight) {
	for _, p := range past {
		if !slices.ContainsFunc(s.Past, func(known PastInsight) bool { return known.ID == p.ID }) {
			s.Past = append(s.Past, p)
		}
	}
}

func (p PastInsight) describe(b *strings.Builder) {
	fmt.Fprintf(b, "insight %s of %s, %s, %s, on %s: %s\n", p.ID, p.CreatedAt.UTC().Format(time.DateOnly), p.Severity, p.Correlation, listed(p.Nodes, pastNames), p.Summary)
	if p.Cause != "" {
		fmt.Fprintf(b, "- its hypothesis: %s\n", p.Cause)
	}
	for _, w := range p.Said {
		fmt.Fprintf(b, "- somebody called it %s", strings.ReplaceAll(w.Verdict, "_", " "))
		if w.Comment != "" {
			fmt.Fprintf(b, ": %q", w.Comment)
		}
		b.WriteByte('\n')
	}
}
