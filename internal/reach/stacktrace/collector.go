package stacktrace

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what is kept.
const (
	mostTraces  = 120 // whole ones, the newest
	mostGroups  = 200
	mostStreams = 64 // sources with a line that may belong to a trace
	slot        = 10 * time.Second
	slots       = 31              // five minutes, and the slot that has just begun
	settle      = 3 * time.Second // after which a trace that lacks something gets no more
)

// A Line is one line of a log.
type Line struct {
	Text    string // with the spaces in front, without the log's header
	Source  string
	Module  string
	PID     int
	Time    time.Time // when it was logged
	Known   bool      // it was written before reading began
	Arrived time.Time // when it was read
}

// A Collector finds traces. It is safe for concurrent use.
type Collector struct {
	mu      sync.Mutex
	next    int
	streams map[string]*stream
	traces  []Trace // the oldest first
	most    int     // of traces
	groups  map[string]*Group
}

// A stream is the lines of one process in one source.
type stream struct {
	open   *builder
	before Line // the last line that belongs to no trace
	at     time.Time
}

// A Group is the traces that are the same fault.
type Group struct {
	ID          string
	Language    string
	Kind        string
	Type        string
	Message     string // of the newest
	Where       Frame  // the function of the program on top of the stack; may be empty
	Total       int
	First, Last time.Time
	Known       bool // it was there before reading began
	Source      string
	Module      string
	Level       string // at which the newest was logged; may be empty
	Under       string // the supervisor of the newest; may be empty
	Recent      int    // in the last five minutes, when asked

	counts [slots]struct {
		at int64
		n  int
	}
}

// New returns a collector.
func New() *Collector { return NewKeeping(mostTraces) }

// NewKeeping returns a collector that keeps the given number of whole traces.
func NewKeeping(traces int) *Collector {
	return &Collector{streams: map[string]*stream{}, groups: map[string]*Group{}, most: traces}
}

// Put takes a trace that somebody else has put together, and bounds it. Its ID and
// Group are set here.
func (c *Collector) Put(t Trace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Type, t.Message = short(t.Type, nameBytes), short(t.Message, textBytes)
	t.Source, t.Module, t.Under = short(t.Source, nameBytes), short(t.Module, nameBytes), short(t.Under, nameBytes)
	if t.Cut = t.Cut || len(t.Frames) > mostFrames; t.Cut {
		t.Frames = t.Frames[:min(len(t.Frames), mostFrames)]
	}
	c.keep(&t)
}

// Parse reads one trace from the lines of a text that begins with it; false when it
// does not.
func Parse(text string) (Trace, bool) {
	lines := strings.Split(text, "\n")
	first := strings.TrimSpace(lines[0])
	b := begin(first, "")
	if b == nil {
		return Trace{}, false
	}
	for _, l := range lines[1:min(len(lines), mostLines)] {
		line := strings.TrimSpace(l)
		if line == "" || !b.next(line, l[0] == ' ' || l[0] == '\t') {
			break
		}
	}
	return b.Trace, true
}

// Add takes a line, or a message of several lines, and says whether it is a part of
// a trace that began with a line before.
func (c *Collector) Add(l Line) (part bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stream(l)
	s.at = l.Arrived
	n := 0
	for text := range strings.SplitSeq(l.Text, "\n") {
		one := l
		one.Text = text
		taken := c.line(s, one)
		if n++; n == 1 {
			part = taken
		}
		if n > mostLines {
			break
		}
	}
	if n > 1 { // a message is whole
		c.close(s)
	}
	return part
}

// line gives a stream's trace its next line, or begins one with it.
func (c *Collector) line(s *stream, l Line) (part bool) {
	text := strings.TrimSpace(l.Text)
	if text == "" {
		return s.open != nil
	}
	indented := l.Text[0] == ' ' || l.Text[0] == '\t'
	if s.open != nil {
		if s.open.next(text, indented) {
			return true
		}
		c.close(s)
	}
	before := strings.TrimSpace(s.before.Text)
	if s.open = begin(text, before); s.open == nil {
		s.before = l
		return false
	}
	from := l
	part = strings.HasPrefix(text, "at ") || strings.HasPrefix(text, "goroutine ") || strings.HasPrefix(text, "---> ")
	if part && before != "" {
		from = s.before // the trace began with the line before
	}
	t := &s.open.Trace
	t.Time, t.Source, t.Module, t.PID, t.Known = from.Time, short(l.Source, nameBytes), short(l.Module, nameBytes), l.PID, l.Known
	s.before = Line{}
	return part
}

