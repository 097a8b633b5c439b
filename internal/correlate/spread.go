package correlate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// A scene is the suspects of a case with what is known of them beside their shifts.
type scene struct {
	*Case
	gauges   []*gauge
	suspects map[string]*suspect
	names    []string            // of the suspects, sorted
	callees  map[string][]string // without nodes that are no suspects, sorted
}

// scene weighs all nodes of a case by their shifts.
func (c *Case) scene() *scene {
	s := &scene{Case: c, gauges: c.gauges()}
	s.suspects = weighAll(s.gauges, func(g *gauge) float64 { return g.z })
	s.markSilent()
	s.addUnseen()
	s.names = slices.Sorted(maps.Keys(s.suspects))
	s.link()
	for _, n := range s.names {
		s.setOnset(s.suspects[n])
	}
	return s
}

// sick reports whether a node shows anything.
func (s *suspect) sick() bool { return s.unseen || s.peak(false) >= minShift }

// markSilent finds nodes all of whose metrics ended, and marks those that are known to be
// silent. When the metrics of most ended, and that is all that is known, it is the
// collection that ended.
func (s *scene) markSilent() {
	had, ended := map[string]int{}, map[string]int{}
	for _, g := range s.gauges {
		if len(present(g.Baseline)) > 0 {
			had[g.Node]++
			if g.silent {
				ended[g.Node]++
			}
		}
	}
	var silent []string
	for n, count := range ended {
		if count == had[n] {
			silent = append(silent, n)
		}
	}
	if 2*len(silent) > len(had) {
		silent = nil
	}
	for n, known := range s.Silent {
		if !known || slices.Contains(silent, n) {
			continue
		}
		if s.suspects[n] == nil { // nobody read what it reported before
			s.suspects[n] = &suspect{node: n}
		}
		silent = append(silent, n)
	}
	for _, n := range silent {
		p := s.suspects[n]
		p.silent = true
		p.base = max(p.base, evidence(silentShift))
		p.score = p.base
	}
}

// addUnseen adds dependencies that never reported a metric, when most of those who
// depend on them suffer, and few others do: what they share is then the likelier
// cause than each for itself. Short CPU, memory or disk is no sign of it.
func (s *scene) addUnseen() {
	callers := map[string][]string{}
	for _, e := range s.Calls {
		if _, known := s.suspects[e.Callee]; !known && e.Caller != e.Callee && !slices.Contains(callers[e.Callee], e.Caller) {
			callers[e.Callee] = append(callers[e.Callee], e.Caller)
		}
	}
	sick := 0
	for _, p := range s.suspects {
		if p.sick() {
			sick++
		}
	}
	var found []*suspect
	for callee, list := range callers {
		seen, suffer, felt := 0, 0, 0.0
		for _, n := range list {
			p := s.suspects[n]
			if p == nil {
				continue
			}
			seen++
			if p.sick() {
				suffer++
				felt = max(felt, p.felt())
			}
		}
		if suffer >= 2 && felt > 0 && float64(suffer) >= unseenShare*float64(max(seen, sick)) {
			found = append(found, &suspect{node: callee, unseen: true, base: felt, score: felt})
		}
	}
	for _, p := range found {
		s.suspects[p.node] = p
	}
}

// felt is a suspect's evidence without that of its own short resources.
func (s *suspect) felt() float64 {
	sum := 0.0
	for _, class := range classes {
		if c := s.byClass[class]; c != nil && class != CPU && class != Memory && class != Disk {
			sum += weight(class) * c.worth
		}
	}
	return sum
}

// link lists who depends on whom, through nodes that nothing is known of.
func (s *scene) link() {
	index := map[string]int{}
	for i, n := range s.names {
		index[n] = i
	}
	s.callees = map[string][]string{}
	for v, list := range contract(s.Calls, index, make([]bool, len(s.names))) {
		for _, c := range list {
			s.callees[s.names[v]] = append(s.callees[s.names[v]], s.names[c])
		}
	}
}

// step returns the time between two rows of the incident, 0 if unknown.
func (s *scene) step() time.Duration {
	if n := len(s.IncidentTimes); n > 1 {
		return max(0, s.IncidentTimes[n-1].Sub(s.IncidentTimes[0])/time.Duration(n-1))
	}
	return 0
}

