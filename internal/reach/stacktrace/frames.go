package stacktrace

import (
	"fmt"
	"strconv"
	"strings"
)

// goFunction reads main.(*T).f(0x1, …), or "created by main.f in goroutine 1".
func goFunction(s string) (string, bool) {
	if strings.HasPrefix(s, "created by ") {
		return "", false
	}
	if s == "panic" || strings.HasPrefix(s, "panic(") {
		return "panic", true
	}
	if !strings.HasSuffix(s, ")") {
		return "", false
	}
	open := strings.LastIndexByte(s, '(')
	name := s[:open]
	if !strings.ContainsRune(name, '.') || strings.ContainsAny(name, " \t\"=") {
		return "", false
	}
	return name, true
}

// goFile reads /path/file.go:12 +0x1d.
func goFile(s string) (file string, line int, ok bool) {
	s, _, _ = strings.Cut(s, " +0x")
	i := strings.LastIndexByte(s, ':')
	if i < 0 || !strings.HasSuffix(s[:i], ".go") && !strings.HasSuffix(s[:i], ".s") {
		return "", 0, false
	}
	line, err := strconv.Atoi(s[i+1:])
	return s[:i], line, err == nil
}

// atFrame reads what follows "at " in Java, Node.js and .NET, and says which it is.
func atFrame(s string) (f Frame, language string, ok bool) {
	if i := strings.Index(s, ") in "); i > 0 { // .NET, with its file
		f = Frame{Function: s[:i+1]}
		file, line, _ := strings.Cut(s[i+5:], ":line ")
		f.File = file
		f.Line, _ = strconv.Atoi(line)
		return trimDotNet(f), DotNet, true
	}
	open := strings.LastIndexByte(s, '(')
	if open < 0 { // at /path/file.js:1:2
		file, line, ok := jsPlace(s)
		return Frame{"<anonymous>", file, line}, Node, ok
	}
	if !strings.HasSuffix(strings.TrimRight(s, " {~]"), ")") && !strings.Contains(s[open:], ")") {
		return f, "", false
	}
	inside, _, _ := strings.Cut(s[open+1:], ")")
	name := strings.TrimSpace(s[:open])
	if file, line, ok := jsPlace(inside); ok {
		return Frame{name, file, line}, Node, true
	}
	switch {
	case inside == "<anonymous>" || inside == "native" || inside == "index 0":
		return Frame{Function: name}, Node, true
	case strings.Contains(inside, ".java") || strings.Contains(inside, ".kt") || strings.Contains(inside, ".scala") || strings.Contains(inside, ".groovy") ||
		inside == "Native Method" || inside == "Unknown Source" || strings.HasPrefix(inside, "<generated>"):
		if slash := strings.LastIndexByte(name, '/'); slash >= 0 { // java.base/java.lang.Thread.run
			name = name[slash+1:]
		}
		file, line, _ := strings.Cut(inside, ":")
		n, _ := strconv.Atoi(line)
		return Frame{name, file, n}, Java, true
	case strings.Contains(name, ".") && !strings.ContainsAny(name, " \t\"="):
		return trimDotNet(Frame{Function: name}), DotNet, true
	}
	return f, "", false
}

// trimDotNet takes the parameters off a method.
func trimDotNet(f Frame) Frame {
	f.Function, _, _ = strings.Cut(f.Function, "(")
	return f
}

// jsPlace reads /path/file.js:12:34, file:///… or node:internal/x:1:2.
func jsPlace(s string) (file string, line int, ok bool) {
	s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(s), "async "), "file://")
	rest, column, ok1 := cutLast(s, ":")
	file, row, ok2 := cutLast(rest, ":")
	if !ok1 || !ok2 || file == "" || strings.ContainsAny(file, " \t") {
		return "", 0, false
	}
	if _, err := strconv.Atoi(column); err != nil {
		return "", 0, false
	}
	line, err := strconv.Atoi(row)
	return file, line, err == nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// pythonFrame reads File "x.py", line 12, in f.
func pythonFrame(s string) (f Frame, ok bool) {
	rest, ok := strings.CutPrefix(s, `File "`)
	if !ok {
		return f, false
	}
	file, rest, ok := strings.Cut(rest, `", line `)
	if !ok {
		return f, false
	}
	line, function, _ := strings.Cut(rest, ", in ")
	n, err := strconv.Atoi(line)
	return Frame{function, file, n}, err == nil
}

// elixirFrame reads (app 1.0.0) lib/x.ex:12: Mod.fun/1.
func elixirFrame(s string) (f Frame, ok bool) {
	if strings.HasPrefix(s, "(") {
		_, rest, found := strings.Cut(s, ") ")
		if !found {
			return f, false
		}
		s = rest
	}
	place, function, found := strings.Cut(s, ": ")
	if !found {
		return Frame{Function: s}, strings.Contains(s, "/") && strings.Contains(s, ".") && !strings.Contains(s, " ")
	}
	file, line, found := cutLast(place, ":")
	n, err := strconv.Atoi(line)
	if !found || err != nil || file != "nofile" && file != "iex" && !strings.HasSuffix(file, ".ex") && !strings.HasSuffix(file, ".exs") && !strings.HasSuffix(file, ".erl") && !strings.HasSuffix(file, ".eex") {
		return f, false
	}
	return Frame{withoutArguments(function), file, n}, true
}

// withoutArguments writes Shop.Cart.get(:a, %{b: 1}) as Shop.Cart.get/2: what a
// function was called with is the program's own business.
func withoutArguments(function string) string {
	open := strings.IndexByte(function, '(')
	if open <= 0 || function[open-1] == ' ' {
		return function
	}
	arity, depth := 0, 0
	var quote byte
	for i := open; i < len(function); i++ {
		switch c := function[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case strings.IndexByte("([{", c) >= 0 || strings.HasPrefix(function[i:], "<<"):
			depth++
		case strings.IndexByte(")]}", c) >= 0 || strings.HasPrefix(function[i:], ">>"):
			if depth--; depth == 0 {
				if strings.TrimSpace(function[open+1:i]) != "" {
					arity++
				}
				return fmt.Sprintf("%s/%d", function[:open], arity)
			}
		case c == ',' && depth == 1:
			arity++
		}
	}
	return function[:open] // the line was cut
}

// erlangFrame reads "in function  m:f/1 (src/m.erl, line 12)" and "in call from …".
func erlangFrame(s string) (f Frame, ok bool) {
	rest, ok := strings.CutPrefix(s, "in function ")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "in call from "); !ok {
			return f, false
		}
	}
	rest = strings.TrimSpace(rest)
	name, place, _ := strings.Cut(rest, " (")
	file, line, _ := strings.Cut(strings.TrimSuffix(place, ")"), ", line ")
	n, _ := strconv.Atoi(line)
	return Frame{name, file, n}, name != ""
}

// coreFrame reads #0  0x00007f12 raise (libc.so.6 + 0x3ea1).
func coreFrame(s string) (f Frame, ok bool) {
	words := strings.Fields(s)
	if len(words) < 3 || words[0][0] != '#' || !strings.HasPrefix(words[1], "0x") {
		return f, false
	}
	f.Function = words[2]
	if len(words) > 3 {
		f.File = strings.Trim(words[3], "()")
	}
	return f, true
}
