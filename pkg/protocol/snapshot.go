package protocol

import (
	"errors"
	"time"
)

// A TargetRef names a thing that can be looked into, fleet-wide.
type TargetRef struct {
	Node   string `json:"node"`
	Target string `json:"target"`
	Kind   string `json:"kind"`
}

// String returns node/target.
func (t TargetRef) String() string { return t.Node + "/" + t.Target }

// A Snapshot is the flat metrics of one skill on one target at one moment. Values
// are numbers, strings and booleans; what could not be read is absent.
type Snapshot struct {
	ID         string         `json:"id"`
	Node       string         `json:"node"`
	Target     string         `json:"target"`
	Kind       string         `json:"kind"`
	Skill      string         `json:"skill"`
	CapturedAt time.Time      `json:"captured_at"` // by the host's clock
	Data       map[string]any `json:"data"`
	Errors     []string       `json:"errors,omitempty"` // what could not be read, and how to grant it
}

// Ref returns the target the snapshot is of.
func (s Snapshot) Ref() TargetRef { return TargetRef{Node: s.Node, Target: s.Target, Kind: s.Kind} }

// MessageType implements Message.
func (Snapshot) MessageType() string { return "snapshot" }

// Validate implements Message.
func (s Snapshot) Validate() error {
	errs := []error{
		required("id", s.ID), required("node", s.Node), required("target", s.Target), required("kind", s.Kind),
		required("skill", s.Skill), requiredTime("captured_at", s.CapturedAt),
	}
	for name, v := range s.Data {
		switch v.(type) {
		case float64, string, bool, int, int64, uint64:
		default:
			errs = append(errs, errors.New(`"data.`+name+`" must be a number, a string or a boolean`))
		}
	}
	return problems(errs...)
}

// A Heartbeat says that a probe lives, and what it can be asked.
type Heartbeat struct {
	Node       string            `json:"node"`
	Version    string            `json:"version"`
	MachineID  string            `json:"machine_id"` // a digest: the host's own id stays there
	BootID     string            `json:"boot_id"`
	InstanceID string            `json:"instance_id"` // of the probe's process
	Labels     map[string]string `json:"labels,omitempty"`
	Targets    []HeartbeatTarget `json:"targets"`
	Skills     []HeartbeatSkill  `json:"skills"`
	SentAt     time.Time         `json:"sent_at"`            // by the host's clock
	IntervalMS int64             `json:"interval_ms"`        // until the next beat
	Buffered   int               `json:"buffered,omitempty"` // messages that wait for NATS
	Dropped    uint64            `json:"dropped,omitempty"`  // messages given up since the start
	// Proposals are what looks like targets on the node and is none; at most MaxProposals.
	Proposals []Proposal `json:"proposals,omitempty"`
}

// A HeartbeatTarget is a target of the node.
type HeartbeatTarget struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Skills []string `json:"skills"`
}

// A HeartbeatSkill announces the words of one source by their hash.
type HeartbeatSkill struct {
	Skill string `json:"skill"`
	Kind  string `json:"kind"`
	Hash  string `json:"hash"`
}

// MissedBeats is how many beats a node may miss until it counts as silent.
const MissedBeats = 3

// Interval is how long it is until the next beat.
func (h Heartbeat) Interval() time.Duration { return time.Duration(h.IntervalMS) * time.Millisecond }

// Silent reports whether a node counts as silent whose last beat is that old.
func (h Heartbeat) Silent(age time.Duration) bool { return age > MissedBeats*h.Interval() }

// MessageType implements Message.
func (Heartbeat) MessageType() string { return "heartbeat" }

// Validate implements Message.
func (h Heartbeat) Validate() error {
	return problems(required("node", h.Node), required("machine_id", h.MachineID), requiredTime("sent_at", h.SentAt),
		within("interval_ms", h.IntervalMS, 1, 3_600_000), validProposals(h.Proposals))
}
