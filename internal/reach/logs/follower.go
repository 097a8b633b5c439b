package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	journalLine = 64 << 10               // bytes of an entry of the journal; a longer one is passed over
	journalIdle = 10 * time.Minute       // after so long without a Poll the journal is not followed
	journalWait = time.Minute            // before it is tried again
	firstWait   = 300 * time.Millisecond // for what is there, when the journal is opened
)

// A follower reads the journal in the background while somebody asks for it.
// Its lock is taken after the reader's, never before.
type follower struct {
	mu      sync.Mutex
	cancel  context.CancelFunc // nil while it does not run
	done    chan struct{}
	cursor  string
	asked   time.Time
	tried   time.Time
	err     error
	running bool
}

// reads says whether the journal is being read.
func (f *follower) reads() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running
}

// stop ends the reading and waits for its end.
func (f *follower) stop() {
	f.mu.Lock()
	cancel, done := f.cancel, f.done
	f.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// pollJournal begins to follow the journal, when it is to be read and is not. Then
// it returns what is closed when what is there was read.
func (r *Reader) pollJournal(now time.Time) (caught chan struct{}) {
	f := &r.follower
	if r.journal == nil || r.cfg.Journal == Off {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = now
	if f.cancel == nil && (f.tried.IsZero() || now.Sub(f.tried) >= journalWait) {
		f.tried = now
		ctx, cancel := context.WithCancel(context.Background()) // it outlives the call that begins it
		stream, err := r.journal(ctx, f.cursor)
		if f.err = err; err != nil {
			cancel()
			f.running = false
		} else {
			caught = make(chan struct{})
			f.cancel, f.done, f.running = cancel, make(chan struct{}), true
			go r.follow(ctx, stream, feed{f.done, caught, f.cursor == "", now})
		}
	}
	if f.err != nil && (!errors.Is(f.err, ErrNoJournal) || r.cfg.Journal == "on") {
		r.unreadable = append(r.unreadable, Unreadable{JournalName, f.err.Error(), grantJournal(f.err)})
	}
	return caught
}

// await waits until the journal was read as far as it goes, but not for long. Nil is
// not waited for.
func await(ctx context.Context, caught chan struct{}) {
	if caught == nil {
		return
	}
	t := time.NewTimer(firstWait)
	defer t.Stop()
	select {
	case <-caught:
	case <-t.C:
	case <-ctx.Done():
	}
}

// A feed is one reading of the journal.
type feed struct {
	done   chan struct{} // closed at its end
	caught chan struct{} // closed when what was there is read
	first  bool          // what is there was written before the reader began
	began  time.Time
}

func grantJournal(err error) string {
	if errors.Is(err, ErrNoJournal) {
		return "set logs.journal to off, or let the probe see the machine's journalctl and /var/log/journal"
	}
	return "add the probe's user to group systemd-journal or adm (usermod -aG systemd-journal USER)"
}

// follow takes in entries until the stream ends.
func (r *Reader) follow(ctx context.Context, stream io.ReadCloser, read feed) {
	defer close(read.done)
	caught := sync.OnceFunc(func() { close(read.caught) })
	defer caught()
	in := bufio.NewReaderSize(stream, 16<<10)
	var buf []byte
	var err error
	for err == nil && ctx.Err() == nil && !r.follower.idle(r.now()) {
		var long bool
		buf, long, err = boundedLine(in, buf[:0])
		switch {
		case long:
			r.tooLong()
		case len(buf) > 0:
			r.journalLine(buf, read.first, read.began)
		}
		if in.Buffered() == 0 {
			caught()
		}
	}
	err = stream.Close()
	f := &r.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() == nil { // else it was told to end
		f.err = err
	}
	f.cancel()
	f.cancel, f.running = nil, false
}

func (f *follower) idle(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return now.Sub(f.asked) > journalIdle
}

func (r *Reader) journalLine(raw []byte, first bool, began time.Time) {
	e, cursor, err := journalEntry(raw)
	if cursor != "" {
		r.follower.mu.Lock()
		r.follower.cursor = cursor
		r.follower.mu.Unlock()
	}
	if err != nil || strings.TrimSpace(e.Message) == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(&e, e.Message, first && e.Time.Before(began), r.now())
}

// boundedLine reads a line. Of one that is too long it says so, and passes it over.
func boundedLine(in *bufio.Reader, buf []byte) (b []byte, long bool, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		if long = long || len(buf)+len(piece) > journalLine; !long {
			buf = append(buf, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(buf, "\n"), long, err
		}
	}
}
