package health

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Verdict says how well a check stands.
type Verdict string

// The verdicts.
const (
	Healthy  Verdict = "healthy"
	Unknown  Verdict = "unknown" // who asks may not know
	Warning  Verdict = "warning"
	Critical Verdict = "critical"
)

var ranks = []Verdict{Critical, Warning, Unknown, Healthy}

// A Check is one thing that must hold.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Says    string  `json:"says"`
	Limit   string  `json:"limit,omitempty"` // what it is held against
	Fix     string  `json:"fix,omitempty"`   // what a person can do
}

// Names of checks that are not of a stream or a queue.
const (
	work    = "work"
	letters = "dead letters"
	sinks   = "sinks"
	nodes   = "nodes"
)

// Limits of what is well.
const (
	fullWarning, fullCritical = 80, 95 // percent of a stream
	mostWaiting               = 100    // messages of a queue that somebody works on
	freshLetter               = 24 * time.Hour
	soonSent                  = 15 * time.Minute // by when a sink has what it is to be sent
	soonTaken                 = 2 * time.Minute  // by when a gateway takes it
)

// Judge holds a state against the limits, the worst first.
func Judge(s State, now time.Time) []Check {
	checks := []Check{}
	for _, u := range s.Unread {
		checks = append(checks, u.check())
	}
	for _, st := range s.Streams {
		checks = append(checks, st.check())
	}
	for _, q := range s.Queues {
		checks = append(checks, q.check())
	}
	if len(s.Queues) == 0 && !s.unread(work) {
		checks = append(checks, Check{Name: work, Verdict: Healthy, Says: "nothing waits"})
	}
	for _, k := range s.Sinks {
		checks = append(checks, k.check(s.Letters, now))
	}
	if !s.unread(letters) {
		checks = append(checks, s.judgeLetters(now))
	}
	if !s.unread(nodes) {
		checks = append(checks, s.judgeNodes())
	}
	for _, l := range s.Budget {
		says := fmt.Sprintf("%d tokens and $%.4f are used", l.Tokens, l.USD)
		if l.HeldTokens > 0 {
			says += fmt.Sprintf(", %d tokens are reserved", l.HeldTokens)
		}
		checks = append(checks, Check{Name: "budget of " + l.Window, Verdict: Healthy, Says: says})
	}
	slices.SortStableFunc(checks, func(a, b Check) int { return slices.Index(ranks, a.Verdict) - slices.Index(ranks, b.Verdict) })
	return checks
}

func (s *State) unread(name string) bool {
	return slices.ContainsFunc(s.Unread, func(u Unread) bool { return u.Name == name })
}

func (u Unread) check() Check {
	c := Check{Name: u.Name, Verdict: Critical, Says: u.Err.Error()}
	if errors.As(u.Err, new(*bus.DeniedError)) {
		c.Verdict, c.Fix = Unknown, "fleetlens creds mint "+bus.ViewerRole+" NAME"
	}
	return c
}

func (st Stream) check() Check {
	if st.Err != nil {
		c := Unread{st.Row.Name, st.Err}.check()
		c.Fix = cmp.Or(c.Fix, "fleetlens setup")
		return c
	}
	if st.Holds.MaxBytes <= 0 {
		return Check{Name: st.Row.Name, Verdict: Healthy, Says: size(int64(st.Holds.Bytes)), Limit: "none"}
	}
	full := 100 * float64(st.Holds.Bytes) / float64(st.Holds.MaxBytes)
	c := Check{Name: st.Row.Name, Verdict: Healthy, Says: fmt.Sprintf("%.0f %% full", full), Limit: size(st.Holds.MaxBytes)}
	if full < fullWarning {
		return c
	}
	c.Verdict, c.Fix = Warning, fmt.Sprintf("fleetlens setup --max-bytes %s=%s", st.Row.Name, strings.ReplaceAll(size(2*st.Holds.MaxBytes), " ", ""))
	switch {
	case st.Row.DiscardNew:
		c.Says += ": when it is full, nothing more is stored"
	case st.Row.WorkQueue:
		c.Says += ": when it is full, the oldest work is lost"
	default:
		c.Says += ": when it is full, the oldest goes before its time"
		return c
	}
	if full >= fullCritical {
		c.Verdict = Critical
	}
	return c
}

