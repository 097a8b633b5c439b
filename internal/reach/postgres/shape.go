package postgres

import (
	"strings"
	"unicode/utf8"
)

// longestShape is how many characters the shape of a query has at most.
const longestShape = 500

// Shape returns a query without what it is about: literals and parameters become
// ?, lists of them ?, …; comments are left out, white space is one blank. Names of
// tables, columns and functions stay.
//
// Cut says that the text may end anywhere, as the server cuts long ones. Of a text
// that cannot be read for sure only the command is returned: SELECT ….
func Shape(query string, cut bool) string {
	s := shaper{in: query, cut: cut}
	if !s.read() {
		return command(query) + "…"
	}
	return written(collapse(withoutSettings(s.out)))
}

// A shaper reads SQL as the server's own scanner does, token by token.
type shaper struct {
	in  string
	at  int
	cut bool
	out []string // tokens: words, signs, ? for a literal
}

// read reads everything, and tells whether it knows what each byte was.
func (s *shaper) read() bool {
	for s.at < len(s.in) {
		if !s.next() {
			return false
		}
	}
	return true
}

func (s *shaper) next() bool {
	c, rest := s.in[s.at], s.in[s.at:]
	switch {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		s.at++
		return true
	case strings.HasPrefix(rest, "--"):
		return s.skipTo("\n", 2, true)
	case strings.HasPrefix(rest, "/*"):
		return s.comment()
	case c == '\'':
		return s.text(false)
	case c == '"':
		return s.quotedName()
	case c == '$':
		return s.dollar()
	case digit(c), c == '.' && len(rest) > 1 && digit(rest[1]):
		return s.number()
	case letter(c) || c == '_' || c >= utf8.RuneSelf:
		return s.word()
	case c < ' ' || c == '\\' || c == 0x7f:
		return false
	}
	s.at++
	s.out = append(s.out, string(c))
	return true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// wordByte says whether a byte may stand within a name.
func wordByte(c byte) bool {
	return letter(c) || digit(c) || c == '_' || c == '$' || c >= utf8.RuneSelf
}

func (s *shaper) literal() { s.out = append(s.out, "?") }

// skipTo goes on behind the next end, from so many bytes on. A text may also end
// with the query where that is allowed.
func (s *shaper) skipTo(end string, from int, atEnd bool) bool {
	i := strings.Index(s.in[s.at+from:], end)
	if i < 0 {
		s.at = len(s.in)
		return atEnd || s.cut
	}
	s.at += from + i + len(end)
	return true
}

// comment passes over a comment; they nest.
func (s *shaper) comment() bool {
	depth := 0
	for s.at < len(s.in) {
		switch rest := s.in[s.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth, s.at = depth+1, s.at+2
		case strings.HasPrefix(rest, "*/"):
			depth, s.at = depth-1, s.at+2
		default:
			s.at++
		}
		if depth == 0 {
			return true
		}
	}
	return s.cut
}

// text passes over a string from its quote on. Whether a backslash before a quote
// ends a plain one depends on a setting of that session: then nothing is known.
func (s *shaper) text(escapes bool) bool {
	s.at++
	for s.at < len(s.in) {
		switch s.in[s.at] {
		case '\\':
			next := s.at + 1
			if !escapes && next < len(s.in) && s.in[next] == '\'' {
				return false
			}
			if escapes {
				s.at++ // what follows is escaped
			}
		case '\'':
			if s.at+1 < len(s.in) && s.in[s.at+1] == '\'' {
				s.at++
				break
			}
			s.at++
			s.literal()
			return s.at == len(s.in) || !wordByte(s.in[s.at]) && s.in[s.at] != '"'
		}
		s.at++
	}
	s.at = len(s.in)
	s.literal()
	return s.cut
}

// longestName is how many bytes of a name the server takes.
const longestName = 63

// quotedName passes over "a name". What does not look like one may be data.
func (s *shaper) quotedName() bool {
	start := s.at
	if !s.skipTo(`"`, 1, false) {
		return false
	}
	name := s.in[start:s.at]
	inner := strings.Trim(name, `"`)
	if len(inner) > longestName || inner == "" || digit(inner[0]) || len(name) != len(inner)+2 || strings.IndexFunc(inner, strange) >= 0 {
		name = `"…"`
	}
	s.out = append(s.out, name)
	return s.at == len(s.in) || !wordByte(s.in[s.at]) && s.in[s.at] != '"' && s.in[s.at] != '\''
}

// strange says whether a letter makes a name look like data.
func strange(r rune) bool {
	return r == utf8.RuneError || r < utf8.RuneSelf && !letter(byte(r)) && !digit(byte(r)) && !strings.ContainsRune("_$-. ", r)
}

// dollar passes over $1, or over a string $tag$…$tag$.
func (s *shaper) dollar() bool {
	end := s.at + 1
	if end < len(s.in) && digit(s.in[end]) {
		for end < len(s.in) && digit(s.in[end]) {
			end++
		}
		s.at = end
		s.literal()
		return end == len(s.in) || !wordByte(s.in[end])
	}
	for end < len(s.in) && wordByte(s.in[end]) && s.in[end] != '$' {
		end++
	}
	if end == len(s.in) {
		s.at = end
		s.literal()
		return s.cut
	}
	if s.in[end] != '$' {
		return false
	}
	tag := s.in[s.at : end+1]
	s.literal()
	return s.skipTo(tag, len(tag), false)
}

// number passes over 1, 1.5e-3, 0x1F, 1_000.
func (s *shaper) number() bool {
	s.literal()
	for ; s.at < len(s.in); s.at++ {
		c := s.in[s.at]
		exponent := (c == '+' || c == '-') && strings.IndexByte("eE", s.in[s.at-1]) >= 0 && s.at+1 < len(s.in) && digit(s.in[s.at+1])
		if !wordByte(c) && c != '.' && !exponent {
			break
		}
	}
	return s.at == len(s.in) || s.in[s.at] != '\''
}

// typed are the words that may stand right before a string's quote.
var typed = map[string]bool{"DATE": true, "TIME": true, "TIMESTAMP": true, "TIMESTAMPTZ": true, "INTERVAL": true}

func (s *shaper) word() bool {
	start := s.at
	for s.at < len(s.in) && wordByte(s.in[s.at]) {
		s.at++
	}
	word := s.in[start:s.at]
	rest := s.in[s.at:]
	switch prefix := strings.ToUpper(word); {
	case strings.HasPrefix(rest, "'"):
		switch prefix {
		case "E":
			return s.text(true)
		case "B", "X", "N":
			return s.text(false)
		}
		if !typed[prefix] {
			return false
		}
	case prefix == "U" && strings.HasPrefix(rest, "&'"):
		s.at++
		return s.text(false)
	case prefix == "U" && strings.HasPrefix(rest, `&"`):
		s.at++
		if !s.skipTo(`"`, 1, false) {
			return false
		}
		word = `"…"`
	case strings.HasPrefix(rest, `"`):
		return false
	}
	if len(word) > longestName || !utf8.ValidString(word) {
		word = "…"
	}
	s.out = append(s.out, word)
	return true
}
