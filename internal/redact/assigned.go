package redact

import "strings"

// findAssigned finds what is given to a name: password=x, "token": "x",
// {password,"x"} of Erlang, <password>x</password>, --password x.
func findAssigned(s string, found *spans) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '=' || c == ':':
			i = max(i, assigned(s, i, found))
		case c == ',' || c == '>':
			inside(s, i, found)
		case c == '-' && strings.HasPrefix(s[i:], "--"):
			flag(s, i, found)
			i++
		}
	}
}

// nameBefore returns the name that ends before s[end], quotes around it left out,
// and where it begins, quotes included.
func nameBefore(s string, end int) (name string, begin int, quoted bool) {
	for n := 0; end > 0 && s[end-1] == ' ' && n < 3; n++ {
		end--
	}
	for end > 0 && (s[end-1] == '"' || s[end-1] == '\'' || s[end-1] == '\\' || s[end-1] == ']') {
		quoted = true
		end--
	}
	begin = end
	for begin > 0 && end-begin <= longestName && isNameByte(s[begin-1]) {
		begin--
	}
	name = strings.TrimLeft(s[begin:end], "-.")
	for quoted && begin > 0 && (s[begin-1] == '"' || s[begin-1] == '\'' || s[begin-1] == '\\') {
		begin--
	}
	return name, begin, quoted
}

func isNameByte(c byte) bool {
	return isLower(c) || isUpper(c) || isDigit(c) || c == '_' || c == '-' || c == '.'
}

// assigned looks at the = or : at s[at], and returns where it has read to.
func assigned(s string, at int, found *spans) int {
	if at == 0 {
		return at
	}
	from := at + 1
	before := s[at-1]
	if strings.IndexByte("!<>=:~", before) >= 0 {
		return at // a comparison, or Token::new
	}
	if from < len(s) {
		switch {
		case s[at] == '=' && s[from] == '>', s[at] == ':' && s[from] == '=':
			from++
		case s[from] == '=' || s[from] == ':' || s[at] == ':' && s[from] == '/':
			return at
		}
	}
	name, begin, quoted := nameBefore(s, at)
	kind, sure, ok := secretName(name)
	if !ok {
		return at
	}
	attached := from
	for from < len(s) && from-attached < 3 && s[from] == ' ' {
		from++
	}
	spaced := from > attached
	if s[attached-1] == '=' && s[at] == '=' && spaced && before != ' ' {
		return at // password= user=bob
	}
	if to, ok := header(s, from, strings.ToLower(name)); ok {
		found.add(from, to, kind)
		return to
	}
	shell := isName(name) || strings.HasPrefix(s[begin:], "--")
	start := from
	from, to, inQuotes := value(s[:min(len(s), start+enough)], start, shell)
	if from >= to {
		return at
	}
	plain := quoted || s[at] == '=' || !spaced || startsField(s, begin) && (inQuotes || endsField(s, to))
	entry := sure && quoted && inQuotes && !placeholder(s[from:to]) // "token": "x"
	if !entry && !isSecret(name, kind, s[from:to], sure, plain) {
		return at
	}
	if to == start+enough {
		from, to, _ = value(s, start, shell)
	}
	found.add(from, to, kind)
	return to - 1
}

// enough is how much of a value decides whether it is a secret: a text made of
// half a million names would be read half a million times otherwise.
const enough = 1 << 10

// header returns where the value of a header ends: at the end of the line or of
// the quotes it stands in. ok is false for what only has a header's name.
func header(s string, from int, name string) (to int, ok bool) {
	cookie := strings.HasSuffix(name, "cookie")
	if !cookie && !strings.HasSuffix(name, "authorization") {
		return 0, false
	}
	for from < len(s) && (s[from] == '"' || s[from] == '\'') {
		from++
	}
	to = min(len(s), from+longestHeader)
	if i := strings.IndexAny(s[from:to], "\"'\r\n"); i >= 0 {
		to = from + i
	}
	v := s[from:to]
	if cookie {
		return to, strings.Contains(v[:min(len(v), 256)], "=")
	}
	scheme, rest, _ := strings.Cut(v, " ")
	switch strings.ToLower(scheme) {
	case "bearer", "basic", "digest", "negotiate", "ntlm", "token", "apikey", "aws4-hmac-sha256", "sharedaccesssignature":
		return to, len(rest) >= 6
	}
	return 0, false
}

