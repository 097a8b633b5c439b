package kmsg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Log is the kernel's log of this machine. It is safe for concurrent use.
type Log struct {
	path  string
	plain bool // a file of records, a line each

	mu   sync.Mutex
	fd   int // 0: not open
	next uint64
}

// Open returns the log at path; empty means /dev/kmsg. It opens nothing yet.
func Open(path string) *Log {
	if path == "" {
		path = "/dev/kmsg"
	}
	return &Log{path: path}
}

// OpenFile returns a log that stands in a plain file, a record a line, as tests have
// it for a machine made of files. One that is not there is empty.
func OpenFile(path string) *Log { return &Log{path: path, plain: true} }

// Close gives back what the log holds. It may be read again.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
}

func (l *Log) close() {
	if l.fd != 0 {
		_ = unix.Close(l.fd)
		l.fd = 0
	}
}

// Read calls fn for each record since the last Read; the first begins with the
// oldest that the kernel still has. Lost is how many of them the kernel overwrote
// before they were read. The error is a [Refused] where the privilege is missing.
func (l *Log) Read(ctx context.Context, fn func(Record)) (lost uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plain {
		return 0, l.readFile(fn)
	}
	if l.fd == 0 {
		fd, err := unix.Open(l.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return 0, Refused{err}
		}
		if err != nil {
			return 0, fmt.Errorf("open %s: %w", l.path, err)
		}
		l.fd = fd
	}
	booted := bootTime()
	buf := make([]byte, 8<<10) // a record is never longer
	for ctx.Err() == nil {
		n, err := unix.Read(l.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN) || err == nil && n == 0:
			return lost, nil
		case errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EINTR): // overwritten: the next read goes on behind the gap
			continue
		case errors.Is(err, unix.EPERM): // asked for at each read
			l.close()
			return lost, Refused{err}
		case err != nil:
			l.close()
			return lost, fmt.Errorf("read %s: %w", l.path, err)
		}
		r, ok := parse(buf[:n], booted)
		if seq, known := sequence(buf[:n]); known {
			if l.next != 0 && seq > l.next {
				lost += seq - l.next
			}
			l.next = seq + 1
		}
		if ok {
			fn(r)
		}
	}
	return lost, ctx.Err()
}

// readFile reads the records that were not read yet, by their numbers.
func (l *Log) readFile(fn func(Record)) error {
	b, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	booted := bootTime()
	for line := range bytes.Lines(b) {
		if r, ok := parse(line, booted); ok && r.Seq >= l.next {
			l.next = r.Seq + 1
			fn(r)
		}
	}
	return nil
}

// bootTime returns the moment from which the kernel's log counts: its clock stands
// still while the machine sleeps, so it is that of now.
func bootTime() time.Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(ts.Nano()))
}
