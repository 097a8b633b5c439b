package fleet

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/fleetlens/fleetlens/internal/keys"
)

// Bounds of what a file may ask for.
const (
	maxLasts     = 600 // intervals
	maxOperators = 8
)

// valid names every fault of a scenario by itself.
func (s *Scenario) valid() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(s.Family == "", "family: it is missing")
	bad(!(s.Lasts > 0 && s.Lasts <= maxLasts), "lasts: %v is not from 1 to %d intervals", s.Lasts, maxLasts)
	bad(s.Operators < 1 || s.Operators > maxOperators, "operators: %d is not from 1 to %d", s.Operators, maxOperators)
	names := map[string]bool{}
	for i, f := range s.Faults {
		at := fmt.Sprintf("faults[%d]", i)
		bad(f.Name == "", "%s.name: it is missing", at)
		bad(names[f.Name], "%s.name: %q is taken", at, f.Name)
		errs = append(errs, f.Nodes.valid(at+".nodes", names))
		names[f.Name] = true
		bad(f.For < 0 || f.At < 0, "%s: at and for are not negative", at)
		bad(len(f.Moves) == 0 && !f.Silent && !f.Cut && f.Clock == 0, "%s: nothing happens: give moves, silent, cut or clock", at)
		errs = append(errs, validMoves(at+".moves", f.Moves))
		for j, sp := range f.Spread {
			in := fmt.Sprintf("%s.spread[%d]", at, j)
			bad(sp.To == "", "%s.to: it is missing: callers, or the name of a label", in)
			bad(sp.Hops < 0 || sp.Hops > 8 || sp.Share < 0 || sp.Share > 1 || sp.Delay < 0, "%s: hops is from 1 to 8, share from 0 to 1, delay not negative", in)
			bad(len(sp.Moves) == 0, "%s.moves: it is missing", in)
			errs = append(errs, validMoves(in+".moves", sp.Moves))
		}
	}
	for i, c := range s.Changes {
		at := fmt.Sprintf("changes[%d]", i)
		errs = append(errs, c.Nodes.valid(at+".nodes", names))
		bad(c.Source == "" || c.What == "", "%s: source and what must be given", at)
		bad(c.At < -warmUp, "%s.at: %v is before the fleet runs (%d)", at, c.At, -warmUp)
	}
	for i, d := range s.Delivery {
		at := fmt.Sprintf("delivery[%d]", i)
		errs = append(errs, d.Nodes.valid(at+".nodes", names))
		for _, share := range []float64{d.Late, d.Doubled, d.Reordered} {
			bad(!(share >= 0 && share <= 1), "%s: %v is no share from 0 to 1", at, share)
		}
		bad(!(d.LateBy >= 0 && d.LateBy <= maxLasts), "%s.late_by: %v is not from 0 to %d", at, d.LateBy, maxLasts)
	}
	for i, k := range s.Kill {
		bad(k.Process != "operator" && k.Process != "coordinator", "kill[%d].process: %q is not operator or coordinator", i, k.Process)
	}
	for i, f := range s.Truth.Faults {
		bad(!names[f], "truth.faults[%d]: there is no fault %q; the nearest is %q", i, f, keys.Nearest(f, slices.Collect(maps.Keys(names))))
	}
	return errors.Join(errs...)
}

func (s Selector) valid(at string, faults map[string]bool) error {
	if s.Fault != "" && !faults[s.Fault] {
		return fmt.Errorf("%s.fault: no fault before it is called %q; the nearest is %q", at, s.Fault, keys.Nearest(s.Fault, slices.Collect(maps.Keys(faults))))
	}
	if s.Count < 0 || !(s.Share >= 0 && s.Share <= 1) || s.Count > 0 && s.Share > 0 {
		return fmt.Errorf("%s: give a count, or a share from 0 to 1", at)
	}
	return nil
}

func validMoves(at string, moves map[string]Move) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(moves)) {
		m := moves[name]
		errs = append(errs, knownMetric(at, name))
		given := 0
		for _, v := range []*float64{m.Set, m.Times, m.Add} {
			if v != nil {
				given++
			}
		}
		if given != 1 || m.Ramp < 0 {
			errs = append(errs, fmt.Errorf("%s.%s: give one of set, times and add, and a ramp that is not negative", at, name))
		}
	}
	return errors.Join(errs...)
}

func knownMetric(at, name string) error {
	if have := Metrics(); !slices.Contains(have, name) {
		return fmt.Errorf("%s: no metric %q is simulated; the nearest is %q", at, name, keys.Nearest(name, have))
	}
	return nil
}

func (c *Configuration) valid() error {
	var errs []error
	if len(c.Roles) == 0 {
		errs = append(errs, errors.New("roles: there are none"))
	}
	roles := slices.Sorted(maps.Keys(c.Roles))
	courses := func(at string, list map[string]Course) {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			errs = append(errs, knownMetric(at, name))
			for _, v := range []float64{list[name].Differ, list[name].Daily, list[name].Noise, list[name].Wander, list[name].Spikes} {
				if !(v >= 0 && v <= 1) {
					errs = append(errs, fmt.Errorf("%s.%s: %v is no share from 0 to 1", at, name, v))
				}
			}
		}
	}
	courses("metrics", c.Metrics)
	for _, name := range roles {
		r := c.Roles[name]
		courses("roles."+name+".metrics", r.Metrics)
		if (r.Share > 0) == (r.Count > 0) || r.Share < 0 || r.Count < 0 || math.IsNaN(r.Share) {
			errs = append(errs, fmt.Errorf("roles.%s: give a share or a count of nodes", name))
		}
		for _, to := range slices.Sorted(maps.Keys(r.Calls)) {
			if _, ok := c.Roles[to]; !ok {
				errs = append(errs, fmt.Errorf("roles.%s.calls: there is no role %q; the nearest is %q", name, to, keys.Nearest(to, roles)))
			}
		}
	}
	return errors.Join(errs...)
}

// fits names what of a scenario its fleet does not have.
func (s *Scenario) fits() error {
	var errs []error
	have := s.On.labelKeys()
	look := func(at string, sel Selector) {
		for _, k := range slices.Sorted(maps.Keys(sel.Labels)) {
			if !slices.Contains(have, k) {
				errs = append(errs, fmt.Errorf("%s.labels: no node has a label %q; the nearest is %q", at, k, keys.Nearest(k, have)))
			}
		}
	}
	for i, f := range s.Faults {
		look(fmt.Sprintf("faults[%d].nodes", i), f.Nodes)
		for j, sp := range f.Spread {
			if sp.To != toCallers && !slices.Contains(have, sp.To) {
				errs = append(errs, fmt.Errorf("faults[%d].spread[%d].to: %q is not callers, and no node has such a label; the nearest is %q", i, j, sp.To, keys.Nearest(sp.To, have)))
			}
		}
	}
	for i, c := range s.Changes {
		look(fmt.Sprintf("changes[%d].nodes", i), c.Nodes)
	}
	for i, d := range s.Delivery {
		look(fmt.Sprintf("delivery[%d].nodes", i), d.Nodes)
	}
	return errors.Join(errs...)
}

func (c *Configuration) labelKeys() []string {
	have := map[string]bool{"role": true}
	for k := range c.Labels {
		have[k] = true
	}
	for _, r := range c.Roles {
		for k := range r.Labels {
			have[k] = true
		}
	}
	return slices.Sorted(maps.Keys(have))
}