func (c *Collector) stream(l Line) *stream {
	key := fmt.Sprint(l.Source, "\x00", l.PID)
	s := c.streams[key]
	if s != nil {
		return s
	}
	if len(c.streams) >= mostStreams {
		oldest := slices.MinFunc(slices.Sorted(maps.Keys(c.streams)), func(a, b string) int { return c.streams[a].at.Compare(c.streams[b].at) })
		c.close(c.streams[oldest])
		delete(c.streams, oldest)
	}
	s = &stream{}
	c.streams[key] = s
	return s
}

// close ends the trace of a stream and keeps it.
func (c *Collector) close(s *stream) {
	b := s.open
	if s.open = nil; b == nil || len(b.Frames) == 0 && (b.Language == Python || b.Type == "goroutine") {
		return
	}
	t := b.Trace
	if b.reverse {
		slices.Reverse(t.Frames)
	}
	c.keep(&t)
}

func (c *Collector) keep(t *Trace) {
	t.Type = cmp.Or(t.Type, "unknown")
	t.Group = groupOf(t)
	c.next++
	t.ID = c.next
	c.traces = append(c.traces, *t)
	if drop := len(c.traces) - c.most; drop > 0 {
		c.traces = slices.Delete(c.traces, 0, drop)
	}
	c.count(t)
}

func (c *Collector) count(t *Trace) {
	g := c.groups[t.Group]
	if g == nil {
		if len(c.groups) >= mostGroups {
			delete(c.groups, slices.MinFunc(slices.Sorted(maps.Keys(c.groups)), func(a, b string) int { return c.groups[a].Last.Compare(c.groups[b].Last) }))
		}
		g = &Group{ID: t.Group, Language: t.Language, Kind: t.Kind, Type: t.Type, First: t.Time, Known: t.Known}
		if frames := own(t); len(frames) > 0 {
			g.Where = frames[0]
		}
		c.groups[t.Group] = g
	}
	g.Total++
	if !t.Time.Before(g.Last) {
		g.Last, g.Message, g.Source, g.Module, g.Level, g.Under = t.Time, t.Message, t.Source, t.Module, t.Level, t.Under
	}
	n := t.Time.UnixNano() / int64(slot)
	if s := &g.counts[((n%slots)+slots)%slots]; s.at <= n {
		if s.at != n {
			s.at, s.n = n, 0
		}
		s.n++
	}
}

// Settle ends the traces that are whole as far as one can tell, and those to which
// no line came for some seconds. It is called when all that was written is read.
func (c *Collector) Settle(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(c.streams)) {
		if s := c.streams[key]; s.open != nil && (s.open.whole() || now.Sub(s.at) >= settle) {
			c.close(s)
		}
	}
}

// Window is over what Recent counts.
const Window = 5 * time.Minute

// Groups returns the groups, those that came most often in the last five minutes
// before now first.
func (c *Collector) Groups(now time.Time) []Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Group, 0, len(c.groups))
	first, last := now.Add(-Window).UnixNano()/int64(slot)+1, now.UnixNano()/int64(slot)
	for _, id := range slices.Sorted(maps.Keys(c.groups)) {
		g := *c.groups[id]
		g.Recent = 0
		for _, s := range g.counts {
			if s.at >= first && s.at <= last {
				g.Recent += s.n
			}
		}
		list = append(list, g)
	}
	slices.SortStableFunc(list, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Recent, a.Recent), b.Last.Compare(a.Last))
	})
	return list
}

// Traces returns the newest traces that keep accepts, at most limit, the newest first.
func (c *Collector) Traces(limit int, keep func(*Trace) bool) []Trace {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Trace
	for i := range slices.Backward(c.traces) {
		if keep(&c.traces[i]) {
			out = append(out, c.traces[i])
		}
	}
	slices.SortStableFunc(out, func(a, b Trace) int { return b.Time.Compare(a.Time) })
	return out[:min(len(out), limit)]
}
