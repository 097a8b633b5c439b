//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is one program that is started again whenever it was killed. Its
// log goes on over all its lives.
type process struct {
	name string
	path string
	args []string
	dir  string

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{}
	paused bool
	final  bool // it is not started again
}

// start runs the program unless it runs already.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.final || p.running() {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env = p.dir, append(cleanEnv(), "TMPDIR="+p.dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	p.cmd, p.ended, p.paused = cmd, ended, false
	return nil
}

// running says whether the program runs; the lock is held.
func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends the program with SIGKILL, frozen or not, and reports whether it ran.
func (p *process) kill() bool { return p.end(syscall.SIGKILL) }

// end sends a signal and waits until the program has ended.
func (p *process) end(s syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return false
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, s)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
	return true
}

// freeze stops the program and returns what lets it go on; nil when it does not
// run or is frozen already.
func (p *process) freeze() (thaw func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() || p.paused {
		return nil
	}
	cmd := p.cmd
	p.paused = true
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.cmd == cmd && p.running() { // it was not killed meanwhile
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT)
			p.paused = false
		}
	}
}

// bury ends the program for good.
func (p *process) bury() {
	p.mu.Lock()
	p.final = true
	p.mu.Unlock()
	p.kill()
}

// cleanEnv is the environment without what would change the programs.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "FLEETLENS_") && !strings.HasPrefix(name, "NATS_") && !strings.HasSuffix(name, "_API_KEY") {
			env = append(env, kv)
		}
	}
	return append(env, "NO_COLOR=1")
}