// longestHeader is what servers take at most of one header.
const longestHeader = 8 << 10

// value returns what stands at s[from]: within its quotes, or up to what ends it.
// In the shell nothing but white space ends it.
func value(s string, from int, shell bool) (begin, end int, quoted bool) {
	if strings.HasPrefix(s[from:], "<<") { // a binary of Erlang
		from += 2
	}
	if from < len(s) && s[from] == '\\' && from+1 < len(s) && s[from+1] == '"' { // JSON within JSON
		from += 2
		if i := strings.Index(s[from:], `\"`); i >= 0 {
			return from, from + i, true
		}
		return from, len(s), true
	}
	if from < len(s) && (s[from] == '"' || s[from] == '\'' || s[from] == '`') {
		quote := s[from]
		for i := from + 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case quote:
				return from + 1, i, true
			case '\n':
				return from + 1, i, true
			}
		}
		return from + 1, len(s), true
	}
	stops := " \t\r\n\"'`,;&)}]{|<>"
	if shell {
		stops = " \t\r\n\"'`"
	}
	end = from
	for end < len(s) && strings.IndexByte(stops, s[end]) < 0 {
		if s[end] == '\\' && end+1 < len(s) && strings.IndexByte(`nrt"'`, s[end+1]) >= 0 {
			break
		}
		end++
	}
	return from, end, false
}

// startsField says whether a name that begins at s[at] begins a field, rather
// than ends a sentence: "invalid password: …".
func startsField(s string, at int) bool {
	before := strings.TrimRight(s[:at], " \t")
	return before == "" || strings.IndexByte("{[(,;&?\"'|-", before[len(before)-1]) >= 0
}

// endsField says whether nothing follows in the field that s[at] ends.
func endsField(s string, at int) bool {
	rest := strings.TrimLeft(s[at:], " \t\r\n")
	return rest == "" || strings.IndexByte(",;})]\"'\\", rest[0]) >= 0
}

// inside looks at the comma of {password,"x"} and at the > of <password>x.
func inside(s string, at int, found *spans) {
	open := byte('{')
	if s[at] == '>' {
		open = '<'
	}
	name, begin, _ := nameBefore(s, at)
	if begin == 0 || s[begin-1] != open {
		return
	}
	kind, sure, ok := secretName(name)
	if !ok {
		return
	}
	from := at + 1
	for from < len(s) && s[from] == ' ' {
		from++
	}
	from, to, _ := value(s, from, false)
	if from < to && isSecret(name, kind, s[from:to], sure, true) {
		found.add(from, to, kind)
	}
}

// flag looks at the option that begins at s[at]: its value is the next word.
func flag(s string, at int, found *spans) {
	end := at + 2
	for end < len(s) && isNameByte(s[end]) && end-at <= longestName {
		end++
	}
	if end == len(s) || s[end] != ' ' && s[end] != '\t' {
		return
	}
	name := s[at+2 : end]
	kind, sure, ok := secretName(name)
	if !ok {
		return
	}
	from, to, _ := value(s, end+1, true)
	if from >= to || s[from] == '-' || inSentence[s[from:to]] || !isSecret(name, kind, s[from:to], sure, kind == "password") {
		return
	}
	found.add(from, to, kind)
}

// inSentence are words that follow an option in a message about it.
var inSentence = map[string]bool{
	"to": true, "is": true, "flag": true, "option": true, "or": true, "and": true, "must": true, "for": true, "was": true, "not": true,
	"with": true, "in": true, "from": true, "the": true, "a": true, "has": true, "requires": true, "cannot": true, "argument": true, "instead": true,
	"given": true, "needs": true, "on": true, "when": true, "if": true, "=": true, "|": true, "&&": true,
}
