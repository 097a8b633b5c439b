package grounding

import (
	"regexp"
	"strings"
)

var hedgeRE = regexp.MustCompile(`(?i)\b(might|may|could|maybe|perhaps|possibly|probably|probable|presumably|apparently|potential|potentially|supposedly|conceivably|plausibly|likely|unlikely|seem(?:s|ed)?|seemingly|appear(?:s|ed)? to|looks? (?:like|as if)|suspect(?:s|ed)?|suggest(?:s|ed|ing)?|presum(?:e|es|ed)|assum(?:e|es|ed|ing)|guess(?:es|ed|ing)?|(?:i|we) (?:think|believe))\b`)

// verbs behind a May that is no month.
var mayRE = regexp.MustCompile(`^ (?:be|have|not|cause|indicate|lead|also|well)\b`)

// Hedges returns the words of a text, outside quotes, that make it speculation.
// A word that is part of a name is none: may-db-1.
func Hedges(text string) []string {
	text = unquoted(normal(text))
	var out []string
	for _, m := range hedgeRE.FindAllStringIndex(text, -1) {
		word, before, after := text[m[0]:m[1]], text[:m[0]], text[m[1]:]
		switch {
		case word == "May" && !mayRE.MatchString(after): // the month
		case strings.HasSuffix(before, "-"), strings.HasSuffix(before, "_"), strings.HasSuffix(before, "."):
		case len(after) > 1 && strings.ContainsRune("-_.", rune(after[0])) && startsWord(after[1:]):
		default:
			out = append(out, strings.ToLower(word))
		}
	}
	return out
}
