package protocol

import (
	"errors"
	"time"
)

// A Call asks a probe one callback of one target.
type Call struct {
	Target   string `json:"target,omitempty"` // empty: host
	Callback string `json:"callback,omitempty"`
	// Args are positional (a list) or by name (an object).
	Args       any    `json:"args,omitempty"`
	Skill      string `json:"skill,omitempty"` // for probe.<node>.snapshot and .words
	DeadlineMS int64  `json:"deadline_ms,omitempty"`
}

// MessageType implements Message.
func (Call) MessageType() string { return "call" }

// Validate implements Message.
func (c Call) Validate() error {
	var args error
	switch c.Args.(type) {
	case nil, []any, map[string]any:
	default:
		args = errors.New(`"args" must be a list or an object`)
	}
	return problems(args, within("deadline_ms", c.DeadlineMS, 0, 60_000))
}

// A CallReply answers a Call: Value, or Error.
type CallReply struct {
	Node      string    `json:"node"`
	Target    string    `json:"target"`
	Callback  string    `json:"callback"`
	Value     any       `json:"value,omitempty"`
	Truncated bool      `json:"truncated,omitempty"` // lists in Value were cut to fit
	Error     string    `json:"error,omitempty"`
	At        time.Time `json:"at"` // by the host's clock
}

// MessageType implements Message.
func (CallReply) MessageType() string { return "call_reply" }

// Validate implements Message.
func (CallReply) Validate() error { return nil }
