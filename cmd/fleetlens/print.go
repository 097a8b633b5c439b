package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// printJSON prints one value as one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printer writes for people, and for what they pipe it into.
type printer struct {
	io.Writer
	look
}

func (p printer) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p printer) paint(code, s string) string {
	if !p.colour || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p printer) bold(s string) string { return p.paint("1", s) }
func (p printer) dim(s string) string  { return p.paint("2", s) }

// moment tells a time to the second, in the zone that was chosen.
func (p printer) moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(p.zone).Format(time.DateTime)
}

// stamp is a moment with its zone, for a sentence.
func (p printer) stamp(t time.Time) string { return p.moment(t) + " " + p.zoneAt(t) }

func (p printer) zoneAt(t time.Time) string {
	name, _ := t.In(p.zone).Zone()
	return name
}

// clock tells a time of the last day by the clock, and an older one by its date too.
func (p printer) clock(t time.Time) string {
	if p.now.Sub(t) < 24*time.Hour {
		return t.In(p.zone).Format("15:04")
	}
	return t.In(p.zone).Format("2006-01-02 15:04")
}

// A mark is a severity or a state as people see it: by a shape, a word and, on a
// terminal, a colour.
type mark struct{ shape, word, code string }

var marks = map[string]mark{
	"critical": {"▲", "critical", "31;1"},
	"warning":  {"◆", "warning", "33;1"},
	"info":     {"■", "info", "36"},
	"none":     {"●", "none", "32"},
	"healthy":  {"●", "healthy", "32"},
	"silent":   {"○", "silent", "35"},
}

// markOf returns the mark of a word; of another word, one without a shape.
func markOf(word string) mark {
	if m, ok := marks[word]; ok {
		return m
	}
	return mark{word: word}
}

// verdictOf is the severity of an insight; that nothing is wrong is none.
func verdictOf(i protocol.Insight) string {
	if i.CorrelationType == protocol.None {
		return "none"
	}
	return string(i.Severity)
}

// headline is the mark of an insight in large.
func (p printer) headline(i protocol.Insight) string {
	m := markOf(verdictOf(i))
	if m.word == "none" {
		m.word = "OK"
	}
	return p.paint(m.code, strings.TrimSpace(m.shape+" "+strings.ToUpper(m.word)))
}

// list prints what fits on a screen of a list, under a label.
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
// must not move the cursor, set the title of a terminal, turn the direction of what
// follows, or end a record.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' && r != '\t', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029:
			return ' '
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x61c:
			return -1
		}
		return r
	}, s)
}

// age tells a duration by its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// took tells how long something took: the finer, the shorter it was.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// thousands writes a number as people read it: 2,500.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// count tells how many there are of something: 1 node, 2,500 nodes.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return thousands(n) + " " + thing
}

// dollars writes what models cost.
func dollars(usd float64) string {
	switch {
	case usd > 0 && usd < 0.0001:
		return "less than $0.0001"
	case usd != 0 && usd < 0.01:
		return "$" + strings.TrimRight(strconv.FormatFloat(usd, 'f', 4, 64), "0")
	}
	return fmt.Sprintf("$%.2f", usd)
}

// spending says what models used, in a few words.
func spending(u protocol.Usage) string {
	if u.InputTokens+u.OutputTokens == 0 {
		return "no tokens"
	}
	cost := "cost not known"
	if u.CostUSD != nil {
		cost = dollars(*u.CostUSD)
	}
	tokens := count(u.InputTokens+u.OutputTokens, "token")
	if u.CachedTokens > 0 {
		tokens += fmt.Sprintf(" (%s from the cache)", thousands(u.CachedTokens))
	}
	return tokens + " · " + cost
}

// short is the beginning of an id that people read and type.
func short(id string) string { return clean(id[:min(len(id), 8)]) }
