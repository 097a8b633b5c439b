package postgres

import (
	"slices"
	"strings"
)

// valued are the words after which a SET has its value.
var valued = []string{"=", "TO", "ROLE", "AUTHORIZATION", "ZONE"}

// withoutSettings drops the values of SET name = value, which need no quotes.
func withoutSettings(tokens []string) []string {
	var kept []string
	begins, set, dropping := true, false, false
	for _, t := range tokens {
		switch {
		case t == ";":
			begins, set, dropping = true, false, false
			kept = append(kept, t)
			continue
		case dropping:
			continue
		case begins && strings.EqualFold(t, "SET"):
			set = true
		case set && slices.Contains(valued, strings.ToUpper(t)):
			dropping = true
			kept = append(kept, t, "?")
			begins = false
			continue
		}
		begins = false
		kept = append(kept, t)
	}
	return kept
}

// collapse makes one of a list of literals, and of a list of such lists.
func collapse(tokens []string) []string {
	var out []string
	ends := func(list ...string) bool {
		return len(out) >= len(list) && slices.Equal(out[len(out)-len(list):], list)
	}
	for _, t := range tokens {
		out = append(out, t)
		switch {
		case ends("?", ",", "?"):
			out = append(out[:len(out)-3], "?, …")
		case ends("?, …", ",", "?"):
			out = out[:len(out)-2]
		}
		for _, row := range []string{"?", "?, …"} {
			switch {
			case ends("(", row, ")", ",", "(", row, ")"):
				out = append(out[:len(out)-7], "("+row+"), …")
			case ends("("+row+"), …", ",", "(", row, ")"):
				out = out[:len(out)-4]
			}
		}
	}
	return out
}

// Signs without a blank before them, and after them, and those that make one
// operator together.
const tightBefore, tightAfter, operators = ",;).[]:", "(.[:", "<>=|&!:~@#%^*/+-"

// written writes tokens as text of at most longestShape characters.
func written(tokens []string) string {
	var b strings.Builder
	before := ""
	for _, t := range tokens {
		call := t == "(" && before != "" && wordByte(before[len(before)-1]) && !spaced[strings.ToUpper(before)]
		operator := len(t) == 1 && len(before) == 1 && strings.Contains(operators, t) && strings.Contains(operators, before)
		if b.Len() > 0 && !strings.Contains(tightBefore, t) && !strings.Contains(tightAfter, before) && !call && !operator {
			b.WriteByte(' ')
		}
		b.WriteString(t)
		if before = t; b.Len() > 4*longestShape {
			break
		}
	}
	out := []rune(b.String())
	if len(out) > longestShape {
		return string(out[:longestShape-1]) + "…"
	}
	return string(out)
}

// spaced are the words with a blank before a parenthesis.
var spaced = map[string]bool{
	"ALL": true, "AND": true, "ANY": true, "AS": true, "BY": true, "EXISTS": true, "FROM": true, "IN": true, "JOIN": true, "NOT": true, "ON": true,
	"OR": true, "OVER": true, "SELECT": true, "UNION": true, "USING": true, "VALUES": true, "WHERE": true, "WITH": true,
}
