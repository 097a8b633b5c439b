package docgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eino-contrib/jsonschema"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A route says which message goes where. Names in capitals stand for any.
type route struct {
	subject string
	sent    protocol.Message
	answer  protocol.Message // nil: published, not asked
}

var routes = []route{
	{protocol.NodeSubject("NODE"), protocol.Heartbeat{}, nil},
	{protocol.LinksSubject("NODE"), protocol.Links{}, nil},
	{protocol.SnapshotSubject("NODE", "TARGET", "SKILL"), protocol.Snapshot{}, nil},
	{protocol.AnomalySubject("NODE", "TARGET", "SKILL"), protocol.Anomaly{}, nil},
	{protocol.ChangeSubject("NODE", "SOURCE"), protocol.Change{}, nil},
	{protocol.AlertSubject("SOURCE"), protocol.Alert{}, nil},
	{protocol.RequestSubject, protocol.Request{}, nil},
	{bus.ScheduledSubject, protocol.Request{}, nil},
	{protocol.TaskSubject("SKILL"), protocol.Task{}, nil},
	{protocol.NotificationSubject("SKILL", "NODE", "INVESTIGATION"), protocol.Notification{}, nil},
	{protocol.CompletionSubject("SKILL", "INVESTIGATION"), protocol.Completion{}, nil},
	{protocol.StateSubject("SKILL", "INVESTIGATION"), protocol.State{}, nil},
	{protocol.InvestigationSubject("INVESTIGATION", protocol.PhaseAccepted), protocol.Accepted{}, nil},
	{protocol.InvestigationSubject("INVESTIGATION", protocol.PhaseProgress), protocol.Progress{}, nil},
	{protocol.InvestigationSubject("INVESTIGATION", protocol.PhaseTold), protocol.Told{}, nil},
	{protocol.InvestigationSubject("INVESTIGATION", protocol.PhaseFinished), protocol.Result{}, nil},
	{protocol.InsightSubject("SEVERITY", "CORRELATION", "INVESTIGATION"), protocol.Insight{}, nil},
	{protocol.ResolutionSubject("GROUP"), protocol.Resolution{}, nil},
	{protocol.JournalSubject(protocol.CoordinatorAgent, "RUN"), protocol.Record{}, nil},
	{protocol.JournalSubject(protocol.OperatorAgent, "RUN"), protocol.Record{}, nil},
	{protocol.PeopleSubject("feedback", "ID"), protocol.Feedback{}, nil},
	{protocol.PeopleSubject("ack", "ID"), protocol.Ack{}, nil},
	{protocol.PeopleSubject("note", "ID"), protocol.Note{}, nil},
	{protocol.PeopleSubject("silence", "ID"), protocol.Silence{}, nil},
	{protocol.DeadLetterSubject("STREAM"), protocol.DeadLetter{}, nil},
	{protocol.RunSubject, protocol.Request{}, protocol.Result{}},
	{protocol.AskSubject, protocol.Ask{}, protocol.AskReply{}},
	{"_INBOX.ASKER", protocol.AskPart{}, nil},
	{protocol.TellSubject, protocol.Ask{}, protocol.Told{}},
	{protocol.ProbeSubject("NODE", "call"), protocol.Call{}, protocol.CallReply{}},
	{protocol.ProbeSubject("NODE", "snapshot"), protocol.Call{}, protocol.Snapshot{}},
	{protocol.ProbeSubject("NODE", "words"), protocol.Call{}, protocol.Words{}},
}

// headers are the attributes of an envelope.
var headers = [][2]string{
	{protocol.HeaderSpecVersion, "`1.0`: the version of CloudEvents"},
	{protocol.HeaderID, "the id of what the message says; a repeated effect has the same"},
	{protocol.HeaderType, "`" + protocol.TypePrefix + "` and the name of the message"},
	{protocol.HeaderSource, "who sent it, such as `probe/web-1`"},
	{protocol.HeaderTime, "when it was made, RFC 3339 in UTC"},
	{protocol.HeaderTraceParent, "W3C trace context, where there is a trace"},
	{protocol.HeaderMsgID, "the id again where the stream drops repeated messages: not on snapshots and heartbeats"},
	{protocol.HeaderReply, "on a request: the subject that the result is sent to"},
	{protocol.HeaderPart, "on an answer: it is a part, and more comes"},
}

