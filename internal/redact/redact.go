// Package redact takes secrets out of text before it leaves a host: what stands
// in a log line, a command line or an environment for a program is not for a
// model or a stream. It knows the shapes that providers give their tokens, the
// names that people give their secrets, and what chance looks like. It cannot
// know a password that is a plain word in a sentence.
//
// Nothing is cut. Text is looked at a line at a time (private keys, which have
// many, as a whole), so no secret lies across a border, and every rule takes time
// in proportion to the line, however long it is.
package redact

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Text returns s with each secret replaced by [redacted:kind]. Text that has none
// is returned as it is, and so is text that was redacted before.
func Text(s string) string {
	if len(s) < shortest {
		return s
	}
	if !strings.Contains(s, markerBegin) {
		return section(s)
	}
	// What was redacted before is a wall: nothing is matched across it.
	var b strings.Builder
	last := 0
	for _, m := range marker.FindAllStringIndex(s, -1) {
		b.WriteString(section(s[last:m[0]]))
		b.WriteString(s[m[0]:m[1]])
		last = m[1]
	}
	b.WriteString(section(s[last:]))
	return b.String()
}

const (
	markerBegin = "[redacted:"
	shortest    = 6 // bytes of a@b.io and pwd=x
	rounds      = 8 // a bound for texts made to be looked at again and again
)

var marker = regexp.MustCompile(`\[redacted:[a-z-]{1,24}\]`)

func mark(kind string) string { return markerBegin + kind + "]" }

// A span is where a secret stands. Those found first know best what it is.
type span struct {
	from, to int
	kind     string
	rank     int
}

type spans []span

func (l *spans) add(from, to int, kind string) {
	if from < to {
		*l = append(*l, span{from, to, kind, len(*l)})
	}
}

// section redacts text without markers.
func section(s string) string {
	var found spans
	findPEM(s, &found)
	if len(found) == 0 {
		return lines(s)
	}
	return replace(s, found, lines)
}

func lines(s string) string {
	var b strings.Builder
	kept := 0 // s up to here is in b
	for from := 0; from < len(s); {
		to := len(s)
		if i := strings.IndexByte(s[from:], '\n'); i >= 0 {
			to = from + i + 1
		}
		if line, clean := s[from:to], piece(s[from:to], rounds); clean != line {
			b.WriteString(s[kept:from])
			b.WriteString(clean)
			kept = to
		}
		from = to
	}
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// piece redacts a piece of a line. What is left beside a secret is looked at
// alone again: that makes the redacted text one in which nothing more is found.
func piece(s string, left int) string {
	if len(s) < shortest || left == 0 {
		return s
	}
	var found spans
	findShapes(s, &found)
	findUserinfo(s, &found)
	findAssigned(s, &found)
	findMail(s, &found)
	findCards(s, &found)
	findRandom(s, &found)
	if len(found) == 0 {
		return s
	}
	return replace(s, found, func(rest string) string { return piece(rest, left-1) })
}

// replace puts markers in the place of spans, and what rest makes of it in the
// place of the rest. Spans that overlap are one, of the kind that knows best.
func replace(s string, found spans, rest func(string) string) string {
	slices.SortFunc(found, func(a, b span) int { return cmp.Or(a.from-b.from, a.rank-b.rank) })
	merged := found[:1]
	for _, f := range found[1:] {
		top := &merged[len(merged)-1]
		if f.from >= top.to {
			merged = append(merged, f)
			continue
		}
		top.to = max(top.to, f.to)
		if f.rank < top.rank {
			top.kind, top.rank = f.kind, f.rank
		}
	}
	var b strings.Builder
	last := 0
	for _, f := range merged {
		b.WriteString(rest(s[last:f.from]))
		b.WriteString(mark(f.kind))
		last = f.to
	}
	b.WriteString(rest(s[last:]))
	return b.String()
}
