package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// ErrNoAnswer marks an error of Probes that says nothing of the question: the
// target's probe is not there, or it hangs.
var ErrNoAnswer = errors.New("no answer")

// FleetCalls are the functions by which one script asks targets:
//
//	system_get_memory()                   one callback of the only target
//	on("web-1/host", "system_get_memory") of one of several
//	fleet("system_get_memory")            of all at once: a table by target
//	targets()                             their names
//
// In fleet's table a target that failed has {error = "why"}. A target that did not
// answer is not asked again: it costs its deadline once. The zero value of the
// rest is ready; it is for one script.
type FleetCalls struct {
	Targets []protocol.TargetRef
	Docs    []protocol.CallDoc // the callbacks of the targets' skill
	Probes  Probes

	mu     sync.Mutex
	silent map[protocol.TargetRef]error
}

// Names returns the functions that a script may call.
func (f *FleetCalls) Names() []string {
	names := []string{"on", "fleet", "targets"}
	for _, doc := range f.docs() {
		names = append(append(names, doc.Name), doc.Aliases...)
	}
	return names
}

func (f *FleetCalls) docs() []protocol.CallDoc { return slices.Concat(f.Docs, baseCalls) }

// Call makes one call of a script.
func (f *FleetCalls) Call(ctx context.Context, name string, args []any) (any, error) {
	switch name {
	case "targets":
		list := []string{}
		for _, t := range f.Targets {
			list = append(list, t.String())
		}
		return list, nil
	case "fleet":
		callback, ok := first(args)
		if !ok {
			return nil, errors.New(`fleet takes a callback and its arguments: fleet("system_get_memory")`)
		}
		return f.fleet(ctx, callback, args[1:])
	case "on":
		target, okT := first(args)
		callback, okC := first(args[min(1, len(args)):])
		if len(args) < 2 {
			return nil, errors.New(`on takes a target and a callback: on("web-1/host", "system_get_memory")`)
		}
		if !okT || !okC {
			return nil, errors.New("on takes the target and the callback as strings")
		}
		t, err := targetOf(f.Targets, target)
		if err != nil {
			return nil, err
		}
		if err := f.fits(callback, args[2:]); err != nil {
			return nil, err
		}
		return f.ask(ctx, t, callback, args[2:])
	}
	t, err := targetOf(f.Targets, "")
	if err != nil {
		return nil, fmt.Errorf("%w, or ask all: fleet(%q)", err, name)
	}
	if err := f.fits(name, args); err != nil {
		return nil, err
	}
	return f.ask(ctx, t, name, args)
}

func first(args []any) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	s, ok := args[0].(string)
	return s, ok
}

// fits checks a callback's name and arguments before anybody is asked.
func (f *FleetCalls) fits(callback string, args []any) error {
	doc, err := callbackOf(f.docs(), callback)
	if err != nil {
		return err
	}
	_, err = skills.Bind(doc, args)
	return err
}

// fleet asks all targets at once.
func (f *FleetCalls) fleet(ctx context.Context, callback string, args []any) (any, error) {
	if err := f.fits(callback, args); err != nil {
		return nil, err
	}
	values := make([]any, len(f.Targets))
	errs := each(ctx, f.Targets, func(ctx context.Context, i int) (err error) {
		values[i], err = f.ask(ctx, f.Targets[i], callback, args)
		return err
	})
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	table := map[string]any{}
	for i, t := range f.Targets {
		table[t.String()] = values[i]
		if errs[i] != nil {
			table[t.String()] = map[string]any{"error": errs[i].Error()}
		}
	}
	return table, nil
}

// ask asks one target, unless it was silent before.
func (f *FleetCalls) ask(ctx context.Context, t protocol.TargetRef, callback string, args []any) (any, error) {
	f.mu.Lock()
	err := f.silent[t]
	f.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("not asked again in this script: %w", err)
	}
	reply, err := f.Probes.Call(ctx, t, callback, args)
	if errors.Is(err, ErrNoAnswer) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.silent == nil {
			f.silent = map[protocol.TargetRef]error{}
		}
		f.silent[t] = err
	}
	return reply.Value, err
}

// targetOf returns the target that a name means: its node or node/target. An empty
// name means the only one.
func targetOf(targets []protocol.TargetRef, name string) (protocol.TargetRef, error) {
	var found []protocol.TargetRef
	var all []string
	for _, t := range targets {
		all = append(all, t.String())
		if name == "" || name == t.String() || name == t.Node {
			found = append(found, t)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1 && name == "":
		return protocol.TargetRef{}, fmt.Errorf("there are %d targets: name one of %s", len(found), listed(all, 10))
	case len(found) > 1:
		return protocol.TargetRef{}, fmt.Errorf("%q names %d targets: name one of %s", name, len(found), listed(all, 10))
	}
	return protocol.TargetRef{}, fmt.Errorf("%q: %w (have %s)", name, errNoTarget, listed(all, 10))
}

// callbackOf returns the callback of a name.
func callbackOf(docs []protocol.CallDoc, name string) (protocol.CallDoc, error) {
	var have []string
	for _, c := range docs {
		if c.Called(name) {
			return c, nil
		}
		have = append(have, c.Name)
	}
	return protocol.CallDoc{}, fmt.Errorf("unknown callback %q (have %s)", name, strings.Join(have, ", "))
}
