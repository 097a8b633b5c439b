package logs

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logtemplate"
)

// A Book keeps what was logged: the newest entries, how many there were, and the
// templates of their messages. It is safe for concurrent use.
type Book struct {
	now func() time.Time

	mu       sync.Mutex
	miner    *logtemplate.Miner
	patterns map[TemplateID]*pattern
	ring     ring
	counts   counts
	started  time.Time
	cuts     uint64
}

// NewBook returns one that counts by the given clock.
func NewBook(now func() time.Time) *Book {
	return &Book{now: now, miner: logtemplate.New(logtemplate.DefaultConfig()), patterns: map[TemplateID]*pattern{}}
}

// Begin says that from now on what is logged is seen. The first time counts.
func (b *Book) Begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.started.IsZero() {
		b.started = b.now()
	}
}

// Add counts an entry and keeps it, cut to what is kept of one. Known says that it was
// logged before reading began.
func (b *Book) Add(e *Entry, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	message, _, _ := strings.Cut(e.Message, "\n")
	id, _ := b.miner.Add(message)
	b.bound(e)
	e.Template = id
	b.ring.add(*e)
	b.counts.add(e.Time, e.Level)
	p := b.patterns[id]
	if p == nil {
		p = newPattern(e, known)
		b.patterns[id] = p
	}
	p.add(e)
}

// bound cuts what is kept of an entry.
func (b *Book) bound(e *Entry) {
	if len(e.Message) > entryBytes {
		e.Message, e.Cut = strings.ToValidUTF8(e.Message[:entryBytes], ""), true
	}
	e.Module = strings.ToValidUTF8(e.Module[:min(len(e.Module), 128)], "")
	e.Message = strings.ToValidUTF8(e.Message, "\ufffd")
	if e.Cut {
		b.cuts++
		e.Message += Truncated
	}
	e.Message = strings.Clone(e.Message) // not the buffer it is a part of
}

// tooLong counts an entry of which nothing is kept.
func (b *Book) tooLong() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cuts++
}

// Tidy joins and forgets what is known of templates that are none any more. Whoever
// asks for templates has it done too.
func (b *Book) Tidy() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy()
}

// tidy joins what is known of templates that became one, and forgets what is known
// of templates that are none any more.
func (b *Book) tidy() {
	for _, id := range slices.Sorted(maps.Keys(b.patterns)) {
		into := b.miner.Resolve(id)
		if into == id {
			continue
		}
		p := b.patterns[id]
		delete(b.patterns, id)
		if o := b.patterns[into]; o != nil {
			o.merge(p)
		} else {
			b.patterns[into] = p
		}
	}
	most := b.miner.Len() + 64
	if len(b.patterns) <= most {
		return
	}
	ids := slices.SortedFunc(maps.Keys(b.patterns), func(x, y TemplateID) int {
		return cmp.Or(b.patterns[y].last.Compare(b.patterns[x].last), cmp.Compare(x, y))
	})
	for _, id := range ids[most:] {
		delete(b.patterns, id)
	}
}
