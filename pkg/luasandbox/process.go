package luasandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is one child, seen from the parent.
type process struct {
	token  string
	cmd    *exec.Cmd
	orders *os.File // its standard input
	said   *os.File // its standard output
	dying  *os.File // its standard error: nothing, but for a fatal error's text

	mu     sync.Mutex // held from kill to reap: after that the number may be another process's
	reaped bool
}

// start starts this program as a child, which waits for hello. The kernel kills
// a child when the thread that started it ends, so the thread has to outlast it.
func start() (*process, error) {
	if err := startable(); err != nil {
		return nil, err
	}
	var token [tokenLen / 2]byte
	rand.Read(token[:])
	p := &process{token: hex.EncodeToString(token[:])}
	err := p.start(isolate)
	if mayNotChangeUser(err) {
		err = p.start(separate)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, &ChildError{Reason: "start child: its user may not execute this program's file", Err: err}
	}
	if err != nil {
		return nil, &ChildError{Reason: "start child", Err: err}
	}
	return p, nil
}

// start starts the process, prepared by prepare, and closes the child's ends of its pipes.
func (p *process) start(prepare func(*exec.Cmd)) (err error) {
	p.cmd = &exec.Cmd{
		Path: executable,
		Args: []string{childName, p.token},
		Dir:  string(os.PathSeparator),
		// Nothing of the parent's, and two settings that the Go runtime reads
		// before any init: one processor, and fatal errors in one line.
		Env: []string{"GOMAXPROCS=1", "GOTRACEBACK=none"},
	}
	prepare(p.cmd)
	var stdin, stdout, stderr *os.File
	defer func() {
		closeAll(stdin, stdout, stderr)
		if err != nil {
			closeAll(p.orders, p.said, p.dying)
		}
	}()
	if stdin, p.orders, err = os.Pipe(); err != nil {
		return err
	}
	if p.said, stdout, err = os.Pipe(); err != nil {
		return err
	}
	if p.dying, stderr, err = os.Pipe(); err != nil {
		return err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, stderr
	return p.cmd.Start()
}

// handshake proves each to the other: the child that it is this package's, and
// the parent that it holds the pipe and gave the token. It returns when the
// child is ready for a script.
func (p *process) handshake(limits Limits, ahead bool) error {
	hello := order{Kind: kindHello, Token: p.token, Limits: &limits, Ahead: ahead}
	said, err := p.exchange(hello, time.Now().Add(startTime), 4<<10)
	if isTimeout(err) {
		return &ChildError{Reason: "the program did not become a child in " + startTime.String() + ": is something initialised before this package that waits?"}
	}
	if err != nil {
		why, _ := p.obituary(err)
		return why
	}
	if said.Kind != kindReady || said.Token != p.token {
		return &ChildError{Reason: "the program that was started is not this package's child"}
	}
	return nil
}

// obituary returns why a conversation broke off with err, and the limit that the
// child died of, or "".
func (p *process) obituary(err error) (why *ChildError, limit string) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !isBrokenPipe(err) {
		return &ChildError{Reason: "child broke the protocol", Err: err}, ""
	}
	words := p.lastWords()
	limit = fatalLimit(words)
	if words == "" {
		words = "it said nothing"
	}
	return &ChildError{Reason: "child died (" + p.fate() + "): " + words}, limit
}

// exchange sends o and reads the next report, of at most limit bytes.
func (p *process) exchange(o order, deadline time.Time, limit int) (report, error) {
	var said report
	if err := errors.Join(p.orders.SetWriteDeadline(deadline), p.said.SetReadDeadline(deadline)); err != nil {
		return said, err
	}
	if err := writeFrame(p.orders, o); err != nil {
		return said, err
	}
	return said, readFrame(p.said, limit, &said)
}

// killWith kills the child when ctx ends. The function it returns takes that
// back, and returns when no such kill is under way.
func (p *process) killWith(ctx context.Context) (stop func()) {
	killed := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(killed)
		p.kill()
	})
	return func() {
		if !cancel() {
			<-killed
		}
	}
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd.Process)
	}
}

// close kills what is left of the child, reaps it and closes the pipes.
func (p *process) close() {
	p.fate()
	closeAll(p.orders, p.said, p.dying)
}

// fate kills what is left of the child, reaps it and returns how it ended.
func (p *process) fate() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd.Process)
		_ = p.cmd.Wait() // that it was killed is no error
		p.reaped = true
	}
	return p.cmd.ProcessState.String()
}

// lastWords returns what a child that closed its output wrote on standard error,
// up to a goroutine's trace.
// A child that lives on has none.
func (p *process) lastWords() string {
	if err := p.dying.SetReadDeadline(time.Now().Add(grace)); err != nil {
		return ""
	}
	words, _ := io.ReadAll(io.LimitReader(p.dying, maxMessage))
	first, _, _ := strings.Cut(strings.TrimSpace(string(words)), "\n\n")
	return strings.ToValidUTF8(first, "\uFFFD")
}

// fatalLimit returns the limit that a fatal error of the Go runtime stands for, or "".
func fatalLimit(words string) string {
	for _, f := range []struct{ says, limit string }{
		{"stack overflow", LimitStack},
		{"stack exceeds", LimitStack},
		{"out of memory", LimitMemory},
		{"cannot allocate memory", LimitMemory},
		{"failed to allocate", LimitMemory},
		{"failed to create new OS thread", LimitMemory},
		{"pthread_create failed", LimitMemory},
		{"address space", LimitMemory}, // with the race detector
		{"cpu limit exceeded", LimitWall},
	} {
		if strings.Contains(words, f.says) {
			return f.limit
		}
	}
	return ""
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
