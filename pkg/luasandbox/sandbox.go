package luasandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Sandbox runs scripts, each in a process of its own. It is safe for
// concurrent use. From its first Run on it keeps children started ahead, which
// Close ends.
type Sandbox struct {
	limits Limits
	pool   *pool
}

// An Option adjusts a Sandbox.
type Option func(*Sandbox)

// defaultAhead is how many children a sandbox keeps started ahead.
const defaultAhead = 2

// Ahead has a sandbox keep n children started ahead instead of 2; with 0 each
// Run starts its own. One that waits has used some milliseconds of processor
// time and keeps a few megabytes.
func Ahead(n int) Option { return func(s *Sandbox) { s.pool.ahead = max(n, 0) } }

// New returns a sandbox with those limits. It starts no process before its first Run.
func New(limits Limits, options ...Option) *Sandbox {
	s := &Sandbox{limits: limits.orDefaults()}
	s.pool = newPool(s.limits, defaultAhead)
	for _, o := range options {
		o(s)
	}
	return s
}

// Close ends the children that were started ahead, and returns when they and
// those of finished Runs are gone. Runs under way go on; each Run after it fails
// with ErrClosed. A program that ends needs no Close, its children end with it; one
// that makes many sandboxes does, since each keeps a thread.
func (s *Sandbox) Close() { s.pool.close() }

// A Func is a callback: a Go function that a script calls by Name, as a global.
type Func struct {
	// Name is a Lua name that is no keyword and no function of the library.
	Name string
	// Call is made in the parent, never two at a time for one run. Its arguments
	// are JSON values as encoding/json decodes them (nil, bool, float64, string,
	// []any, map[string]any), and the script chooses them: check them. Its result
	// is anything that encoding/json encodes; the script sees null as nil. An
	// error or a panic becomes a Lua error with its message, which the script may
	// catch. Call returns soon after ctx ends: the run waits 250 ms for it
	// and then goes on without it.
	Call func(ctx context.Context, args []any) (any, error)
}

// A Result is what a run came to.
type Result struct {
	// Value is what the script returned, as a JSON value: nil, bool, float64,
	// string, []any or map[string]any. Nothing is nil, several values are an
	// array. A table is an array where its keys are 1 to n or it is empty, and an
	// object otherwise, its numbers as keys in decimal. Bytes that are not UTF-8
	// become U+FFFD.
	Value any
	// Output is what the script printed, up to the limit. After an error it is
	// what the child had still been able to send.
	Output string
	// OutputCut is whether the script printed more than that.
	OutputCut bool
	// Usage is what the run took.
	Usage Usage
}

// Usage is what a run took.
type Usage struct {
	Wall         time.Duration // in the child, its start and callbacks excluded
	CallbackTime time.Duration // in callbacks
	Callbacks    int           // made, failed ones included
	Instructions int64         // executed; up to 255 too few where the clock ended the run, and 0 where the child died before it said
}

// Run runs one script and returns when its process has been killed. The result
// has the output and the usage beside an error too.
//
// The error is a *LimitError for a limit that was reached; a *ScriptError for a
// fault of the script, NaN or an infinity in its result among them; a
// *ChildError where the child could not be started or died for a reason of its
// own; ErrClosed after Close; and wraps ctx's cause when ctx ended first,
// whereupon the child is killed at once.
func (s *Sandbox) Run(ctx context.Context, script string, calls []Func) (Result, error) {
	named, err := byName(calls)
	if err != nil {
		return Result{}, err
	}
	if len(script) > s.limits.Source {
		return Result{}, s.reached(LimitSource, 0)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, ended(ctx)
	}
	r := run{sandbox: s, calls: named}
	waited, err := r.once(ctx, script, s.pool.take)
	if _, died := errors.AsType[*ChildError](err); died && waited && !r.heard && ctx.Err() == nil {
		// It may have died while it waited. Nothing came of the script: it may run again.
		r = run{sandbox: s, calls: named}
		_, err = r.once(ctx, script, s.pool.fresh)
	}
	return r.result, err
}

// once runs the script in a child from take, and reports whether it had waited.
func (r *run) once(ctx context.Context, script string, take func(context.Context) (*process, bool, error)) (waited bool, err error) {
	r.process, waited, err = take(ctx)
	if err != nil {
		return waited, err
	}
	defer r.sandbox.pool.giveBack(r.process)
	defer r.process.killWith(ctx)()
	err = r.converse(ctx, script)
	if ctx.Err() != nil && err != nil {
		err = ended(ctx)
	}
	return waited, err
}

// Check reports whether this program can run scripts on this platform, and
// within every limit. It returns nil; or ErrNoResourceLimits where the kernel
// bounds nothing; or a *ChildError with the reason for which every Run will fail.
func Check() error {
	if err := startable(); err != nil {
		return err
	}
	if !limited {
		return ErrNoResourceLimits
	}
	return nil
}

func (s *Sandbox) reached(limit string, line int) *LimitError {
	bound, did := s.limits.bound(limit)
	return &LimitError{Limit: limit, Bound: bound, Line: line, did: did}
}

func ended(ctx context.Context) error {
	return fmt.Errorf("luasandbox: run script: %w", context.Cause(ctx))
}
