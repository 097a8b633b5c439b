package main

import (
	"regexp"
	"slices"
	"strings"
)

// A verdict is how well a parser's groups are the true ones.
type verdict struct {
	Grouping float64 `json:"grouping_accuracy"`
	F1       float64 `json:"f1"`          // of templates: a group found is one with exactly the true lines
	TextF1   float64 `json:"text_f1"`     // the same, and its text is the true one
	Found    int     `json:"templates"`   // that the parser made
	True     int     `json:"true"`        // that there are
	PerSec   float64 `json:"lines_per_s"` // one core
}

// judge compares the group that each line was put into with the true one. A line
// counts for the grouping accuracy only when its group has exactly the lines of
// its true group.
func judge(got, want []string, text, trueText map[string]string) verdict {
	groups, truth := members(got), members(want)
	right, exact, same := 0, 0, 0
	for id, lines := range groups {
		truly := want[lines[0]]
		if len(truth[truly]) != len(lines) || slices.ContainsFunc(lines, func(i int) bool { return want[i] != truly }) {
			continue
		}
		right += len(lines)
		exact++
		if normal(text[id]) == normal(trueText[truly]) {
			same++
		}
	}
	f1 := func(n int) float64 { return 2 * float64(n) / float64(len(groups)+len(truth)) }
	return verdict{
		Grouping: float64(right) / float64(len(want)), F1: f1(exact), TextF1: f1(same),
		Found: len(groups), True: len(truth),
	}
}

func members(ids []string) map[string][]int {
	groups := map[string][]int{}
	for i, id := range ids {
		groups[id] = append(groups[id], i)
	}
	return groups
}

var (
	scheme    = regexp.MustCompile(`[a-z.]+://`)
	separator = regexp.MustCompile(`[\s,;:=|"'\[\](){}]`)
	constant  = regexp.MustCompile(`(?i)^(?:\d+|true|false|null|root|admin|(?:/[^/]+)+)$`)
	neighbour = regexp.MustCompile(`<\*>(?:(?: ?[,:\-/]? ?)<\*>)+`)
)

// normal brings a template into the form in which templates are compared, in the
// manner of the corrections that Khan et al. (ICSE 2022) make to the truth, on
// both sides: a word with a variable in it is one variable, so is a path, a
// number, a literal of a program; neighbouring variables are one.
func normal(t string) string {
	t = strings.Join(strings.Fields(scheme.ReplaceAllString(t, "")), " ")
	t = each(t, separator, func(w string) string {
		if constant.MatchString(w) || strings.Contains(w, "<*>") {
			return "<*>"
		}
		return strings.TrimRight(w, ".!?")
	})
	return strings.ReplaceAll(neighbour.ReplaceAllString(t, "<*>"), " ", "")
}

// each replaces the words between separators.
func each(t string, sep *regexp.Regexp, f func(string) string) string {
	var b strings.Builder
	end := 0
	for _, at := range sep.FindAllStringIndex(t, -1) {
		b.WriteString(f(t[end:at[0]]))
		b.WriteString(t[at[0]:at[1]])
		end = at[1]
	}
	b.WriteString(f(t[end:]))
	return b.String()
}
