package logtemplate

import "strings"

// looks says what a word is by its looks alone.
func looks(w string) kind {
	if spelled(w) {
		return word
	}
	letters, hex, slashes := 0, 0, 0
	for i := range len(w) {
		c := w[i]
		switch {
		case isDigit(c) || c == '\\' || c == '@' && i > 0 && i < len(w)-1:
			return variable
		case isLetter(c) || c >= 0x80:
			letters++
			if isHex(c) {
				hex++
			}
		case c == '/':
			slashes++
		}
	}
	switch {
	case letters == 0:
		return mark
	case slashes >= 2, hex >= 8 && hex == len(w), hostName(w):
		return variable
	}
	return word
}

// spelled says whether the only digit of w is in the middle of letters, as in
// log4j_init: it belongs to the name.
func spelled(w string) bool {
	at := -1
	for i := range len(w) {
		switch {
		case isDigit(w[i]) && at >= 0:
			return false
		case isDigit(w[i]):
			at = i
		case !isLetter(w[i]) && w[i] != '_':
			return false
		}
	}
	return at >= 2 && len(w)-at > 4
}

// soft says whether the variable w reads like a word: it has no digit, or letters
// and after them one or two digits, as ssh2. Such a one may be the same for ever.
func soft(w string) bool {
	digits := 0
	for i := range len(w) {
		switch c := w[i]; {
		case isDigit(c):
			if digits++; i == 0 || digits > 2 {
				return false
			}
		case digits > 0, c == '/' || c == '\\' || c == '@':
			return false
		case !isLetter(c) && c < 0x80 && c != '_' && c != '.' && c != '[' && c != ']':
			return false
		}
	}
	return true
}

// hostName says whether w is a name of a machine on the Internet: a package of a
// program has the domain in front.
func hostName(w string) bool {
	dot := strings.LastIndexByte(w, '.')
	if dot < 1 {
		return false
	}
	switch w[dot+1:] {
	case "com", "net", "org", "edu", "gov":
		return true
	}
	return false
}

// pathAt says whether a path of a file begins at i.
func (s *scanner) pathAt(i int) bool {
	switch rest := s.line[i:]; {
	case strings.HasPrefix(rest, "./"), strings.HasPrefix(rest, "../"), strings.HasPrefix(rest, "~/"):
		return len(rest) > 2
	case rest[0] == '/':
		c := s.at(i + 1)
		return isLetter(c) || isDigit(c) || c == '_' || c == '.' || len(rest) == 1 || isSpace(c) && i > 0 && isSpace(s.line[i-1])
	case len(rest) > 2 && isLetter(rest[0]) && rest[1] == ':' && rest[2] == '\\':
		return true
	}
	return false
}

// extend returns the end of the path or URL of which the part before i is known:
// it goes on over delimiters to a space, a quote or a bracket.
func (s *scanner) extend(i int) int {
	end := i
	for end < len(s.line) && !isSpace(s.line[end]) && strings.IndexByte("\"'`<>()[]{}", s.line[end]) < 0 {
		end++
	}
	for end > i+1 && strings.IndexByte(".,;:!?", s.line[end-1]) >= 0 {
		end--
	}
	return end
}

// hexColons says whether an address like ::1 begins at the colon at i.
func (s *scanner) hexColons(i int) bool {
	return s.line[i] == ':' && s.at(i+1) == ':' && isHex(s.at(i+2)) &&
		(i == 0 || isSpace(s.line[i-1]) || s.line[i-1] == '[' || s.line[i-1] == '(') && s.addressEnd(i) > i
}

// addressEnd returns the end of the IPv6 or hardware address at i: four or more
// groups of hexadecimal digits between colons, or some and a double colon. It
// returns i when there is none.
func (s *scanner) addressEnd(i int) int {
	groups, double, end := 0, false, i
	for {
		n := 0
		for n < 5 && isHex(s.at(end+n)) {
			n++
		}
		if n > 4 {
			return i
		}
		if n > 0 {
			groups++
		}
		end += n
		if s.at(end) != ':' {
			break
		}
		if s.at(end+1) == ':' {
			double = true
			end++
		} else if !isHex(s.at(end + 1)) {
			break
		}
		end++
	}
	if c := s.at(end); isLetter(c) || c == '_' || groups < 4 && (!double || groups == 0) {
		return i
	}
	if double && groups < 4 && !strings.ContainsAny(s.line[i:end], "0123456789") {
		return i // a word of C++: ab::cd
	}
	return end
}

// sources are what the names of source files end in: main.go:12 is no port.
var sources = stringSet("c", "h", "cc", "cpp", "go", "py", "rs", "js", "ts", "rb", "ex", "exs", "erl", "cs", "java", "php", "pl")

// portEnd returns the end of host:port, of which the host is known; else end.
func (s *scanner) portEnd(start, end int) int {
	if s.at(end) != ':' || !isDigit(s.at(end+1)) {
		return end
	}
	host := s.line[start:end]
	dots, last := strings.Count(host, "."), host[strings.LastIndexByte(host, '.')+1:]
	if dots == 0 || dots == 1 && (len(last) > 4 || sources[last]) {
		return end
	}
	port := end + 1
	for isDigit(s.at(port)) {
		port++
	}
	if isLetter(s.at(port)) {
		return end
	}
	return port
}

func isSpace(c byte) bool  { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }
func isHex(c byte) bool    { l := c | 0x20; return isDigit(c) || l >= 'a' && l <= 'f' }