func (q Queue) check() Check {
	c := Check{Name: q.Name, Verdict: Healthy, Limit: fmt.Sprintf("%d waiting", mostWaiting)}
	workers := fmt.Sprintf("%d waiting, %d worked on", q.Waiting, q.Working)
	switch {
	case errors.As(q.Err, new(*bus.DeniedError)):
		c.Verdict, c.Says, c.Fix = Unknown, fmt.Sprintf("%d waiting or worked on; who works is not told to this role", q.Held), "fleetlens creds mint "+bus.ViewerRole+" NAME"
	case q.Err != nil:
		return Unread{q.Name, q.Err}.check()
	case q.Waiting > 0 && q.Working+q.Free == 0:
		c.Verdict, c.Says, c.Fix = Critical, fmt.Sprintf("%d waiting, 0 workers", q.Waiting), q.Start
	case q.Waiting > mostWaiting:
		c.Verdict, c.Says, c.Fix = Warning, workers, "one more: "+q.Start
	default:
		c.Says = workers
	}
	return c
}

func (k Sink) check(letters []protocol.DeadLetter, now time.Time) Check {
	waits := now.Sub(k.Oldest)
	c := Check{Name: "sink " + k.Name, Verdict: Healthy, Says: "nothing waits", Limit: age(soonSent) + " until it is sent"}
	if k.Oldest.IsZero() {
		waits = 0
	} else {
		c.Says = fmt.Sprintf("%d to be sent, the oldest since %s", k.Waiting+k.Working, age(waits))
	}
	if k.Free == 0 && waits > soonTaken {
		c.Verdict, c.Says, c.Fix = Critical, c.Says+"; no gateway sends", "fleetlens gateway --config FILE, with this sink in it; or, if it is gone for good, nats consumer rm "+bus.Insights+" "+bus.Sink(k.Name).Name
		return c
	}
	if waits > soonSent {
		c.Verdict, c.Fix = Warning, "the gateway's log says what the far side answers; fleetlens gateway test "+k.Name
		return c
	}
	for _, l := range letters {
		if now.Sub(l.At) < freshLetter && l.Stream == bus.Insights && strings.Contains(l.Reason, "sink "+k.Name+": ") {
			c.Verdict, c.Fix = Warning, "mend what the reason says; fleetlens gateway test "+k.Name
			c.Says = fmt.Sprintf("given up %s ago: %s", age(now.Sub(l.At)), l.Reason)
		}
	}
	return c
}

func (s *State) judgeLetters(now time.Time) Check {
	c := Check{Name: letters, Verdict: Healthy, Says: "everything could be handled", Limit: "none in a day"}
	if len(s.Letters) == 0 {
		return c
	}
	l := s.Letters[len(s.Letters)-1]
	c.Says = fmt.Sprintf("%d, the newest %s ago, of %s: %s", s.Dead, age(now.Sub(l.At)), l.Stream, l.Reason)
	if now.Sub(l.At) < freshLetter {
		c.Verdict, c.Fix = Warning, "its reason says what to mend; nats stream get "+bus.DeadLetters+" shows it whole"
	}
	return c
}

func (s *State) judgeNodes() Check {
	c := Check{Name: nodes, Verdict: Healthy, Says: fmt.Sprintf("%d report", s.Nodes), Limit: fmt.Sprintf("%d missed beats", protocol.MissedBeats)}
	const named = 5
	switch {
	case s.Nodes == 0:
		c.Verdict, c.Says, c.Fix = Warning, "no probe reports", "probe --server nats://YOUR-SERVER:4222"
	case len(s.Silent) > 0:
		c.Says = fmt.Sprintf("%d of %d silent: %s", len(s.Silent), s.Nodes, strings.Join(s.Silent[:min(len(s.Silent), named)], ", "))
		if more := len(s.Silent) - named; more > 0 {
			c.Says += fmt.Sprintf(" and %d more", more)
		}
		c.Verdict, c.Fix = Warning, "see whether the host is up, then its probe: systemctl status fleetlens-probe"
		if len(s.Silent) == s.Nodes {
			c.Verdict = Critical
		}
	}
	return c
}

// size writes a limit as `fleetlens setup` takes it, but for the space.
func size(n int64) string {
	for _, u := range []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.n && n%u.n == 0 {
			return fmt.Sprintf("%d %s", n/u.n, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

func age(d time.Duration) string {
	if d < time.Minute {
		return "a moment"
	}
	return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
}
