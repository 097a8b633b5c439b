package skills

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Crossing is a check that a snapshot crossed.
type Crossing struct {
	Check     Check
	Value     float64
	Severity  protocol.Severity
	Threshold float64
	Says      string // the check's words with the snapshot's values in them
}

// Evaluate returns the checks that data crosses, in the order of the checks.
// A metric that is absent or not a finite number crosses nothing.
func Evaluate(checks []Check, data map[string]any) []Crossing {
	var out []Crossing
	for _, c := range checks {
		v, ok := number(data[c.Metric])
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		x := Crossing{Check: c, Value: v}
		switch {
		case crosses(c.Op, v, c.Critical):
			x.Severity, x.Threshold = protocol.SeverityCritical, *c.Critical
		case crosses(c.Op, v, c.Warn):
			x.Severity, x.Threshold = protocol.SeverityWarning, *c.Warn
		default:
			continue
		}
		x.Says = Fill(c.Says, c.Metric, data)
		out = append(out, x)
	}
	return out
}

func crosses(op protocol.Op, v float64, threshold *float64) bool {
	if threshold == nil {
		return false
	}
	if op == protocol.Below {
		return v <= *threshold
	}
	return v >= *threshold
}

var placeholder = regexp.MustCompile(`\{[a-z0-9_]+\}`)

// Placeholders returns the fields that the words of a check name, in order;
// {value} is the check's metric.
func Placeholders(says, metric string) []string {
	names := placeholder.FindAllString(says, -1)
	for i, p := range names {
		if names[i] = strings.Trim(p, "{}"); names[i] == "value" {
			names[i] = metric
		}
	}
	return names
}

// Fill puts a snapshot's values into the words of a check: {value} is the
// check's metric, {name} any field. A field that is absent reads "unknown"; a
// further clause, after "; ", of which nothing is known is left out.
func Fill(says, metric string, data map[string]any) string {
	clauses := strings.Split(says, "; ")
	tells := func(clause string) bool {
		names := Placeholders(clause, metric)
		return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return data[name] != nil })
	}
	kept := clauses[:1]
	for _, c := range clauses[1:] {
		if tells(c) {
			kept = append(kept, c)
		}
	}
	return placeholder.ReplaceAllStringFunc(strings.Join(kept, "; "), func(p string) string {
		name := strings.Trim(p, "{}")
		if name == "value" {
			name = metric
		}
		switch v := data[name].(type) {
		case nil:
			return "unknown"
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		default:
			return fmt.Sprint(v)
		}
	})
}
