package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// warmUp is for how many intervals a fleet runs before moment zero: what was usual is
// on the stream then.
const warmUp = 25

// Options say how scenarios are run.
type Options struct {
	Nodes    int
	Seed     uint64
	Interval time.Duration // between two snapshots; see ProbeConfig for what is scaled by it
	Dir      string        // for files; the caller removes it
	Log      *slog.Logger
	ErrOut   io.Writer // of processes, and for progress
	// Enough, when it is not 0, ends a scenario so long after the last insight.
	Enough time.Duration
}

// A Runner runs scenarios one after another. Fleets and what their detectors learned are
// made once. It is not safe for concurrent use.
type Runner struct {
	Options
	plans     map[string]*Plan
	histories map[string]History
}

// NewRunner returns a runner.
func NewRunner(o Options) *Runner {
	return &Runner{Options: o, plans: map[string]*Plan{}, histories: map[string]History{}}
}

func (r *Runner) say(format string, args ...any) { fmt.Fprintf(r.ErrOut, format+"\n", args...) }

// plan returns the fleet of a scenario and what its detectors know.
func (r *Runner) plan(ctx context.Context, s Scenario) (*Plan, History, error) {
	if p := r.plans[s.Fleet]; p != nil {
		return p, r.histories[s.Fleet], nil
	}
	p, err := NewPlan(s.On, r.Nodes, r.Seed)
	if err != nil {
		return nil, nil, err
	}
	began := time.Now()
	h, err := p.Learn(ctx, began)
	if err != nil {
		return nil, nil, err
	}
	r.say("fleet %s: the detectors of %d nodes learned %d samples of each metric in %s", s.Fleet, len(p.Nodes), historySamples, time.Since(began).Round(time.Second))
	r.plans[s.Fleet], r.histories[s.Fleet] = p, h
	return p, h, nil
}

// Run runs one scenario and scores what the product made of it.
func (r *Runner) Run(ctx context.Context, s Scenario) (_ *Score, err error) {
	plan, history, err := r.plan(ctx, s)
	if err != nil {
		return nil, err
	}
	script, err := NewScript(s, plan)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.Dir, s.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := startProduct(ctx, dir, s.Operators, r.ErrOut)
	if err != nil {
		return nil, err
	}
	defer p.end()
	conn, err := bus.Dial(ctx, bus.Config{Server: p.url}, "ci/fleet", r.Log)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	seen, err := observe(conn)
	if err != nil {
		return nil, err
	}
	defer seen.stop()
	probes, err := startProbes(ctx, script, history, r.Interval, p.url, filepath.Join(dir, "state"), r.Log)
	if err != nil {
		return nil, err
	}
	err = r.play(ctx, script, probes, p, conn, seen)
	var score *Score
	if err == nil {
		score, err = seen.score(ctx, conn, script, probes, r.Interval)
	}
	return score, errors.Join(err, probes.stop())
}

// An event is what happens at a moment, in intervals after zero.
type event struct {
	at float64
	do func() error
}

// play lets the fleet run, and everything happen at its time.
func (r *Runner) play(ctx context.Context, s *Script, p *Probes, product *product, conn *bus.Conn, o *seen) error {
	zero := time.Now().Add(warmUp * r.Interval)
	p.zero.Store(zero.UnixNano())
	for i, list := range s.delivery {
		for _, d := range list {
			p.wires[i].set(delivery{late: d.Late, doubled: d.Doubled, reordered: d.Reordered, by: time.Duration(d.LateBy * float64(r.Interval))})
		}
	}
	events := slices.Concat(s.failures(p), s.reports(ctx, conn), product.kills(s.Kill))
	slices.SortStableFunc(events, func(a, b event) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	when := func(at float64) time.Time { return zero.Add(time.Duration(at * float64(r.Interval))) }
	for _, e := range events {
		if err := pause(ctx, time.Until(when(e.at))); err != nil {
			return err
		}
		if err := e.do(); err != nil {
			return err
		}
	}
	for end := when(s.Lasts); time.Now().Before(end); {
		if last := o.lastInsight(); r.Enough > 0 && !last.IsZero() && time.Since(last) > r.Enough {
			return nil
		}
		if err := pause(ctx, min(time.Until(end), 250*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// failures returns the silences and cuts.
func (c *Script) failures(p *Probes) []event {
	var out []event
	for _, f := range c.Faults {
		for _, n := range c.faults[f.Name] {
			if f.Silent {
				out = append(out, event{f.At, func() error { p.stops[n](); return nil }})
			}
			if f.Cut {
				out = append(out, event{f.At, func() error { p.wires[n].Cut(true); return nil }})
			}
			if f.Cut && f.For > 0 {
				out = append(out, event{f.At + f.For, func() error { p.wires[n].Cut(false); return nil }})
			}
		}
	}
	return out
}

// reports returns the changes that a delivery system publishes.
func (c *Script) reports(ctx context.Context, conn *bus.Conn) []event {
	var out []event
	for i, ch := range c.Changes {
		for _, n := range c.changes[i] {
			out = append(out, event{ch.At, func() error {
				body := protocol.Change{ID: protocol.NewID(), Node: c.Nodes[n].Name, Source: ch.Source, What: ch.What, Text: ch.Text, At: time.Now().UTC()}
				_, err := conn.Publish(ctx, bus.Outgoing{Subject: protocol.ChangeSubject(body.Node, body.Source), Body: body, ID: body.ID, Dedupe: true, At: body.At})
				return err
			}})
		}
	}
	return out
}

// product is NATS, coordinators and operators, in processes of their own.
type product struct {
	url                     string
	server                  *Process
	coordinators, operators []*Process
}

// coordinators is how many there are: one that leads and one that stands by.
const coordinators = 2

func startProduct(ctx context.Context, dir string, operators int, errOut io.Writer) (_ *product, err error) {
	p := &product{}
	if p.server, err = Launch(ctx, NATS, filepath.Join(dir, "nats"), "nats", errOut); err != nil {
		return nil, err
	}
	p.url = p.server.says
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	for i := range coordinators {
		c, err := Launch(ctx, Coordinator, p.url, fmt.Sprintf("co-%d", i), errOut)
		if err != nil {
			return nil, err
		}
		p.coordinators = append(p.coordinators, c)
	}
	for i := range operators {
		o, err := Launch(ctx, Operator, p.url, fmt.Sprintf("op-%d", i), errOut)
		if err != nil {
			return nil, err
		}
		p.operators = append(p.operators, o)
	}
	return p, nil
}

// kills returns the ends of processes; the first that started goes first.
func (p *product) kills(list []KillAt) []event {
	var out []event
	next := map[string]int{}
	for _, k := range list {
		of := p.operators
		if k.Process == Coordinator {
			of = p.coordinators
		}
		if i := next[k.Process]; i < len(of) {
			out = append(out, event{k.At, of[i].Kill})
		}
		next[k.Process]++
	}
	return out
}

func (p *product) end() {
	for _, c := range slices.Concat(p.operators, p.coordinators, []*Process{p.server}) {
		c.End()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Names returns the names of scenarios, for messages.
func Names(list []Scenario) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}
