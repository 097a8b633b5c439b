package stacktrace

import (
	"fmt"
	"strings"
	"time"
)

// Languages that are recognised. Native stands for core dumps.
const (
	Go     = "go"
	Java   = "java"
	Python = "python"
	Node   = "node"
	DotNet = "dotnet"
	Elixir = "elixir"
	Erlang = "erlang"
	Native = "native"
)

// Kinds of traces.
const (
	Exception = "exception" // that nobody caught, or that was logged
	Panic     = "panic"     // of Go
	Exit      = "exit"      // of Erlang and Elixir
	Throw     = "throw"     // of Erlang and Elixir
	CoreDump  = "core_dump"
)

// Kinds returns all of them.
func Kinds() []string { return []string{Exception, Panic, Exit, Throw, CoreDump} }

// A Frame is one function of a stack.
type Frame struct {
	Function string
	File     string // may be empty
	Line     int    // 0 when it is not told
}

// A Trace is one stack trace.
type Trace struct {
	ID       int    // unique as long as the collector lives
	Group    string // of the traces that are the same fault
	Time     time.Time
	Language string
	Kind     string
	Type     string   // of the exception: java.io.IOException, KeyError, panic
	Message  string   // what it says; may be empty
	Causes   []string // "type: message" of those behind it, the nearest first
	Frames   []Frame  // where it happened first
	Cut      bool     // there were more frames
	Source   string
	Module   string // the program or the process that logged it; may be empty
	Level    string // at which it was logged; may be empty
	Under    string // the supervisor of the process; may be empty
	PID      int
	Known    bool // it was written before reading began
}

// Bounds of one trace.
const (
	mostFrames  = 24
	mostCauses  = 6
	mostLines   = 400 // after so many a trace is at its end
	textBytes   = 300 // of a message
	nameBytes   = 160 // of a function, a file, a type
	fingerprint = 5   // functions that make a group
)

func short(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.Clone(strings.ToValidUTF8(s, "\ufffd"))
}

// groupOf is the same for traces of one fault.
func groupOf(t *Trace) string {
	h := uint64(14695981039346656037)
	add := func(s string) {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	add(t.Language)
	add(steady(t.Type))
	if n := len(t.Causes); n > 0 {
		cause, _, _ := strings.Cut(t.Causes[n-1], ":")
		add(steady(cause))
	}
	n := 0
	for _, f := range own(t) {
		add(steady(f.Function))
		if n++; n == fingerprint {
			break
		}
	}
	if n == 0 { // without frames the words are all there is
		add(steady(t.Message))
	}
	return fmt.Sprintf("%08x", uint32(h^h>>32))
}

// own returns the frames of the program itself: those of the language's runtime are
// on top of many different faults. When all are, all count.
func own(t *Trace) []Frame {
	var out []Frame
	for _, f := range t.Frames {
		if !ofRuntime(t.Language, f) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return t.Frames
	}
	return out
}

// runtimes are how functions begin that a language brings along, and that are on top of
// many different faults.
var runtimes = map[string][]string{
	Go: {"runtime.", "panic(", "testing.", "net/http.", "runtime/debug."}, Java: {"java.", "jdk.", "sun.", "javax."},
	Node: {"node:"}, DotNet: {"System.", "Microsoft."}, Erlang: erlangs,
	Elixir: append([]string{
		":gen_server.", ":gen_statem.", ":gen.", ":proc_lib.", ":erlang.", ":lists.", ":maps.", "Task.Supervised.", "GenServer.", "Kernel.", "Enum.", "Map.",
	}, erlangs...),
}

var erlangs = []string{"gen_server:", "gen_statem:", "gen_event:", "gen:", "proc_lib:", "erlang:", "lists:", "maps:", "erl_eval:"}

func ofRuntime(language string, f Frame) bool {
	function := strings.TrimPrefix(f.Function, "fun in ")
	for _, p := range runtimes[language] {
		if strings.HasPrefix(function, p) || language == Node && strings.HasPrefix(f.File, p) {
			return true
		}
	}
	return language == Go && f.Function == "panic"
}

// steady takes numbers out of a name: addresses, ids of closures and lambdas.
func steady(s string) string {
	s, _, _ = strings.Cut(s, "$$Lambda")
	s, _, _ = strings.Cut(s, "@0x")
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// Top returns the frame of the program itself that is on top of the stack; the zero
// Frame when there are none.
func (t *Trace) Top() Frame {
	if frames := own(t); len(frames) > 0 {
		return frames[0]
	}
	return Frame{}
}
