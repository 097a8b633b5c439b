package sinks

import (
	"strings"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
)

// markdownEscape writes text so that Markdown shows it as it is. A zero-width space
// after @ and # keeps people and issues from being mentioned, and one after the colon
// of an address keeps it from becoming a link: text of hosts leads nowhere.
var markdownEscapes = func() *strings.Replacer {
	pairs := []string{"@", "@\u200b", "#", "\\#\u200b", "://", ":\u200b//", "www.", "www\u200b."}
	for _, c := range "\\`*_~[]()<>|!" {
		pairs = append(pairs, string(c), "\\"+string(c))
	}
	return strings.NewReplacer(pairs...)
}()

func markdownEscape(s string) string { return markdownEscapes.Replace(s) }

// markdownWidth is the most that a rune takes when it is escaped. An address counts its
// colon and www its dots.
func markdownWidth(r rune) int {
	switch r {
	case ':', '.':
		return 2
	case '#':
		return 3
	}
	return len([]rune(markdownEscape(string(r))))
}

// markdown is a message without its headline.
func markdown(m message.Message) string {
	var out []string
	add := func(lines ...string) {
		if text := strings.Join(lines, "\n"); text != "" {
			out = append(out, text)
		}
	}
	if m.More != "" {
		add(markdownEscape(m.More))
	}
	if text, ok := strings.CutPrefix(m.Hypothesis, message.Guess); ok {
		add("_" + strings.TrimSpace(message.Guess) + "_ " + markdownEscape(text))
	}
	bullets := func(lines []string) []string {
		var list []string
		for _, l := range lines {
			list = append(list, "- "+markdownEscape(l))
		}
		return list
	}
	add(bullets(shown(m))...)
	for _, l := range rest(m) {
		add(append([]string{"**" + l.Title + "**"}, bullets(l.Lines)...)...)
	}
	add(markdownEscape(m.Context))
	var links []string
	for _, l := range m.Links {
		links = append(links, "["+l.Text+"]("+l.URL+")")
	}
	add(strings.Join(links, " · "))
	return strings.Join(out, "\n\n")
}
