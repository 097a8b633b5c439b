package luasandbox

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A translator turns the Lua that models write, 5.1 to 5.4, into what
// gopher-lua's parser takes. It writes every token anew and leaves comments out,
// so that the two can't read a text differently; lines stay where they were.
//
//   - // becomes /, followed by three nots that compile looks for
//   - \x, \z and \u{} in strings, hexadecimal fractions in numbers: the plain form
//   - <const> is left out
//   - what has no equal ends in an error that says what to write instead
type translator struct {
	source string
	at     int
	line   int
	out    strings.Builder
	before [2]string // the last two tokens, the nearest first
	within int       // lines of the token under way, not written yet
	open   int       // brackets
	fault  error
}

// translate returns the script for gopher-lua; a *ScriptError; or a depthError.
func translate(source string) (string, error) {
	t := translator{source: source, line: 1}
	if strings.HasPrefix(source, "#") { // a script's first line may say what runs it
		t.at = len(source)
		if end := strings.IndexByte(source, '\n'); end >= 0 {
			t.at = end
		}
	}
	for t.fault == nil && t.space() {
		t.token()
	}
	return t.out.String(), t.fault
}

// A depthError says where the source is nested too deep.
type depthError int

func (e depthError) Error() string { return fmt.Sprintf("line %d: nested too deep", int(e)) }

func (t *translator) wrong(format string, args ...any) {
	t.fault = &ScriptError{Message: fmt.Sprintf(format, args...), Line: t.line}
}

// space skips what separates tokens and reports whether there is one.
func (t *translator) space() bool {
	for t.at < len(t.source) {
		switch c := t.source[t.at]; {
		case c == '\n':
			t.newline()
		case c == ' ' || '\t' <= c && c <= '\r':
			t.out.WriteByte(' ')
		case strings.HasPrefix(t.source[t.at:], "--"):
			t.comment()
			continue
		default:
			return true
		}
		t.at++
	}
	return false
}

func (t *translator) newline() {
	t.line++
	t.out.WriteByte('\n')
}

// newlines writes the lines that a token had within it, after it.
func (t *translator) newlines() {
	for ; t.within > 0; t.within-- {
		t.newline()
	}
}

func (t *translator) comment() {
	t.at += 2
	if level := longBracket(t.source[t.at:]); level >= 0 {
		t.long(level)
		t.newlines()
		return
	}
	end := strings.IndexByte(t.source[t.at:], '\n')
	if end < 0 {
		end = len(t.source) - t.at
	}
	t.at += end
}

// longBracket returns how many = are between two brackets that open here, or -1.
func longBracket(s string) int {
	if !strings.HasPrefix(s, "[") {
		return -1
	}
	level := 1
	for level < len(s) && s[level] == '=' {
		level++
	}
	if level < len(s) && s[level] == '[' {
		return level - 1
	}
	return -1
}

// long skips a long string or comment and returns its text.
func (t *translator) long(level int) string {
	begin := t.at + level + 2
	length := strings.Index(t.source[begin:], "]"+strings.Repeat("=", level)+"]")
	if length < 0 {
		t.wrong("unfinished long string or comment")
		t.at = len(t.source)
		return ""
	}
	t.at = begin + length + level + 2
	text := strings.ReplaceAll(t.source[begin:begin+length], "\r\n", "\n")
	t.within += strings.Count(text, "\n")
	return strings.TrimPrefix(text, "\n")
}

// write writes a token.
func (t *translator) write(token, as string) {
	t.out.WriteString(as)
	t.out.WriteByte(' ')
	t.before = [2]string{token, t.before[0]}
}

func (t *translator) token() {
	rest := t.source[t.at:]
	switch c := rest[0]; {
	case letter(c):
		t.word(rest)
	case digit(c) || c == '.' && len(rest) > 1 && digit(rest[1]):
		t.number(rest)
	case c == '"' || c == '\'':
		t.text(c)
	case longBracket(rest) >= 0:
		t.write("string", luaQuoted(t.long(longBracket(rest))))
		t.newlines()
	default:
		t.mark(rest)
	}
}

