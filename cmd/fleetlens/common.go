package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shared is label values that the odd ones of a fleet have more often than the rest.
type shared struct {
	labels []string // those that the very same nodes have
	odd    float64  // share of the odd ones that has them, 0 to 1
	rest   float64  // share of the rest
}

// telling is by how much the shares must differ to tell anything. The web UI has the same.
const telling = 0.2

// inCommon returns the label values that the odd ones have more often than the rest, the
// most telling first. Fewer than two have nothing in common.
func inCommon(odd, rest []nodeView) []shared {
	if len(odd) < 2 {
		return nil
	}
	type count struct {
		odd, rest int
		of        string // which of the odd ones
	}
	counts := map[string]*count{}
	for i, v := range odd {
		for name, value := range v.Labels {
			label := name + "=" + value
			if counts[label] == nil {
				counts[label] = &count{}
			}
			counts[label].odd++
			counts[label].of += fmt.Sprintf(" %d", i)
		}
	}
	for _, v := range rest {
		for name, value := range v.Labels {
			if c := counts[name+"="+value]; c != nil {
				c.rest++
			}
		}
	}
	same := map[string]*shared{} // what tells the same is one line
	for _, label := range slices.Sorted(maps.Keys(counts)) {
		c := counts[label]
		s := shared{odd: float64(c.odd) / float64(len(odd)), rest: float64(c.rest) / float64(max(1, len(rest)))}
		if s.odd-s.rest <= telling {
			continue
		}
		key := fmt.Sprint(c.rest, c.of)
		if same[key] == nil {
			same[key] = &s
		}
		same[key].labels = append(same[key].labels, label)
	}
	list := make([]shared, 0, len(same))
	for _, s := range same {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(x, y shared) int {
		return cmp.Or(cmp.Compare(y.odd-y.rest, x.odd-x.rest), strings.Compare(x.labels[0], y.labels[0]))
	})
	return list[:min(5, len(list))]
}

// common prints what the odd nodes have in common: the critical ones, where they are
// several, else those that warn too, else the silent ones.
func (p printer) common(views []nodeView) {
	for _, set := range [][]string{{"critical"}, {"critical", "warning"}, {"silent"}} {
		var odd, rest []nodeView
		for _, v := range views {
			if slices.Contains(set, v.Health) {
				odd = append(odd, v)
			} else {
				rest = append(rest, v)
			}
		}
		if len(odd) < 2 {
			continue
		}
		title := fmt.Sprintf("What the %s %s have in common", thousands(len(odd)), strings.Join(set, " and "))
		s := sheet{plain: true, header: []string{title, "of them", "of the rest"}}
		for _, c := range inCommon(odd, rest) {
			s.rows = append(s.rows, []any{"  " + strings.Join(c.labels, ","), number(fmt.Sprintf("%.0f %%", 100*c.odd)), number(fmt.Sprintf("%.1f %%", 100*c.rest))})
		}
		if len(s.rows) > 0 {
			p.sheet(s)
		}
		return
	}
}
