package message

import (
	"strings"
	"unicode/utf8"
)

// Limits are what a sink takes, counted by Width.
type Limits struct {
	Title      int // of Title
	More       int // of the whole summary, where the title was cut
	Hypothesis int
	Facts      int // of all facts, each with the break of its line
	Lines      int // how many facts
	Context    int
	Rest       int // of the chain, what was ruled out, what was not looked at and the advice, each; 0: they are left out
	// Width is how many of what a sink counts a rune takes when it is escaped; nil: one.
	Width func(rune) int
}

// Cut returns the message shortened to the limits: texts at the end of a sentence, with
// "…"; facts as whole lines, of which Shown says how many are missing.
func (m Message) Cut(l Limits) Message {
	cut := func(s string, most int) string { return Cut(s, most, l.Width) }
	whole := m.Headline
	m.Headline = cut(m.Headline, l.Title-width(m.Mark+": ", l.Title, l.Width))
	if m.Headline != whole {
		m.More = cut(whole, l.More)
	}
	m.Hypothesis = cut(m.Hypothesis, l.Hypothesis)
	m.Context = cut(m.Context, l.Context)
	m.Facts = lines(m.Facts, l.Lines, l.Facts, l.Width)
	for _, list := range []*[]string{&m.Chain, &m.RuledOut, &m.NotChecked, &m.Advice} {
		all := len(*list)
		*list = lines(*list, all, l.Rest, l.Width)
		if len(*list) > 0 && len(*list) < all {
			(*list)[len(*list)-1] += " …"
		}
	}
	return m
}

// lines returns the first lines that fit, most of them at most, of total together. The
// first one is cut where it alone is too long: some fact is always shown. A few are
// kept free for the note that more were there.
func lines(list []string, most, total int, w func(rune) int) []string {
	const note = 2 // " …"
	all := 0
	for _, s := range list {
		if all += width(s, total, w) + 1; all > total {
			break
		}
	}
	if len(list) <= most && all <= total {
		return list
	}
	var out []string
	for _, s := range list[:min(most, len(list))] {
		n := width(s, total, w) + 1
		if n+note > total && len(out) == 0 && total > 1+note {
			return []string{Cut(s, total-1-note, w)}
		}
		if n+note > total {
			break
		}
		total -= n
		out = append(out, s)
	}
	return out
}

// Cut returns at most most of s, as w counts. What is too long ends with a sentence if
// one ends in its second half, else with a word, and then "…".
func Cut(s string, most int, w func(rune) int) string {
	if width(s, most, w) <= most {
		return s
	}
	left := most - width("…", most, w)
	if left < 0 {
		return ""
	}
	end := 0
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		if left -= of(r, w); left < 0 {
			break
		}
		end += n
	}
	head := s[:end]
	if at := lastSentence(head); at > len(head)/2 {
		return head[:at] + "…"
	}
	if at := strings.LastIndexByte(head, ' '); at > len(head)/2 {
		return head[:at] + "…"
	}
	return head + "…"
}

// lastSentence returns where the last sentence that is whole ends, the space after it
// included; 0: there is none.
func lastSentence(s string) int {
	at := 0
	for _, stop := range []string{". ", "! ", "? ", "; "} {
		if i := strings.LastIndex(s, stop); i >= 0 {
			at = max(at, i+len(stop))
		}
	}
	return at
}

// width counts s, and stops where it is more than most: a text may be a quarter of a
// megabyte.
func width(s string, most int, w func(rune) int) int {
	n := 0
	for _, r := range s {
		if n += of(r, w); n > most {
			break
		}
	}
	return n
}

func of(r rune, w func(rune) int) int {
	if w == nil {
		return 1
	}
	return w(r)
}
