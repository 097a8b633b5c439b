// Package journald runs the machine's journalctl, the one program that the probe
// starts: the journal's files have no other reader that needs no C library. What
// it writes is handed on as it is, and read elsewhere.
package journald

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

// before is how many entries are read that were there already.
const before = 200

// fields are those of an entry that are asked for; cursor and time always come.
const fields = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,_SYSTEMD_UNIT,_TRANSPORT,COREDUMP_STACKTRACE"

var _ logs.Journal = Open

// Open follows the journal with journalctl, as [logs.Journal] says. Where there is
// no journalctl or no journal, the error is logs.ErrNoJournal.
func Open(ctx context.Context, cursor string) (io.ReadCloser, error) {
	path, err := exec.LookPath("journalctl")
	if err != nil {
		return nil, fmt.Errorf("%w: journalctl is not installed", logs.ErrNoJournal)
	}
	if !exists("/var/log/journal", "/run/log/journal") {
		return nil, fmt.Errorf("%w: neither /var/log/journal nor /run/log/journal is there", logs.ErrNoJournal)
	}
	return run(ctx, path, arguments(cursor))
}

func exists(paths ...string) bool {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return false
}

func arguments(cursor string) []string {
	args := []string{"--output=json", "--output-fields=" + fields, "--all", "--no-pager", "--follow"}
	if cursor != "" {
		return append(args, "--no-tail", "--after-cursor="+cursor)
	}
	return append(args, "--lines="+strconv.Itoa(before))
}

// A stream is a journalctl that runs.
type stream struct {
	io.ReadCloser
	cmd  *exec.Cmd
	says complaints
	once sync.Once
	err  error
}

// run starts the program.
func run(ctx context.Context, path string, args []string) (io.ReadCloser, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = dieWithParent()
	cmd.WaitDelay = 2 * time.Second
	s := &stream{cmd: cmd}
	cmd.Stderr = &s.says
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.ReadCloser = out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start journalctl: %w", err)
	}
	return s, nil
}

// Close ends the program and returns what it had to complain of.
func (s *stream) Close() error {
	s.once.Do(func() {
		_ = s.cmd.Process.Kill() // it may have ended
		err := s.cmd.Wait()
		exit := (*exec.ExitError)(nil)
		if says := s.says.String(); says != "" {
			s.err = errors.New("journalctl: " + says)
		} else if errors.As(err, &exit) && exit.ExitCode() > 0 {
			s.err = fmt.Errorf("journalctl: %w", err)
		}
	})
	return s.err
}

// Complaints keep the beginning of what a program says on its standard error.
type complaints struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer. It takes everything and keeps 512 bytes.
func (w *complaints) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b[:min(len(b), max(0, 512-w.text.Len()))])
	return len(b), nil
}

// String returns what was kept, on one line.
func (w *complaints) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(strings.Fields(w.text.String()), " ")
}
