package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/web"
)

// serverCommand is a NATS server in a process of its own, so that its CPU time is
// its own. It ends when its standard input does: it never outlives the benchmark.
func serverCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{Use: "nats-server", Short: "The NATS server of the other benchmarks", Hidden: true, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&dir, "dir", "", "`folder` of JetStream's files")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := natsd.Start(natsd.Options{StoreDir: dir, Host: "127.0.0.1"})
		if err != nil {
			return err
		}
		defer s.Stop()
		fmt.Fprintln(cmd.OutOrStdout(), s.URL())
		_, err = io.Copy(io.Discard, cmd.InOrStdin())
		return err
	}
	return cmd
}

// webServerCommand is the web server of the benchmark ui in a process of its own, for
// the same reason. It ends when its standard input does.
func webServerCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{Use: "web-server", Short: "The web server of another benchmark", Hidden: true, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&url, "server", "", "`URL` of NATS")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log := warnings(cmd.ErrOrStderr())
		conn, err := bus.Dial(cmd.Context(), bus.Config{Server: url}, "bench-web", log)
		if err != nil {
			return err
		}
		defer conn.Close()
		s, err := web.New(conn, web.Config{}, log)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		go func() { _, _ = io.Copy(io.Discard, cmd.InOrStdin()); cancel() }()
		return s.Run(ctx, "127.0.0.1:0", func(at string) { fmt.Fprintf(cmd.OutOrStdout(), "http://%s %s\n", at, s.Token()) })
	}
	return cmd
}

// A part is this program with other arguments, in a process of its own.
type part struct {
	says string // its first line
	pid  int
	end  func()
}

// startPart starts one, and returns when it has said something.
func (b *bench) startPart(ctx context.Context, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = b.errOut
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
	c := &part{pid: cmd.Process.Pid, end: func() {
		_ = in.Close() // it is gone then
		_ = cmd.Wait() // how it ended says nothing about what was measured
	}}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.end()
		return nil, fmt.Errorf("%s did not start: %w", args[0], err)
	}
	c.says = strings.TrimSpace(line)
	return c, nil
}

// A natsServer is a server in a process of its own.
type natsServer struct {
	url string
	pid int
	end func()
}

// startServer starts a server with every stream of the table.
func (b *bench) startServer(ctx context.Context) (*natsServer, error) {
	c, err := b.startPart(ctx, "nats-server", "--dir", filepath.Join(b.dir, "nats"))
	if err != nil {
		return nil, err
	}
	s := &natsServer{url: c.says, pid: c.pid, end: c.end}
	conn, err := b.dial(ctx, bus.Config{Server: s.url})
	if err == nil {
		_, err = conn.Setup(ctx, bus.SetupOptions{Skills: []string{"os"}})
		conn.Close()
	}
	if err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (b *bench) dial(ctx context.Context, cfg bus.Config) (*bus.Conn, error) {
	return bus.Dial(ctx, cfg, "bench", b.log)
}

// stored returns how many messages a stream was given so far.
func stored(ctx context.Context, conn *bus.Conn, stream string) (int, error) {
	s, err := conn.StreamState(ctx, stream)
	return int(s.LastSeq), err
}

// waitStored returns when a stream was given so many messages.
func waitStored(ctx context.Context, conn *bus.Conn, stream string, want int) error {
	for {
		n, err := stored(ctx, conn, stream)
		if err != nil || n >= want {
			return err
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("stream %s has %d of %d messages: %w", stream, n, want, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
