package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Command is the first argument of a program that is a process of a simulated fleet: it calls Main.
const Command = "fleet-process"

// Kinds of processes.
const (
	NATS        = "nats"
	Coordinator = "coordinator"
	Operator    = "operator"
)

// CoordinatorConfig is the configuration of the coordinators: the default one without
// the endpoint for alerts, as two of them on one host cannot have the same. Snapshots and
// beats of a simulated fleet come thirty times as fast, and so is silence told sooner.
func CoordinatorConfig(name string) coordinator.Config {
	cfg := coordinator.DefaultConfig()
	cfg.Name, cfg.Alerts.Addr, cfg.Silence = name, "", 3*leastBeat
	return cfg
}

// OperatorConfig is the configuration of the operators: the default one.
func OperatorConfig(name string) operator.Config {
	cfg := operator.DefaultConfig()
	cfg.Name = name
	return cfg
}

// Main is a process of a simulated fleet: NATS with a folder, or a coordinator or an
// operator with the URL of NATS and a name. It ends when in does.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("%s wants a kind, a folder or URL, and a name", Command)
	}
	kind, where, name := args[0], args[1], args[2]
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _, _ = io.Copy(io.Discard, in); cancel() }()
	if kind == NATS {
		s, err := natsd.Start(natsd.Options{StoreDir: where, Host: "127.0.0.1"})
		if err != nil {
			return err
		}
		defer s.Stop()
		fmt.Fprintln(out, s.URL())
		<-ctx.Done()
		return nil
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conn, err := bus.Dial(ctx, bus.Config{Server: where}, kind+"/"+name, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	words, err := skills.Words(Words(), nil)
	if err != nil {
		return err
	}
	analyst := rules.New(words)
	deciders := func(string) (agent.Decider, error) { return analyst, nil }
	ready := func() { fmt.Fprintln(out, "ready") }
	switch kind {
	case Coordinator:
		err = coordinator.Run(ctx, CoordinatorConfig(name), coordinator.Deps{Log: log, Bus: conn, Skills: Words(), Deciders: deciders, Version: "simulated", Ready: ready})
	case Operator:
		err = operator.Run(ctx, OperatorConfig(name), operator.Deps{Log: log, Bus: conn, Skills: Words(), Deciders: deciders, Version: "simulated", Ready: ready})
	default:
		err = fmt.Errorf("there is no process %q", kind)
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// A Process is one that this program started.
type Process struct {
	cmd  *exec.Cmd
	in   io.Closer
	says string // the line that it began with
}

// Launch starts this program again as a process, and returns when it is ready.
func Launch(ctx context.Context, kind, where, name string, errOut io.Writer) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, Command, kind, where, name)
	cmd.Stderr = errOut
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: in}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.End()
		return nil, fmt.Errorf("%s %s did not start: %w", kind, name, err)
	}
	p.says = strings.TrimSpace(line)
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends a process as the kernel does that has no memory left.
func (p *Process) Kill() error { return p.cmd.Process.Kill() }

// End lets a process end by itself, and waits for it. One that was killed is waited for too.
func (p *Process) End() {
	_ = p.in.Close() // that is how it learns
	_ = p.cmd.Wait() // it may have been killed
}