func protocolPage(s *schemas) string {
	var b strings.Builder
	b.WriteString(head("Messages", "pkg/protocol"))
	fmt.Fprintf(&b, `Bodies are JSON; what describes a body travels in headers. Within v1 fields are
only added, and readers ignore what they do not know. A message may have %s,
headers included; each type has its own limit for the body.

Each message has a [JSON Schema](schemas/) of what is sent. Readers are more
lenient: they refuse a message that lacks a required field or is over its limit.

## Envelope

| header | holds |
|---|---|
`, size(protocol.MaxMessage))
	for _, h := range headers {
		row(&b, code(h[0]), h[1])
	}

	b.WriteString(`
## Subjects

A name becomes one token: letters, digits, ` + "`_` and `-`" + ` stay, other bytes become
` + "`_XX`" + fmt.Sprintf(" in hex. A token over %d bytes is cut and ends in a hash; the full name is\nin the body.\n\n", protocol.MaxToken))
	b.WriteString("| subject | message | answer |\n|---|---|---|\n")
	for _, r := range routes {
		answer := ""
		if r.answer != nil {
			answer = link(r.answer.MessageType())
		}
		row(&b, code(placeholders(r.subject)), link(r.sent.MessageType()), answer)
	}

	b.WriteString("\n## Messages\n")
	for _, m := range protocol.Types() {
		kind := m.MessageType()
		for _, name := range s.order {
			if p := s.made[name]; p.message == kind {
				fmt.Fprintf(&b, "\n### %s\n\n%s At most %s. [Schema](%s)\n\n", kind, p.schema.Description, size(int64(protocol.Limit(kind))), schemaFile(m))
				fields(&b, s, p.schema)
			}
		}
	}
	b.WriteString("\n## Parts of messages\n")
	for _, name := range s.order {
		if p := s.made[name]; p.message == "" {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", name, p.schema.Description)
			fields(&b, s, p.schema)
		}
	}
	b.WriteString("\n## Values\n")
	for _, name := range slices.Sorted(maps.Keys(s.src.values)) {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| value | meaning |\n|---|---|\n", name, s.src.comments[name])
		for _, v := range s.src.values[name] {
			row(&b, code(v.text), prose(v.comment))
		}
	}
	return b.String()
}

func fields(b *strings.Builder, s *schemas, of *jsonschema.Schema) {
	b.WriteString("| field | type | required | meaning |\n|---|---|---|---|\n")
	for p := of.Properties.Oldest(); p != nil; p = p.Next() {
		required := ""
		if slices.Contains(of.Required, p.Key) {
			required = "yes"
		}
		row(b, code(p.Key), s.typeName(p.Value), required, prose(p.Value.Description))
	}
}

// typeName says in words what a schema allows.
func (s *schemas) typeName(p *jsonschema.Schema) string {
	if part, ok := strings.CutPrefix(p.Ref, "#/$defs/"); ok {
		if made := s.made[part]; made.message != "" {
			return link(made.message)
		}
		return link(part)
	}
	types := p.TypeEnhanced
	if p.Type != "" {
		types = []string{p.Type}
	}
	var words []string
	for _, t := range types {
		switch {
		case t == "array" && p.Items != nil:
			t = "list of " + s.typeName(p.Items)
		case t == "object" && p.AdditionalProperties != nil:
			t = "map of " + s.typeName(p.AdditionalProperties)
		case t == "string" && p.Format == "date-time":
			t = "time"
		case t == "string" && p.ContentEncoding != "":
			t = p.ContentEncoding
		case t == "string" && len(p.Enum) > 0:
			var values []string
			for _, v := range p.Enum {
				values = append(values, code(fmt.Sprint(v)))
			}
			t = strings.Join(values, ", ")
		}
		words = append(words, t)
	}
	if len(words) == 0 {
		return "any"
	}
	return strings.Join(words, " or ")
}

// placeholders writes the names in capitals as <name>.
func placeholders(subject string) string {
	tokens := strings.Split(subject, ".")
	for i, t := range tokens {
		if t == strings.ToUpper(t) {
			tokens[i] = "<" + strings.ToLower(t) + ">"
		}
	}
	return strings.Join(tokens, ".")
}
