package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
)

// scaleReport is how long the same tasks take.
type scaleReport struct {
	Tasks int     `json:"tasks"`
	Turn  float64 `json:"model_s_per_turn"`
	Turns int     `json:"turns_per_task"`
	One   float64 `json:"one_operator_s"`
	Four  float64 `json:"four_operators_s"`
	Ratio figure  `json:"ratio"`
}

func scaleCommand() *cobra.Command {
	var tasks int
	var delay time.Duration
	cmd := subcommand("scale", "The same tasks with one operator and with four",
		`Give tasks to one operator, then as many to four, each with a connection of its
own and one task at a time, and a model that takes a second for its only turn
(take_snapshot and done). Completions are counted on the stream. NATS, one probe of
this host and the operators run in this process, each time anew.`,
		func(ctx context.Context, b *bench) (any, error) { return b.scale(ctx, tasks, delay) })
	cmd.Flags().IntVar(&tasks, "tasks", 40, "tasks of each round")
	cmd.Flags().DurationVar(&delay, "model", time.Second, "how long the model takes for a turn")
	return cmd
}

func (b *bench) scale(ctx context.Context, tasks int, delay time.Duration) (*scaleReport, error) {
	var took [2]time.Duration
	for i, operators := range []int{1, 4} {
		b.say("%d tasks, operators: %d", tasks, operators)
		var err error
		if took[i], err = b.scaleRound(ctx, operators, tasks, delay); err != nil {
			return nil, fmt.Errorf("operators: %d: %w", operators, err)
		}
	}
	return &scaleReport{
		Tasks: tasks, Turn: round(delay.Seconds()), Turns: 1, One: round(took[0].Seconds()), Four: round(took[1].Seconds()),
		Ratio: atLeast(float64(took[0])/float64(took[1]), 3.5),
	}, nil
}

// scaleRound returns how long the tasks took, from the first one queued to the
// last completion stored.
func (b *bench) scaleRound(ctx context.Context, operators, tasks int, delay time.Duration) (time.Duration, error) {
	server, err := natsd.Start(natsd.Options{StoreDir: filepath.Join(b.dir, fmt.Sprint("nats-", operators))})
	if err != nil {
		return 0, err
	}
	defer server.Stop()
	conn, err := b.dial(ctx, bus.Config{InProcess: server})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.Setup(ctx, bus.SetupOptions{Skills: []string{"os"}}); err != nil {
		return 0, err
	}
	stop, err := b.workers(ctx, server, operators, delay)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = work(ctx, conn, tasks)
	took := time.Since(began)
	return took, errors.Join(err, stop())
}

// work queues tasks and returns when they are completed.
func work(ctx context.Context, conn *bus.Conn, tasks int) error {
	for range tasks {
		if err := queueTask(ctx, conn, newTask("bench", "")); err != nil {
			return err
		}
	}
	return completions(ctx, conn, tasks)
}

// completions returns when so many runs were done.
func completions(ctx context.Context, conn *bus.Conn, want int) error {
	for n, next := 0, uint64(1); n < want; {
		for m, err := range conn.Range(ctx, bus.Findings, protocol.CompletionSubject(protocol.Any, protocol.Any), next) {
			if err != nil {
				return err
			}
			if err := checkDone(m); err != nil {
				return err
			}
			n, next = n+1, m.Sequence+1
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d tasks were completed: %w", n, want, err)
		}
	}
	return nil
}

// workers starts a probe and the operators.
func (b *bench) workers(ctx context.Context, server *natsd.Server, operators int, delay time.Duration) (stop func() error, err error) {
	runs := []process{b.hostProbe("bench")}
	for range operators {
		runs = append(runs, b.slowOperator(delay))
	}
	return b.together(ctx, server, runs)
}

// A process runs until ctx ends, and says when it is ready.
type process func(ctx context.Context, conn *bus.Conn, ready func()) error

// together runs processes, each on a connection of its own, and returns when all are ready.
func (b *bench) together(ctx context.Context, server *natsd.Server, runs []process) (stop func() error, err error) {
	ready := make(chan struct{}, len(runs))
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		g.Go(func() error {
			conn, err := b.dial(ctx, bus.Config{InProcess: server})
			if err != nil {
				return err
			}
			defer conn.Close()
			return run(ctx, conn, func() { ready <- struct{}{} })
		})
	}
	stop = func() error {
		cancel()
		if err := g.Wait(); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	for range runs {
		select {
		case <-ready:
		case <-ctx.Done(): // one of them failed, or the time is over
			return nil, errors.Join(stop(), context.Cause(ctx))
		}
	}
	return stop, nil
}

// hostProbe is a probe of this machine, with the skills that every probe has.
func (b *bench) hostProbe(node string) process {
	cfg := probe.DefaultConfig()
	cfg.Node = node
	return func(ctx context.Context, conn *bus.Conn, ready func()) error {
		return probe.Run(ctx, cfg, probe.Deps{
			Log: b.log, Bus: conn, Skills: all.Skills(all.Options{}), Node: hostos.Node(host.New(host.Config{}), cfg.Node),
			Identity: probe.Identity{MachineID: cfg.Node, BootID: cfg.Node}, Version: "bench", Ready: ready,
		})
	}
}

// slowOperator is an operator with one task at a time and a model that takes its time.
func (b *bench) slowOperator(delay time.Duration) process {
	script := agenttest.NewScript(agenttest.Calls(agenttest.Call("take_snapshot", nil), agenttest.Call("done", nil)))
	script.Delay = delay
	cfg := operator.DefaultConfig()
	cfg.Concurrency = 1
	return func(ctx context.Context, conn *bus.Conn, ready func()) error {
		return operator.Run(ctx, cfg, operator.Deps{
			Log: b.log, Bus: conn, Skills: all.Skills(all.Options{}), Version: "bench", Ready: ready,
			Deciders: func(string) (agent.Decider, error) { return script, nil },
		})
	}
}
