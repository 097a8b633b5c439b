//go:build linux

package incidents

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

// patience is how long anything may take that is not about time.
const patience = 30 * time.Second

// eventually waits for something to become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	if !within(t, patience, is) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// within reports whether something becomes true in time.
func within(t *testing.T, most time.Duration, is func() bool) bool {
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

// output is what a process wrote so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// A process is a program that runs.
type process struct {
	t              *testing.T
	name           string
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
}

// start runs a program until the test ends; what it wrote is shown when the test fails.
func start(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	cmd.WaitDelay = 5 * time.Second
	if cmd.Env == nil {
		cmd.Env = cleanEnv()
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
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s ended with %d\nstdout:\n%s\nstderr:\n%s", name, cmd.ProcessState.ExitCode(), tail(&p.stdout), tail(&p.stderr))
		}
	})
	return p
}

// tail returns the end of what a process wrote.
func tail(o *output) string {
	s := o.String()
	return s[max(0, len(s)-3000):]
}

// cleanEnv is the environment without what would change the programs.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "FLEETLENS_") && !strings.HasPrefix(kv, "NATS_") {
			env = append(env, kv)
		}
	}
	return append(env, "NO_COLOR=1")
}

// kill ends the process and all it started, if it still runs, and waits for its end.
func (p *process) kill() {
	select {
	case <-p.ended:
		return
	default:
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("kill %s: %v", p.name, err)
	}
	<-p.ended
}

// says waits until the process has written a text to its standard error.
func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, p.name+" says "+text, func() bool {
		if strings.Contains(p.stderr.String(), text) {
			return true
		}
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended before it said %q", p.name, text)
		default:
		}
		return false
	})
}