func letter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

func (t *translator) word(rest string) {
	n := 1
	for n < len(rest) && (letter(rest[n]) || digit(rest[n])) {
		n++
	}
	word := rest[:n]
	if word == "continue" && (t.before[0] == "then" || t.before[0] == "do" || t.before[0] == "else" || t.before[0] == ";") &&
		!strings.HasPrefix(strings.TrimLeft(rest[n:], " \t"), "(") && !strings.HasPrefix(strings.TrimLeft(rest[n:], " \t"), "=") {
		t.wrong("Lua has no 'continue': write 'goto continue', and '::continue::' before the loop's end")
		return
	}
	t.at += n
	t.write(word, word)
}

func (t *translator) number(rest string) {
	n := 1
	for n < len(rest) && (letter(rest[n]) || digit(rest[n]) || rest[n] == '.' || (rest[n] == '+' || rest[n] == '-') && exponent(rest[:n])) {
		if rest[n] == '.' && strings.HasPrefix(rest[n:], "..") { // 1..2 is no number, and x = 1 ..y is written with a space
			break
		}
		n++
	}
	v, ok := parseNumber(rest[:n])
	if !ok {
		t.wrong("malformed number near '%s'", clip(rest[:n]))
		return
	}
	t.at += n
	as := strconv.FormatFloat(v, 'g', -1, 64)
	if v > 1e308 && strings.Contains(as, "Inf") {
		as = "(1/0)"
	}
	t.write("number", strings.Replace(as, "e+", "e", 1))
}

// exponent reports whether a sign after this belongs to the number.
func exponent(s string) bool {
	last := s[len(s)-1] | 0x20
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		return last == 'p'
	}
	return last == 'e'
}

// text writes a quoted string.
func (t *translator) text(quote byte) {
	t.at++
	var text []byte
	for {
		if t.at >= len(t.source) || t.source[t.at] == '\n' || t.source[t.at] == '\r' {
			t.wrong("unfinished string")
			return
		}
		c := t.source[t.at]
		t.at++
		if c == quote {
			break
		}
		if c != '\\' {
			text = append(text, c)
			continue
		}
		if text = t.escape(text); t.fault != nil {
			return
		}
	}
	t.write("string", luaQuoted(string(text)))
	t.newlines()
}

// escape reads what follows a backslash and appends it.
func (t *translator) escape(text []byte) []byte {
	rest := t.source[t.at:]
	if rest == "" {
		t.wrong("unfinished string")
		return nil
	}
	t.at++
	switch c := rest[0]; c {
	case 'a', 'b', 'f', 'n', 'r', 't', 'v':
		return append(text, "\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
	case '\n':
		t.within++
		return append(text, '\n')
	case '\r':
		if strings.HasPrefix(rest, "\r\n") {
			t.at++
			t.within++
			return append(text, '\n')
		}
		return append(text, '\n')
	case 'z':
		end := t.at + len(rest) - 1 - len(strings.TrimLeft(rest[1:], " \t\r\n\v\f"))
		t.within += strings.Count(t.source[t.at:end], "\n")
		t.at = end
		return text
	case 'x':
		if len(rest) >= 3 {
			if n, err := strconv.ParseUint(rest[1:3], 16, 8); err == nil {
				t.at += 2
				return append(text, byte(n))
			}
		}
		t.wrong("hexadecimal digits expected after '\\x'")
		return nil
	case 'u':
		if code, _, ok := strings.Cut(strings.TrimPrefix(rest[1:], "{"), "}"); ok && strings.HasPrefix(rest[1:], "{") {
			if n, err := strconv.ParseUint(code, 16, 31); err == nil && n <= utf8.MaxRune {
				t.at += len(code) + 2
				return utf8.AppendRune(text, rune(n))
			}
		}
		t.wrong("a code point is written '\\u{20AC}'")
		return nil
	default:
		if !digit(c) {
			return append(text, c)
		}
		n := 1
		for n < 3 && n < len(rest) && digit(rest[n]) {
			n++
		}
		code, _ := strconv.Atoi(rest[:n])
		if code > 255 {
			t.wrong("decimal escape '\\%d' is more than 255", code)
			return nil
		}
		t.at += n - 1
		return append(text, byte(code))
	}
}

// luaQuoted writes a text in quotes, on one line.
func luaQuoted(s string) string {
	out := make([]byte, 0, len(s)+2)
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ' || c == 0x7f:
			out = fmt.Appendf(out, "\\%03d", c)
		default:
			out = append(out, c)
		}
	}
	return string(append(out, '"'))
}

