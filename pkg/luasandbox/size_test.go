package luasandbox

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestLeastJSON(t *testing.T) {
	type row struct {
		Name   string         `json:"name,omitempty"`
		Note   string         `json:"note,omitempty"`
		Secret string         `json:"-"`
		Values []float64      `json:"values"`
		More   map[string]any `json:"more,omitempty"`
		At     time.Time      `json:"at"`
		Next   *row           `json:"next,omitempty"`
		hidden string
	}
	const enough = 10_000
	for _, tt := range []struct {
		name  string
		value any
		least int // that it is to find
	}{
		{"nothing", nil, 0},
		{"a number", 1.5, 1},
		{"a text", "abc", 5},
		{"a list of texts", []string{"", "", "a"}, 11},
		{"a list of numbers", []any{1, 2, 3}, 7},
		{"bytes", []byte("abcdef"), 6},
		{"an object", map[string]any{"": 1, "a": "b"}, 13},
		{"numbers as keys", map[int]bool{1: true, 2: false}, 7},
		{"a struct with what is left out", row{Secret: strings.Repeat("x", 99), hidden: "x"}, 0},
		{"a struct", &row{Name: "n", Values: []float64{1, 2}, Next: &row{Note: "x"}}, 11},
		{"JSON with spaces", json.RawMessage("[ 1,    2 ]"), 5},
		{"what encodes itself", time.Unix(0, 0), 0},
		{"what is far too big", make([][0]int, 1_000_000), enough},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := json.Marshal(tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := leastJSON(tt.value, enough); got < tt.least || got > len(raw) {
				t.Errorf("got %d, want at least %d and at most %d, the size of %.60s", got, tt.least, len(raw), raw)
			}
		})
	}
	cycle := map[string]any{}
	cycle["self"] = cycle
	if got := leastJSON(cycle, enough); got == 0 {
		t.Error("a cycle counts nothing") // and that it returned at all
	}
}
