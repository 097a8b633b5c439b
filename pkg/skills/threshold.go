package skills

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Threshold replaces the levels of a check, as somebody's configuration says.
type Threshold struct {
	Warn     *float64 `json:"warn,omitempty"`     // nil keeps what the skill says
	Critical *float64 `json:"critical,omitempty"` // nil keeps what the skill says
	Off      bool     `json:"off,omitempty"`      // the check is not made at all
}

// Override returns the skill with other thresholds. Keys are "skill.metric":
// "os.memory_used_pct"; those of other skills are passed over. A metric that
// several sources check gets them in each. The error joins every fault and says
// what would have been right; s itself is not changed.
func Override(s Skill, thresholds map[string]Threshold) (Skill, error) {
	var faults []error
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		s.Sources[i].Checks = slices.Clone(s.Sources[i].Checks)
	}
	for _, key := range slices.Sorted(maps.Keys(thresholds)) {
		skill, metric, dotted := strings.Cut(key, ".")
		if !dotted {
			faults = append(faults, fmt.Errorf("threshold %q: write skill.metric, as os.memory_used_pct", key))
			continue
		}
		if skill != s.Name {
			continue
		}
		if err := override(s, metric, thresholds[key]); err != nil {
			faults = append(faults, fmt.Errorf("threshold %q: %w", key, err))
		}
	}
	if len(faults) > 0 {
		return Skill{}, errors.Join(faults...)
	}
	return s, nil
}

// OverrideAll is Override for a list of skills. It refuses keys of skills that
// are not in the list as well.
func OverrideAll(list []Skill, thresholds map[string]Threshold) ([]Skill, error) {
	var faults []error
	names := make([]string, 0, len(list))
	for _, s := range list {
		names = append(names, s.Name)
	}
	mine := make(map[string]Threshold, len(thresholds))
	for _, key := range slices.Sorted(maps.Keys(thresholds)) {
		skill, _, dotted := strings.Cut(key, ".")
		switch {
		case !dotted:
			faults = append(faults, fmt.Errorf("threshold %q: write skill.metric, as os.memory_used_pct", key))
		case !slices.Contains(names, skill):
			faults = append(faults, fmt.Errorf("threshold %q: unknown skill %q%s (have %s)", key, skill, suggestion(skill, names), strings.Join(names, ", ")))
		default:
			mine[key] = thresholds[key]
		}
	}
	out := make([]Skill, 0, len(list))
	for _, s := range list {
		s, err := Override(s, mine)
		if err != nil {
			faults = append(faults, err)
		}
		out = append(out, s)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}

func override(s Skill, metric string, t Threshold) error {
	for _, level := range []*float64{t.Warn, t.Critical} {
		if level != nil && (math.IsNaN(*level) || math.IsInf(*level, 0)) {
			return fmt.Errorf("%v is no threshold", *level)
		}
	}
	if t.Off && (t.Warn != nil || t.Critical != nil) {
		return errors.New("it is off and has levels: choose one")
	}
	if !t.Off && t.Warn == nil && t.Critical == nil {
		return errors.New("it needs warn, critical, or off")
	}
	found := false
	var checked []string
	var faults []error
	for i := range s.Sources {
		src := &s.Sources[i]
		var kept []Check
		for _, c := range src.Checks {
			if !slices.Contains(checked, c.Metric) {
				checked = append(checked, c.Metric)
			}
			if c.Metric != metric {
				kept = append(kept, c)
				continue
			}
			found = true
			if t.Off {
				continue
			}
			if t.Warn != nil {
				c.Warn = t.Warn
			}
			if t.Critical != nil {
				c.Critical = t.Critical
			}
			if c.Warn != nil && c.Critical != nil && !ordered(c.Op, *c.Warn, *c.Critical) {
				faults = append(faults, fmt.Errorf("critical (%g) must not come before warn (%g): the check is crossed %s them", *c.Critical, *c.Warn, c.Op))
			}
			kept = append(kept, c)
		}
		src.Checks = kept
	}
	if !found {
		what := "unknown metric"
		if s.declares(metric) {
			what = "no check is made of the metric"
		}
		return fmt.Errorf("%s %q%s (skill %s checks %s)", what, metric, suggestion(metric, checked), s.Name, strings.Join(checked, ", "))
	}
	return errors.Join(faults...)
}

func ordered(op protocol.Op, warn, critical float64) bool {
	if op == protocol.Below {
		return critical <= warn
	}
	return warn <= critical
}

func (s Skill) declares(metric string) bool {
	for _, src := range s.Sources {
		if slices.ContainsFunc(src.Metrics, func(m Metric) bool { return m.Name == metric }) {
			return true
		}
	}
	return false
}

// suggestion returns the nearest of the known names as ": did you mean …?", or
// nothing when none is near.
func suggestion(name string, known []string) string {
	best, least := "", len(name)/3+1
	for _, k := range known {
		if d := distance(name, k); d <= least {
			best, least = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// distance counts the letters to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