// setOnset takes the onset that a detector told, or the earliest that the series show.
func (s *scene) setOnset(p *suspect) {
	if o, ok := s.Onsets[p.node]; ok {
		p.onset, p.within = o.Time, max(0, o.Within)
		return
	}
	p.within = 2 * s.step() // the row before may have been half of it, and so may noise
	first := math.MaxInt
	for _, c := range p.byClass {
		if c.onset >= 0 && c.tells() {
			first = min(first, c.onset)
		}
	}
	if p.silent {
		first = min(first, s.ended(p.node))
	}
	if first < len(s.IncidentTimes) {
		p.onset = s.IncidentTimes[first]
	}
}

// ended returns the first row of the incident after which a node told nothing more, one
// beyond all where nothing is known of it.
func (s *scene) ended(node string) int {
	last, known := -1, false
	for _, g := range s.gauges {
		if g.Node != node {
			continue
		}
		known = true
		for i, v := range g.Incident {
			if !math.IsNaN(v) {
				last = max(last, i)
			}
		}
	}
	if !known {
		return math.MaxInt
	}
	return last + 1
}

// before reports whether p's onset lies clearly before q's.
func (s *suspect) before(q *suspect) bool {
	return !s.onset.IsZero() && !q.onset.IsZero() && s.onset.Add(s.within+q.within).Before(q.onset)
}

// weigh applies edges, onsets, changes and peers.
func (s *scene) weigh() {
	s.alongEdges()
	best := 0.0
	for _, p := range s.suspects {
		best = max(best, p.score)
	}
	var strong []*suspect
	for _, n := range s.names {
		if p := s.suspects[n]; p.sick() && p.score >= best/2 {
			strong = append(strong, p)
		}
	}
	for _, n := range s.names {
		p := s.suspects[n]
		if !p.sick() {
			continue
		}
		s.byTime(p, strong)
		s.byChange(p)
		s.byPeers(p)
	}
}

// alongEdges takes from each node what failing dependencies explain, and gives to
// each dependency the support of those who suffer from it.
func (s *scene) alongEdges() {
	sick := 0
	for _, p := range s.suspects {
		if p.sick() && !p.unseen {
			sick++
		}
	}
	suffer := map[string]int{}
	less := map[string]float64{}
	for _, n := range s.names {
		p := s.suspects[n]
		if !p.sick() {
			continue
		}
		worst := ""
		for _, c := range s.sickBelow(n) {
			q := s.suspects[c]
			if p.before(q) || p.peak(true) >= decisiveShift && !q.before(p) && !q.silent {
				continue
			}
			suffer[c]++
			if worst == "" || q.score > s.suspects[worst].score {
				worst = c
			}
		}
		if worst != "" && p.score > 0 {
			less[n] = 1 - explained*min(1, s.suspects[worst].score/p.score)
			p.reasons = append(p.reasons, fmt.Sprintf("depends on %s, which is in trouble too", worst))
		}
	}
	for _, n := range s.names {
		p := s.suspects[n]
		if f, ok := less[n]; ok {
			p.score *= f
		}
		if k := suffer[n]; k > 0 {
			p.score *= 1 + supported*float64(min(k, mostSupport))
			p.reasons = append(p.reasons, fmt.Sprintf("%d of the nodes that depend on it are in trouble", k))
		}
		if p.sick() && sick > 0 {
			own := 1
			if p.unseen {
				own = 0
			}
			p.share = min(1, float64(suffer[n]+own)/float64(sick))
		}
	}
}

// sickBelow returns the failing nodes that a node depends on, through failing nodes.
func (s *scene) sickBelow(node string) []string {
	seen := map[string]bool{node: true}
	var out []string
	for queue := slices.Clone(s.callees[node]); len(queue) > 0; queue = queue[1:] {
		if n := queue[0]; !seen[n] && s.suspects[n].sick() {
			seen[n] = true
			out = append(out, n)
			queue = append(queue, s.callees[n]...)
		}
	}
	slices.Sort(out)
	return out
}

