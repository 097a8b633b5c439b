package grounding

import (
	"fmt"
	"math"
	"regexp"
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
// evidence, see the package's comment. A figure is found when a fact has its
// value, to the decimals it is written with, in a unit of the same dimension. A
// figure's Text, checked again, is the same figure.
func Check(text string, facts []Fact) []protocol.Figure {
	var out []protocol.Figure
	var seen []witness
	for _, c := range claims(text) {
		if c.unit == "" && math.Abs(c.value) < 10 && c.decimals == 0 {
			continue
		}
		if seen == nil {
			seen = witnesses(facts)
		}
		f := protocol.Figure{Text: c.text, Value: c.value, Unit: c.unit}
		if c.minus {
			f.Value = -c.value
		}
		if i := slices.IndexFunc(seen, c.in); i >= 0 {
			f.Found, f.Evidence = true, seen[i].Address
		} else {
			f.Nearest = c.nearest(facts)
		}
		out = append(out, f)
	}
	return out
}

// A witness is a fact with the figures of its text.
type witness struct {
	Fact
	claims []claim
	ports  []string
}

// maxText is how much of a fact's text is read, in bytes.
const maxText = 64 << 10

var portRE = regexp.MustCompile(`:(\d{2,5})\b`)

func witnesses(facts []Fact) []witness {
	out := make([]witness, len(facts))
	for i, f := range facts {
		out[i].Fact = f
		if f.Text == "" {
			continue
		}
		text := f.Text[:min(len(f.Text), maxText)]
		out[i].claims = claims(text)
		for _, m := range portRE.FindAllStringSubmatch(text, -1) {
			out[i].ports = append(out[i].ports, m[1])
		}
	}
	return out
}

// in reports whether the fact holds the claim.
func (c claim) in(w witness) bool {
	return c.holds(w) || slices.ContainsFunc(c.also, func(other claim) bool { return other.holds(w) })
}

func (c claim) holds(w witness) bool {
	if w.Text != "" {
		if c.unit == "" && slices.Contains(w.ports, c.text) { // an address proves its port
			return true
		}
		return slices.ContainsFunc(w.claims, func(t claim) bool { return c.said(t) || slices.ContainsFunc(t.also, c.said) })
	}
	native := unitOf(w.Fact)
	if c.unit == "" {
		return c.equals(w.Value) || native.name == "ratio" && c.equals(100*w.Value)
	}
	for _, u := range readings[c.unit] {
		switch native.dim {
		case "": // a number without a unit, as a script returns
			if c.equals(w.Value) || u.dim == "percent" && w.Value > 0 && w.Value < 1 && c.equals(100*w.Value) {
				return true
			}
		case u.dim:
			if c.equals(w.Value * native.factor / u.factor) {
				return true
			}
		}
	}
	return false
}

// said reports whether a figure of a text that was seen holds the claim. Without
// a unit it is one only as it is: it may be a name, such as a process id.
func (c claim) said(t claim) bool {
	v := t.value
	if t.minus {
		v = -v
	}
	switch {
	case t.unit == "":
		return c.unit == "" && c.value == t.value && (t.minus || !c.minus)
	case c.unit == "" || c.unit == t.unit:
		return c.equals(v)
	}
	for _, u := range readings[c.unit] {
		for _, has := range readings[t.unit] {
			if has.dim == u.dim && c.equals(v*has.factor/u.factor) {
				return true
			}
		}
	}
	return false
}

// slack is how far from the truth "about", "over" and "under" may be, as a share.
const slack = 0.05

// equals compares to the decimals the claim is written with; cutting digits off
// counts as rounding.
func (c claim) equals(v float64) bool {
	if c.minus && v > 0 {
		return false
	}
	grain := math.Pow(10, -float64(c.decimals)) * c.scale
	v, want := math.Abs(v), math.Abs(c.value)
	if want == 0 { // nothing at all is not a little
		return v < grain/20
	}
	if math.Abs(v-want) <= grain/2*(1+1e-9)+1e-12*want {
		return true
	}
	if v >= want && v-want < grain*(1-1e-9) {
		return true
	}
	switch c.bound {
	case over:
		return v >= want && v-want <= slack*want
	case under:
		return v <= want && want-v <= slack*want
	case about:
		for c.decimals == 0 && want > 0 && math.Mod(want, 10*grain) == 0 {
			grain *= 10
		}
		return math.Abs(v-want) <= min(grain/2, slack*want)
	}
	return false
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
