package logs

import (
	"context"
	"strings"
	"sync"
	"time"
)

// freshness is for how long a reading is not repeated.
const freshness = time.Second

// A Reader reads the logs of one machine. Several skills share one. It is safe for
// concurrent use.
type Reader struct {
	*Book
	cfg     Config
	journal Journal

	mu         sync.Mutex
	tails      map[string]*follow
	left       map[fileID]place // how far files were read that were rotated away
	unreadable []Unreadable
	taps       []Tap
	polled     time.Time
	buf        []byte // while files are read
	skipped    int64
	follower   follower
}

// A Tap is shown every line before it is an entry. It says whether the line is a
// part of something larger, a stack trace, and no entry of its own. Text is the
// whole line as it stood below its container's header; known says that it was
// written before the reader began. Taps are called one at a time.
type Tap func(e *Entry, text string, known bool) (part bool)

// New returns a reader. It reads nothing yet. Journal may be nil.
func New(cfg Config, journal Journal) *Reader { return NewAt(cfg, journal, time.Now) }

// NewAt is New with a clock of the caller's.
func NewAt(cfg Config, journal Journal, now func() time.Time) *Reader {
	return &Reader{Book: NewBook(now), cfg: cfg, journal: journal, tails: map[string]*follow{}, left: map[fileID]place{}}
}

// Tap adds a tap. It must be called before the first Poll.
func (r *Reader) Tap(t Tap) { r.taps = append(r.taps, t) }

// Poll reads what was written since the last time. What cannot be read is told by
// [Reader.Sources]; the error is that of ctx.
func (r *Reader) Poll(ctx context.Context) error {
	await(ctx, r.poll(ctx))
	return context.Cause(ctx)
}

func (r *Reader) poll(ctx context.Context) (caught chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	first := r.polled.IsZero()
	if passed := now.Sub(r.polled); !first && passed >= 0 && passed < freshness {
		return nil
	}
	if first {
		r.Begin()
	}
	r.unreadable = r.unreadable[:0]
	caught = r.pollJournal(now)
	r.buf = make([]byte, 64<<10)
	r.pollFiles(ctx, first, now)
	r.buf = nil
	r.polled = now
	r.Tidy()
	return caught
}

// Close ends what runs in the background and closes every file.
func (r *Reader) Close() {
	r.follower.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for path, t := range r.tails {
		t.close()
		delete(r.tails, path)
	}
}

// take counts an entry and keeps it.
func (r *Reader) take(e *Entry, text string, known bool, now time.Time) {
	r.date(e, known, now)
	part := continues(text)
	for _, tap := range r.taps {
		part = tap(e, text, known) || part
	}
	if part {
		return
	}
	r.Add(e, known)
}

// date gives the entry the time at which it is counted. A line that was just
// written and says that it is old has the clock of another zone.
func (r *Reader) date(e *Entry, known bool, now time.Time) {
	gap := 2 * time.Minute
	if !r.polled.IsZero() {
		gap += now.Sub(r.polled)
	}
	late := now.Sub(e.Time)
	switch {
	case e.Time.IsZero() && known:
		e.Time = now.Add(-slots * slot)
	case e.Time.IsZero(), late < 0, !known && late > gap:
		e.Time = now
	}
}

// continues says whether a line goes on with what the one before it said.
func continues(text string) bool {
	return text[0] == ' ' || text[0] == '\t' || strings.HasPrefix(text, "Caused by: ")
}
