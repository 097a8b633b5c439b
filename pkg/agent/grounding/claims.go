package grounding

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A claim is one number of a text.
type claim struct {
	text     string
	value    float64
	unit     string // a key of readings; empty: none
	decimals int
	scale    float64 // of the last digit that is written: 1, 1000 for "2.5k", 1e6 for "2e6"
	minus    bool
	bound    bound
	also     []claim // other readings of the same words
}

// A bound is what the words before a number make of it.
type bound int

const (
	exactly bound = iota
	about         // the last zeros say nothing
	over          // a little more
	under         // a little less
)

var (
	numberRE   = regexp.MustCompile(`\d(?:[\d,]*\d)?(?:\.\d+)?(?:[eE][+-]?\d+\b)?`)
	commas     = regexp.MustCompile(`^\d{1,3}(,\d{3})+(\.\d+)?$`)
	decimalRE  = regexp.MustCompile(`^\d+,\d{1,2}$`)
	pieceRE    = regexp.MustCompile(`^( ?(?:and )?)(\d+(?:\.\d+)?) ?(minutes?|min|ms|us|ns|seconds?|hours?|days?|[dhms])`)
	magnitude  = regexp.MustCompile(`^(?:([kKMGTm])|( ?(?:thousand|million|billion|trillion|mn|bn)))`)
	rangeRE    = regexp.MustCompile(`^(?: ?(?:-|–|—|to|and|\.\.\.?|…) ?|–|-)(\d[\d.,]*)`)
	aboutRE    = regexp.MustCompile(`(?i)(?:\b(?:about|around|roughly|approximately|approx\.|circa|ca\.) |[~≈] ?)$`)
	overRE     = regexp.MustCompile(`(?i)(?:\b(?:over|above|more than|exceeds|exceeding|exceeded|at least) |[>≥] ?|>= ?)$`)
	underRE    = regexp.MustCompile(`(?i)(?:\b(?:under|below|less than|fewer than|nearly|almost|up to|at most) |[<≤] ?|<= ?)$`)
	wordUnitRE = regexp.MustCompile(`^-?[A-Za-z]{2,}`)
	hexRE      = regexp.MustCompile(`^[0-9a-f]{6,}$`)
)

var scales = map[string]float64{
	"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "thousand": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12,
}

// claims returns the numbers of a text that are figures: not part of a word, an
// identifier, an address, a version, a date or a time.
func claims(text string) []claim {
	if !strings.ContainsFunc(text, unicode.IsDigit) {
		return nil
	}
	text = plain(text)
	var out []claim
	for at := 0; at < len(text); {
		m := numberRE.FindStringIndex(text[at:])
		if m == nil {
			break
		}
		start, end := at+m[0], at+m[1]
		at = end
		raw := text[start:end]
		if !standsAlone(text, start, end) {
			continue
		}
		if c, n := duration(text[start:]); n > 0 {
			out = append(out, c.placed(text, start))
			at = start + n
			continue
		}
		if strings.Contains(raw, ",") && !commas.MatchString(raw) {
			if _, n := unitAt(text[end:]); n > 0 && decimalRE.MatchString(raw) {
				raw = strings.Replace(raw, ",", ".", 1)
			} else { // "12,15" is two numbers
				for part := range strings.SplitSeq(raw, ",") {
					if c, ok := parse(part, ""); ok {
						out = append(out, c)
					}
				}
				continue
			}
		}
		c, ok := parse(raw, text[end:])
		if !ok {
			continue
		}
		if c.unit == "" && c.scale == 1 {
			c = c.ranged(text[end:])
		}
		out = append(out, c.placed(text, start))
	}
	return out
}

// parse reads a number and what follows it: a magnitude, a unit, or both.
func parse(raw, rest string) (claim, bool) {
	digits := strings.ReplaceAll(raw, ",", "")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(v, 0) {
		return claim{}, false
	}
	c := claim{text: raw, value: v, scale: 1}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(digits), "e")
	if _, frac, ok := strings.Cut(mantissa, "."); ok {
		c.decimals = len(frac)
	}
	if n, err := strconv.Atoi(exponent); err == nil {
		c.scale = math.Pow(10, float64(n))
	}
	if name, n := unitAt(rest); n > 0 {
		c.unit = name
		c.text += rest[:n]
		return c, true
	}
	m := magnitude.FindString(rest)
	letter := strings.TrimSpace(m)
	if m == "" || startsWord(rest[len(m):]) {
		return c, true
	}
	if letter == "m" { // 45m: minutes, or millions
		millions := c
		millions.value, millions.scale = c.value*1e6, c.scale*1e6
		c.unit, c.text, c.also = "min", c.text+m, []claim{millions}
		return c, true
	}
	c.text += m
	if name, n := unitAt(rest[len(m):]); n > 0 {
		c.unit = name
		c.text += rest[len(m) : len(m)+n]
	} else if strings.Contains("KMGT", letter) { // 512M: half a billion, or a size
		size := c
		size.unit = letter + "B"
		c.also = []claim{size}
	}
	c.value, c.scale = c.value*scales[letter], c.scale*scales[letter]
	return c, true
}

// ranged gives the first number of a range the unit of the second.
func (c claim) ranged(rest string) claim {
	m := rangeRE.FindStringSubmatchIndex(rest)
	if m == nil {
		return c
	}
	second, ok := parse(strings.TrimRight(rest[m[2]:m[3]], ".,"), rest[m[3]:])
	if !ok || second.unit == "" || strings.HasPrefix(second.unit, "/") {
		return c
	}
	c.unit = second.unit
	c.text += " " + second.unit
	return c
}