// byTime lowers who came clearly later than another strong suspect, who has recovered
// while another has not, and whose trouble is older than the baseline.
func (s *scene) byTime(p *suspect, strong []*suspect) {
	i := slices.IndexFunc(strong, func(q *suspect) bool { return q != p && q.before(p) && !q.recovered() })
	if i >= 0 {
		p.score *= later
		p.reasons = append(p.reasons, fmt.Sprintf("began at %s, after %s", p.onset.UTC().Format(time.TimeOnly), strong[i].node))
	}
	lasts := slices.ContainsFunc(strong, func(q *suspect) bool { return q != p && !q.recovered() })
	switch {
	case p.recovered() && lasts:
		p.score *= over
		p.reasons = append(p.reasons, "is back to normal while others are not")
	case s.older(p):
		p.score *= over
		p.reasons = append(p.reasons, "began before the baseline, so it is not what changed")
	}
}

// older reports whether a detector saw a node's trouble begin before the baseline did,
// which came before the incident, as it does outside of recordings.
func (s *scene) older(p *suspect) bool {
	o, told := s.Onsets[p.node]
	if !told || len(s.BaselineTimes) == 0 || len(s.IncidentTimes) == 0 || s.IncidentTimes[0].Before(s.BaselineTimes[0]) {
		return false
	}
	return o.Time.Add(max(0, o.Within)).Before(s.BaselineTimes[0])
}

// recovered reports whether all that spoke for a suspect is over.
func (s *suspect) recovered() bool {
	if s.silent || s.unseen {
		return false
	}
	for _, c := range s.byClass {
		if c.tells() && !c.over {
			return false
		}
	}
	return true
}

// byChange raises who was changed shortly before its onset.
func (s *scene) byChange(p *suspect) {
	for _, c := range s.Changes {
		if c.Node != p.node || !s.fits(p, c.Time) {
			continue
		}
		if p.change == nil || c.Time.After(p.change.Time) {
			p.change = &c
		}
	}
	if p.change != nil {
		p.score *= changed
		p.reasons = append(p.reasons, p.change.says(p.onset))
	}
}

// fits reports whether a change lies where the cause of the onset must; when nothing
// is known of the onset, of the incident.
func (s *scene) fits(p *suspect, at time.Time) bool {
	from, to := p.onset, p.onset.Add(p.within)
	if p.onset.IsZero() {
		if len(s.IncidentTimes) == 0 {
			return false
		}
		from, to = s.IncidentTimes[0], s.IncidentTimes[len(s.IncidentTimes)-1]
	}
	return !at.Before(from.Add(-changeBefore)) && !at.After(to.Add(changeAfter))
}

// says tells of a change that lies before an onset.
func (c *Change) says(onset time.Time) string {
	text := fmt.Sprintf("was changed at %s", c.Time.UTC().Format(time.TimeOnly))
	if c.Kind != "" || c.Text != "" {
		text += fmt.Sprintf(" (%s)", joinWords(c.Kind, c.Text))
	}
	if d := onset.Sub(c.Time); !onset.IsZero() && d > 0 {
		text += fmt.Sprintf(", %s before it began", d.Round(time.Second))
	}
	return text
}

// byPeers raises who is alone among nodes of its role.
func (s *scene) byPeers(p *suspect) {
	role := s.Peers[p.node]
	main := p.main()
	if role == "" || main == nil {
		return
	}
	others, alike := 0, 0
	for _, g := range s.gauges {
		if g.Node != p.node && s.Peers[g.Node] == role && g.Metric == main.Metric && !g.empty {
			others++
			if g.z >= minShift {
				alike++
			}
		}
	}
	switch {
	case others+1 < minPeers:
	case alike == 0:
		p.score *= alone
		p.reasons = append(p.reasons, fmt.Sprintf("none of its %d peers (%s) shows it", others, role))
	default:
		p.reasons = append(p.reasons, fmt.Sprintf("%d of its %d peers (%s) show it too", alike, others, role))
	}
}

// main returns the claim that counts most for a suspect, nil without any.
func (s *suspect) main() *claim {
	var best *claim
	for _, class := range classes {
		if c := s.byClass[class]; c != nil && (best == nil || weight(class)*c.worth > weight(best.Class)*best.worth) {
			best = c
		}
	}
	return best
}
