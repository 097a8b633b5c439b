package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// serve answers callbacks, snapshots and words as the NATS service fleetlens-probe.
func (p *probe) serve(ctx context.Context) (stop func(), err error) {
	endpoint := func(verb string, answer func(ctx context.Context, c protocol.Call) (any, error)) bus.Endpoint {
		return bus.Endpoint{Name: verb, Subject: protocol.ProbeSubject(p.cfg.Node, verb), Handler: func(ctx context.Context, r bus.Req) (any, error) {
			c, err := readCall(r.Data)
			if err != nil {
				return nil, bus.Refuse(400, "%v", err)
			}
			return p.observed(ctx, verb, c, answer)
		}}
	}
	return p.Bus.Serve(ctx, bus.Service{
		Name: "fleetlens-probe", Version: "0.0.0", Description: "answers read-only questions about its host",
		Metadata: map[string]string{"node": p.cfg.Node}, Concurrency: 32, Timeout: p.cfg.CallTimeout + time.Second,
		Endpoints: []bus.Endpoint{endpoint("call", p.call), endpoint("snapshot", p.snapshot), endpoint("words", p.words)},
	})
}

// readCall reads a question; an empty body is the question without anything.
func readCall(body []byte) (protocol.Call, error) {
	if len(body) == 0 {
		return protocol.Call{}, nil
	}
	return protocol.Decode[protocol.Call](body)
}

// granted refuses a callback that needs a level which nobody granted.
func (p *probe) granted(t *target, c skills.Call) error {
	switch {
	case t.level == "" && levels[c.Level] > levels[p.cfg.Level]:
		return bus.Refuse(403, "%s needs the level %q, this probe grants %q: set --level %s in the host's own configuration", c.Name, c.Level, p.cfg.Level, c.Level)
	case t.level != "" && levels[c.Level] > levels[t.level]:
		return bus.Refuse(403, "%s needs the level %q, and %s grants %q: set `level: %s` at targets.%s.%s in the host's own configuration", c.Name, c.Level, t.Target, t.level, c.Level, t.Kind, t.Target)
	}
	return nil
}

func (p *probe) call(ctx context.Context, c protocol.Call) (any, error) {
	target, err := p.target(c.Target)
	if err != nil {
		return nil, err
	}
	found, err := target.callback(c.Callback, p.base)
	if err != nil {
		return nil, err
	}
	if err := p.granted(target, found); err != nil {
		return nil, err
	}
	args, err := bind(found.Words(), c.Args)
	if err != nil {
		return nil, bus.Refuse(400, "%v", err)
	}
	limit := p.cfg.CallTimeout
	if asked := time.Duration(c.DeadlineMS) * time.Millisecond; asked > 0 && asked < limit {
		limit = asked
	}
	value, err := within(ctx, limit, func(ctx context.Context) (any, error) { return found.Run(ctx, args) })
	if err != nil {
		return nil, bus.Refuse(500, "%s: %v", c.Callback, err)
	}
	reply := protocol.CallReply{Node: p.cfg.Node, Target: target.Target, Callback: c.Callback, At: time.Now().UTC()}
	if reply.Value, reply.Truncated, err = p.leaving(value); err != nil {
		return nil, bus.Refuse(500, "%s: %v", c.Callback, err)
	}
	return reply, nil
}

func bind(doc protocol.CallDoc, args any) (skills.Args, error) {
	switch a := args.(type) {
	case []any:
		return skills.Bind(doc, a)
	case map[string]any:
		return skills.BindNamed(doc, a)
	}
	return skills.Bind(doc, nil)
}

// within runs ask, and stops waiting for it when its time is over.
func within(ctx context.Context, limit time.Duration, ask func(ctx context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type answer struct {
		value any
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		a.err = safely(func() (err error) { a.value, err = ask(ctx); return err })
		done <- a
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("it took longer than %s", limit)
	}
}

func (p *probe) snapshot(ctx context.Context, c protocol.Call) (any, error) {
	target, err := p.target(c.Target)
	if err != nil {
		return nil, err
	}
	src, err := target.source(c.Skill)
	if err != nil {
		return nil, err
	}
	if c.DeadlineMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.DeadlineMS)*time.Millisecond)
		defer cancel()
	}
	snap, err := p.take(ctx, src)
	if err != nil {
		return nil, bus.Refuse(503, "%s: %v", c.Skill, err)
	}
	p.publish(ctx, taken{snap, src}) // what is cited must be on the stream
	return snap, nil
}

func (p *probe) words(_ context.Context, c protocol.Call) (any, error) {
	target, err := p.target(c.Target)
	if err != nil {
		return nil, err
	}
	src, err := target.source(c.Skill)
	if err != nil {
		return nil, err
	}
	return src.words, nil
}

// maxAnswer is how many bytes of JSON a callback answers at most.
const maxAnswer = 192 << 10

// bound returns v as plain JSON values of at most limit bytes. Where it is
// larger, its longest list is halved until it fits, which truncated tells.
func bound(v any, limit int) (out any, truncated bool, err error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, false, fmt.Errorf("the answer cannot be expressed in JSON: %w", err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, false, err
	}
	for len(raw) > limit {
		list, replace := longest(out, func(v any) { out = v })
		if replace == nil {
			return nil, false, fmt.Errorf("the answer has %d bytes and no list to cut (at most %d)", len(raw), limit)
		}
		replace(list[:len(list)/2])
		truncated = true
		if raw, err = json.Marshal(out); err != nil {
			return nil, false, err
		}
	}
	return out, truncated, nil
}

// longest returns the longest list of at least two entries within v, and a
// function that puts another in its place; nil when there is none.
func longest(v any, set func(any)) (best []any, replace func([]any)) {
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		switch x := v.(type) {
		case []any:
			if len(x) > max(1, len(best)) {
				best, replace = x, func(cut []any) { set(cut) }
			}
			for i := range x {
				walk(x[i], func(v any) { x[i] = v })
			}
		case map[string]any:
			for k := range x {
				walk(x[k], func(v any) { x[k] = v })
			}
		}
	}
	walk(v, set)
	return best, replace
}
