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
	// is exact. A library function is one instruction and is bounded by Wall.
	Instructions int64
	// Memory is how many bytes of private memory the child may add to those it
	// started with. The kernel refuses more, and the child dies; a single
	// allocation may pass it by up to 128 MB first. Linux only.
	Memory int64
	// SoftMemory is the heap, in bytes, above which the child collects garbage
	// as hard as it can. Passing it is no error.
	SoftMemory int64
	// Callbacks is how many callbacks the script may make.
	Callbacks int
	// Arguments is the size in bytes of one callback's arguments as JSON.
	Arguments int
	// Reply is the size in bytes of one callback's result as JSON.
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
		Memory:       256 << 20,
		SoftMemory:   96 << 20,
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
	// LimitStack is the depth to which a script's syntax or a pattern may recurse
	// inside the interpreter. It is fixed at 64 MB of stack.
	LimitStack = "stack"
)

const (
	grace      = 250 * time.Millisecond // what a late child or callback is given before it is left behind
	startTime  = 20 * time.Second       // for the program's own initialisation in the child
	maxStack   = 64 << 20
	maxMessage = 4 << 10 // bytes of an error's text
)

// orDefaults returns l with every unset field set.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Wall:         set(l.Wall, d.Wall),
		CallbackTime: set(l.CallbackTime, d.CallbackTime),
		Instructions: set(l.Instructions, d.Instructions),
		Memory:       set(l.Memory, d.Memory),
		SoftMemory:   set(l.SoftMemory, d.SoftMemory),
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

// bound returns the value of the limit of that name, as text.
func (l Limits) bound(name string) string {
	switch name {
	case LimitWall:
		return l.Wall.String()
	case LimitCallbackTime:
		return l.CallbackTime.String()
	case LimitInstructions:
		return strconv.FormatInt(l.Instructions, 10)
	case LimitMemory:
		return strconv.FormatInt(l.Memory, 10) + " bytes"
	case LimitCallbacks:
		return strconv.Itoa(l.Callbacks)
	case LimitArguments:
		return strconv.Itoa(l.Arguments)
	case LimitReply:
		return strconv.Itoa(l.Reply)
	case LimitResult:
		return strconv.Itoa(l.Result)
	case LimitSource:
		return strconv.Itoa(l.Source)
	case LimitNesting:
		return strconv.Itoa(l.Nesting)
	case LimitStack:
		return strconv.Itoa(maxStack) + " bytes"
	}
	return ""
}
