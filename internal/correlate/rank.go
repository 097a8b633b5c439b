package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Ranking is what Rank says of a case: causes, best first, or why there are none.
type Ranking struct {
	Causes []Cause `json:"causes,omitempty"`
	// Together are the nodes of the first cause, sorted: itself, and all that show the
	// same about as strongly, so that a shared cause can be named as one.
	Together []string `json:"together,omitempty"`
	None     bool     `json:"none"`
	Why      string   `json:"why"` // one sentence: how the ranking came about, or "no cause found: ..."
}

// A Cause is a node that may be why.
type Cause struct {
	Node string `json:"node"`
	// Score compares causes of one ranking only.
	Score float64 `json:"score"`
	// Share of the symptom that the cause explains, 0 to 1: of the alerted metric's
	// excess, or of the nodes in trouble.
	Share   float64    `json:"share"`
	Metrics []Evidence `json:"metrics,omitempty"` // strongest first
	Reasons []string   `json:"reasons,omitempty"`
	Onset   time.Time  `json:"onset,omitzero"` // zero: unknown
	Change  *Change    `json:"change,omitempty"`
}

// Evidence is a metric that speaks for a cause.
type Evidence struct {
	Metric   string  `json:"metric"`
	Class    Class   `json:"class"`
	Value    float64 `json:"value"`    // mean of the rows that shifted most
	Baseline float64 `json:"baseline"` // median
	Sigmas   float64 `json:"sigmas"`   // the shift in robust sigmas of the baseline
}

// mostCauses is how many causes a ranking has at most, unless more are alike.
const mostCauses = 10

// Rank says which node is the likeliest cause of what goes wrong in a case. It
// accounts the excess of the alerted metric along the calls where it can (excess.go),
// and otherwise weighs how far each node's metrics are from their baseline (shift.go)
// together with dependencies, onsets, changes and peers (spread.go). A resource that
// is plainly short goes before both. It decides by the constants of params.go alone,
// is deterministic, takes any input, and keeps nothing.
func Rank(c Case) Ranking {
	if base, now := c.length(); base == 0 && now == 0 || now == 0 {
		return none("there are no measurements of the incident")
	}
	var s *scene
	var order []*suspect
	if slices.ContainsFunc(c.Series, func(s Series) bool { return resource(s.class()) }) {
		s = c.scene()
		order = s.order()
		if len(order) > 0 && order[0].peak(true) >= decisiveShift {
			if r := s.ranking(order); !r.None {
				return r
			}
		}
	}
	excess, target := c.byExcess()
	named := c.Alert != nil && c.Alert.Node != ""
	if target != "" && excess.None == named && !c.shows(target, s) {
		// What was alerted does not show: no other node explains it. Or nothing was
		// alerted, and the excess is of a node that shows nothing.
		if named {
			return excess
		}
		excess.None = true
	}
	if s == nil {
		s = c.scene()
		order = s.order()
	}
	if !excess.None && !s.missesSilent(excess.Causes[0].Node) {
		return s.date(excess)
	}
	return s.ranking(order)
}

// missesSilent reports whether a node depends on one that fell silent: what it waits for
// there is in no account, and would be taken for its own.
func (s *scene) missesSilent(node string) bool {
	return s.suspects[node] != nil && slices.ContainsFunc(s.sickBelow(node), func(n string) bool { return s.suspects[n].silent })
}

// shows reports whether a node's metrics shifted at all.
func (c *Case) shows(node string, s *scene) bool {
	if s == nil {
		own := *c
		own.Series = slices.DeleteFunc(slices.Clone(c.Series), func(s Series) bool { return s.Node != node })
		s = own.scene()
	}
	p := s.suspects[node]
	return p != nil && p.sick()
}

// date adds to causes when their metrics shifted, and what was changed before.
func (s *scene) date(r Ranking) Ranking {
	for i := range r.Causes {
		c := &r.Causes[i]
		p := s.suspects[c.Node]
		if p == nil {
			continue
		}
		c.Onset = p.onset
		if p.change != nil {
			c.Change = p.change
			c.Score = tidy(c.Score * changed)
			c.Reasons = append(c.Reasons, p.change.says(p.onset))
		}
	}
	slices.SortStableFunc(r.Causes, func(x, y Cause) int { return cmp.Compare(y.Score, x.Score) })
	r.Together = []string{r.Causes[0].Node}
	r.Causes = r.Causes[:min(len(r.Causes), mostCauses)]
	return r
}

func none(format string, args ...any) Ranking {
	return Ranking{None: true, Why: "no cause found: " + fmt.Sprintf(format, args...)}
}

// order weighs the suspects and returns those that show anything, best first.
func (s *scene) order() []*suspect {
	s.weigh()
	var order []*suspect
	for _, n := range s.names {
		if p := s.suspects[n]; p.sick() && p.score > 0 {
			order = append(order, p)
		}
	}
	slices.SortStableFunc(order, func(a, b *suspect) int { return cmp.Compare(b.score, a.score) })
	return order
}

