package beam

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// crashes puts together what several processes tell of one crash: the process itself,
// proc_lib, and its supervisor, a moment later each. It is safe for concurrent use.
type crashes struct {
	mu   sync.Mutex
	open []crash // the oldest first
}

// A crash is a report, and when and how gravely it was told.
type crash struct {
	report
	at      time.Time
	arrived time.Time
	level   string
}

const (
	// together is for how long reports of one process are one crash.
	together = 300 * time.Millisecond
	// mostOpen bounds how many crashes wait for more.
	mostOpen = 64
)

// add takes in a report.
func (c *crashes) add(r *report, at time.Time, level string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.open, func(o crash) bool {
		return r.pid != "" && o.pid == r.pid && o.words == "" && r.words == "" && o.what != r.what
	})
	if i < 0 {
		c.open = append(c.open, crash{*r, at, now, level})
		return
	}
	o := &c.open[i]
	if len(o.frames) == 0 && len(r.frames) > 0 || o.what == "child" && r.what != "child" {
		under := cmp.Or(o.under, r.under)
		o.report = *r
		o.under = under
	}
	if strings.HasPrefix(o.process, "<") && r.process != "" { // a function says more than a number
		o.process = r.process
	}
	if r.what == "process" && r.kind != KindMessage { // of proc_lib, which knows the kind
		o.kind = r.kind
	}
	o.under = cmp.Or(o.under, r.under)
}

// whole returns those of which nothing more is to come.
func (c *crashes) whole(now time.Time) []crash {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := max(0, len(c.open)-mostOpen)
	for n < len(c.open) && now.Sub(c.open[n].arrived) >= together {
		n++
	}
	out := slices.Clone(c.open[:n])
	c.open = slices.Delete(c.open, 0, n)
	return out
}
