package agent

import (
	"encoding/json"
	"fmt"
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
