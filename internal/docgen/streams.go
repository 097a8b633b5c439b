package docgen

import (
	"fmt"
	"strings"

	"github.com/fleetlens/fleetlens/internal/bus"
)

func streamsPage(streams []bus.Stream) string {
	var b strings.Builder
	b.WriteString(head("Streams", "internal/bus/streams.go"))
	b.WriteString(`What must not be lost lives in these JetStream streams. A coordinator makes them
when it starts, and so does ` + "`fleetlens setup`" + `; neither goes back behind a newer
table.

| stream | subjects | kept | at most | drops repeats within | options |
|---|---|---|---|---|---|
`)
	for _, s := range streams {
		var subjects []string
		for _, subject := range s.Subjects {
			subjects = append(subjects, code(subject))
		}
		row(&b, "["+s.Name+"](#"+strings.ToLower(s.Name)+")", strings.Join(subjects, "<br>"), kept(s), size(s.MaxBytes), repeats(s), strings.Join(options(s), ", "))
	}
	for _, s := range streams {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", s.Name, s.Doc)
		if s.Name == bus.Work {
			s.Consumers = append(s.Consumers, bus.Tasks("SKILL"))
		}
		if len(s.Consumers) == 0 {
			continue
		}
		b.WriteString("\n| shared consumer | takes | worker is given up after |\n|---|---|---|\n")
		for _, c := range s.Consumers {
			row(&b, code(strings.ReplaceAll(c.Name, "SKILL", "<skill>")), code(placeholders(c.Filter)), c.AckWait.String())
		}
	}
	return b.String()
}

func kept(s bus.Stream) string {
	out := span(s.MaxAge)
	switch {
	case s.MaxPerSubject == 1:
		out += ", the last of a subject"
	case s.MaxPerSubject > 1:
		out += fmt.Sprintf(", the last %d of a subject", s.MaxPerSubject)
	}
	if s.WorkQueue {
		out += ", until it is acknowledged"
	}
	return out
}

func repeats(s bus.Stream) string {
	if s.Duplicates == 0 {
		return ""
	}
	return span(s.Duplicates)
}

func options(s bus.Stream) []string {
	var out []string
	for _, o := range []struct {
		on   bool
		name string
	}{
		{s.WorkQueue, "work queue"},
		{s.DiscardNew, "refuses new messages when full"},
		{s.Compress, "compressed (s2)"},
		{s.Direct, "direct get"},
		{s.Schedules, "scheduled messages"},
	} {
		if o.on {
			out = append(out, o.name)
		}
	}
	return out
}
