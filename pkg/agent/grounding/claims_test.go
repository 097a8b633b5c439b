package grounding_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A verdict is a claim of testdata/claims.txt; the file says how it is written.
type verdict struct {
	line            int
	class, text     string
	figures, hedges string
}

func claims(t testing.TB) ([]grounding.Fact, []verdict) {
	t.Helper()
	file, err := os.Open("testdata/claims.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var facts []grounding.Fact
	var out []verdict
	class := ""
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "fact "):
			facts = append(facts, fact(t, strings.TrimPrefix(line, "fact ")))
		case strings.HasPrefix(line, "== "):
			class = strings.TrimPrefix(line, "== ")
		default:
			text, want, ok := strings.Cut(line, " =>")
			if !ok {
				t.Fatalf("line %d is no claim: %s", n, line)
			}
			figures, hedges, _ := strings.Cut(want, ";")
			if text, err = strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`); err != nil {
				t.Fatalf("line %d: %v", n, err)
			}
			out = append(out, verdict{n, class, text, strings.TrimSpace(figures), strings.TrimSpace(hedges)})
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return facts, out
}

func fact(t testing.TB, line string) grounding.Fact {
	t.Helper()
	parts := strings.SplitN(line, " ", 3)
	_, name, _ := strings.Cut(parts[0], "#")
	f := grounding.Fact{Address: parts[0], Name: name}
	if parts[1] == "text" {
		f.Text = parts[2]
		return f
	}
	if parts[1] != "-" {
		f.Unit = protocol.Unit(parts[1])
	}
	v, err := strconv.ParseFloat(parts[2], 64)
	if err != nil {
		t.Fatal(err)
	}
	f.Value = v
	return f
}

func TestClaims(t *testing.T) {
	facts, list := claims(t)
	if len(list) < 100 {
		t.Errorf("%d claims, want at least 100", len(list))
	}
	for _, v := range list {
		t.Run(v.class+", line "+strconv.Itoa(v.line), func(t *testing.T) {
			var got []string
			for _, f := range grounding.Check(v.text, facts) {
				verdict := " no"
				if f.Found {
					verdict = " yes"
				}
				if f.Found != (f.Evidence != "") {
					t.Errorf("figure %+v", f)
				}
				got = append(got, f.Text+verdict)
			}
			if diff := cmp.Diff(v.figures, strings.Join(got, " | ")); diff != "" {
				t.Errorf("figures of %q (-want +got):\n%s", v.text, diff)
			}
			if diff := cmp.Diff(v.hedges, strings.Join(grounding.Hedges(v.text), " ")); diff != "" {
				t.Errorf("hedges of %q (-want +got):\n%s", v.text, diff)
			}
		})
	}
}

func TestAFigureProvesItself(t *testing.T) {
	_, list := claims(t)
	for _, v := range list {
		for _, f := range grounding.Check(v.text, nil) {
			again := grounding.Check(f.Text, []grounding.Fact{{Address: "a", Text: f.Text}})
			if len(again) != 1 || again[0].Text != f.Text || again[0].Value != f.Value || again[0].Unit != f.Unit || !again[0].Found {
				t.Errorf("line %d: %+v, read again: %+v", v.line, f, again)
			}
		}
	}
}
