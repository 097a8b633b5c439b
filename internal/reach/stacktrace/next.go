package stacktrace

import (
	"slices"
	"strings"
)

// next takes the line when it belongs to the trace. Indented says that spaces stood
// before it.
func (b *builder) next(line string, indented bool) bool {
	if b.lines++; b.lines > mostLines {
		return false
	}
	switch b.Language {
	case Go:
		return b.nextGo(line)
	case Python:
		return b.nextPython(line, indented)
	case Elixir:
		return b.nextElixir(line, indented)
	case Erlang:
		return b.nextErlang(line, indented)
	case Native:
		return b.nextNative(line)
	}
	return b.nextAt(line, indented)
}

func (b *builder) nextGo(line string) bool {
	if name, ok := goFunction(line); ok {
		b.frame(Frame{Function: name})
		return true
	}
	if file, n, ok := goFile(line); ok {
		if last := len(b.Frames) - 1; !b.skip && last >= 0 && b.Frames[last].File == "" {
			b.Frames[last].File, b.Frames[last].Line = short(file, nameBytes), n
		}
		return true
	}
	switch {
	case strings.HasPrefix(line, "goroutine ") && strings.HasSuffix(line, "]:"):
		b.skip = len(b.Frames) > 0 // those of the first one count
		return true
	case strings.HasPrefix(line, "panic: "): // a panic while another was handled
		b.cause(b.Type + ": " + b.Message)
		b.goPanic(line)
		return true
	case strings.HasPrefix(line, "created by "), strings.HasPrefix(line, "[signal "), strings.HasPrefix(line, "exit status "),
		strings.HasPrefix(line, "[originating from goroutine"), line == "...additional frames elided...", strings.HasPrefix(line, "goroutine running on other thread"):
		return true
	}
	if len(b.Frames) == 0 && b.lines <= 20 && !b.skip && b.Type != "goroutine" && b.Message != "" && !strings.Contains(line, ": ") { // a panic's message of several lines
		return strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "goroutine")
	}
	return false
}

// chained are the words between a Python exception and the one that it caused.
var chained = []string{
	"During handling of the above exception, another exception occurred:",
	"The above exception was the direct cause of the following exception:",
}

func (b *builder) nextPython(line string, indented bool) bool {
	line = strings.TrimLeft(line, "|+- ") // groups of exceptions are drawn as a tree
	if slices.Contains(chained, line) {
		b.chained = true
		return true
	}
	if strings.Contains(line, "Traceback (most recent call last)") {
		if b.closed && !b.chained {
			return false // another one
		}
		if b.closed {
			b.Causes = slices.Insert(b.Causes, 0, strings.TrimSuffix(b.Type+": "+short(b.Message, nameBytes), ": "))
			b.Causes = b.Causes[:min(len(b.Causes), mostCauses)]
			b.Frames, b.closed, b.code, b.chained = nil, false, false, false
		}
		return true
	}
	if f, ok := pythonFrame(line); ok && !b.closed {
		b.frame(f)
		b.code = true
		return true
	}
	switch {
	case b.closed:
		return false
	case b.code && (indented || !named(line)): // the line that runs, which is no name
		b.code = indented
		return true
	case strings.Trim(line, "^~ ") == "", indented, strings.HasPrefix(line, "[Previous line repeated"):
		return true
	}
	b.name(line)
	b.closed = true
	return true
}

// nextAt is for Java, Node.js and .NET.
func (b *builder) nextAt(line string, indented bool) bool {
	if rest, ok := strings.CutPrefix(line, "at "); ok {
		f, _, ok := atFrame(rest)
		if ok {
			b.frame(f)
		}
		return ok || indented
	}
	for _, p := range []string{"Caused by: ", "---> ", "[cause]: ", "cause: "} {
		if rest, ok := strings.CutPrefix(line, p); ok {
			rest, _, _ = strings.Cut(rest, " {")
			b.cause(rest)
			b.skip = p != "---> " // .NET has the frames of the cause first, and they are where it happened
			return true
		}
	}
	switch {
	case strings.HasPrefix(line, "Suppressed: "):
		b.skip = true
		return true
	case strings.HasPrefix(line, "--- End of "), strings.HasPrefix(line, "... ") && strings.HasSuffix(line, "more"), strings.HasPrefix(line, "Node.js v"),
		strings.HasPrefix(line, "(Inner Exception #"), line == "}", line == "]":
		return true
	}
	return indented
}

func (b *builder) nextElixir(line string, indented bool) bool {
	if f, ok := elixirFrame(line); ok {
		b.frame(f)
		return true
	}
	switch {
	case strings.HasPrefix(line, "** ("): // ** (EXIT) an exception was raised:
		b.cause(strings.TrimPrefix(line, "** "))
		return true
	case strings.HasPrefix(line, "Last message"), strings.HasPrefix(line, "State: "), strings.HasPrefix(line, "Function: "), strings.HasPrefix(line, "Args: "):
		return true
	}
	return indented
}

func (b *builder) nextErlang(line string, indented bool) bool {
	if f, ok := erlangFrame(line); ok {
		b.frame(f)
		return true
	}
	return indented
}

func (b *builder) nextNative(line string) bool {
	if f, ok := coreFrame(line); ok {
		b.frame(f)
		return true
	}
	switch {
	case strings.HasPrefix(line, "Stack trace of thread "):
		b.skip = len(b.Frames) > 0
		return true
	case strings.HasPrefix(line, "Module "), strings.HasPrefix(line, "Found module "), strings.HasPrefix(line, "ELF object "):
		return true
	}
	return false
}
