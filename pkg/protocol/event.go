package protocol

import (
	"maps"
	"slices"
	"time"
)

// An Anomaly is a metric that left its baseline on one target.
type Anomaly struct {
	ID         string   `json:"id"`
	Node       string   `json:"node"`
	Target     string   `json:"target"`
	Kind       string   `json:"kind"`
	Skill      string   `json:"skill"`
	Metric     string   `json:"metric"`
	Value      float64  `json:"value"`
	Unit       Unit     `json:"unit,omitempty"`
	Baseline   float64  `json:"baseline"`             // what the metric usually is
	Score      float64  `json:"score"`                // how unlikely the last samples are: the sum of -ln of tail probabilities
	Deviations float64  `json:"deviations,omitempty"` // distance from the baseline in its own standard deviations; below it when negative
	Severity   Severity `json:"severity"`
	// Quiet anomalies are recorded and ask for no investigation: the node's detector
	// may not trigger, or has triggered as often as it may in an hour.
	Quiet      bool      `json:"quiet,omitempty"`
	Since      time.Time `json:"since"` // when it left the baseline
	DetectedAt time.Time `json:"detected_at"`
	Series     []Point   `json:"series,omitempty"`
}

// MessageType implements Message.
func (Anomaly) MessageType() string { return "anomaly" }

// Validate implements Message.
func (a Anomaly) Validate() error {
	return problems(required("id", a.ID), required("node", a.Node), required("target", a.Target), required("skill", a.Skill),
		required("metric", a.Metric), requiredTime("detected_at", a.DetectedAt))
}

// SourceProbe is the Source of changes that probes see themselves; nobody else says it.
const SourceProbe = "probe"

// A Change is something that was done to a node: a deploy, an upgrade, a restart.
type Change struct {
	ID     string    `json:"id"`
	Node   string    `json:"node"`
	Target string    `json:"target,omitempty"`
	Source string    `json:"source"` // who reports it: "probe", "github-actions"
	What   string    `json:"what"`   // "deploy", "package", "restart", "config", "kernel"
	Text   string    `json:"text"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	At     time.Time `json:"at"`
}

// MessageType implements Message.
func (Change) MessageType() string { return "change" }

// Validate implements Message.
func (c Change) Validate() error {
	return problems(required("id", c.ID), required("node", c.Node), required("source", c.Source), required("what", c.What),
		requiredTime("at", c.At))
}

// An Alert is what another system reported.
type Alert struct {
	ID          string            `json:"id"`
	Source      string            `json:"source"` // "alertmanager"
	State       string            `json:"state"`  // "firing" or "resolved"
	Name        string            `json:"name"`
	Severity    Severity          `json:"severity"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Fingerprint is the same in all that its source says of one alert, and of no other;
	// empty: its labels are.
	Fingerprint string    `json:"fingerprint,omitempty"`
	StartsAt    time.Time `json:"starts_at"`
	EndsAt      time.Time `json:"ends_at,omitzero"`
}

// Identity is the same in all messages of one alert: that it fires, goes on, is over.
func (a Alert) Identity() string {
	parts := []string{"alert", a.Source, a.Fingerprint}
	if a.Fingerprint == "" {
		parts = append(parts, a.Name)
		for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
			parts = append(parts, k, a.Labels[k])
		}
	}
	return EffectID(parts...)
}

// InsightAlert is the name of the alerts that a gateway makes of insights. When they
// come back they are no news.
const InsightAlert = "FleetlensInsight"

// InsightKey begins the keys of what a gateway makes of insights where alerts have no
// names: in PagerDuty.
const InsightKey = "fleetlens-"

// MessageType implements Message.
func (Alert) MessageType() string { return "alert" }

// Validate implements Message.
func (a Alert) Validate() error {
	return problems(required("id", a.ID), required("source", a.Source), required("name", a.Name),
		oneOf("state", a.State, "firing", "resolved"), requiredTime("starts_at", a.StartsAt))
}

// A DeadLetter is a message that nobody could handle, and why.
type DeadLetter struct {
	Stream    string              `json:"stream"`
	Subject   string              `json:"subject"`
	Sequence  uint64              `json:"sequence"`
	Reason    string              `json:"reason"`
	By        string              `json:"by"`
	At        time.Time           `json:"at"`
	Header    map[string][]string `json:"header,omitempty"`
	Body      []byte              `json:"body"` // base64 in JSON
	Truncated bool                `json:"truncated,omitempty"`
}

// MaxDeadLetterBody is how much of a message a dead letter keeps, in bytes.
const MaxDeadLetterBody = 64 << 10

// MessageType implements Message.
func (DeadLetter) MessageType() string { return "deadletter" }

// Validate implements Message.
func (d DeadLetter) Validate() error {
	return problems(required("stream", d.Stream), required("subject", d.Subject), required("reason", d.Reason))
}
