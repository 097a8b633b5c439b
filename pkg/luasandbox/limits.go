package luasandbox

import (
	"strconv"
	"time"
)

// Limits bound one Run. A field that is zero or negative takes its value from
// DefaultLimits. Reaching any of them but Output ends the run with a
// *LimitError, which a script has no means to catch.
type Limits struct {
	// Wall is how long the script may run, time in callbacks excluded. A child
	// that has not ended itself is killed 250 ms later.
	Wall time.Duration
	// CallbackTime is how long all callbacks of a run may take together.
	CallbackTime time.Duration
	// Instructions is how many VM instructions the script may execute; the count
	// is exact. Library functions count their work too: one instruction for eight
	// steps of a pattern, for 64 bytes of text built, for a comparison of a sort.
	Instructions int64
	// Memory is how many bytes the script's values may take. The child looks at
	// its heap as it runs and before it builds a long text; where it looked too
	// late, the kernel refuses it more than Memory + 160 MB (Linux only).
	Memory int64
	// Callbacks is how many callbacks the script may make.
	Callbacks int
	// Arguments is the size in bytes of one callback's arguments as JSON.
	Arguments int
	// Reply is the size in bytes of one callback's result as JSON, and of what
	// json.encode gives and json.decode takes.
	Reply int
	// Result is the size in bytes of the script's result as JSON.
	Result int
	// Output is how many bytes of printed text are kept. The rest is dropped and
	// Result.OutputCut says so; it is no error.
	Output int
	// Source is the size of the script in bytes.
	Source int
	// Nesting is how deep arrays and objects may lie in each other, in arguments,
	// callback results and the script's result.
	Nesting int
}

// DefaultLimits returns limits that suit a script written by a language model:
// seconds of work and a few dozen callbacks.
func DefaultLimits() Limits {
	return Limits{
		Wall:         5 * time.Second,
		CallbackTime: 30 * time.Second,
		Instructions: 10_000_000,
		Memory:       96 << 20,
		Callbacks:    100,
		Arguments:    64 << 10,
		Reply:        1 << 20,
		Result:       64 << 10,
		Output:       16 << 10,
		Source:       64 << 10,
		Nesting:      32,
	}
}

// The names of limits, as LimitError.Limit has them.
const (
	LimitWall         = "wall time"
	LimitCallbackTime = "callback time"
	LimitInstructions = "instructions"
	LimitMemory       = "memory"
	LimitCallbacks    = "callbacks"
	LimitArguments    = "argument bytes"
	LimitReply        = "callback result bytes"
	LimitResult       = "result bytes"
	LimitSource       = "source bytes"
	LimitNesting      = "nesting"
	// LimitSyntax is how deep expressions and blocks may lie in each other in the
	// source. It is fixed at 200.
	LimitSyntax = "syntax depth"
	// LimitStack is for what no other limit foresaw: the child's own stack, fixed
	// at 64 MB.
	LimitStack = "stack"
)

const (
	grace        = 250 * time.Millisecond // what a late child or callback is given before it is left behind
	unheard      = 100 * time.Millisecond // what a library function is given to notice that time is up
	startTime    = 20 * time.Second       // for the program's own initialisation in the child
	maxStack     = 64 << 20
	maxMessage   = 4 << 10 // bytes of an error's text
	maxSyntax    = 200
	kernelMemory = 160 << 20 // what the kernel allows beyond Memory: garbage not yet collected, and the runtime
)

// orDefaults returns l with every unset field set.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Wall:         set(l.Wall, d.Wall),
		CallbackTime: set(l.CallbackTime, d.CallbackTime),
		Instructions: set(l.Instructions, d.Instructions),
		Memory:       set(l.Memory, d.Memory),
		Callbacks:    set(l.Callbacks, d.Callbacks),
		Arguments:    set(l.Arguments, d.Arguments),
		Reply:        set(l.Reply, d.Reply),
		Result:       set(l.Result, d.Result),
		Output:       set(l.Output, d.Output),
		Source:       set(l.Source, d.Source),
		Nesting:      set(l.Nesting, d.Nesting),
	}
}

func set[T time.Duration | int64 | int](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// bound returns the value of the limit of that name, as text, and what a script
// did that reached it. Both are "" for a name that is no limit's.
func (l Limits) bound(name string) (value, did string) {
	switch name {
	case LimitWall:
		return l.Wall.String(), "the script ran for its %s"
	case LimitCallbackTime:
		return l.CallbackTime.String(), "the callbacks took their %s"
	case LimitInstructions:
		return commas(l.Instructions), "the script used its %s instructions"
	case LimitMemory:
		return commas(l.Memory) + " bytes", "the script used its %s of memory"
	case LimitCallbacks:
		return commas(int64(l.Callbacks)), "the script made its %s callbacks"
	case LimitArguments:
		return commas(int64(l.Arguments)) + " bytes", "a callback's arguments are more than %s"
	case LimitReply:
		return commas(int64(l.Reply)) + " bytes", "a callback's result is more than %s: ask it for less"
	case LimitResult:
		return commas(int64(l.Result)) + " bytes", "the script's result is more than %s: return less"
	case LimitSource:
		return commas(int64(l.Source)) + " bytes", "the script is longer than %s"
	case LimitNesting:
		return strconv.Itoa(l.Nesting), "a value is nested deeper than %s levels"
	case LimitSyntax:
		return strconv.Itoa(maxSyntax), "expressions or blocks are nested deeper than %s levels"
	case LimitStack:
		return commas(maxStack) + " bytes", "the interpreter used its %s of stack"
	}
	return "", ""
}

// commas writes n as people do, 10,000,000.
func commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
