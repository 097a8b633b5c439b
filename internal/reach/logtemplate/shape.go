package logtemplate

// longestRun is over how many tokens a repetition is looked for.
const longestRun = 16

// longestQuote is how many tokens in quotes count as one word.
const longestQuote = 12

// shape makes of the scanner's tokens those that lines are compared by: quoted
// sentences are one word, units go, dates and lists are one variable.
func (s *scanner) shape() []token {
	for i := 0; i < len(s.raw); {
		if end := s.quoted(i); end > i {
			s.push(token{kind: word, hash: s.hashRange(i, end), from: i, to: end})
			i = end
			continue
		}
		r := s.raw[i]
		s.push(token{kind: r.kind, hash: r.hash, from: i, to: i + 1, unit: r.kind == word && units[s.text(r)]})
		i++
	}
	return s.out
}

func (s *scanner) text(r raw) string { return s.line[r.start:r.end] }

// push appends a token, or lets one before it take it in.
func (s *scanner) push(t token) {
	n := len(s.out)
	if n > 0 {
		last := &s.out[n-1]
		switch {
		case last.kind == variable && t.unit && s.raw[t.from].start-s.raw[last.to-1].end <= 1:
			last.to = t.to
			return
		case last.kind == variable && t.kind == word && zones[s.text(s.raw[t.from])]:
			last.to = t.to
			return
		case t.kind == variable && last.kind == word && last.to-last.from == 1 && calendar[s.text(s.raw[last.from])]:
			t.from = last.from
			s.out = s.out[:n-1]
			s.push(t)
			return
		case t.kind == variable && last.kind == variable:
			last.to = t.to
			s.fold()
			return
		case t.kind == variable && n > 1 && last.kind == mark && s.out[n-2].kind == variable && s.joins(last):
			s.out[n-2].to = t.to
			s.out = s.out[:n-1]
			s.fold()
			return
		}
	}
	s.out = append(s.out, t)
	s.fold()
}

// joins says whether variables with the mark between them are one.
func (s *scanner) joins(m *token) bool {
	if m.to-m.from != 1 {
		return false
	}
	switch s.line[s.raw[m.from].start] {
	case ':', ',', '-', '/', '|', '+', '&', '.', '*':
		return true
	}
	return false
}

// fold drops the last tokens when they say what the ones before them said, as the
// entries of a list do. What is dropped belongs to the last token that stays.
func (s *scanner) fold() {
	n := len(s.out)
	for r := 2; r <= longestRun && 2*r <= n; r++ {
		for gap := 0; gap <= 1 && 2*r+gap <= n; gap++ {
			if gap == 1 && s.out[n-r-1].kind != mark || !s.same(n-r, n-2*r-gap, r) {
				continue
			}
			keep := n - r - gap
			s.out[keep-1].to = s.out[n-1].to
			s.out = s.out[:keep]
			return
		}
	}
}

// same says whether the r tokens at i and at j are alike and have a variable among them.
func (s *scanner) same(i, j, r int) bool {
	varies := false
	for k := range r {
		if s.out[i+k].hash != s.out[j+k].hash {
			return false
		}
		varies = varies || s.out[i+k].kind == variable
	}
	return varies
}

// quoted returns the end of the sentence in quotes that begins at i: the tokens
// between two quotes, which stay. It returns i when there is none.
func (s *scanner) quoted(i int) int {
	if i == 0 || !s.isQuote(i-1) || s.isQuote(i) {
		return i
	}
	q, open := s.line[s.raw[i-1].start], s.raw[i-1]
	if open.start > 0 && !isSpace(s.line[open.start-1]) && !delimiters[s.line[open.start-1]] || isSpace(s.at(open.end)) {
		return i
	}
	for end := i; end < len(s.raw) && end <= i+longestQuote; end++ {
		if s.isQuote(end) && s.line[s.raw[end].start] == q {
			if end-i < 2 {
				return i
			}
			return end
		}
	}
	return i
}

func (s *scanner) isQuote(i int) bool {
	c := s.line[s.raw[i].start]
	return s.raw[i].kind == mark && (c == '"' || c == '\'' || c == '`')
}

func (s *scanner) hashRange(from, to int) uint64 {
	var h uint64
	for p, r := range s.raw[from:to] {
		h += mix(p, r.hash)
	}
	return h
}

func stringSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

var (
	units = stringSet("B", "KB", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "ns", "us", "ms", "msec", "msecs", "s", "sec", "secs", "second", "seconds",
		"m", "min", "mins", "minute", "minutes", "h", "hour", "hours", "day", "days", "%", "AM", "PM", "am", "pm")
	zones    = stringSet("UTC", "GMT", "Z", "CET", "CEST", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT")
	calendar = stringSet("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
)
