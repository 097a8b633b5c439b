package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// MaxToken is the length of the longest token, in bytes.
const MaxToken = 128

const hexDigits = "0123456789ABCDEF"

// Token returns a name as one subject token: letters, digits, '_' and '-' stay,
// other bytes become _XX (upper-case hex), and so does an '_' that would read as
// such an escape. A name whose token would be over MaxToken bytes is cut and ends
// in '-' and a hash of the whole name. Different names have different tokens,
// unless one is spelled as another was cut: Token(Name(token)) is token for
// those too. An empty name has none.
func Token(name string) string {
	whole := escape(name)
	if len(whole) <= MaxToken {
		return whole
	}
	sum := sha256.Sum256([]byte(name))
	tail := "-" + hex.EncodeToString(sum[:8])
	for n := min(len(name), MaxToken-len(tail)); ; n-- {
		// Together, because an '_' at the cut may need no escape before the tail.
		if cut := escape(name[:n] + tail); len(cut) <= MaxToken {
			return cut
		}
	}
}

func escape(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
			b.WriteByte(c)
		case c == '_' && !looksEscaped(name[i:]):
			b.WriteByte(c)
		default:
			b.WriteByte('_')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// Name returns the name that Token was given. Of a token that was cut it
// returns the readable part with the hash: the full name is in the message's body.
func Name(token string) string {
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		if token[i] == '_' && looksEscaped(token[i:]) {
			b.WriteByte(byte(strings.IndexByte(hexDigits, token[i+1])<<4 | strings.IndexByte(hexDigits, token[i+2])))
			i += 2
			continue
		}
		b.WriteByte(token[i])
	}
	return b.String()
}

func looksEscaped(s string) bool {
	return len(s) >= 3 && strings.IndexByte(hexDigits, s[1]) >= 0 && strings.IndexByte(hexDigits, s[2]) >= 0
}

// Fixed subjects.
const (
	RequestSubject = "investigate.request" // Request, to the work queue
	RunSubject     = "investigate.run"     // Request → Result, by request and reply
	CancelSubject  = "investigate.cancel"
	StatusSubject  = "investigate.status"
	ListSubject    = "investigate.list"
	AskSubject     = "investigate.ask"  // a question about an investigation that has ended
	TellSubject    = "investigate.tell" // a person's message to one that runs
	// SchedulesSubject lists requests that are to come, UnscheduleSubject cancels one.
	SchedulesSubject  = "investigate.schedules"
	UnscheduleSubject = "investigate.unschedule"
)

// Any stands for every value of a subject function's argument: a wildcard.
const Any = "*"

func token(name string) string {
	if name == Any {
		return Any
	}
	return Token(name)
}

func subject(parts ...string) string { return strings.Join(parts, ".") }

// NodeSubject is where a probe's heartbeats go.
func NodeSubject(node string) string { return subject("nodes", token(node)) }

// LinksSubject is where a probe says whom its node talks to.
func LinksSubject(node string) string { return subject("links", token(node)) }

// SnapshotSubject is where a source's snapshots go.
func SnapshotSubject(node, target, skill string) string {
	return subject("snapshots", token(node), token(target), token(skill))
}

// AnomalySubject is where a node's detector reports.
func AnomalySubject(node, target, skill string) string {
	return subject("anomalies", token(node), token(target), token(skill))
}

// ChangeSubject is where changes on a node, or of a delivery system, are reported.
func ChangeSubject(node, source string) string { return subject("changes", token(node), token(source)) }

// AlertSubject is where alerts of another system go.
func AlertSubject(source string) string { return subject("alerts", token(source)) }

// TaskSubject is the work of the operators of one skill.
func TaskSubject(skill string) string { return subject("operator", "task", token(skill)) }

// ScheduleSubject is where a request lies until its time comes.
func ScheduleSubject(id string) string { return subject("schedule", token(id)) }

// ServesSubject is where an operator that serves a skill answers, so that
// whoever has a task for it knows that somebody is there.
func ServesSubject(skill string) string { return subject("operator", "serves", token(skill)) }

// NotificationSubject is where an operator's findings go.
func NotificationSubject(skill, node, investigation string) string {
	return subject("operator", "notification", token(skill), token(node), token(investigation))
}

// CompletionSubject is where the end of an operator's run is announced.
func CompletionSubject(skill, investigation string) string {
	return subject("operator", "completion", token(skill), token(investigation))
}

// StateSubject is where an operator's assessment goes when it changes.
func StateSubject(skill, investigation string) string {
	return subject("operator", "state", token(skill), token(investigation))
}

// Phases of an investigation, the last token of its subjects.
const (
	PhaseAccepted = "accepted"
	PhaseProgress = "progress"
	PhaseFinished = "finished"
	PhaseTold     = "told" // a person's message to it
)

// InvestigationSubject is where an investigation's phase is announced.
func InvestigationSubject(id, phase string) string {
	return subject("investigations", token(id), token(phase))
}

// InsightSubject is where insights go.
func InsightSubject(severity, correlation, investigation string) string {
	return subject("insights", token(severity), token(correlation), token(investigation))
}

// ResolutionSubject is where it is told that what a group of triage is about is over.
func ResolutionSubject(group string) string { return subject("resolutions", token(group)) }

// Kinds of agent, the second token of a journal's subject.
const (
	CoordinatorAgent = "coordinator"
	OperatorAgent    = "operator"
)

// JournalSubject is a run's journal. agent is CoordinatorAgent or OperatorAgent.
func JournalSubject(agent, run string) string { return subject("journal", token(agent), token(run)) }

// CancelledSubject is the core NATS subject that aborts a run's call in flight.
func CancelledSubject(run string) string { return subject("cancelled", token(run)) }

// PeopleSubject is where what people say of an id goes. verb is feedback, ack, note or silence.
func PeopleSubject(verb, id string) string { return subject("people", token(verb), token(id)) }

// Verbs of the Synadia Agent Protocol, the second token of its subjects.
const (
	AgentPrompt = "prompt" // ask
	AgentStatus = "status" // a heartbeat, on request
	AgentBeat   = "hb"     // heartbeats
)

// AgentSubject is where the coordinators of a fleet are asked, or heard, by other agents.
func AgentSubject(verb, fleet string) string {
	return subject("agents", verb, "fleetlens", token(fleet), "coordinator")
}

// DeadLetterSubject is where messages of a stream go that nobody could handle.
func DeadLetterSubject(stream string) string { return subject("deadletters", token(stream)) }

// ProbeSubject is where a node's probe answers. verb is call, snapshot or words.
func ProbeSubject(node, verb string) string { return subject("probe", token(node), token(verb)) }

// ParseSubject returns the names in a subject, by the pattern of the function
// that builds it: ParseSubject(s, "snapshots", 3) gives node, target and skill.
func ParseSubject(s, prefix string, names int) ([]string, error) {
	rest, ok := strings.CutPrefix(s, prefix+".")
	if !ok {
		return nil, fmt.Errorf("subject %q does not begin with %q", s, prefix+".")
	}
	parts := strings.Split(rest, ".")
	if len(parts) != names {
		return nil, fmt.Errorf("subject %q has %d names after %q, want %d", s, len(parts), prefix, names)
	}
	for i, p := range parts {
		if p == "" {
			return nil, fmt.Errorf("subject %q has an empty token", s)
		}
		parts[i] = Name(p)
	}
	return parts, nil
}