// ranking ranks by shifts: the suspects in their order, if one shows more than a
// healthy fleet does at times.
func (s *scene) ranking(order []*suspect) Ranking {
	if len(order) == 0 {
		return none("no metric of %d nodes is %g sigmas off its baseline", len(s.names), minShift)
	}
	base, now := s.length()
	level, top := quiet(s.gauges, base, now), 0.0
	for _, p := range order {
		top = max(top, p.base)
	}
	if top <= level {
		return none("the strongest deviation (%.2g) is within what the baseline shows at times (%.2g)", top, level)
	}
	r := Ranking{Together: s.together(order)}
	for i, p := range order {
		if i < mostCauses || slices.Contains(r.Together, p.node) {
			r.Causes = append(r.Causes, s.cause(p))
		}
	}
	r.Why = fmt.Sprintf("%s is farthest from its baseline of %d nodes in trouble, after dependencies, onsets, changes and peers", order[0].node, len(order))
	if len(r.Together) > 1 {
		r.Why = fmt.Sprintf("%d of %d nodes in trouble show the same about as strongly: one cause for all of them", len(r.Together), len(order))
	}
	return r
}

// together returns the first suspect and those that show the same: nodes that went
// silent as well, or whose strongest metric is the same and shifted about as much, with
// no dependency between them by which it could have travelled.
func (s *scene) together(order []*suspect) []string {
	first := order[0]
	out := []string{first.node}
	for _, p := range order[1:] {
		if !p.like(first) {
			continue
		}
		if p.local() || !slices.Contains(s.sickBelow(p.node), first.node) && !slices.Contains(s.sickBelow(first.node), p.node) {
			out = append(out, p.node)
		}
	}
	slices.Sort(out)
	return out
}

// local reports whether what a suspect shows comes from no other node: what fills a disk
// or the memory runs there, and a node that reports nothing more does so for itself.
func (s *suspect) local() bool {
	m := s.main()
	return s.silent || m != nil && (m.Class == Disk || m.Class == Memory) && !s.unseen
}

// like reports whether two suspects show the same: one's strongest metric is off on the
// other about as much. Which metric is the strongest of those that tell of the same thing
// is chance.
func (s *suspect) like(o *suspect) bool {
	if s.silent || o.silent || s.unseen || o.unseen {
		return s.silent && o.silent
	}
	a, b := s.main(), o.main()
	if a == nil || b == nil || a.Class != b.Class {
		return false
	}
	return a.like(o.claims[a.Metric]) || b.like(s.claims[b.Metric])
}

// like reports whether one metric shifted alike on two nodes. Of a resource the same shift
// in units or in sigmas will do, as nodes differ in how busy and how steady they are;
// symptoms, which travel, must agree in both.
func (c *claim) like(o *claim) bool {
	if o == nil || o.z < minShift {
		return false
	}
	near := func(x, y float64) bool { return min(x, y) >= together*max(x, y) }
	units, sigmas := near(math.Abs(c.value-c.med), math.Abs(o.value-o.med)), near(c.z, o.z)
	if resource(c.Class) {
		return units || sigmas
	}
	return units && sigmas
}

// cause tells of a suspect.
func (s *scene) cause(p *suspect) Cause {
	out := Cause{Node: p.node, Score: tidy(p.score), Share: tidy(p.share), Onset: p.onset, Change: p.change}
	var claims []*claim
	for _, class := range classes {
		if c := p.byClass[class]; c != nil && c.z >= minShift {
			claims = append(claims, c)
		}
	}
	slices.SortStableFunc(claims, func(a, b *claim) int {
		return cmp.Compare(weight(b.Class)*b.worth, weight(a.Class)*a.worth)
	})
	for _, c := range claims {
		e := Evidence{Metric: c.Metric, Class: c.Class, Value: tidy(c.value), Baseline: tidy(c.med), Sigmas: tidy(c.z)}
		out.Metrics = append(out.Metrics, e)
		out.Reasons = append(out.Reasons, e.says(c.peers))
	}
	if p.silent {
		out.Reasons = append(out.Reasons, "stopped reporting during the incident")
	}
	if p.unseen {
		out.Reasons = append(out.Reasons, "reports nothing itself, and is what the nodes in trouble share")
	}
	out.Reasons = append(out.Reasons, p.reasons...)
	return out
}

func (e Evidence) says(peers bool) string {
	moved, from := "rose", "baseline"
	if e.Value < e.Baseline {
		moved = "fell"
	}
	if peers {
		from = "its peers'"
	}
	return fmt.Sprintf("%s %s to %.4g from %s %.4g (%.3g sigmas)", e.Metric, moved, e.Value, from, e.Baseline, e.Sigmas)
}

// tidy rounds to four digits, so that figures read well and equal ones are equal.
func tidy(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	p := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	if p == 0 || math.IsInf(p, 0) {
		return v
	}
	return math.Round(v*p) / p
}

func joinWords(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ": ")
}
