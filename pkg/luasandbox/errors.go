package luasandbox

import (
	"errors"
	"fmt"
)

// ErrNoResourceLimits is what Check returns where the system cannot bound a
// child's memory and processor time. Scripts still run in a child that is killed
// when late.
var ErrNoResourceLimits = errors.New("luasandbox: no resource limits on this platform")

// ErrClosed is what Run returns after Close.
var ErrClosed = errors.New("luasandbox: closed")

// A LimitError says which limit ended a run.
type LimitError struct {
	Limit string // one of the Limit constants
	Bound string // the limit's value, such as "5s" or "10,000,000"
	Line  int    // the line that was running, or 0 where it is not known

	did string
}

// Error returns a sentence fit to be shown to whoever wrote the script, such as
// "line 3: the script used its 10,000,000 instructions".
func (e *LimitError) Error() string {
	if e.did == "" {
		return atLine(e.Line, "limit of "+e.Limit+" ("+e.Bound+") reached")
	}
	return atLine(e.Line, fmt.Sprintf(e.did, e.Bound))
}

// A ScriptError is a fault of the script: it does not parse, it raised an error
// that it did not catch, or it returned what is not a JSON value.
type ScriptError struct {
	Message string // without the position, at most 4 KiB
	Line    int    // or 0 where it is not known
}

// Error returns a sentence fit to be shown to whoever wrote the script.
func (e *ScriptError) Error() string { return atLine(e.Line, e.Message) }

func atLine(line int, text string) string {
	if line > 0 {
		return fmt.Sprintf("line %d: %s", line, text)
	}
	return text
}

// A ChildError says that the child process could not be started, died, or broke
// the protocol, for a reason that no limit explains. The next Run is unaffected.
type ChildError struct {
	Reason string
	Err    error // the cause, or nil
}

// Error returns what happened to the child.
func (e *ChildError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("luasandbox: %s: %v", e.Reason, e.Err)
	}
	return "luasandbox: " + e.Reason
}

// Unwrap returns the cause.
func (e *ChildError) Unwrap() error { return e.Err }

// clip shortens an error's text to what is worth keeping of it.
func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return s[:maxMessage] + "…"
}
