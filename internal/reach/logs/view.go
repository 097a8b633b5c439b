package logs

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Window is how long templates are new, and over what they are ordered.
const Window = 5 * time.Minute

// Totals are counts of entries over a window.
type Totals struct {
	Total, Errors, Warnings, Infos, Debug int
	ErrorModules                          int // different modules among the errors that are kept
}

// Totals counts the entries of the last window, a quarter of an hour at most.
func (b *Book) Totals(window time.Duration) Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	c := b.counts.since(now, window)
	modules := map[string]bool{}
	for i := range b.ring.list {
		if e := &b.ring.list[i]; e.Level.IsError() && now.Sub(e.Time) <= window {
			modules[cmp.Or(e.Module, e.Source)] = true
		}
	}
	return Totals{int(c.total), int(c.errors), int(c.warnings), int(c.infos), int(c.debug), len(modules)}
}

// Entries returns the newest of the entries that keep accepts, at most limit, the
// newest first.
func (b *Book) Entries(limit int, keep func(*Entry) bool) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Entry
	for i := range slices.Backward(b.ring.list) {
		if e := b.ring.list[i]; keep(&e) {
			e.Template = b.miner.Resolve(e.Template)
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return b.Time.Compare(a.Time) })
	return out[:min(len(out), limit)]
}

// A Template is a kind of message, with how often it comes.
type Template struct {
	ID          TemplateID
	Text        string
	Level       Level // the gravest seen
	Total       uint64
	First, Last time.Time
	PerMinute   []int // of the last quarter of an hour, the present minute first
	Recent      int   // in the last five minutes
	Known       bool  // it was logged before reading began
	New         bool  // first seen in the last five minutes, and not known
	Source      string
	Module      string
	Example     string
}

// Templates returns the templates there are, those that came most often in the
// last five minutes first.
func (b *Book) Templates() []Template {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy()
	texts := make(map[TemplateID]string, b.miner.Len())
	for _, t := range b.miner.Templates() {
		texts[t.ID] = t.Text
	}
	now := b.now()
	list := make([]Template, 0, len(b.patterns))
	for _, id := range slices.Sorted(maps.Keys(b.patterns)) {
		if text, ok := texts[id]; ok {
			list = append(list, b.patterns[id].view(id, text, now))
		}
	}
	slices.SortStableFunc(list, byRecent)
	return list
}

// Erring returns how many templates there are, and those of errors that came in the
// last five minutes, most often first: what a snapshot needs, without the rest.
func (b *Book) Erring() (total int, list []Template) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy()
	now := b.now()
	for _, id := range slices.Sorted(maps.Keys(b.patterns)) {
		p := b.patterns[id]
		if !p.level.IsError() || p.recent(now, int64(Window/time.Minute)) == 0 {
			continue
		}
		if t, ok := b.miner.Template(id); ok {
			list = append(list, p.view(id, t.Text, now))
		}
	}
	slices.SortStableFunc(list, byRecent)
	return len(b.patterns), list
}

func byRecent(a, b Template) int {
	return cmp.Or(cmp.Compare(b.Recent, a.Recent), b.Last.Compare(a.Last))
}

// Template returns one, by its id or an id it had; false when it is not known.
func (b *Book) Template(id TemplateID) (Template, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy()
	t, ok := b.miner.Template(id)
	if !ok || b.patterns[t.ID] == nil {
		return Template{}, false
	}
	return b.patterns[t.ID].view(t.ID, t.Text, b.now()), true
}

func (p *pattern) view(id TemplateID, text string, now time.Time) Template {
	t := Template{
		ID: id, Text: text, Level: p.level, Total: p.total, First: p.first, Last: p.last,
		Recent: p.recent(now, int64(Window/time.Minute)), Known: p.known, New: !p.known && now.Sub(p.first) <= Window,
		Source: p.source, Module: p.module, Example: p.example,
	}
	for m := p.minute; m > p.minute-minutes; m-- {
		t.PerMinute = append(t.PerMinute, int(p.perMinute[m%minutes]))
	}
	return t
}

// JournalName is what the journal is called among the sources.
const JournalName = "journal"

// A Source is a file, a container or the journal that is read.
type Source struct {
	Name    string
	Entries uint64    // lines read since the reader began; not counted of the journal
	Last    time.Time // when something was read from it; zero when nothing was
	Skipped int64     // bytes passed over, because too much came at once
}

// Sources returns what is read, what was read last first, and what cannot be.
func (r *Reader) Sources() ([]Source, []Unreadable) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Source
	for _, path := range slices.Sorted(maps.Keys(r.tails)) {
		if t := r.tails[path]; !t.binary {
			list = append(list, Source{t.source, t.entries, t.last, t.skipped})
		}
	}
	slices.SortStableFunc(list, func(a, b Source) int { return b.Last.Compare(a.Last) })
	if r.follower.reads() {
		list = append([]Source{{Name: JournalName}}, list...)
	}
	return list, slices.Clone(r.unreadable)
}

// Losses says what was not looked at since the reader began: entries that were
// cut, and bytes that were passed over.
func (r *Reader) Losses() (cut uint64, skipped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Cut(), r.skipped
}

// Cut is how many entries were too long to be kept whole.
func (b *Book) Cut() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cuts
}

// Began returns when reading began; zero before that.
func (b *Book) Began() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.started
}

// Now returns the time by which it counts.
func (b *Book) Now() time.Time { return b.now() }
