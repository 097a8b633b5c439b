// Package allinone runs NATS and every process of Fleetlens in one: for
// `fleetlens up`, for `fleetlens investigate --local`, and for tests.
package allinone

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/gateway"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Options say what runs.
type Options struct {
	DataDir string // where NATS keeps its files; empty: a temporary folder, removed at the end
	Listen  string // host to listen on; empty: no port
	Port    int

	Probe       *watch.Settings
	Operator    operator.Config
	Coordinator coordinator.Config
	LLM         llm.Config
	Budget      budget.Config
	Gateway     gateway.Config // without sinks none is started
	// Deciders, when set, stands in for the configured models: for tests.
	Deciders func(model string) (agent.Decider, error)
	Log      *slog.Logger
	// Telemetry is where the signals of all processes go; the zero value is nowhere.
	Telemetry signals.Providers
}

// A Stack is everything, running.
type Stack struct {
	Server *natsd.Server
	Bus    *bus.Conn // of the caller's own

	started time.Time
	stop    func()
	wait    func() error
}

// Start returns when the probe has reported, and operators and coordinators take
// work. The caller stops it.
func Start(ctx context.Context, o Options) (_ *Stack, err error) {
	var cleanup []func()
	undo := func() {
		for _, c := range slices.Backward(cleanup) {
			c()
		}
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	if o.DataDir == "" {
		dir, err := os.MkdirTemp("", "fleetlens-")
		if err != nil {
			return nil, err
		}
		o.DataDir = dir
		cleanup = append(cleanup, func() { _ = os.RemoveAll(dir) })
	}
	server, err := natsd.Start(natsd.Options{StoreDir: o.DataDir, Host: o.Listen, Port: o.Port})
	if err != nil {
		return nil, err
	}
	cleanup = append(cleanup, server.Stop)

	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cleanup = append(cleanup, cancel)
	s := &Stack{Server: server}
	dial := func(source string) (*bus.Conn, error) {
		c, err := bus.Dial(ctx, bus.Config{InProcess: server, Telemetry: o.Telemetry}, source, o.Log)
		if err == nil {
			cleanup = append(cleanup, c.Close)
		}
		return c, err
	}
	if s.Bus, err = dial("fleetlens"); err != nil {
		return nil, err
	}
	g, run := errgroup.WithContext(run)
	var ready sync.WaitGroup
	if err := o.launch(run, g, &ready, s.Bus, dial); err != nil {
		return nil, err
	}
	up := make(chan struct{})
	go func() { ready.Wait(); close(up) }()
	select {
	case <-up:
		s.started = time.Now()
	case <-run.Done():
		return nil, fmt.Errorf("start: %w", g.Wait())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var once sync.Once
	var waitErr error
	s.wait = func() error { once.Do(func() { waitErr = g.Wait() }); return waitErr }
	s.stop = func() { cancel(); _ = s.wait(); undo() }
	return s, nil
}

// launch starts the processes, each on a connection of its own. Budgets are
// asked on conn.
func (o Options) launch(ctx context.Context, g *errgroup.Group, ready *sync.WaitGroup, conn *bus.Conn, dial func(string) (*bus.Conn, error)) error {
	watching, err := o.Probe.Deps(probe.Deps{Log: o.Log, Version: proc.Version(), Telemetry: o.Telemetry, Ready: sync.OnceFunc(ready.Done)})
	if err != nil {
		return err
	}
	list := watching.Skills
	words, err := skills.Words(list, o.Operator.Thresholds)
	if err != nil {
		return proc.UsageError{Err: err}
	}
	deciders := o.Deciders
	if deciders == nil {
		if deciders, err = o.LLM.Deciders(ctx, words, budget.New(conn, o.Budget, o.Log)); err != nil {
			return err
		}
	}
	ready.Add(3)
	start := func(source string, run func(conn *bus.Conn) error) error {
		conn, err := dial(source)
		if err != nil {
			return err
		}
		g.Go(func() error { return run(conn) })
		return nil
	}
	if err := start("coordinator", func(c *bus.Conn) error {
		return coordinator.Run(ctx, o.Coordinator, coordinator.Deps{Log: o.Log, Bus: c, Skills: list, Deciders: deciders, Version: proc.Version(), Telemetry: o.Telemetry, Ready: ready.Done})
	}); err != nil {
		return err
	}
	if err := start("operator", func(c *bus.Conn) error {
		scripts := operator.NewSandbox(o.Log)
		defer scripts.Close()
		return operator.Run(ctx, o.Operator, operator.Deps{
			Log: o.Log, Bus: c, Skills: list, Deciders: deciders, Version: proc.Version(), Ready: ready.Done,
			Scripts: scripts, Telemetry: o.Telemetry,
		})
	}); err != nil {
		return err
	}
	if len(o.Gateway.Sinks) > 0 {
		ready.Add(1)
		if err := start("gateway", func(c *bus.Conn) error {
			return gateway.Run(ctx, o.Gateway, gateway.Deps{Log: o.Log, Bus: c, Telemetry: o.Telemetry, Ready: ready.Done})
		}); err != nil {
			return err
		}
	}
	return start("probe/"+o.Probe.Node, func(c *bus.Conn) error {
		watching.Bus = c
		return probe.Run(ctx, o.Probe.Config, watching)
	})
}

// settle is the least time between two readings of a host that gives rates.
const settle = 1100 * time.Millisecond

// Settle returns when a snapshot taken from now on has rates: they are the
// differences to the probe's first one.
func (s *Stack) Settle(ctx context.Context) error {
	t := time.NewTimer(time.Until(s.started.Add(settle)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Wait returns when a process ended, with its error; nil after Stop.
func (s *Stack) Wait() error { return s.wait() }

// Stop ends everything, NATS last.
func (s *Stack) Stop() { s.stop() }
