package beam

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// A printed term is one as Erlang or Elixir prints it, as far as its text goes: what
// the node left out, and what is not understood, is told by rest.
type printed struct {
	kind  termKind
	text  string    // of an atom without its quotes, of a number, of a text without its quotes
	elems []printed // of a tuple or a list; of a map keys and values in turn
	// quoted is of an atom that was: what Erlang quotes as an atom Elixir writes as a list of characters.
	quoted bool
}

type termKind byte

const (
	tRest   termKind = iota // elided out
	tAtom                   // a module too
	tNumber                 // with a sign or a base
	tText                   // a string or a binary
	tTuple
	tList
	tMap
	tOpaque // a process, a port, a reference, a function
)

// deepestTerm is how deep terms are read.
const deepestTerm = 64

// readTerm reads the term with which s begins, and returns what follows it. It takes
// any text: what cannot be read is the kind rest, and at least one character is used up.
func readTerm(s string) (printed, string) { return readNested(s, 0) }

func readNested(s string, depth int) (printed, string) {
	s = strings.TrimLeft(s, " \t\r\n")
	switch {
	case s == "" || depth > deepestTerm:
		return printed{}, skipOne(s)
	case strings.HasPrefix(s, "..."):
		return printed{}, s[3:]
	case s[0] == '{':
		return readMany(s[1:], '}', tTuple, depth)
	case s[0] == '[':
		return readMany(s[1:], ']', tList, depth)
	case strings.HasPrefix(s, "#{"), strings.HasPrefix(s, "%{"):
		return readMany(s[2:], '}', tMap, depth)
	case s[0] == '%':
		return readStruct(s, depth)
	case strings.HasPrefix(s, "<<"):
		return readBinary(s[2:])
	case s[0] == '"':
		return readText(s)
	case s[0] == '\'':
		name, after := readQuoted(s, '\'')
		return printed{kind: tAtom, text: name, quoted: true}, after
	case s[0] == '<':
		return readUntil(s, ">")
	case s[0] == '#':
		return readOpaque(s)
	case s[0] == '&', strings.HasPrefix(s, "fun ") || strings.HasPrefix(s, "fun("):
		return readFun(s)
	case strings.HasPrefix(s, `:"`):
		name, after := readQuoted(s[1:], '"')
		return printed{kind: tAtom, text: name, quoted: true}, after
	}
	if n := spanOf(s, isNumber); n > 0 && (s[0] >= '0' && s[0] <= '9' || s[0] == '-' && n > 1 || s[0] == '$') {
		return printed{kind: tNumber, text: s[:n]}, s[n:]
	}
	name := strings.TrimPrefix(s, ":")
	if n := spanOf(name, isName); n > 0 {
		return printed{kind: tAtom, text: strings.TrimRight(name[:n], ".")}, name[n:]
	}
	return printed{}, skipOne(s)
}

func skipOne(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[n:]
}

func spanOf(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

func isName(c byte) bool {
	return c == '_' || c == '@' || c == '.' || c == '?' || c == '!' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isNumber(c byte) bool {
	return c == '-' || c == '+' || c == '.' || c == '#' || c == '$' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// readMany reads terms until the end of what holds them.
func readMany(s string, end byte, as termKind, depth int) (printed, string) {
	t := printed{kind: as}
	for {
		s = strings.TrimLeft(s, " \t\r\n,|")
		switch {
		case s == "":
			t.elems = append(t.elems, printed{}) // it was cut
			return t, ""
		case s[0] == end:
			return t, s[1:]
		case strings.HasPrefix(s, "=>"), strings.HasPrefix(s, ":="):
			s = s[2:]
			continue
		case strings.HasPrefix(s, ": "):
			s = s[2:] // of a keyword
			continue
		case strings.IndexByte("}])", s[0]) >= 0:
			return t, s // of what holds this one: its own end was cut
		}
		var e printed
		e, s = readNested(s, depth+1)
		t.elems = append(t.elems, e)
	}
}

// readStruct reads %Name{…} of Elixir.
func readStruct(s string, depth int) (printed, string) {
	n := 1 + spanOf(s[1:], isName)
	if n == 1 || n >= len(s) || s[n] != '{' {
		return printed{}, s[max(1, n):]
	}
	t, after := readMany(s[n+1:], '}', tMap, depth)
	t.elems = append([]printed{{kind: tAtom, text: "__struct__"}, {kind: tAtom, text: s[1:n]}}, t.elems...)
	return t, after
}

// readQuoted reads what stands between quotes, with the signs that escapes stand for
// elided as they are.
func readQuoted(s string, quote byte) (inside, after string) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote:
			return s[1:i], s[i+1:]
		}
	}
	return s[1:], ""
}

