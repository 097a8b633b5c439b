// Package grounding checks text against facts: whether every figure that a text
// states was really seen. It is arithmetic on text and numbers; it knows no
// agent, no clock and no I/O.
package grounding

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Fact is one value that was seen. Text is set instead of Value for text; the
// figures in it count too.
type Fact struct {
	Address string // "SNAPSHOT_ID#field" or "RUN_ID/STEP#path"
	Name    string // the last part of the path; its suffix may tell the unit
	Value   float64
	Unit    protocol.Unit // empty: by the suffix of Name, else unknown
	Text    string
}

// Check returns a figure for each number of the text that has to be in the
// evidence: every number that is 10 or more or carries a unit, outside quotes,
// identifiers, versions and times. A figure is found when a fact has its value,
// to the decimals it is written with, in a unit of the same dimension.
func Check(text string, facts []Fact) []protocol.Figure {
	var out []protocol.Figure
	for _, c := range claims(text) {
		if c.unit == "" && math.Abs(c.value) < 10 {
			continue
		}
		f := protocol.Figure{Text: c.text, Value: c.value, Unit: c.unit}
		for _, fact := range facts {
			if c.in(fact) {
				f.Found, f.Evidence = true, fact.Address
				break
			}
		}
		if !f.Found {
			f.Nearest = c.nearest(facts)
		}
		out = append(out, f)
	}
	return out
}

// in reports whether the fact holds the claim.
func (c claim) in(f Fact) bool {
	if f.Text != "" {
		return slices.ContainsFunc(claims(f.Text), func(t claim) bool {
			return t.value == c.value && (t.unit == c.unit || c.unit == "")
		})
	}
	native := unitOf(f)
	if c.unit == "" {
		return c.equals(f.Value) || native.name == "ratio" && c.equals(100*f.Value)
	}
	for _, u := range readings[c.unit] {
		switch native.dim {
		case "": // a number without a unit, as a script returns
			if c.equals(f.Value) {
				return true
			}
		case u.dim:
			if c.equals(f.Value * native.factor / u.factor) {
				return true
			}
		}
	}
	return false
}

// equals compares to the decimals the claim is written with; cutting digits off
// counts as rounding.
func (c claim) equals(v float64) bool {
	grain := math.Pow(10, -float64(c.decimals)) * c.scale
	v, want := math.Abs(v), math.Abs(c.value)
	if math.Abs(v-want) <= grain/2*(1+1e-9)+1e-12*want {
		return true
	}
	return v >= want && v-want < grain*(1-1e-9)
}

func (c claim) nearest(facts []Fact) string {
	best, dist := "", math.Inf(1)
	for _, f := range facts {
		if f.Text != "" {
			continue
		}
		native, v := unitOf(f), f.Value
		if c.unit != "" {
			u := readings[c.unit][0]
			if native.dim != u.dim {
				continue
			}
			v = f.Value * native.factor / u.factor
		}
		d := math.Abs(v-c.value) / math.Max(1e-9, math.Abs(c.value))
		if d < dist {
			best, dist = strings.TrimSpace(fmt.Sprintf("%s %s", strconv.FormatFloat(v, 'g', 6, 64), c.unit))+" ("+f.Name+")", d
		}
	}
	return best
}

// maxFlat bounds how many facts one value may give.
const maxFlat = 5000

// Flatten returns the facts in a JSON value. Their addresses are the given one
// and the path, parts joined by dots.
func Flatten(address string, v any) []Fact {
	var facts []Fact
	var walk func(at, name string, v any)
	walk = func(at, name string, v any) {
		if len(facts) >= maxFlat {
			return
		}
		join := func(part string) string {
			if strings.HasSuffix(at, "#") {
				return at + part
			}
			return at + "." + part
		}
		switch x := v.(type) {
		case float64:
			facts = append(facts, Fact{Address: at, Name: name, Value: x})
		case int:
			facts = append(facts, Fact{Address: at, Name: name, Value: float64(x)})
		case string:
			facts = append(facts, Fact{Address: at, Name: name, Text: x})
		case []any:
			for i, e := range x {
				walk(join(strconv.Itoa(i)), name, e)
			}
		case map[string]any:
			keys := make([]string, 0, len(x))
			for k := range x {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			for _, k := range keys {
				walk(join(k), k, x[k])
			}
		}
	}
	walk(address, "", v)
	return facts
}
