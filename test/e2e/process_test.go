//go:build linux

package e2e_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that is not about time.
const patience = time.Minute

// eventually waits for something to become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("%s: the test ended", what)
		case <-late:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
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

// tail returns the end of what a process wrote.
func tail(o *output) string {
	const most = 4000
	if s := o.String(); len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return o.String()
}

// A process is one of the programs, running.
type process struct {
	t              *testing.T
	name           string
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
}

// start runs a program until the test ends; what it wrote is shown when the test fails.
func start(t *testing.T, name, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	// What nobody asked for would come between what these tests ask.
	p.cmd.Env = append(cleanEnv(), "TMPDIR="+p.cmd.Dir, "FLEETLENS_WATCH=false", "FLEETLENS_TRIAGE=false", "FLEETLENS_ALERTS=")
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	// A group of its own, so that what it started ends with it; and it ends when
	// the test program is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s ended with %d\nstdout:\n%s\nstderr:\n%s", name, p.cmd.ProcessState.ExitCode(), tail(&p.stdout), tail(&p.stderr))
		}
	})
	return p
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

// signal sends a signal to the process and all it started.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("signal %v to %s: %v", s, p.name, err)
	}
}

// interrupt tells the process to stop, as a terminal does.
func (p *process) interrupt() { p.signal(syscall.SIGINT) }

// kill ends the process the hard way, if it still runs, and waits for its end.
func (p *process) kill() {
	select {
	case <-p.ended:
		return
	default:
	}
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(2 * patience):
		p.t.Fatalf("%s did not end", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
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

// An answer is what a command left behind.
type answer struct {
	code           int
	stdout, stderr string
}

// fleetlens runs the command line to its end.
func fleetlens(t *testing.T, args ...string) answer {
	t.Helper()
	p := start(t, "fleetlens "+strings.Join(args, " "), program(t, "fleetlens"), args...)
	code := p.wait()
	return answer{code, p.stdout.String(), p.stderr.String()}
}

// child starts this program with a fault and returns its pid once it has it, and
// what it said. The child ends with the test.
func child(t *testing.T, role string, attr *syscall.SysProcAttr) (pid int, say string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = attr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		return 0, "cannot: " + err.Error()
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	var line []byte
	for b := make([]byte, 1); len(line) == 0 || line[len(line)-1] != '\n'; line = append(line, b[0]) {
		if _, err := io.ReadFull(out, b); err != nil {
			t.Fatalf("the process %q ended: %v %s", role, err, line)
		}
	}
	return cmd.Process.Pid, strings.TrimSpace(string(line))
}