// marks are Lua's, the longer first.
var marks = []string{"...", "..", "==", "~=", "<=", ">=", "::", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{", "}", "[", "]", ";", ":", ",", "."}

// foreign are marks of other languages and of Lua 5.3, the longer first.
var foreign = []struct{ mark, instead string }{
	{"..=", "write s = s .. x"},
	{"!=", "write ~="},
	{"&&", "write and"},
	{"||", "write or"},
	{"<<", "write bit32.lshift(a, n)"},
	{">>", "write bit32.rshift(a, n)"},
	{"++", "write n = n + 1"},
	{"+=", "write n = n + x"},
	{"-=", "write n = n - x"},
	{"*=", "write n = n * x"},
	{"/=", "write n = n / x"},
	{"%=", "write n = n % x"},
	{"&", "write bit32.band(a, b)"},
	{"|", "write bit32.bor(a, b)"},
	{"!", "write not"},
	{"?", "write a and b or c"},
}

func (t *translator) mark(rest string) {
	if strings.HasPrefix(rest, "//") {
		if strings.HasPrefix(rest, "///") || strings.HasPrefix(rest, "//=") {
			t.wrong("Lua has no '%s': comments begin with --, and // divides", rest[:3])
			return
		}
		t.at += 2
		t.write("//", "/ not not not")
		return
	}
	for _, f := range foreign {
		if strings.HasPrefix(rest, f.mark) {
			t.wrong("this Lua has no '%s': %s", f.mark, f.instead)
			return
		}
	}
	for _, mark := range marks {
		if !strings.HasPrefix(rest, mark) {
			continue
		}
		if mark == "<" && t.attribute(rest) {
			return
		}
		switch mark {
		case "(", "{", "[":
			if t.open++; t.open > maxSyntax {
				t.fault = depthError(t.line)
				return
			}
		case ")", "}", "]":
			t.open--
		case ";":
			if b := t.before[0]; b == "" || b == ";" || b == "do" || b == "then" || b == "else" || b == "repeat" {
				t.at++ // an empty statement, which Lua 5.1 has not
				return
			}
		}
		t.at += len(mark)
		t.write(mark, mark)
		return
	}
	if rest[0] == '~' {
		t.wrong("this Lua has no '~': write bit32.bxor(a, b) or bit32.bnot(a), and ~= for 'not equal'")
		return
	}
	c, _ := utf8.DecodeRuneInString(rest)
	t.wrong("unexpected symbol near %q", c)
}

// attribute skips the <const> of a local variable.
func (t *translator) attribute(rest string) bool {
	if t.before[1] != "local" && t.before[1] != "," {
		return false
	}
	name, _, ok := strings.Cut(rest[1:min(len(rest), 32)], ">")
	switch name = strings.TrimSpace(name); {
	case ok && name == "const":
		t.at += strings.IndexByte(rest, '>') + 1
		return true
	case ok && name == "close":
		t.wrong("this Lua has no <close> variables: call what closes it at the end")
		return true
	}
	return false
}
