package luasandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	luaName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	keywords = strings.Fields("and break do else elseif end false for function goto if in local nil not or repeat return then true until while")
)

// byName returns the callbacks by name, or every fault of theirs.
func byName(calls []Func) (map[string]Func, error) {
	named := make(map[string]Func, len(calls))
	var faults []error
	for _, f := range calls {
		switch _, twice := named[f.Name]; {
		case !luaName.MatchString(f.Name), slices.Contains(keywords, f.Name):
			faults = append(faults, fmt.Errorf("luasandbox: callback %q: want a Lua name", f.Name))
		case known()[f.Name]:
			faults = append(faults, fmt.Errorf("luasandbox: callback %q: the name is taken by Lua's own", f.Name))
		case twice:
			faults = append(faults, fmt.Errorf("luasandbox: callback %q: given twice", f.Name))
		case f.Call == nil:
			faults = append(faults, fmt.Errorf("luasandbox: callback %q: Call is nil", f.Name))
		}
		named[f.Name] = f
	}
	return named, errors.Join(faults...)
}

// call makes the callback that the child asked for and returns its reply.
func (r *run) call(ctx context.Context, asked report) (order, error) {
	f, ok := r.calls[asked.Name]
	if !ok {
		return order{}, &ChildError{Reason: fmt.Sprintf("child asked for unknown callback %q (have %s)",
			clip(asked.Name), strings.Join(slices.Sorted(maps.Keys(r.calls)), ", "))}
	}
	limits := r.sandbox.limits
	if r.result.Usage.Callbacks >= limits.Callbacks {
		return order{}, r.sandbox.reached(LimitCallbacks, asked.Line)
	}
	if len(asked.Value) > limits.Arguments {
		return order{}, r.sandbox.reached(LimitArguments, 0)
	}
	if nesting(asked.Value) > limits.Nesting+1 {
		return order{}, r.sandbox.reached(LimitNesting, 0)
	}
	var args []any
	if err := json.Unmarshal(asked.Value, &args); err != nil {
		return order{}, &ChildError{Reason: "child sent arguments that are no array", Err: err}
	}
	r.result.Usage.Callbacks++
	value, failure, err := r.invoke(ctx, f, args)
	if err != nil {
		if late, ok := errors.AsType[*LimitError](err); ok {
			late.Line = asked.Line
		}
		return order{}, err
	}
	if failure != nil {
		return order{Kind: kindReply, Failed: true, Error: clip(failure.Error())}, nil
	}
	if leastJSON(value, limits.Reply) > limits.Reply { // before encoding takes memory for it
		return order{}, r.sandbox.reached(LimitReply, asked.Line)
	}
	raw, err := json.Marshal(value)
	switch {
	case err != nil:
		return order{Kind: kindReply, Failed: true, Error: clip("result: " + err.Error())}, nil
	case len(raw) > limits.Reply:
		return order{}, r.sandbox.reached(LimitReply, asked.Line)
	case nesting(raw) > limits.Nesting:
		return order{}, r.sandbox.reached(LimitNesting, asked.Line)
	}
	return order{Kind: kindReply, Value: raw}, nil
}

// invoke calls f within what is left of the callback time. The callback's own
// error is failure; err ends the run.
func (r *run) invoke(ctx context.Context, f Func, args []any) (value any, failure, err error) {
	type outcome struct {
		value any
		err   error
	}
	left := r.sandbox.limits.CallbackTime - r.result.Usage.CallbackTime
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	begin := time.Now()
	returned := make(chan outcome, 1) // room for one that nobody waits for any more
	go func() {
		var o outcome
		defer func() { returned <- o }()
		o.err = errors.New("callback ended without returning")
		o.value, o.err = guard(ctx, f, args)
	}()
	var o outcome
	select {
	case o = <-returned:
	case <-ctx.Done():
		late := time.NewTimer(grace)
		defer late.Stop()
		select {
		case <-returned:
		case <-late.C:
		}
	}
	r.result.Usage.CallbackTime += time.Since(begin)
	if ctx.Err() != nil {
		return nil, nil, r.sandbox.reached(LimitCallbackTime, 0)
	}
	return o.value, o.err, nil
}

// guard calls f and makes an error of a panic.
func guard(ctx context.Context, f Func, args []any) (value any, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("callback panicked: %v", v)
		}
	}()
	return f.Call(ctx, args)
}
