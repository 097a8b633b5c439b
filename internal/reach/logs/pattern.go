package logs

import (
	"strings"
	"time"
)

const (
	minutes      = 15  // for which a template's entries are counted
	exampleBytes = 300 // of a template's example
)

// A pattern is what is known of a template besides its text.
type pattern struct {
	level       Level
	first, last time.Time
	known       bool // it was there when reading began
	total       uint64
	perMinute   [minutes]uint32
	minute      int64 // of the newest of them
	source      string
	module      string
	example     string
}

func newPattern(e *Entry, known bool) *pattern {
	example := strings.ToValidUTF8(e.Message[:min(len(e.Message), exampleBytes)], "")
	return &pattern{level: e.Level, first: e.Time, last: e.Time, known: known, example: strings.Clone(example), minute: e.Time.Unix() / 60}
}

func (p *pattern) add(e *Entry) {
	p.total++
	p.level = min(p.level, e.Level)
	if !e.Time.Before(p.last) {
		p.last, p.source, p.module = e.Time, e.Source, e.Module
	}
	if e.Time.Before(p.first) {
		p.first = e.Time
	}
	m := e.Time.Unix() / 60
	p.turn(m)
	if m > p.minute-minutes {
		p.perMinute[m%minutes]++
	}
}

// turn empties the minutes that went by.
func (p *pattern) turn(m int64) {
	for n := max(p.minute+1, m-minutes+1); n <= m; n++ {
		p.perMinute[n%minutes] = 0
	}
	p.minute = max(p.minute, m)
}

// recent returns how many came in the last n minutes, of which the present one has
// only begun.
func (p *pattern) recent(now time.Time, n int64) (sum int) {
	p.turn(now.Unix() / 60)
	for m := p.minute - n + 1; m <= p.minute; m++ {
		sum += int(p.perMinute[m%minutes])
	}
	return sum
}

// merge adds what is known of a template that became part of this one.
func (p *pattern) merge(o *pattern) {
	p.turn(o.minute)
	o.turn(p.minute)
	for i := range p.perMinute {
		p.perMinute[i] += o.perMinute[i]
	}
	p.total += o.total
	p.level = min(p.level, o.level)
	p.known = p.known || o.known
	if o.first.Before(p.first) {
		p.first = o.first
	}
	if o.last.After(p.last) {
		p.last, p.source, p.module, p.example = o.last, o.source, o.module, o.example
	}
}
