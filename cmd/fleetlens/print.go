package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// printJSON prints one value as one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printer writes for people: colour on a terminal only.
type printer struct {
	io.Writer
	colour bool
}

func newPrinter(f *os.File) printer {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return printer{f, terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p printer) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p printer) paint(code, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p printer) bold(s string) string { return p.paint("1", s) }
func (p printer) dim(s string) string  { return p.paint("2", s) }

// mark shows a severity by a sign, a word and, on a terminal, a colour.
func (p printer) mark(i protocol.Insight) string {
	switch {
	case i.CorrelationType == protocol.None:
		return p.paint("32", "● OK")
	case i.Severity == protocol.SeverityCritical:
		return p.paint("31;1", "▲ CRITICAL")
	case i.Severity == protocol.SeverityWarning:
		return p.paint("33;1", "◆ WARNING")
	}
	return p.paint("36", "■ INFO")
}

// insight prints an insight: the answer first, then the proof.
func (p printer) insight(i protocol.Insight) {
	p.printf("%s  %s\n", p.mark(i), p.bold(clean(i.Summary)))
	grounded := "not grounded"
	if i.HypothesisGrounded {
		grounded = "grounded"
	}
	if i.RootCauseHypothesis != "" {
		p.printf("  hypothesis   %s (%s: %s)\n", clean(i.RootCauseHypothesis), grounded, clean(i.Grounding))
	}
	found := 0
	for _, f := range i.Figures {
		if f.Found {
			found++
		}
	}
	p.printf("  how sure     confidence %s · %s · %d of %d figures found in the evidence · by %s\n", i.Confidence, i.CorrelationType, found, len(i.Figures), clean(i.Model))
	p.list("how it went", story(i))
	p.list("facts", facts(i))
	p.list("ruled out", i.RuledOut)
	p.list("not checked", i.NotChecked)
	p.list("do", i.SuggestedActions)
	p.printf("  %s\n", p.dim(fmt.Sprintf("insight %s · investigation %s · %s", i.ID, i.InvestigationID, i.CreatedAt.UTC().Format(time.RFC3339))))
}

// story tells the chain from what was done to who suffered, a line for each link.
func story(i protocol.Insight) []string {
	var out []string
	for _, c := range i.Chain {
		out = append(out, fmt.Sprintf("%s %s %s: %s", c.At.UTC().Format(time.TimeOnly), c.Node, c.Role, c.What))
	}
	return out
}

// facts lists an insight's evidence with its addresses, what the summary cites first.
func facts(i protocol.Insight) []string {
	cited := map[string]bool{}
	for _, f := range i.Figures {
		cited[f.Evidence] = true
	}
	var first, rest []string
	for _, e := range i.Evidence {
		line := fact(e) + "  [" + e.Address + "]"
		if cited[e.Address] {
			first = append(first, line)
		} else {
			rest = append(rest, line)
		}
	}
	return append(first, rest...)
}

func fact(e protocol.Evidence) string {
	text := fmt.Sprintf("%s = %v", e.Name, e.Value)
	if e.Unit != "" && e.Unit != protocol.Text && e.Unit != protocol.Count {
		text = strings.TrimSpace(text + " " + e.Unit.Symbol())
	}
	if e.Baseline != nil {
		text += fmt.Sprintf(" (usually %g)", *e.Baseline)
	}
	if e.Threshold != nil {
		text += fmt.Sprintf(" (threshold %g)", *e.Threshold)
	}
	if e.Node != "" {
		text += " on " + e.Node
	}
	return text
}

// list prints what fits on a screen of a list.
func (p printer) list(title string, items []string) {
	const most = 6
	for i, item := range items {
		label := strings.Repeat(" ", 15)
		if i == 0 {
			label = fmt.Sprintf("  %-13s", title)
		}
		if i == most-1 && len(items) > most {
			p.printf("%s%s\n", label, p.dim(fmt.Sprintf("and %d more in --json", len(items)-i)))
			return
		}
		p.printf("%s%s\n", label, clean(item))
	}
}

// clean takes control characters out of text that came from a host or a model: it
// must not move the cursor or set the title of a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// table prints rows under a header, columns aligned.
func (p printer) table(header []string, rows [][]string) {
	w := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
}

func out(cmd *cobra.Command) printer {
	if f, ok := cmd.OutOrStdout().(*os.File); ok {
		return newPrinter(f)
	}
	return printer{cmd.OutOrStdout(), false}
}

func progress(cmd *cobra.Command) printer {
	if f, ok := cmd.ErrOrStderr().(*os.File); ok {
		return newPrinter(f)
	}
	return printer{cmd.ErrOrStderr(), false}
}

// ago says how long ago something was.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// spending says what models used, in a few words.
func spending(u protocol.Usage) string {
	n := u.InputTokens + u.OutputTokens
	if n == 0 {
		return "no tokens"
	}
	cost := "cost not known"
	if u.CostUSD != nil {
		cost = fmt.Sprintf("%.4f USD", *u.CostUSD)
	}
	return fmt.Sprintf("%d tokens (%d from the cache) in %d calls, %s", n, u.CachedTokens, u.LLMCalls, cost)
}
