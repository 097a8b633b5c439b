package grounding

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// zeros begins each row of decimal digits that is written as ASCII.
var zeros = []rune{0x0660, 0x06F0, 0x0966, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6}

// joined are the spaces that stand between the digits of one number.
var joined = regexp.MustCompile("([0-9])[\u00a0\u202f\u2009\u2007]([0-9]{3})\\b")

// normal writes letters that look or mean the same in one way: digits, spaces,
// signs, and numbers with thousands separators without them.
func normal(text string) string {
	for range 2 { // twice: the digits that one match ends with begin the next
		text = joined.ReplaceAllString(text, "$1$2")
	}
	text = strings.Map(func(r rune) rune {
		switch r {
		case '\u2212', '\u2010', '\u2011', '\ufe63', '\uff0d':
			return '-'
		case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad':
			return -1
		case '\uff05', '\u066a', '\ufe6a':
			return '%'
		case '\u03bc', '\u00b5':
			return 'u'
		}
		for _, zero := range zeros {
			if r >= zero && r < zero+10 {
				return '0' + r - zero
			}
		}
		if r != '\n' && r != '\t' && unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text)
	for range 2 {
		text = grouped.ReplaceAllString(text, "$1$2")
	}
	text = german.ReplaceAllStringFunc(text, func(n string) string {
		return strings.ReplaceAll(strings.ReplaceAll(n, ".", ""), ",", ".")
	})
	return text
}

var (
	grouped = regexp.MustCompile(`(\b[0-9]{1,3})['’_]([0-9]{3})\b`)
	german  = regexp.MustCompile(`\b[0-9]{1,3}(\.[0-9]{3})+,[0-9]+\b`)
)

// quotes opens and closes a quotation; the closing ones of an opening one are alternatives.
var quotes = map[rune]string{'"': `"`, '`': "`", '\'': "'", '“': "”“", '„': "“”", '‘': "’", '‚': "‘’", '«': "»", '»': "«", '‹': "›", '「': "」", '『': "』"}

// unquoted blanks what stands in quotes: it is somebody else's words. A quotation
// ends on its line.
func unquoted(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		end := -1
		if closing := quotes[r]; closing != "" && (r != '\'' && r != '‘' || opens(text, i)) {
			end = closes(text, i+size, closing)
		}
		if end < 0 {
			b.WriteString(text[i : i+size])
			i += size
			continue
		}
		_, last := utf8.DecodeRuneInString(text[end:])
		if quoted := text[i : end+last]; quotation(text[i+size : end]) {
			b.WriteString(strings.Repeat(" ", len(quoted)))
		} else {
			b.WriteString(quoted)
		}
		i = end + last
	}
	return b.String()
}

// opens reports whether the mark at i is behind no word: else it is an apostrophe.
func opens(text string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:i])
	return i == 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// longestQuote is how long a quotation may be, in bytes.
const longestQuote = 2000

// closes returns where the quotation that began before from ends, or -1. A single
// mark within a word closes nothing.
func closes(text string, from int, closing string) int {
	for i, r := range text[from:] {
		if r == '\n' || i > longestQuote {
			return -1
		}
		if !strings.ContainsRune(closing, r) {
			continue
		}
		next, _ := utf8.DecodeRuneInString(text[from+i+utf8.RuneLen(r):])
		if (r == '\'' || r == '’') && (unicode.IsLetter(next) || unicode.IsDigit(next)) {
			continue
		}
		return from + i
	}
	return -1
}

// quotation reports whether a quoted text is more than a figure or one word.
func quotation(text string) bool {
	words := 0
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '_' }) {
		if name := strings.Trim(w, "-_"); name != "" && !isUnit(name) {
			words++
		}
	}
	return words > 1 || words == 1 && strings.ContainsFunc(text, unicode.IsDigit)
}

// names are what no figure is in: the first group, or all, of each.
var names = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`),
	regexp.MustCompile(`(?i)(?:^|[^\w:.])([0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:%\w+|/\d+|\]:\d+)?)`),                               // IPv6, MAC
	regexp.MustCompile(`\b(?:19|20)\d\d-(?:0[1-9]|1[0-2])(?:-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?)?(?:Z|[+-]\d\d:?\d\d)?\b`), // dates and times
	regexp.MustCompile(`\b(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?\b`),
	regexp.MustCompile(`\b(?:0?[1-9]|1[0-2]) ?(?:[ap]m|[ap]\.m\.|[AP]M|o'clock)`),
	regexp.MustCompile(`\b\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d\b`),
	regexp.MustCompile(`\bv?\d+(?:\.\d+){2,}(?:[-+][\w.+-]*)?(?:/\d+|:\d+)?`), // versions, IPv4
	regexp.MustCompile(`(?:^|[\s("=])((?:/[\w.+-]+){2,}/?)`),                  // paths
}

// unlessUnit are names too, unless a unit follows them.
var unlessUnit = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:version|release|kernel|otp) v?\d+(?:\.\d+)*`),
	regexp.MustCompile(`(?i)\b(?:go|python|postgres|postgresql|mysql|mariadb|java|jdk|nginx|redis|ubuntu|debian|linux|erlang|elixir|kafka|rhel|php|ruby) \d+\.\d+`),
	regexp.MustCompile(`\b(?:0?[1-9]|[12]\d|3[01])\.? (?:` + months + `)\b(?:,? (?:19|20)\d\d\b)?`),
	regexp.MustCompile(`\b(?:` + months + `)\.? (?:(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\b(?:,? (?:19|20)\d\d\b)?|(?:19|20)\d\d\b)`),
	regexp.MustCompile(`\b(?:1|5|15)[- ]min(?:ute)? (?:load|average|mean)`),
}

const months = `Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember|t)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?`

// plain returns a text in which only figures have digits that stand alone.
func plain(text string) string {
	text = unquoted(normal(text))
	for i, re := range append(slices.Clip(names), unlessUnit...) {
		var b strings.Builder
		last := 0
		for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
			from, to := m[0], m[1]
			if len(m) > 2 {
				from, to = m[2], m[3]
			}
			if _, n := unitAt(text[to:]); i >= len(names) && n > 0 {
				continue
			}
			b.WriteString(text[last:from] + strings.Repeat("_", to-from))
			last = to
		}
		text = b.String() + text[last:]
	}
	return text
}
