package stacktrace

import "strings"

// A builder puts one trace together.
type builder struct {
	Trace
	lines   int
	closed  bool // the trace is whole; in Python another one may follow that it caused
	code    bool // the next line is source code
	skip    bool // frames are of a cause or of another goroutine
	reverse bool // the newest frame comes last, as in Python
	chained bool // the one that comes next was caused by this one
}

func (b *builder) frame(f Frame) {
	if b.skip {
		return
	}
	f.Function, f.File = short(f.Function, nameBytes), short(f.File, nameBytes)
	if len(b.Frames) < mostFrames {
		b.Frames = append(b.Frames, f)
		return
	}
	b.Cut = true
	if b.reverse { // the end matters
		copy(b.Frames, b.Frames[1:])
		b.Frames[mostFrames-1] = f
	}
}

func (b *builder) cause(s string) {
	if len(b.Causes) < mostCauses {
		b.Causes = append(b.Causes, short(s, nameBytes))
	}
}

// name sets type and message from "type: message".
func (b *builder) name(s string) {
	kind, message, _ := strings.Cut(s, ": ")
	b.Type, b.Message = short(strings.TrimSuffix(kind, ":"), nameBytes), short(message, textBytes)
}

// whole says whether nothing that matters is still to come.
func (b *builder) whole() bool {
	if b.Language == Python { // what it is comes last
		return b.closed
	}
	return len(b.Frames) > 0
}

// begin returns a new trace when the line begins one, by itself or together with
// the line before it. Line and before have no spaces around them.
func begin(line, before string) *builder {
	switch {
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "), strings.HasPrefix(line, "SIGQUIT: "):
		b := &builder{Trace: Trace{Language: Go, Kind: Panic}}
		b.goPanic(line)
		return b
	case strings.HasPrefix(line, "goroutine ") && strings.HasSuffix(line, "]:"):
		b := &builder{Trace: Trace{Language: Go, Kind: Panic, Type: "goroutine", Message: short(before, textBytes)}}
		if i := strings.Index(before, "panic"); i >= 0 { // http: panic serving 10.0.0.1:80: what
			b.Type = "panic"
			if _, what, ok := strings.Cut(before[i:], ": "); ok {
				b.goPanic("panic: " + what)
			}
		}
		return b
	case strings.Contains(line, "Traceback (most recent call last)"):
		return &builder{Trace: Trace{Language: Python, Kind: Exception}, reverse: true}
	case strings.HasPrefix(line, "** ("):
		b := &builder{Trace: Trace{Language: Elixir, Kind: Exception}}
		b.elixir(line)
		return b
	case strings.HasPrefix(line, "exception error: "), strings.HasPrefix(line, "exception exit: "), strings.HasPrefix(line, "exception throw: "):
		b := &builder{Trace: Trace{Language: Erlang, Kind: Exception}}
		b.erlang(line)
		return b
	case strings.HasPrefix(line, "Process ") && strings.HasSuffix(line, "dumped core."):
		return coreDump(line)
	case strings.HasPrefix(line, "at "):
		return beginAt(line, before)
	case strings.HasPrefix(line, "---> "):
		name, ok := exceptionName(before)
		if !ok {
			return nil
		}
		b := &builder{Trace: Trace{Language: DotNet, Kind: Exception}}
		b.name(name)
		b.cause(strings.TrimPrefix(line, "---> "))
		return b
	}
	return nil
}

// goPanic takes the type and the message of a panic.
func (b *builder) goPanic(line string) {
	kind, message, _ := strings.Cut(line, ": ")
	b.Type, b.Message = kind, short(strings.TrimSuffix(message, " [recovered]"), textBytes)
	switch {
	case strings.HasPrefix(message, "runtime error: "):
		what, _, _ := strings.Cut(strings.TrimPrefix(message, "runtime error: "), " [")
		b.Type = "runtime error: " + what
	case kind == "fatal error":
		b.Type = short(line, nameBytes)
	case strings.HasPrefix(message, "main.") || strings.HasPrefix(message, "*") || strings.HasPrefix(message, "&"):
		b.Type, _, _ = strings.Cut(message, "{")
		b.Type = short(b.Type, nameBytes)
	}
}

// elixir takes ** (RuntimeError) message.
func (b *builder) elixir(line string) {
	kind, message, _ := strings.Cut(strings.TrimPrefix(line, "** ("), ") ")
	b.Type, b.Message = short(strings.TrimSuffix(kind, ")"), nameBytes), short(message, textBytes)
	switch kind {
	case "exit", "EXIT":
		b.Kind = Exit
	case "throw":
		b.Kind = Throw
	}
}

// erlang takes exception error: reason.
func (b *builder) erlang(line string) {
	kind, reason, _ := strings.Cut(strings.TrimPrefix(line, "exception "), ": ")
	if kind == "exit" || kind == "throw" {
		b.Kind = map[string]string{"exit": Exit, "throw": Throw}[kind]
	}
	b.Type, b.Message = short(reason, 80), short(reason, textBytes)
	if i := strings.IndexAny(b.Type, ",["); i > 0 {
		b.Type = strings.TrimPrefix(b.Type[:i], "{")
	}
}

func coreDump(line string) *builder {
	b := &builder{Trace: Trace{Language: Native, Kind: CoreDump, Type: "core dump", Message: short(line, textBytes)}}
	if _, rest, ok := strings.Cut(line, " ("); ok {
		if name, _, ok := strings.Cut(rest, ")"); ok {
			b.Type = "core dump of " + short(name, 64)
		}
	}
	return b
}

// beginAt begins the trace of which line is the first frame and before the name.
func beginAt(line, before string) *builder {
	f, language, ok := atFrame(strings.TrimPrefix(line, "at "))
	if !ok || before == "" {
		return nil
	}
	b := &builder{Trace: Trace{Language: language, Kind: Exception}}
	name, ok := exceptionName(before)
	if !ok && language != Node {
		return nil
	}
	name, inner, nested := strings.Cut(name, " ---> ")
	b.name(name)
	if nested {
		b.cause(inner)
	}
	b.frame(f)
	return b
}

// exceptionName finds "type: message" in a line that may have words before it.
func exceptionName(s string) (string, bool) {
	for _, p := range []string{"Exception in thread ", "Unhandled exception. ", "Unhandled Exception: ", "Uncaught "} {
		rest, ok := strings.CutPrefix(s, p)
		if ok && strings.HasPrefix(rest, `"`) {
			_, rest, _ = strings.Cut(rest[1:], `" `)
		}
		if ok {
			s = rest
		}
	}
	if named(s) {
		return s, true
	}
	for i := 0; i < len(s); i++ { // "could not save: java.io.IOException: disk full"
		if s[i] == ' ' && named(s[i+1:]) {
			return s[i+1:], true
		}
	}
	return s, false
}

// named says whether s begins with the name of an exception.
func named(s string) bool {
	name, _, _ := strings.Cut(s, ":")
	if name == "" || len(name) > 200 || strings.ContainsAny(name, " \t/\"'=()") {
		return false
	}
	for _, end := range []string{"Exception", "Error", "Throwable", "Fault", "Failure"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.Count(name, ".") >= 2 && name[len(name)-1] != '.' && !strings.ContainsAny(name[:1], "0123456789")
}
