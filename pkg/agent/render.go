package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func errorContent(text string) string {
	b, err := json.Marshal(map[string]string{"error": text})
	if err != nil {
		return text
	}
	return string(b)
}

// render returns what the decider reads of a result, cut with a note when it is long.
func render(content any) string {
	text, ok := content.(string)
	if !ok {
		b, err := json.Marshal(content)
		if err != nil {
			return errorContent("the result cannot be expressed in JSON: " + err.Error())
		}
		text = string(b)
	}
	if head := cut(text, maxContent); len(head) < len(text) {
		text = fmt.Sprintf("%s… (cut: %d of %d bytes shown)", head, len(head), len(text))
	}
	return text
}

// tabulated returns a JSON value whose lists of alike objects are columns and rows:
// a name that stands in each of twenty objects is read, and paid, twenty times.
func tabulated(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = tabulated(x)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			out = append(out, tabulated(x))
		}
		if t, ok := table(out); ok {
			return t
		}
		return out
	}
	return v
}

// A rowTable is a list of objects; what one of them lacks is null.
type rowTable struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// table makes columns and rows of objects that have most of their names in common.
func table(list []any) (rowTable, bool) {
	t := rowTable{}
	filled := 0
	for _, x := range list {
		o, ok := x.(map[string]any)
		if !ok {
			return t, false
		}
		for name := range o {
			if !slices.Contains(t.Columns, name) {
				t.Columns = append(t.Columns, name)
			}
		}
		filled += len(o)
	}
	if len(list) < 2 || 4*filled < 3*len(list)*len(t.Columns) {
		return t, false
	}
	slices.Sort(t.Columns)
	for _, x := range list {
		row := make([]any, 0, len(t.Columns))
		o, _ := x.(map[string]any)
		for _, name := range t.Columns {
			row = append(row, o[name])
		}
		t.Rows = append(t.Rows, row)
	}
	return t, true
}

// cut returns at most n bytes of a text, and never a part of a letter.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func describe(a protocol.Answer) string {
	var parts []string
	for _, c := range a.Calls {
		args := c.Args
		if head := cut(args, 160); len(head) < len(args) {
			args = head + "…"
		}
		parts = append(parts, c.Tool+" "+args)
	}
	return strings.Join(parts, " · ")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if head := cut(line, 240); len(head) < len(line) {
		return head + "…"
	}
	return line
}
