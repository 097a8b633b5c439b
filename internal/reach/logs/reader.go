package logs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logtemplate"
)

// freshness is for how long a reading is not repeated.
const freshness = time.Second

// A Reader reads the logs of one machine. Several skills share one. It is safe for
// concurrent use.
type Reader struct {
	cfg     Config
	journal Journal
	now     func() time.Time

	mu         sync.Mutex
	miner      *logtemplate.Miner
	patterns   map[TemplateID]*pattern
	ring       ring
	counts     counts
	tails      map[string]*follow
	left       map[fileID]place // how far files were read that were rotated away
	unreadable []Unreadable
	taps       []Tap
	started    time.Time
	polled     time.Time
	buf        []byte // while files are read
	cuts       uint64
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
	return &Reader{
		cfg: cfg, journal: journal, now: now,
		miner: logtemplate.New(logtemplate.DefaultConfig()), patterns: map[TemplateID]*pattern{},
		tails: map[string]*follow{}, left: map[fileID]place{},
	}
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
		r.started = now
	}
	r.unreadable = r.unreadable[:0]
	caught = r.pollJournal(now)
	r.buf = make([]byte, 64<<10)
	r.pollFiles(ctx, first, now)
	r.buf = nil
	r.polled = now
	r.tidy()
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
	message, _, _ := strings.Cut(e.Message, "\n")
	id, _ := r.miner.Add(message)
	r.bound(e)
	e.Template = id
	r.ring.add(*e)
	r.counts.add(e.Time, e.Level)
	p := r.patterns[id]
	if p == nil {
		p = newPattern(e, known)
		r.patterns[id] = p
	}
	p.add(e)
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

// bound cuts what is kept of an entry.
func (r *Reader) bound(e *Entry) {
	if len(e.Message) > entryBytes {
		e.Message, e.Cut = strings.ToValidUTF8(e.Message[:entryBytes], ""), true
	}
	e.Module = strings.ToValidUTF8(e.Module[:min(len(e.Module), 128)], "")
	e.Message = strings.ToValidUTF8(e.Message, "\ufffd")
	if e.Cut {
		r.cuts++
		e.Message += Truncated
	}
	e.Message = strings.Clone(e.Message) // not the buffer it is a part of
}

// continues says whether a line goes on with what the one before it said.
func continues(text string) bool {
	return text[0] == ' ' || text[0] == '\t' || strings.HasPrefix(text, "Caused by: ")
}

// tidy joins what is known of templates that became one, and forgets what is known
// of templates that are none any more.
func (r *Reader) tidy() {
	for _, id := range slices.Sorted(maps.Keys(r.patterns)) {
		into := r.miner.Resolve(id)
		if into == id {
			continue
		}
		p := r.patterns[id]
		delete(r.patterns, id)
		if o := r.patterns[into]; o != nil {
			o.merge(p)
		} else {
			r.patterns[into] = p
		}
	}
	most := r.miner.Len() + 64
	if len(r.patterns) <= most {
		return
	}
	ids := slices.SortedFunc(maps.Keys(r.patterns), func(a, b TemplateID) int {
		return cmp.Or(r.patterns[b].last.Compare(r.patterns[a].last), cmp.Compare(a, b))
	})
	for _, id := range ids[most:] {
		delete(r.patterns, id)
	}
}
