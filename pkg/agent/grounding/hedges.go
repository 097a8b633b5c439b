package grounding

import (
	"regexp"
	"strings"
)

var hedgeRE = regexp.MustCompile(`(?i)\b(might|may|could|maybe|perhaps|possibly|probably|presumably|apparently|potentially|supposedly|likely|unlikely|seems?|seemingly|appears? to|suspect(?:s|ed)?|suggests?|assum(?:e|es|ed|ing)|guess|i think|i believe)\b`)

// Hedges returns the words of a text, outside quotes, that make it speculation.
func Hedges(text string) []string {
	var out []string
	for _, m := range hedgeRE.FindAllString(unquoted(text), -1) {
		if m == "May" { // the month
			continue
		}
		out = append(out, strings.ToLower(m))
	}
	return out
}