// placed takes a sign and a bound from what stands before the number.
func (c claim) placed(text string, start int) claim {
	before := text[max(0, start-longest):start]
	if rest, ok := strings.CutSuffix(before, "-"); ok {
		if last, _ := utf8.DecodeLastRuneInString(rest); rest == "" || strings.ContainsRune(" \t\n([=:,<>~≈", last) {
			c.minus, c.text, before = true, "-"+c.text, rest
		}
	}
	switch {
	case aboutRE.MatchString(before):
		c.bound = about
	case overRE.MatchString(before):
		c.bound = over
	case underRE.MatchString(before):
		c.bound = under
	}
	for i := range c.also {
		c.also[i].minus, c.also[i].bound = c.minus, c.bound
	}
	return c
}

// duration reads a time of several units, the largest first: 5m30s, 1 h 20 min.
// Its length is 0 when the text begins with none.
func duration(text string) (claim, int) {
	seconds, last, n, pieces := 0., math.Inf(1), 0, 0
	c := claim{unit: "s"}
	for {
		m := pieceRE.FindStringSubmatch(text[n:])
		if m == nil || pieces == 0 && m[1] != "" {
			break
		}
		if rest, _ := utf8.DecodeRuneInString(text[n+len(m[0]):]); unicode.IsLetter(rest) || rest == '_' {
			break
		}
		name := m[3]
		if name == "m" {
			name = "min"
		}
		if canonical, ok := spellings[name]; ok {
			name = canonical
		}
		u := readings[name][0]
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil || u.factor >= last {
			break
		}
		_, frac, _ := strings.Cut(m[2], ".")
		seconds, last, n, pieces = seconds+v*u.factor, u.factor, n+len(m[0]), pieces+1
		c.decimals, c.scale = len(frac), u.factor
	}
	if pieces < 2 || startsWord(text[n:]) {
		return claim{}, 0
	}
	c.value, c.text = seconds, text[:n]
	return c, n
}

// longest is how far around a number is looked at, in bytes, so that long texts
// take time in proportion to their length.
const longest = 64

// standsAlone reports whether a number is no part of something longer. It may
// carry a unit or a magnitude directly behind it.
func standsAlone(text string, start, end int) bool {
	before, after := text[max(0, start-longest):start], text[end:min(len(text), end+longest)]
	return (before == "" || mayPrecede(before)) && (after == "" || mayFollow(text[start:end], after))
}

func mayPrecede(before string) bool {
	r, size := utf8.DecodeLastRuneInString(before)
	rest := before[:len(before)-size]
	switch {
	case r == '#', r == '@', r == '_', isWord(r):
		return false
	case r == '/': // "9/12" is a fraction, "sda/1" is not
		return number(lastToken(rest))
	case r == '.':
		return strings.HasSuffix(rest, " ") || strings.HasSuffix(rest, "..") || strings.HasSuffix(rest, "%.")
	case r == ':': // "db-1:5432" and "sha256:12" are names, "used:99" is not
		word := lastToken(rest)
		return word == "" || !strings.ContainsAny(word, "0123456789-._/") && word != "localhost"
	case r == '-':
		word := lastToken(rest)
		return word == "" || number(word)
	}
	return true
}

func mayFollow(number, after string) bool {
	r, size := utf8.DecodeRuneInString(after)
	rest := after[size:]
	switch {
	case r == '_':
		return false
	case r == '.':
		return !startsWord(rest) || rest[0] == '.'
	case r == '-':
		if word := wordUnitRE.FindString(after); word != "" {
			return word != "-bit" && !strings.HasPrefix(after[len(word):], "-") && !startsWord(after[len(word):])
		}
		if m := rangeRE.FindString(after); m != "" { // "80-95" is a range, "80-95-3" and "12-3a" are names
			_, n := unitAt(after[len(m):])
			return n > 0 || !startsWord(after[len(m):]) && !strings.HasPrefix(after[len(m):], "-")
		}
		return !startsWord(rest)
	case isWord(r):
		if _, n := unitAt(after); n > 0 {
			return true
		}
		if _, n := duration(number + after); n > 0 {
			return true
		}
		if m := magnitude.FindString(after); m != "" && !startsWord(after[len(m):]) || strings.HasPrefix(after, "x") && !startsWord(rest) {
			return true
		}
		if m := magnitude.FindString(after); m != "" {
			if _, n := unitAt(after[len(m):]); n > 0 {
				return true
			}
		}
		// An unknown unit: 120fps. But 3rd, 5xx and the hexadecimal 12345ab are names.
		word := wordUnitRE.FindString(after)
		switch word {
		case "", "st", "nd", "rd", "th", "xx", "bit":
			return false
		}
		return !startsWord(after[len(word):]) && !strings.HasPrefix(after[len(word):], "-") && !hexRE.MatchString(number+word)
	}
	return true
}

// lastToken returns what a text ends with, up to a space or a bracket.
func lastToken(text string) string {
	i := strings.LastIndexFunc(text, func(r rune) bool { return !isWord(r) && !strings.ContainsRune("_.-/%:,", r) })
	if i < 0 {
		return text
	}
	_, size := utf8.DecodeRuneInString(text[i:])
	return text[i+size:]
}

// number reports whether a token is a number, with a unit or without.
func number(token string) bool {
	m := numberRE.FindString(token)
	if m == "" || !strings.HasPrefix(token, m) {
		return false
	}
	rest := token[len(m):]
	_, n := unitAt(rest)
	return n == len(rest)
}

// isWord reports whether a letter makes a word with a number that touches it. The
// scripts that write no spaces do not.
func isWord(r rune) bool {
	if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai) {
		return false
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func startsWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && (isWord(r) || r == '_')
}
