package protocol

import (
	"slices"
	"time"
)

// Feedback is what a person thought of an insight.
type Feedback struct {
	ID      string    `json:"id"`      // of the insight
	Verdict string    `json:"verdict"` // right, known (right, and known before), not_quite or wrong
	Comment string    `json:"comment,omitempty"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// MessageType implements Message.
func (Feedback) MessageType() string { return "feedback" }

// Validate implements Message.
func (f Feedback) Validate() error {
	return problems(required("id", f.ID), required("by", f.By), oneOf("verdict", f.Verdict, "right", "known", "not_quite", "wrong"))
}

// Judged returns of each person the newest word on an insight, oldest first. list is in
// the order in which it was said.
func Judged(list []Feedback) []Feedback {
	var out []Feedback
	for _, f := range list {
		out = append(slices.DeleteFunc(out, func(o Feedback) bool { return o.ID == f.ID && o.By == f.By }), f)
	}
	return out
}

// Ack says that a person looks after an insight.
type Ack struct {
	ID string    `json:"id"`
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// MessageType implements Message.
func (Ack) MessageType() string { return "ack" }

// Validate implements Message.
func (a Ack) Validate() error { return problems(required("id", a.ID), required("by", a.By)) }

// Note is what a person adds to an insight or an investigation.
type Note struct {
	ID   string    `json:"id"`
	Text string    `json:"text"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// MessageType implements Message.
func (Note) MessageType() string { return "note" }

// Validate implements Message.
func (n Note) Validate() error {
	return problems(required("id", n.ID), required("text", n.Text), required("by", n.By))
}

// Silence keeps triage from asking about what its labels, nodes and skills match.
type Silence struct {
	ID     string            `json:"id"`
	Nodes  []string          `json:"nodes,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Skills []string          `json:"skills,omitempty"`
	Until  time.Time         `json:"until"`
	Reason string            `json:"reason"`
	By     string            `json:"by"`
	At     time.Time         `json:"at"`
}

// MessageType implements Message.
func (Silence) MessageType() string { return "silence" }

// Validate implements Message.
func (s Silence) Validate() error {
	return problems(required("id", s.ID), required("reason", s.Reason), required("by", s.By), requiredTime("until", s.Until))
}
