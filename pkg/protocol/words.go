package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// A Unit says what a metric's number counts. The fact check converts between
// units of one dimension and refuses a claim in another.
type Unit string

// The units metrics are given in.
const (
	Count          Unit = "count"
	Percent        Unit = "percent"
	Ratio          Unit = "ratio"
	Bytes          Unit = "bytes"
	Kibibytes      Unit = "KiB"
	Mebibytes      Unit = "MiB"
	Seconds        Unit = "seconds"
	Milliseconds   Unit = "milliseconds"
	PerSecond      Unit = "per_second"
	BytesPerSecond Unit = "bytes_per_second"
	Load           Unit = "load"
	Text           Unit = "text"
)

// Symbol returns what stands behind a value for people; empty where there is nothing.
func (u Unit) Symbol() string {
	switch u {
	case Percent:
		return "%"
	case Bytes:
		return "B"
	case Kibibytes, Mebibytes:
		return string(u)
	case Seconds:
		return "s"
	case Milliseconds:
		return "ms"
	case PerSecond:
		return "/s"
	case BytesPerSecond:
		return "B/s"
	}
	return ""
}

// A MetricKind says how a metric's value moves.
type MetricKind string

// Kinds of metric.
const (
	Gauge   MetricKind = "gauge"   // may go up and down
	Counter MetricKind = "counter" // only grows, until its source restarts
	Info    MetricKind = "info"    // text or a constant; no detector watches it
)

// A Metric describes one field of a skill's snapshot.
type Metric struct {
	Name string     `json:"name"`
	Unit Unit       `json:"unit"`
	Kind MetricKind `json:"kind"`
	Doc  string     `json:"doc"`
}

// An Op is the direction in which a check's metric is bad.
type Op string

// Directions of a check.
const (
	Above Op = "above" // crossed when value >= threshold
	Below Op = "below" // crossed when value <= threshold
)

// A Check is a threshold as data: the model's prompt and the rules analyst are
// made from the same table, so that they cannot disagree.
type Check struct {
	Metric string `json:"metric"`
	Op     Op     `json:"op"`
	// Warn and Critical are in the metric's unit. Nil means there is no such level.
	Warn     *float64 `json:"warn,omitempty"`
	Critical *float64 `json:"critical,omitempty"`
	// Says is the observation in words. {value} stands for the metric's value,
	// {name} for any other field of the same snapshot.
	Says string `json:"says"`
	// Ask is the callback that tells who is responsible, as an example call:
	// system_top_processes(5, "memory"). Empty when no callback can tell.
	Ask string `json:"ask,omitempty"`
	// Resource names what is short (memory, cpu, disk, …). Crossed checks of one
	// resource are one problem; cause tables are keyed by it.
	Resource string `json:"resource,omitempty"`
	// Advice is what a person may do about it. It is text, never a command to run.
	Advice string `json:"advice,omitempty"`
}

// A Param describes one argument of a callback.
type Param struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // "number", "integer", "string" or "boolean"
	Doc     string   `json:"doc,omitempty"`
	Default any      `json:"default,omitempty"` // nil: the argument is required
	Enum    []string `json:"enum,omitempty"`    // allowed strings; empty: any
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
}

// A CallDoc describes one callback: a read-only question that the probe answers.
type CallDoc struct {
	Name string `json:"name"`
	// Aliases are other names of the same callback. Models are told of none of them.
	Aliases []string `json:"aliases,omitempty"`
	Doc     string   `json:"doc"`
	Params  []Param  `json:"params,omitempty"`
	Example string   `json:"example"`
	// Level is what the host's own configuration must grant: "" (observe), "events" or "trace".
	Level string `json:"level,omitempty"`
}

// Called says whether name is one of the callback's names.
func (c CallDoc) Called(name string) bool {
	return c.Name == name || slices.Contains(c.Aliases, name)
}

// Words are all that a model, a person or the rules analyst knows of one source:
// how one kind of target answers one skill.
type Words struct {
	Skill   string    `json:"skill"`
	Kind    string    `json:"kind"`
	Title   string    `json:"title"`
	Summary string    `json:"summary"`
	Prompt  string    `json:"prompt"`
	Metrics []Metric  `json:"metrics"`
	Checks  []Check   `json:"checks,omitempty"`
	Calls   []CallDoc `json:"calls,omitempty"`
}

// Hash returns a digest of the words: 16 lower-case hex digits. Heartbeats
// announce it, and whoever fetches words from a probe compares it.
func (w Words) Hash() string {
	b, err := json.Marshal(w)
	if err != nil { // only a Param.Default that JSON cannot express gets here; the registry refuses those
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Metric returns the description of the named metric, and whether there is one.
func (w Words) Metric(name string) (Metric, bool) {
	for _, m := range w.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// MessageType implements Message.
func (Words) MessageType() string { return "words" }

// Validate implements Message.
func (w Words) Validate() error {
	return problems(required("skill", w.Skill), required("kind", w.Kind), required("title", w.Title))
}
