package skills

import "math"

// Data is one snapshot: flat, a field per metric. Numbers, strings and booleans
// only. What could not be read is absent, never zero.
type Data map[string]any

// Set sets a number, rounded to decimals. What is no finite number stays absent.
func (d Data) Set(name string, v float64, decimals int) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		d[name] = Round(v, decimals)
	}
}

// Text sets a text, cut; an empty one stays absent.
func (d Data) Text(name, v string) {
	if v != "" {
		d[name] = Cut(v)
	}
}

// Unreachable is the snapshot of a target that is down or hangs, which is a finding.
func Unreachable(err error) Data {
	d := Data{"reachable": 0.0}
	d.Text("unreachable_reason", err.Error())
	return d
}

// List sets a list of at most limit rows in an answer, and under "truncated" whether
// there were more. It returns the answer.
func List[M ~map[string]any, T any](answer M, name string, rows []T, limit int) M {
	if len(rows) > limit {
		rows, answer["truncated"] = rows[:limit], true
	}
	if rows == nil {
		rows = []T{}
	}
	answer[name] = rows
	return answer
}

// Round rounds v to decimals, half away from zero.
func Round(v float64, decimals int) float64 {
	shift := math.Pow10(decimals)
	return math.Round(v*shift) / shift
}

// longestText is how many characters a text from a target has at most: a path
// may be 4096 bytes long.
const longestText = 200

// Cut bounds a text from a target.
func Cut(s string) string {
	if len(s) <= longestText {
		return s
	}
	if runes := []rune(s); len(runes) > longestText {
		return string(runes[:longestText]) + "…"
	}
	return s
}
