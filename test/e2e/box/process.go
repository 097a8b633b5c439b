//go:build linux

package box

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long anything may take that is not about time.
const Patience = 60 * time.Second

// Eventually waits for something to become true.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	if !Within(t, Patience, is) {
		t.Fatalf("not within %s: %s", Patience, what)
	}
}

// Within reports whether something becomes true in time.
func Within(t testing.TB, most time.Duration, is func() bool) bool {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(most)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// Output is what a process wrote so far.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// A Process is a program that runs.
type Process struct {
	t              testing.TB
	Name           string
	Cmd            *exec.Cmd
	Stdout, Stderr Output
	Ended          chan struct{}
}

// Start runs a program until the test ends; what it wrote is shown when the test fails.
func Start(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, Name: name, Cmd: cmd, Ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.Stdout, &p.Stderr
	cmd.WaitDelay = 5 * time.Second
	if cmd.Env == nil {
		cmd.Env = CleanEnv()
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own, so that what it started ends with it; and it ends when
	// the test program is killed.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.Ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s ended with %d\nstdout:\n%s\nstderr:\n%s", name, cmd.ProcessState.ExitCode(), tail(&p.Stdout), tail(&p.Stderr))
		}
	})
	return p
}

// tail returns the end of what a process wrote.
func tail(o *Output) string {
	s := o.String()
	return s[max(0, len(s)-3000):]
}

// CleanEnv is the environment without what would change the programs.
func CleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "FLEETLENS_") && !strings.HasPrefix(kv, "NATS_") {
			env = append(env, kv)
		}
	}
	return append(env, "NO_COLOR=1")
}

// Signal sends a signal to the process and all it started; to none where it has ended.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(-p.Cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("signal %v to %s: %v", s, p.Name, err)
	}
}

// Interrupt tells the process to stop, as a terminal does.
func (p *Process) Interrupt() { p.Signal(syscall.SIGINT) }

// Kill ends the process and all it started, if it still runs, and waits for its end.
func (p *Process) Kill() {
	select {
	case <-p.Ended:
		return
	default:
	}
	p.Signal(syscall.SIGKILL)
	<-p.Ended
}

// Wait waits for the end of the process and returns its exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(2 * Patience):
		p.t.Fatalf("%s did not end", p.Name)
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Says waits until the process has written a text to its standard error.
func (p *Process) Says(text string) {
	p.t.Helper()
	Eventually(p.t, p.Name+" says "+text, func() bool {
		if strings.Contains(p.Stderr.String(), text) {
			return true
		}
		select {
		case <-p.Ended:
			p.t.Fatalf("%s ended before it said %q", p.Name, text)
		default:
		}
		return false
	})
}