// readText reads a string, which may go on in the next line.
func readText(s string) (printed, string) {
	t := printed{kind: tText}
	for {
		var inside string
		inside, s = readQuoted(s, '"')
		t.text += inside
		next := strings.TrimLeft(s, " \t\r\n")
		if strings.HasPrefix(next, "...") {
			return t, next[3:]
		}
		if !strings.HasPrefix(next, `"`) {
			return t, s
		}
		s = next
	}
}

// readBinary reads what follows <<.
func readBinary(s string) (printed, string) {
	t := printed{kind: tText}
	for s != "" {
		switch {
		case strings.HasPrefix(s, ">>"):
			return t, s[2:]
		case s[0] == '"':
			var inside string
			inside, s = readQuoted(s, '"')
			t.text += inside
		default:
			s = skipOne(s)
		}
	}
	return t, ""
}

func readUntil(s, end string) (printed, string) {
	if i := strings.Index(s, end); i >= 0 {
		return printed{kind: tOpaque, text: s[:i+len(end)]}, s[i+len(end):]
	}
	return printed{kind: tOpaque, text: s}, ""
}

// readOpaque reads #PID<0.1.2>, #Fun<a.b.c>, #Ref<…>, #Ecto.Changeset<…>.
func readOpaque(s string) (printed, string) {
	open := strings.IndexByte(s, '<')
	if open < 0 || spanOf(s[1:], isName) != open-1 {
		return printed{}, s[1:]
	}
	depth := 0
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '<':
			depth++
		case '>':
			if i > 0 && (s[i-1] == '=' || s[i-1] == '-') {
				continue // an arrow within
			}
			if depth--; depth == 0 {
				return printed{kind: tOpaque, text: s[:i+1]}, s[i+1:]
			}
		}
	}
	return printed{kind: tOpaque, text: s}, ""
}

// readFun reads fun m:f/1 and &M.f/1.
func readFun(s string) (printed, string) {
	n := strings.IndexAny(s, ",}])\n")
	if n < 0 {
		n = len(s)
	}
	n = max(n, 1)
	return printed{kind: tOpaque, text: s[:n]}, s[n:]
}

// is says whether it is the atom of that name.
func (p printed) is(name string) bool { return p.kind == tAtom && p.text == name }

// at returns an element, the zero value where there is none.
func (p printed) at(i int) printed {
	if i < len(p.elems) {
		return p.elems[i]
	}
	return printed{}
}

// get returns what a map or a list of pairs has under a name.
func (p printed) get(name string) printed {
	if p.kind == tMap {
		for i := 0; i+1 < len(p.elems); i += 2 {
			if p.elems[i].is(name) {
				return p.elems[i+1]
			}
		}
		return printed{}
	}
	for _, e := range p.elems {
		if e.kind == tTuple && len(e.elems) == 2 && e.elems[0].is(name) {
			return e.elems[1]
		}
	}
	return printed{}
}

var (
	plainAtom   = regexp.MustCompile(`^[a-z][A-Za-z0-9_@]{0,39}[?!]?$`)
	plainModule = regexp.MustCompile(`^(Elixir\.)?[A-Z][A-Za-z0-9_]{0,39}(\.[A-Z][A-Za-z0-9_]{0,39}){0,6}$`)
)

// safe writes a term with nothing in it but names that stand in code: atoms and
// modules. In the place of all else is an ellipsis.
func (p printed) safe() string {
	return p.safely(3)
}

const elided = "…"

func (p printed) safely(depth int) string {
	switch {
	case p.quoted && !strings.HasPrefix(p.text, "Elixir."):
		return elided
	case p.kind == tAtom && plainAtom.MatchString(p.text):
		return p.text
	case p.kind == tAtom && plainModule.MatchString(p.text):
		return strings.TrimPrefix(p.text, "Elixir.")
	case p.kind == tTuple && depth > 0 && len(p.elems) > 0:
		return "{" + safeElems(p.elems, depth) + "}"
	case p.kind == tList && len(p.elems) == 0:
		return "[]"
	}
	return elided
}

// widestTuple is how many elements of a tuple are shown.
const widestTuple = 5

func safeElems(elems []printed, depth int) string {
	var b strings.Builder
	for i, e := range elems {
		if i > 0 {
			b.WriteString(",")
		}
		if i == widestTuple {
			b.WriteString(elided)
			break
		}
		b.WriteString(e.safely(depth - 1))
	}
	return b.String()
}
