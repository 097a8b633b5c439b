package logs

import "time"

// Bounds of what is kept.
const (
	mostEntries = 1000
	mostBytes   = 384 << 10 // of all entries' texts
	entryBytes  = 2048      // of a message
	slot        = 10 * time.Second
	slots       = 90 // a quarter of an hour
)

// Truncated ends a message that was cut.
const Truncated = "…[truncated]"

// A ring keeps the newest entries.
type ring struct {
	list  []Entry // the oldest first
	bytes int
}

func (r *ring) add(e Entry) {
	r.list = append(r.list, e)
	r.bytes += e.size()
	drop := 0
	for len(r.list)-drop > mostEntries || r.bytes > mostBytes && len(r.list)-drop > 1 {
		r.bytes -= r.list[drop].size()
		r.list[drop] = Entry{}
		drop++
	}
	r.list = r.list[drop:]
}

func (e *Entry) size() int { return len(e.Message) + len(e.Module) }

// A count is how many entries there were, by how grave they are.
type count struct {
	at                                    int64 // the slot's number
	total, errors, warnings, infos, debug uint32
}

func (c *count) add(l Level) {
	c.total++
	switch {
	case l.IsError():
		c.errors++
	case l == Warning:
		c.warnings++
	case l == Debug:
		c.debug++
	default:
		c.infos++
	}
}

// counts are those of the last quarter of an hour.
type counts [slots]count

func (c *counts) add(at time.Time, l Level) {
	n := at.UnixNano() / int64(slot)
	s := &c[((n%slots)+slots)%slots]
	if s.at > n {
		return // too old to be counted
	}
	if s.at != n {
		*s = count{at: n}
	}
	s.add(l)
}

// since sums over the time from now-window to now.
func (c *counts) since(now time.Time, window time.Duration) (sum count) {
	first := now.Add(-window).UnixNano()/int64(slot) + 1
	last := now.UnixNano() / int64(slot)
	for _, s := range c {
		if s.at >= first && s.at <= last {
			sum.total += s.total
			sum.errors += s.errors
			sum.warnings += s.warnings
			sum.infos += s.infos
			sum.debug += s.debug
		}
	}
	return sum
}
