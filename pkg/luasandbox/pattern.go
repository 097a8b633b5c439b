package luasandbox

import "strings"

const (
	maxCaptures  = 32
	maxPattern   = 200 // depth of the matcher's recursion, as in Lua 5.3
	stepsPerUnit = 8   // steps of a pattern that count as one instruction

	captureOpen     = -1 // length of a capture whose end is not known yet
	capturePosition = -2 // of "()"
)

// A matcher matches one Lua pattern, as Lua 5.1's lstrlib.c does with the %f and
// %g of later versions. It counts its steps, because the time that backtracking
// takes has no bound that one could live with.
type matcher struct {
	subject, pattern string
	spend            func(instructions int)
	raise            func(format string, args ...any) // told of a fault of the pattern; never returns
	steps            int
	depth            int
	level            int // captures so far
	captures         [maxCaptures]struct{ start, length int }
}

func (m *matcher) step() {
	if m.steps++; m.steps == 64*stepsPerUnit {
		m.steps = 0
		m.spend(64)
	}
}

// find returns where the first match at or after init lies.
func (m *matcher) find(init int) (start, end int, ok bool) {
	pattern, anchored := 0, strings.HasPrefix(m.pattern, "^")
	if anchored {
		pattern = 1
	}
	for s := init; s <= len(m.subject); s++ {
		m.level = 0
		if e := m.match(s, pattern); e >= 0 {
			return s, e, true
		}
		if anchored {
			break
		}
	}
	return 0, 0, false
}

// match returns the end of the match of the pattern from p at s, or -1.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxPattern {
		m.raise("pattern too complex")
	}
	e := m.matchHere(s, p)
	m.depth--
	return e
}

func (m *matcher) matchHere(s, p int) int {
	for p < len(m.pattern) {
		m.step()
		switch m.pattern[p] {
		case '(':
			if p+1 < len(m.pattern) && m.pattern[p+1] == ')' {
				return m.open(s, p+2, capturePosition)
			}
			return m.open(s, p+1, captureOpen)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.pattern) {
				if s == len(m.subject) {
					return s
				}
				return -1
			}
		case '%':
			if p+1 < len(m.pattern) {
				switch c := m.pattern[p+1]; {
				case c == 'b':
					if s = m.balance(s, p+2); s < 0 {
						return -1
					}
					p += 4
					continue
				case c == 'f':
					end, ok := m.frontier(s, p+2)
					if !ok {
						return -1
					}
					p = end
					continue
				case '0' <= c && c <= '9':
					if s = m.again(s, c); s < 0 {
						return -1
					}
					p += 2
					continue
				}
			}
		}
		after := m.classEnd(p)
		suffix := byte(0)
		if after < len(m.pattern) {
			suffix = m.pattern[after]
		}
		switch suffix {
		case '?':
			if m.single(s, p, after) {
				if e := m.match(s+1, after+1); e >= 0 {
					return e
				}
			}
			p = after + 1
		case '*':
			return m.longest(s, p, after)
		case '+':
			if !m.single(s, p, after) {
				return -1
			}
			return m.longest(s+1, p, after)
		case '-':
			return m.shortest(s, p, after)
		default:
			if !m.single(s, p, after) {
				return -1
			}
			s++
			p = after
		}
	}
	return s
}

// classEnd returns where the single class at p ends.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case '%':
		if p == len(m.pattern) {
			m.raise("malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pattern) || m.pattern[p] != ']'; first = false {
			if p >= len(m.pattern) {
				m.raise("malformed pattern (missing ']')")
			}
			if m.pattern[p] == '%' {
				p++
			}
			p++
		}
		return p + 1
	}
	return p
}

// single reports whether the byte at s is of the class from p to end.
func (m *matcher) single(s, p, end int) bool {
	m.step()
	if s >= len(m.subject) {
		return false
	}
	switch c := m.subject[s]; m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	default:
		return m.pattern[p] == c
	}
}

// inSet reports whether c is in the set from the bracket at p to the one at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	in := true
	if p++; m.pattern[p] == '^' {
		in = false
		p++
	}
	for ; p < end; p++ {
		m.step()
		switch {
		case m.pattern[p] == '%' && p+1 < end:
			p++
			if inClass(c, m.pattern[p]) {
				return in
			}
		case p+2 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return in
			}
			p += 2
		case m.pattern[p] == c:
			return in
		}
	}
	return !in
}

