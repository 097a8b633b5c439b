package logtemplate

import "strings"

// A kind tells what a token is.
type kind uint8

const (
	word     kind = iota
	variable      // differs from line to line
	mark          // punctuation
)

// A token is a piece of a message. One that stands for several (a list of
// numbers, a quoted sentence) covers more than one of the scanner's.
type token struct {
	hash     uint64
	from, to int // of the scanner's tokens, to excluded
	kind     kind
	unit     bool // a word that says what a number counts
}

// A raw token is a piece of the line as the scanner cuts it.
type raw struct {
	start, end int
	kind       kind
	soft       bool // a variable that reads like a word: shown while it stays the same
	hash       uint64
}

// A scanner cuts one line at a time. It is used again to save memory.
type scanner struct {
	line  string
	limit int
	raw   []raw
	out   []token
}

// delimiters end a word and are punctuation themselves.
var delimiters = byteSet("=,;()[]{}\"'<>|:`")

func byteSet(s string) (set [256]bool) {
	for i := range len(s) {
		set[s[i]] = true
	}
	return set
}

// scan cuts the line and returns its tokens, which are valid until the next call.
func (s *scanner) scan(line string) []token {
	s.line, s.raw, s.out = line, s.raw[:0], s.out[:0]
	for i := 0; i < len(line) && len(s.raw) < s.limit; {
		i = s.next(i)
	}
	return s.shape()
}

// next cuts off the token at i and returns where the next one may begin.
func (s *scanner) next(i int) int {
	c := s.line[i]
	switch {
	case isSpace(c):
		return i + 1
	case c == '.' && s.at(i+1) == '.':
		return s.add(i, s.run(i), mark)
	case c == '<' && isDigit(s.at(i+1)) && !s.closes(i+1):
		end := s.word(i + 1)
		s.raw[len(s.raw)-1].start = i // less than: a part of the number
		return end
	case delimiters[c] && !s.hexColons(i):
		return s.delimiter(i)
	}
	return s.word(i)
}

func (s *scanner) delimiter(i int) int {
	end := s.add(i, s.run(i), mark)
	if s.line[i] != '=' || end > i+1 || len(s.raw) < 2 {
		return end
	}
	if key := s.raw[len(s.raw)-2]; key.kind == mark {
		return end
	}
	return s.value(end)
}

// value takes what stands after key= as one variable, whatever it is, and says
// where it ends. True and false stay words: they make a message another one.
func (s *scanner) value(i int) int {
	start := i
	for s.at(start) == ' ' {
		start++
	}
	end := s.valueEnd(start)
	if end == start || start > i && !s.loneWord(start, end) {
		return i
	}
	for end > start+1 && strings.IndexByte(".:!?", s.line[end-1]) >= 0 && (end == len(s.line) || isSpace(s.line[end])) {
		end--
	}
	switch s.line[start:end] {
	case "true", "false", "TRUE", "FALSE", "True", "False":
		return s.add(start, end, word)
	}
	return s.add(start, end, variable)
}

// loneWord says whether the text is the value in "key = value". In "key= other=1"
// there is none.
func (s *scanner) loneWord(start, end int) bool {
	sign := s.raw[len(s.raw)-1]
	return isSpace(s.at(sign.start-1)) && !delimiters[s.line[start]] && s.at(end) != '='
}

// valueEnd returns the end of the value at i: brackets and quotes in it are
// closed before it ends.
func (s *scanner) valueEnd(i int) int {
	var open [8]byte
	depth := 0
	for ; i < len(s.line); i++ {
		c := s.line[i]
		if depth > 0 && c == open[depth-1] {
			depth--
			continue
		}
		switch c {
		case '(', '[', '{', '<':
			if depth == len(open) || strings.IndexByte(s.line[i+1:], closing(c)) < 0 {
				return i
			}
			open[depth] = closing(c)
			depth++
		case ')', ']', '}', '>', ',', ';', ' ', '\t', '"', '\'':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

func closing(c byte) byte {
	switch c {
	case '(':
		return ')'
	case '<':
		return '>'
	}
	return c + 2 // [ ] and { }
}

// word takes the word at i.
func (s *scanner) word(i int) int {
	if end := s.addressEnd(i); end > i {
		return s.add(i, end, variable)
	}
	if s.pathAt(i) {
		return s.add(i, s.extend(i), variable)
	}
	end := i
	for end < len(s.line) && !s.ends(end) {
		end++
	}
	if end == i { // a lone delimiter that begins no address
		return s.add(i, i+1, mark)
	}
	if strings.HasPrefix(s.line[end:], "://") {
		return s.add(i, s.extend(end), variable)
	}
	if port := s.portEnd(i, end); port > end {
		return s.add(i, port, variable)
	}
	cut := len(strings.TrimRight(s.line[i:end], ".!?"))
	if cut == 0 {
		return s.add(i, end, mark)
	}
	s.add(i, i+cut, looks(s.line[i:i+cut]))
	return end
}

// ends says whether a word ends before i: an apostrophe between letters does not end one.
func (s *scanner) ends(i int) bool {
	c := s.line[i]
	switch {
	case isSpace(c):
		return true
	case c == '.':
		return s.at(i+1) == '.'
	case c == '\'':
		return i == 0 || !isLetter(s.line[i-1]) || !isLetter(s.at(i+1))
	}
	return delimiters[c]
}

func (s *scanner) add(start, end int, k kind) int {
	if k == mark {
		s.raw = append(s.raw, raw{start: start, end: end, kind: mark, hash: hashOf(s.line[start : start+1])}) // runs are alike
		return end
	}
	r := raw{start: start, end: end, kind: k, hash: wild}
	if k == word {
		r.hash = hashOf(s.line[start:end])
	} else {
		r.soft = soft(s.line[start:end])
	}
	s.raw = append(s.raw, r)
	return end
}

// at returns the byte at i, 0 beyond the end.
func (s *scanner) at(i int) byte {
	if i < 0 || i >= len(s.line) {
		return 0
	}
	return s.line[i]
}

// run returns the end of the run of one byte at i.
func (s *scanner) run(i int) int {
	end := i + 1
	for s.at(end) == s.line[i] {
		end++
	}
	return end
}

// closes says whether the word at i is followed by >: <0> is in brackets.
func (s *scanner) closes(i int) bool {
	for i < len(s.line) && !isSpace(s.line[i]) && s.line[i] != '>' {
		i++
	}
	return s.at(i) == '>'
}
