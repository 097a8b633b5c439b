//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// How long the server waits for a sign of life of a worker, and for how long it
// knows a message id: short, so that a test meets the end of both.
const (
	ackWait   = 2 * time.Second
	duplicate = 3 * time.Second
)

// A fleet is everything that runs, in one folder.
type fleet struct {
	options
	dir     string
	servers []*natsServer
	workers []*process // operators and coordinators: those that are killed
	probes  []*process
	nc      *nats.Conn
	js      jetstream.JetStream
}

// build makes the programs and the checker.
func build(ctx context.Context, dir string) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/...", "./test/chaos/check")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(root)))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

// newFleet starts NATS, makes the streams impatient, and starts every process.
func newFleet(ctx context.Context, o options, dir string, m *model) (f *fleet, err error) {
	f = &fleet{options: o, dir: dir}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.servers, err = newServers(dir, o.cluster); err != nil {
		return f, err
	}
	for _, s := range f.servers {
		if err := s.up(ctx); err != nil {
			return f, err
		}
	}
	f.nc, err = nats.Connect(urls(f.servers), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		return f, err
	}
	if f.js, err = jetstream.New(f.nc); err != nil {
		return f, err
	}
	if err := f.setup(ctx); err != nil {
		return f, err
	}
	config := filepath.Join(dir, "fleetlens.yaml")
	if err := os.WriteFile(config, []byte(m.config()), 0o600); err != nil {
		return f, err
	}
	for i := range o.operators {
		name := fmt.Sprintf("op-%d", i+1)
		f.workers = append(f.workers, f.process("operator", name, "--name", name, "--config", config))
	}
	for i := range o.coordinators {
		name := fmt.Sprintf("co-%d", i+1)
		f.workers = append(f.workers, f.process("coordinator", name, "--name", name))
	}
	for i := range o.probes {
		node := fmt.Sprintf("node-%d", i+1)
		f.probes = append(f.probes, f.process("probe", node, "--node", node, "--interval", "2s", "--heartbeat", "500ms"))
	}
	for _, p := range append(f.probes, f.workers...) {
		if err := p.start(); err != nil {
			return f, err
		}
	}
	return f, f.ready(ctx)
}

// process describes one of the programs; nothing is started.
func (f *fleet) process(program, name string, args ...string) *process {
	args = append([]string{"--server", urls(f.servers)}, args...)
	return &process{name: name, path: filepath.Join(f.dir, program), args: args, dir: f.dir}
}

// setup makes the streams as an administrator does, and shortens what is timed.
func (f *fleet) setup(ctx context.Context) error {
	args := []string{"setup", "--server", urls(f.servers)}
	if f.cluster {
		args = append(args, "--replicas", "3")
	}
	var out []byte
	var err error
	for range 20 { // a cluster has no leader at first
		try, cancel := context.WithTimeout(ctx, 15*time.Second)
		out, err = exec.CommandContext(try, filepath.Join(f.dir, "fleetlens"), args...).CombinedOutput()
		cancel()
		if err == nil || pause(ctx, 500*time.Millisecond) != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("fleetlens setup: %w\n%s", err, out)
	}
	for _, name := range []string{"FL_REQUESTS", "FL_WORK", "FL_FINDINGS", "FL_INSIGHTS"} {
		s, err := f.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
		cfg := s.CachedInfo().Config
		cfg.Duplicates = duplicate
		if _, err := f.js.UpdateStream(ctx, cfg); err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
		for con := range s.ListConsumers(ctx).Info() {
			con.Config.AckWait = ackWait
			if _, err := s.UpdateConsumer(ctx, con.Config); err != nil {
				return fmt.Errorf("consumer %s: %w", con.Name, err)
			}
		}
	}
	return nil
}

// ready waits until the processes do their work.
func (f *fleet) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, p := range append(f.probes, f.workers...) {
		for {
			log, err := os.ReadFile(filepath.Join(f.dir, p.name+".log"))
			if err != nil {
				return err
			}
			text := string(log)
			if strings.Contains(text, "takes requests") || strings.Contains(text, "operator serves") || strings.Contains(text, "probe watches") {
				break
			}
			if pause(ctx, 20*time.Millisecond) != nil {
				return errors.New(p.name + " is not ready after 30 s: " + text)
			}
		}
	}
	return nil
}

// stop ends everything that runs.
func (f *fleet) stop() {
	for _, p := range append(f.probes, f.workers...) {
		p.bury()
	}
	if f.nc != nil {
		f.nc.Close()
	}
	for _, s := range f.servers {
		s.bury()
	}
}