// inClass reports whether c is of the class %class.
func inClass(c, class byte) bool {
	var in bool
	lower := 'a' <= c && c <= 'z'
	upper := 'A' <= c && c <= 'Z'
	digit := '0' <= c && c <= '9'
	graphic := 0x21 <= c && c <= 0x7e
	switch class | 0x20 {
	case 'a':
		in = lower || upper
	case 'c':
		in = c < 0x20 || c == 0x7f
	case 'd':
		in = digit
	case 'g':
		in = graphic
	case 'l':
		in = lower
	case 'p':
		in = graphic && !lower && !upper && !digit
	case 's':
		in = c == ' ' || '\t' <= c && c <= '\r'
	case 'u':
		in = upper
	case 'w':
		in = lower || upper || digit
	case 'x':
		in = digit || 'a' <= c|0x20 && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	return in == ('a' <= class)
}

// longest matches as many of the class as it can, then the rest.
func (m *matcher) longest(s, p, after int) int {
	n := 0
	for m.single(s+n, p, after) {
		n++
	}
	for ; n >= 0; n-- {
		m.step()
		if e := m.match(s+n, after+1); e >= 0 {
			return e
		}
	}
	return -1
}

// shortest matches as few of the class as it can, then the rest.
func (m *matcher) shortest(s, p, after int) int {
	for {
		if e := m.match(s, after+1); e >= 0 {
			return e
		}
		if !m.single(s, p, after) {
			return -1
		}
		s++
	}
}

func (m *matcher) open(s, p, what int) int {
	if m.level >= maxCaptures {
		m.raise("too many captures")
	}
	m.captures[m.level].start, m.captures[m.level].length = s, what
	m.level++
	e := m.match(s, p)
	if e < 0 {
		m.level--
	}
	return e
}

func (m *matcher) close(s, p int) int {
	for i := m.level - 1; i >= 0; i-- {
		if c := &m.captures[i]; c.length == captureOpen {
			c.length = s - c.start
			e := m.match(s, p)
			if e < 0 {
				c.length = captureOpen
			}
			return e
		}
	}
	m.raise("invalid pattern capture")
	return -1
}

// balance matches %bxy, its two bytes at p.
func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pattern) {
		m.raise("malformed pattern (missing arguments to '%%b')")
	}
	if s >= len(m.subject) || m.subject[s] != m.pattern[p] {
		return -1
	}
	open := 1
	for s++; s < len(m.subject); s++ {
		m.step()
		switch m.subject[s] {
		case m.pattern[p+1]:
			if open--; open == 0 {
				return s + 1
			}
		case m.pattern[p]:
			open++
		}
	}
	return -1
}

// frontier matches %f[set], its set at p, and returns the set's end.
func (m *matcher) frontier(s, p int) (end int, ok bool) {
	if p >= len(m.pattern) || m.pattern[p] != '[' {
		m.raise("missing '[' after '%%f' in pattern")
	}
	end = m.classEnd(p)
	var before, here byte
	if s > 0 {
		before = m.subject[s-1]
	}
	if s < len(m.subject) {
		here = m.subject[s]
	}
	return end, !m.inSet(before, p, end-1) && m.inSet(here, p, end-1)
}

// again matches the text of an earlier capture.
func (m *matcher) again(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].length == captureOpen {
		m.raise("invalid capture index %%%c", digit)
	}
	c := m.captures[i]
	if c.length == capturePosition {
		return -1
	}
	m.spend(c.length / 64)
	if text := m.subject[c.start : c.start+c.length]; strings.HasPrefix(m.subject[s:], text) {
		return s + len(text)
	}
	return -1
}

// A capture is the text of a capture, or the position of one that is "()".
type capture struct {
	text     string
	position int // from 1, or 0 for text
}

// capture returns the capture of that index, from 0. Index 0 of a pattern
// without captures is the whole match.
func (m *matcher) capture(i, start, end int) capture {
	if i >= m.level {
		if i != 0 {
			m.raise("invalid capture index %%%d", i+1)
		}
		return capture{text: m.subject[start:end]}
	}
	c := m.captures[i]
	switch c.length {
	case captureOpen:
		m.raise("unfinished capture")
	case capturePosition:
		return capture{position: c.start + 1}
	}
	return capture{text: m.subject[c.start : c.start+c.length]}
}
