package luasandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/pm"
)

// firstMatch returns the captures of the first match, the whole first, as text.
func firstMatch(subject, pattern string, steps int) (found []string, err error) {
	type stop struct{ error }
	defer func() {
		if v := recover(); v != nil {
			halted, ok := v.(stop)
			if !ok {
				panic(v)
			}
			err = halted.error
		}
	}()
	m := &matcher{subject: subject, pattern: pattern,
		spend: func(n int) {
			if steps -= n; steps < 0 {
				panic(stop{fmt.Errorf("too many steps")})
			}
		},
		raise: func(format string, args ...any) { panic(stop{fmt.Errorf(format, args...)}) },
	}
	start, end, ok := m.find(0)
	if !ok {
		return nil, nil
	}
	found = append(found, fmt.Sprint(start, "-", end))
	for i := range m.level {
		c := m.capture(i, start, end)
		found = append(found, fmt.Sprint(c.text, "@", c.position))
	}
	return found, nil
}

// theirs returns the same of gopher-lua's matcher.
func theirs(subject, pattern string) ([]string, error) {
	matches, err := pm.Find(pattern, []byte(subject), 0, 1)
	if err != nil || len(matches) == 0 {
		return nil, err
	}
	m := matches[0]
	found := []string{fmt.Sprint(m.Capture(0), "-", m.Capture(1))}
	for i := 2; i < m.CaptureLength(); i += 2 {
		if m.IsPosCapture(i) {
			found = append(found, fmt.Sprint("@", m.Capture(i)))
		} else {
			found = append(found, fmt.Sprint(subject[m.Capture(i):m.Capture(i+1)], "@", 0))
		}
	}
	return found, nil
}

// patternOf makes a pattern of bytes, of parts that both matchers call the same.
// Theirs has no %f and no %g, takes what follows a class in brackets otherwise,
// and knows no fault of most that is one.
func patternOf(choices []byte) string {
	single := []string{"a", "b", "1", " ", ".", "%a", "%d", "%s", "%w", "%l", "%u", "%p", "%x", "%A", "%D", "%S", "%W", "%.", "%%",
		"[ab]", "[^ab]", "[a-c]", "[%d_]", "[^%s]", "[%w%.]", "x"}
	suffix := []string{"", "", "", "*", "+", "-", "?"}
	var out strings.Builder
	closed, open := 0, 0
	for i, c := range choices {
		switch {
		case i == 0 && c%8 == 0:
			out.WriteByte('^')
		case c >= 250 && open == 0 && closed < 4:
			out.WriteByte('(')
			out.WriteString(single[int(c)%len(single)]) // so that it is no position
			open++
		case c >= 244 && open > 0:
			out.WriteByte(')')
			open--
			closed++
		case c >= 240 && open == 0 && closed > 0:
			fmt.Fprintf(&out, "%%%d", 1+int(c)%closed)
		case c >= 236:
			out.WriteString("%b()")
		case c >= 233 && open == 0 && closed < 4:
			out.WriteString("()")
			closed++
		default:
			out.WriteString(single[int(c)%len(single)])
			out.WriteString(suffix[int(c)/len(single)%len(suffix)])
		}
	}
	if open > 0 {
		out.WriteByte(')')
	}
	if len(choices) > 1 && choices[len(choices)-1]%8 == 1 {
		out.WriteByte('$')
	}
	return out.String()
}

func FuzzMatchAsGopherLua(f *testing.F) {
	f.Add([]byte{1, 2, 3}, "ab1")
	f.Add([]byte{250, 100, 245, 60, 240}, "aab aab")
	f.Add([]byte{8, 236, 120, 233, 19, 9}, "(a(b)) x")
	f.Add([]byte("0Zz!~ k"), "x = 1, y = 22")
	f.Fuzz(func(t *testing.T, choices []byte, subject string) {
		if len(choices) > 7 || len(subject) > 24 { // theirs has no end otherwise
			return
		}
		pattern := patternOf(choices)
		if strings.Contains(pattern, "()") && strings.ContainsAny(pattern, "123456789") && strings.Contains(pattern, "%") {
			for _, digit := range "1234" {
				if strings.Contains(pattern, "%"+string(digit)) {
					return // a back reference to a position, which theirs takes for a text
				}
			}
		}
		want, errTheirs := theirs(subject, pattern)
		got, errOurs := firstMatch(subject, pattern, 1<<30)
		if errTheirs != nil || errOurs != nil {
			t.Fatalf("pattern %q on %q: ours %v, theirs %v", pattern, subject, errOurs, errTheirs)
		}
		if strings.Join(got, "|") != strings.Join(fixed(want), "|") {
			t.Errorf("pattern %q on %q: ours %q, theirs %q", pattern, subject, got, want)
		}
	})
}

// fixed writes positions as ours does.
func fixed(found []string) []string {
	for i, c := range found {
		if n, ok := strings.CutPrefix(c, "@ "); ok {
			found[i] = "@" + n
		}
	}
	return found
}

// FuzzMatch has any pattern at all: it ends, within its steps, without a crash.
func FuzzMatch(f *testing.F) {
	for _, pattern := range []string{"a*b", "[", "[^", "[a-", "[]]", "[^]]", "%", "%b", "%bx", "%f", "%f[", "(()", "())", "%1", "(%1)", "^$", "$^", "[%", "[%a-z]", "%b()%f[%w]", "-", "a--", "(((((((((((((((((((((((((((((((((", "\x00[\x00]"} {
		f.Add(pattern, "aaa (b) \x00 x")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		found, err := firstMatch(subject, pattern, 100_000)
		if err == nil && len(found) > 1+maxCaptures {
			t.Errorf("%d captures", len(found))
		}
	})
}
