package grounding

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A claim is one number of a text.
type claim struct {
	text     string
	value    float64
	unit     string // a key of readings; empty: none
	decimals int
	scale    float64 // 1, or 1000 for "2.5k"
}

var (
	numberRE = regexp.MustCompile(`\d(?:[\d,]*\d)?(?:\.\d+)?(?:[eE][+-]?\d+)?`)
	quotes   = regexp.MustCompile("\"[^\"\n]*\"|“[^”\n]*”|`[^`\n]*`|(^|[\\s(\\[])'[^'\n]+'")
	units    = unitPattern()
	commas   = regexp.MustCompile(`^\d{1,3}(,\d{3})+(\.\d+)?$`)
)

func unitPattern() *regexp.Regexp {
	var names []string
	for u := range readings {
		names = append(names, regexp.QuoteMeta(u))
	}
	for s := range spellings {
		names = append(names, regexp.QuoteMeta(s))
	}
	slices.SortFunc(names, func(a, b string) int { // the longest first
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return regexp.MustCompile(`^[ \x{00a0}]?(` + strings.Join(names, "|") + `)`)
}

// unquoted blanks what stands in quotes: it is somebody else's words.
func unquoted(text string) string {
	return quotes.ReplaceAllStringFunc(text, func(q string) string { return strings.Repeat(" ", len(q)) })
}

// claims returns the numbers of a text that are figures: not part of a word, an
// identifier, an address, a version, a date or a time.
func claims(text string) []claim {
	text = unquoted(text)
	var out []claim
	for _, at := range numberRE.FindAllStringIndex(text, -1) {
		start, end := at[0], at[1]
		raw := text[start:end]
		if strings.Contains(raw, ",") && !commas.MatchString(raw) {
			// "12,15" is two numbers.
			for part := range strings.SplitSeq(raw, ",") {
				if c, ok := parse(part, ""); ok {
					out = append(out, c)
				}
			}
			continue
		}
		if !standsAlone(text, start, end) {
			continue
		}
		if c, ok := parse(raw, text[end:]); ok {
			out = append(out, c)
		}
	}
	return out
}

func parse(raw, rest string) (claim, bool) {
	plain := strings.ReplaceAll(raw, ",", "")
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return claim{}, false
	}
	c := claim{text: raw, value: v, scale: 1}
	if _, frac, ok := strings.Cut(plain, "."); ok && !strings.ContainsAny(plain, "eE") {
		c.decimals = len(frac)
	}
	if m := units.FindStringSubmatchIndex(rest); m != nil && !startsWord(rest[m[1]:]) {
		name := rest[m[2]:m[3]]
		c.text += rest[:m[1]]
		if canonical, ok := spellings[name]; ok {
			name = canonical
		}
		c.unit = name
		return c, true
	}
	if len(rest) > 0 && strings.ContainsRune("kMG", rune(rest[0])) && !startsWord(rest[1:]) {
		c.scale = map[byte]float64{'k': 1e3, 'M': 1e6, 'G': 1e9}[rest[0]]
		c.value *= c.scale
		c.text += rest[:1]
	}
	return c, true
}

// standsAlone reports whether a number is no part of something longer. It may
// carry a unit or a magnitude directly behind it.
func standsAlone(text string, start, end int) bool {
	before, after := text[:start], text[end:]
	if before != "" {
		switch b := before[len(before)-1]; {
		case isWordByte(b), b == '#', b == '@', b == '/', b >= 0x80:
			return false
		case b == '.' || b == ':':
			return len(before) > 1 && before[len(before)-2] == ' ' // ".5" is rare; "10.0.0.1" and "12:30" are common
		case b == '-':
			// "web-12" and "2026-11-21" are names; "80-95 %" is a range, " -5" a number.
			prefix := strings.TrimRight(before, "-0123456789")
			if prefix != "" && !strings.HasSuffix(prefix, " ") && !strings.HasSuffix(prefix, "(") || strings.Count(before[len(prefix):], "-") > 1 {
				return false
			}
		}
	}
	if after == "" {
		return true
	}
	switch a := after[0]; {
	case a == ':' || a == '.':
		return len(after) < 2 || after[1] < '0' || after[1] > '9'
	case a == '-':
		return len(after) < 2 || !isWordByte(after[1]) || rangeRE.MatchString(after) && !strings.HasSuffix(before, "-")
	case isWordByte(a):
		if m := units.FindStringIndex(after); m != nil && !startsWord(after[m[1]:]) {
			return true
		}
		return strings.ContainsRune("kMGx", rune(a)) && !startsWord(after[1:])
	}
	return true
}

var rangeRE = regexp.MustCompile(`^-\d+(\.\d+)?([^\w-]|$)`)

func isWordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_'
}

func startsWord(s string) bool { return s != "" && isWordByte(s[0]) }
