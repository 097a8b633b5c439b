package logs

import "strings"

// beginnings are how messages without a level begin when something is wrong.
var beginnings = []struct {
	prefix string
	level  Level
}{
	{"panic:", Critical}, {"fatal error:", Critical}, {"fatal:", Critical}, {"unhandled exception", Critical},
	{"traceback (most recent call last)", Error}, {"error:", Error}, {"exception in thread", Error}, {"** (", Error}, {"uncaught ", Error},
	{"warning:", Warning},
}

// guess returns the level that the message itself tells: level=error, a level in
// capitals near its beginning, or a beginning that programs have when they fail.
func guess(m string) Level {
	if _, w, ok := strings.Cut(m, "level="); ok {
		w = strings.TrimLeft(w, `"`)
		if end := strings.IndexAny(w, "\" ,;"); end >= 0 {
			w = w[:end]
		}
		if l, ok := ParseLevel(w); ok {
			return l
		}
	}
	for _, b := range beginnings {
		if len(m) >= len(b.prefix) && strings.EqualFold(m[:len(b.prefix)], b.prefix) {
			return b.level
		}
	}
	for w := range strings.FieldsSeq(m[:min(len(m), 80)]) {
		w = strings.Trim(w, "[]():,|<>")
		if len(w) < 4 || w != strings.ToUpper(w) {
			continue
		}
		if l, ok := ParseLevel(w); ok {
			return l
		}
	}
	return Info
}
