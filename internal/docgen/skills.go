package docgen

import (
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func skillsPage(list []skills.Skill) string {
	var b strings.Builder
	b.WriteString(head("Skills", "pkg/skills"))
	b.WriteString("A skill is a domain of diagnosis. Each kind of target that can answer it is a\nsource, with metrics, checks and read-only callbacks.\n\n")
	b.WriteString("| skill | title | answered by | what for |\n|---|---|---|---|\n")
	for _, s := range list {
		var kinds []string
		for _, src := range s.Sources {
			kinds = append(kinds, string(src.Kind))
		}
		row(&b, link(s.Name), s.Title, strings.Join(kinds, ", "), s.Summary)
	}
	b.WriteString("\n## Callbacks of every skill\n\n")
	callTable(&b, skills.BaseCalls(nil, nil))
	for _, s := range list {
		fmt.Fprintf(&b, "\n## %s\n\n%s: %s\n", s.Name, s.Title, s.Summary)
		for _, src := range s.Sources {
			sourceSection(&b, s, src)
		}
	}
	return b.String()
}

func sourceSection(b *strings.Builder, s skills.Skill, src skills.Source) {
	fmt.Fprintf(b, "\n### %s on %s\n\n#### Metrics\n\n| metric | unit | kind | meaning |\n|---|---|---|---|\n", s.Name, src.Kind)
	for _, m := range src.Metrics {
		row(b, code(m.Name), string(m.Unit), string(m.Kind), prose(m.Doc))
	}
	if len(src.Checks) > 0 {
		b.WriteString("\n#### Checks\n\n| metric | warning | critical | says | asks | advice |\n|---|---|---|---|---|---|\n")
		for _, c := range src.Checks {
			ask := ""
			if c.Ask != "" {
				ask = code(c.Ask)
			}
			row(b, code(c.Metric), threshold(c.Op, c.Warn), threshold(c.Op, c.Critical), prose(c.Says), ask, prose(c.Advice))
		}
	}
	if len(src.Calls) > 0 {
		b.WriteString("\n#### Callbacks\n\n")
		callTable(b, src.Calls)
	}
	fmt.Fprintf(b, "\n#### Prompt\n\nWhat a model reads beside the tables:\n\n````markdown\n%s\n````\n", strings.TrimSpace(src.Prompt))
}

func callTable(b *strings.Builder, calls []skills.Call) {
	b.WriteString("| example | parameters | answers |\n|---|---|---|\n")
	for _, c := range calls {
		var params []string
		for _, p := range c.Params {
			params = append(params, param(p))
		}
		doc := c.Doc
		if len(c.Aliases) > 0 {
			doc += " Also called " + code(strings.Join(c.Aliases, ", ")) + "."
		}
		if c.Level != "" {
			doc += " Needs the level " + code(c.Level) + "."
		}
		row(b, code(c.Example), strings.Join(params, "<br>"), prose(doc))
	}
}

func param(p skills.Param) string {
	out := code(p.Name) + ": " + p.Type
	if len(p.Enum) > 0 {
		out = code(p.Name) + ": " + strings.Join(p.Enum, ", ")
	}
	if p.Min != nil {
		out += fmt.Sprintf(", at least %g", *p.Min)
	}
	if p.Max != nil {
		out += fmt.Sprintf(", at most %g", *p.Max)
	}
	if p.Default != nil {
		out += fmt.Sprintf(", else %v", p.Default)
	}
	if p.Doc != "" {
		out += "; " + prose(p.Doc)
	}
	return out
}

func threshold(op protocol.Op, v *float64) string {
	if v == nil {
		return ""
	}
	sign := "≥"
	if op == protocol.Below {
		sign = "≤"
	}
	return fmt.Sprintf("%s %g", sign, *v)
}
