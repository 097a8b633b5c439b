package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A verdict says what is missing and what is there twice.
type verdict struct {
	Investigations int      `json:"investigations"`
	Lost           int      `json:"lost"`
	Doubled        int      `json:"doubled"`
	Done           int      `json:"done"`
	Cancelled      int      `json:"cancelled"`
	Failed         int      `json:"failed"`
	Notifications  int      `json:"notifications"`
	Insights       int      `json:"insights"`
	Runs           int      `json:"operator_runs"`
	Takeovers      int      `json:"takeovers"`
	DeadLetters    int      `json:"dead_letters"`
	Faults         []string `json:"faults,omitempty"` // the first of them, in words
}

// mostFaults is how many faults are told in words.
const mostFaults = 20

func (v *verdict) lost(format string, args ...any) {
	v.Lost++
	v.fault("lost: "+format, args...)
}

func (v *verdict) doubled(format string, args ...any) {
	v.Doubled++
	v.fault("doubled: "+format, args...)
}

func (v *verdict) fault(format string, args ...any) {
	if len(v.Faults) < mostFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// verify compares what was asked for with what is there.
func verify(ids []string, f found) verdict {
	v := verdict{
		Investigations: len(ids), Notifications: len(f.notifications), Insights: len(f.insights), Runs: len(f.completions), DeadLetters: f.deadLetters,
	}
	v.ends(ids, f)
	v.once(f)
	v.told(f)
	v.journals(f)
	for _, subject := range f.queued {
		v.lost("work is left on %s", subject)
	}
	return v
}

// ends: every investigation that was asked for has one end, with a reason when
// it is not done, and its insights were published.
func (v *verdict) ends(ids []string, f found) {
	byID := map[string][]finished{}
	for _, r := range f.finished {
		byID[r.Investigation] = append(byID[r.Investigation], r)
	}
	published := map[string]bool{}
	for _, i := range f.insights {
		published[i.ID] = true
	}
	for _, id := range ids {
		list := byID[id]
		if len(list) == 0 {
			v.lost("investigation %s has no end", id)
			continue
		}
		if len(list) > 1 {
			v.doubled("investigation %s ended %d times", id, len(list))
		}
		r := list[0]
		switch r.State {
		case "done":
			v.Done++
		case "cancelled":
			v.Cancelled++
		case "failed":
			v.Failed++
		default:
			v.lost("investigation %s ended as %q: %s", id, r.State, r.Error)
		}
		if r.State != "done" && r.Error == "" {
			v.lost("investigation %s ended as %s without a reason", id, r.State)
		}
		for _, i := range r.Insights {
			if !published[i.ID] {
				v.lost("insight %s of investigation %s was not published", i.ID, id)
			}
		}
	}
}

// once: no notification, insight or completion is there twice, neither by its id
// nor by what it is about.
func (v *verdict) once(f found) {
	seen := map[string]bool{}
	first := func(key string) {
		if seen[key] {
			v.doubled("%s", key)
		}
		seen[key] = true
	}
	for _, n := range f.notifications {
		if id := "notification " + n.ID; seen[id] {
			v.doubled("%s", id)
		} else {
			seen[id] = true
			first(fmt.Sprintf("notification of %s on %s by run %s", n.Type, n.Node, n.Run))
		}
	}
	for _, i := range f.insights {
		if id := "insight " + i.ID; seen[id] {
			v.doubled("%s", id)
			continue
		}
		seen["insight "+i.ID] = true
		for _, n := range i.Notifications {
			first(fmt.Sprintf("conclusion from notification %s in investigation %s", n, i.Investigation))
		}
	}
	for _, c := range f.completions {
		first("completion of run " + c.Run)
	}
}

// told: insights are about notifications that exist, and whatever was found by
// an investigation that is done stands in an insight or in its result.
func (v *verdict) told(f found) {
	known, told, done := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range f.notifications {
		known[n.ID] = true
	}
	for _, i := range f.insights {
		for _, id := range i.Notifications {
			told[id] = true
			if !known[id] {
				v.lost("notification %s, which insight %s is about", id, i.ID)
			}
		}
	}
	for _, r := range f.finished {
		done[r.Investigation] = r.State == "done"
		for _, c := range r.Operators {
			for _, id := range c.Notifications {
				told[id] = true
			}
		}
	}
	for _, c := range f.completions {
		for _, id := range c.Notifications {
			if !known[id] {
				v.lost("notification %s, which run %s reports", id, c.Run)
			}
		}
	}
	for _, n := range f.notifications {
		if done[n.Investigation] && !told[n.ID] {
			v.lost("notification %s of investigation %s is in no insight and no result", n.ID, n.Investigation)
		}
	}
}

// journals: every run that somebody took has one end, and every operator's end
// was announced.
func (v *verdict) journals(f found) {
	completed := map[string]bool{}
	for _, c := range f.completions {
		completed[c.Run] = true
	}
	for _, subject := range slices.Sorted(maps.Keys(f.journals)) {
		counts := map[string]int{}
		for _, kind := range f.journals[subject] {
			counts[kind]++
		}
		v.Takeovers += max(counts["claim"]-1, 0)
		if counts["claim"]+counts["start"] == 0 { // a cancel alone: nobody took it
			continue
		}
		switch n := counts["finished"]; {
		case n == 0:
			v.lost("%s has no end", subject)
		case n > 1:
			v.doubled("%s has %d ends", subject, n)
		}
		run, isOperator := strings.CutPrefix(subject, "journal.operator.")
		if isOperator && counts["finished"] > 0 && !completed[run] {
			v.lost("the end of run %s was not announced", run)
		}
	}
}
