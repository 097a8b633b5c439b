package overload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type goPlaceAnswer struct {
	Function   string   `json:"function"`
	Line       string   `json:"line,omitempty"`
	State      string   `json:"state"`
	Goroutines int      `json:"goroutines"`
	Holds      bool     `json:"holds,omitempty"`
	Calls      string   `json:"calls,omitempty"`
	Stack      []string `json:"stack,omitempty"`
	Since      string   `json:"since,omitempty"`
	Added      *int64   `json:"added,omitempty"`
	PerSec     *float64 `json:"per_sec,omitempty"`
}

func (s goState) place(p gopprof.Place) goPlaceAnswer {
	a := goPlaceAnswer{Function: p.Function, Line: p.Where(), State: p.State, Goroutines: p.Count, Calls: p.Via}
	for _, f := range p.Stack {
		a.Stack = append(a.Stack, f.String())
	}
	if g, ok := s.growth[p.Key()]; ok {
		a.Since = g.Since.Format(time.RFC3339)
		if g.Added > 0 {
			rate := skills.Round(g.PerSecond(), 2)
			a.Added, a.PerSec = &g.Added, &rate
		}
	}
	return a
}

func goPlaces(s goState, limit int) any {
	places := slices.Clone(s.Places)
	growing := func(p gopprof.Place) int64 {
		if g := s.growth[p.Key()]; g.Steady() && !goServes(p) {
			return g.Added
		}
		return 0
	}
	slices.SortStableFunc(places, func(a, b gopprof.Place) int {
		return cmp.Or(cmp.Compare(growing(b), growing(a)), cmp.Compare(b.Count, a.Count))
	})
	a := struct {
		Goroutines int             `json:"goroutines"`
		States     map[string]int  `json:"states"`
		Places     []goPlaceAnswer `json:"places"`
		Truncated  bool            `json:"truncated,omitempty"`
	}{s.Total, s.States, []goPlaceAnswer{}, len(places) > limit}
	for _, p := range places[:min(limit, len(places))] {
		a.Places = append(a.Places, s.place(p))
	}
	return a
}

func goOverloadState(s goState) any {
	a := map[string]any{
		"severity": s.severity(), "type": s.kind(), "affected_goroutines": s.pile(), "goroutines": s.Total,
		"blocked_goroutines": s.allBlocked(), "recommended_action": goActionOf(s).name,
	}
	if p := s.culprit(); s.kind() != "none" {
		g := s.growth[p.Key()]
		a["bottleneck_location"], a["for_seconds"], a["growth_per_sec"] = p.String(), skills.Round(g.For.Seconds(), 0), skills.Round(g.PerSecond(), 2)
	}
	return a
}

// goBlockedPlaces returns the places where goroutines want to go on, the most first.
func goBlockedPlaces(s goState) []gopprof.Place {
	return slices.DeleteFunc(slices.Clone(s.Places), func(p gopprof.Place) bool { return !goWaits(p.State) })
}

func goQueues(s goState) any {
	places := goBlockedPlaces(s)
	counts := make([]int, 0, len(places))
	for _, p := range slices.Backward(places) {
		counts = append(counts, p.Count)
	}
	percentiles := map[string]int{}
	for _, n := range []int{50, 90, 95, 99, 100} { // nearest rank
		v := 0
		if len(counts) > 0 {
			v = counts[max(0, (len(counts)*n+99)/100-1)]
		}
		percentiles["p"+strconv.Itoa(n)] = v
	}
	slices.SortStableFunc(places, func(a, b gopprof.Place) int {
		return cmp.Compare(s.growth[b.Key()].PerSecond(), s.growth[a.Key()].PerSecond())
	})
	fastest := []goPlaceAnswer{}
	for _, p := range places {
		if g := s.growth[p.Key()]; g.Added > 0 && len(fastest) < 5 {
			row := s.place(p)
			row.Stack, row.Calls = nil, ""
			fastest = append(fastest, row)
		}
	}
	return map[string]any{
		"total_blocked": s.allBlocked(), "places_with_queues": len(counts), "queue_percentiles": percentiles, "fastest_growing": fastest,
		"overload_classification": goClassification(s),
	}
}

