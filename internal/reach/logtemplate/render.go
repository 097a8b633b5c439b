package logtemplate

import "strings"

const hole = "<*>"

// After a preposition and one of the nouns stands somebody's or something's name
// ("for user carol"), and so it does between for whom and from where ("for carol from").
var (
	forWhom      = stringSet("for", "by")
	fromWhere    = stringSet("from", "at", "on", "via")
	prepositions = stringSet("for", "by", "of", "on", "from", "to", "in", "at", "with", "via", "as", "invalid", "unknown")
	nouns        = stringSet("user", "host", "group", "node", "interface", "device", "service", "module", "unit", "domain", "account", "database", "table",
		"queue", "topic", "pod", "container", "task", "job", "session")
)

// look is a hash of what a variable shows besides its holes: how many pieces a
// list has, the units, the words in it. It is never zero.
func (s *scanner) look(t token) uint32 {
	h := uint64(t.to - t.from)
	for i, r := range s.raw[t.from:t.to] {
		switch {
		case r.soft:
			h += mix(i, hashOf(s.text(r)))
		case r.kind != variable:
			h += mix(i, r.hash)
		}
	}
	return uint32(h) | 1
}

// template returns the text of the line with holes for its variables, and where
// its tokens are in it.
func (s *scanner) template(tokens []token) (string, []part) {
	var b strings.Builder
	parts := make([]part, len(tokens))
	end := 0
	for p, t := range tokens {
		b.WriteString(s.line[end:s.raw[t.from].start])
		parts[p] = part{hash: t.hash, start: uint16(b.Len()), wild: t.kind == variable, word: t.kind == word}
		if t.kind == variable {
			parts[p].look = s.look(t)
		}
		parts[p].named = t.kind == word && s.announced(tokens, p)
		parts[p].dotted = strings.Count(s.wordOf(t), ".") >= 2
		for i := t.from; i < t.to; i++ {
			r := s.raw[i]
			if i > t.from {
				b.WriteString(s.line[end:r.start])
			}
			if r.kind == variable && (!r.soft || t.kind != variable) {
				b.WriteString(hole)
			} else {
				b.WriteString(s.text(r))
			}
			end = r.end
		}
		parts[p].end = uint16(b.Len())
	}
	if len(s.raw) < s.limit {
		b.WriteString(strings.TrimRight(s.line[end:], " \t\r\n"))
	}
	return b.String(), parts
}

// announced says whether the words around place p say that a name stands there.
func (s *scanner) announced(tokens []token, p int) bool {
	if p > 1 && nouns[s.wordOf(tokens[p-1])] && prepositions[s.wordOf(tokens[p-2])] {
		return true
	}
	return p > 0 && p+1 < len(tokens) && forWhom[s.wordOf(tokens[p-1])] && fromWhere[s.wordOf(tokens[p+1])]
}

// wordOf returns the word that t is, and nothing when it is something else.
func (s *scanner) wordOf(t token) string {
	if t.kind != word || t.to-t.from != 1 {
		return ""
	}
	return s.text(s.raw[t.from])
}

// generalise makes plain holes of the variables that show what those of the line
// that was cut last don't.
func (r *record) generalise(s *scanner) {
	r.shows = false
	for p := len(r.tokens) - 1; p >= 0; p-- {
		t := &r.tokens[p]
		if t.look == 0 {
			continue
		}
		if s.out[p].kind != variable || s.look(s.out[p]) != t.look {
			r.dig(p)
		} else {
			r.shows = true
		}
	}
}

// dig makes token p of the template a hole.
func (r *record) dig(p int) {
	t := &r.tokens[p]
	t.hash, t.wild, t.word, t.look = wild, true, false, 0
	old := r.text[t.start:t.end]
	if old == hole {
		return
	}
	r.text = r.text[:t.start] + hole + r.text[t.end:]
	shift := len(hole) - len(old)
	t.end = uint16(int(t.end) + shift)
	for q := p + 1; q < len(r.tokens); q++ {
		r.tokens[q].start = uint16(int(r.tokens[q].start) + shift)
		r.tokens[q].end = uint16(int(r.tokens[q].end) + shift)
	}
}