func goClassification(s goState) any {
	pattern, held := "none", s.growth[s.blocked.Key()]
	switch {
	case s.blocked.Count < goPile:
	case held.Steady():
		pattern = "linear"
	case held.For >= time.Minute:
		pattern = "stable"
	default:
		pattern = "burst"
	}
	return map[string]any{"duration_minutes": skills.Round(s.blockedFor.Minutes(), 1), "growth_pattern": pattern, "classification": s.severity()}
}

// goBottlenecks names the kinds of overload as bottlenecks.
var goBottlenecks = map[string]string{
	"none": "none", "goroutine_leak": "leak", "downstream_blocking": "downstream_blocking", "lock_contention": "contention", "queue_overflow": "queue",
}

func goBottleneck(s goState) any {
	kind, location, confidence := goBottlenecks[s.kind()], "none", "low"
	evidence, places := []string{}, []goPlaceAnswer{}
	say := func(format string, args ...any) { evidence = append(evidence, fmt.Sprintf(format, args...)) }
	if p := s.culprit(); kind != "none" {
		location, confidence = p.String(), "medium"
		say("%d goroutines in %s at %s", p.Count, p.State, p.String())
		places = append(places, s.place(p))
	}
	switch running := s.States[gopprof.Running]; {
	case kind == "none" && running > 64:
		kind = "cpu_bound"
		say("%d goroutines run or could run", running)
	case kind == "leak":
		confidence = "high"
		say("%d more than %s before, in %d readings", s.grown.Added, s.grown.For.Round(time.Second), s.grown.Rises)
	case s.blocked.Count >= goPile && s.holder != nil:
		location = s.holder.String()
		say("within the same code %d in %s at %s", s.holder.Count, s.holder.State, s.holder.String())
		holder := s.place(*s.holder)
		holder.Holds = true
		places = slices.Insert(places, 0, holder)
		if goSame(s.holder, s.blocked) {
			confidence = "high"
		}
	}
	return map[string]any{
		"bottleneck_type": kind, "bottleneck_location": location, "evidence": evidence, "confidence_level": confidence, "places": places,
	}
}

// goSame reports whether a holder is within the very function that others wait in.
func goSame(holder *gopprof.Place, blocked gopprof.Place) bool {
	return slices.ContainsFunc(holder.Stack, func(f gopprof.Frame) bool { return f.Function == blocked.Function })
}

func goCascade(s goState) any {
	type relation struct {
		From       string `json:"from"`
		To         string `json:"to"`
		Goroutines int    `json:"goroutines"`
		Type       string `json:"type"`
		By         string `json:"by"`
	}
	relations, affected := []relation{}, []string{}
	for _, p := range goBlockedPlaces(s) {
		if p.Count < 10 || len(affected) == 20 {
			break
		}
		affected = append(affected, p.String())
		holder := goHolder(s.Goroutines, p)
		if holder == nil {
			continue
		}
		r := relation{p.String(), holder.String(), p.Count, "queue_full", "same_type"}
		switch {
		case holder.State == gopprof.IOWait || holder.State == gopprof.Syscall:
			r.Type = "io_blocking"
		case p.State == gopprof.Lock:
			r.Type = "lock_held"
		}
		if goSame(holder, p) {
			r.By = "same_function"
		}
		relations = append(relations, r)
	}
	severity := "none"
	switch {
	case len(affected) >= 4:
		severity = "critical"
	case len(affected) >= 2:
		severity = "warning"
	}
	return map[string]any{"cascading": len(affected) > 1, "severity": severity, "affected_places": affected, "failure_relationships": relations}
}
