package protocol

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Severity says how bad a finding is.
type Severity string

// Severities.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Rank orders severities: 0 for info, 2 for critical, -1 for none of them.
func (s Severity) Rank() int {
	switch s {
	case SeverityInfo:
		return 0
	case SeverityWarning:
		return 1
	case SeverityCritical:
		return 2
	}
	return -1
}

// Origins of notifications that no operator's run sent.
const (
	OriginRequest = "request" // a client pre-seeded it: never verified
	OriginWatch   = "watch"   // an operator that watches snapshots saw a check crossed
	OriginAnomaly = "anomaly" // triage made it of an anomaly
	OriginAlert   = "alert"   // triage made it of an alert of another system
	OriginSilence = "silence" // triage made it of a node that no longer reports
)

// Watching stands for the investigation in the subjects of notifications that no
// investigation caused, with "-" and the notification's id.
const Watching = "watch"

// MaxNotificationSnapshots is how many bytes of snapshots a notification carries at most.
const MaxNotificationSnapshots = 32 << 10

// A Notification is what an operator found on one node: facts in Context and
// Observation, speculation in Hypothesis.
type Notification struct {
	ID              string     `json:"id"`
	InvestigationID string     `json:"investigation_id"`
	RunID           string     `json:"run_id"`
	Operator        string     `json:"operator"` // the skill
	Node            string     `json:"node"`
	Target          string     `json:"target"`
	AnomalyType     string     `json:"anomaly_type"`
	Severity        Severity   `json:"severity"`
	Context         string     `json:"context"`
	Observation     string     `json:"observation"`
	Hypothesis      string     `json:"hypothesis,omitempty"`
	Snapshots       []Snapshot `json:"snapshots"`
	Evidence        []Evidence `json:"evidence,omitempty"`
	Verified        bool       `json:"verified"`          // every figure was found in the evidence
	Figures         []Figure   `json:"figures,omitempty"` // the fact check's answer for each number
	DetectedAt      time.Time  `json:"detected_at"`
	Since           time.Time  `json:"since,omitzero"` // when it began, where that is known
	TraceID         string     `json:"trace_id,omitempty"`
	Origin          string     `json:"origin,omitempty"` // where it comes from when no operator's run sent it
}

// A Figure is the fact check's answer for one number of a text.
type Figure struct {
	Text     string  `json:"text"` // as written: "91 %"
	Value    float64 `json:"value"`
	Unit     string  `json:"unit,omitempty"`
	Found    bool    `json:"found"`
	Evidence string  `json:"evidence,omitempty"` // the address where it was found
	Nearest  string  `json:"nearest,omitempty"`  // when not found: the nearest value and its address
}

// Evidence is one addressable fact: "SNAPSHOT_ID#field" or "RUN_ID/STEP#path".
type Evidence struct {
	Address   string   `json:"address"`
	Node      string   `json:"node,omitempty"`
	Target    string   `json:"target,omitempty"`
	Name      string   `json:"name"` // the metric or path
	Value     any      `json:"value"`
	Unit      Unit     `json:"unit,omitempty"`
	Threshold *float64 `json:"threshold,omitempty"`
	Baseline  *float64 `json:"baseline,omitempty"`
	Series    []Point  `json:"series,omitempty"` // at most 120 points, oldest first
}

// A Point is one value of a series.
type Point struct {
	At    int64   `json:"t"` // Unix milliseconds
	Value float64 `json:"v"`
}

// MessageType implements Message.
func (Notification) MessageType() string { return "notification" }

// Validate implements Message.
func (n Notification) Validate() error {
	size := 0
	for _, s := range n.Snapshots {
		for name, v := range s.Data {
			size += len(name) + len(fmt.Sprint(v)) + 4
		}
	}
	var big error
	if size > MaxNotificationSnapshots {
		big = fmt.Errorf(`"snapshots" hold about %d bytes, at most %d`, size, MaxNotificationSnapshots)
	}
	return problems(required("id", n.ID), required("operator", n.Operator), required("node", n.Node), required("anomaly_type", n.AnomalyType),
		required("context", n.Context), required("observation", n.Observation), requiredTime("detected_at", n.DetectedAt),
		oneOf("severity", n.Severity, SeverityInfo, SeverityWarning, SeverityCritical), big)
}

// A Health is an operator's assessment of its targets.
type Health string

// Assessments.
const (
	Healthy   Health = "healthy"
	Observing Health = "observing" // something looks off, gathering more
	Warning   Health = "warning"
	Critical  Health = "critical"
)

// Healths returns the assessments there are, the best first.
func Healths() []Health { return []Health{Healthy, Observing, Warning, Critical} }

// State says that an operator changed its assessment.
type State struct {
	RunID           string    `json:"run_id"`
	InvestigationID string    `json:"investigation_id"`
	Skill           string    `json:"skill"`
	State           Health    `json:"state"`
	Reason          string    `json:"reason"`
	At              time.Time `json:"at"`
}

// MessageType implements Message.
func (State) MessageType() string { return "operator_state" }

// Validate implements Message.
func (s State) Validate() error {
	return problems(required("run_id", s.RunID), required("skill", s.Skill), oneOf("state", s.State, Healths()...))
}

// An Outcome says how a run ended.
type Outcome string

// Outcomes of a run.
const (
	OutcomeDone          Outcome = "done"
	OutcomeMaxIterations Outcome = "max_iterations"
	OutcomeDeadline      Outcome = "deadline"
	OutcomeCancelled     Outcome = "cancelled"
	OutcomeFailed        Outcome = "failed"
)

// A Completion says how an operator's run ended. A run that failed is never healthy.
type Completion struct {
	RunID           string      `json:"run_id"`
	InvestigationID string      `json:"investigation_id"`
	Skill           string      `json:"skill"`
	Targets         []TargetRef `json:"targets"`
	State           Health      `json:"state"`
	Outcome         Outcome     `json:"outcome"`
	Error           string      `json:"error,omitempty"`
	NotificationIDs []string    `json:"notification_ids"`
	SnapshotIDs     []string    `json:"snapshot_ids"`
	NotChecked      []string    `json:"not_checked,omitempty"` // targets that did not answer, with the reason
	Checked         []Checked   `json:"checked,omitempty"`     // the worst value that each check met
	Model           string      `json:"model,omitempty"`
	// Instead says why the rules analyst decided in place of the model; empty: it did not.
	Instead string    `json:"instead,omitempty"`
	Usage   Usage     `json:"usage"`
	At      time.Time `json:"at"`
}

// Checked is what one check met over the targets of a run: by it an insight says
// what was ruled out.
type Checked struct {
	Skill    string   `json:"skill"`
	Metric   string   `json:"metric"`
	Unit     Unit     `json:"unit,omitempty"`
	Op       Op       `json:"op"`
	Warn     *float64 `json:"warn,omitempty"`
	Critical *float64 `json:"critical,omitempty"`
	Worst    float64  `json:"worst"`
	Node     string   `json:"node"` // where it is worst
	Target   string   `json:"target"`
	Address  string   `json:"address"` // of the worst value
	Targets  int      `json:"targets"` // how many have the metric
	Crossed  int      `json:"crossed"` // how many of them crossed the check
}

// Usage counts what models were asked. CostUSD is null where a price is unknown.
type Usage struct {
	InputTokens      int      `json:"input_tokens"` // all of them, those of the cache included
	OutputTokens     int      `json:"output_tokens"`
	CachedTokens     int      `json:"cached_tokens"`                // of the input, those read from the provider's cache
	CacheWriteTokens int      `json:"cache_write_tokens,omitempty"` // of the input, those written to it
	LLMCalls         int      `json:"llm_calls"`
	CostUSD          *float64 `json:"cost_usd"`
}

// Uncached returns the input that was not read from a cache, and the output: what
// a provider had to work on.
func (u Usage) Uncached() int { return u.InputTokens - u.CachedTokens + u.OutputTokens }

// Plus returns the sum. The sum's cost is unknown when one of them is and models were called.
func (u Usage) Plus(v Usage) Usage {
	sum := Usage{
		InputTokens: u.InputTokens + v.InputTokens, OutputTokens: u.OutputTokens + v.OutputTokens,
		CachedTokens: u.CachedTokens + v.CachedTokens, CacheWriteTokens: u.CacheWriteTokens + v.CacheWriteTokens,
		LLMCalls: u.LLMCalls + v.LLMCalls,
	}
	known := func(x Usage) (float64, bool) {
		if x.CostUSD != nil {
			return *x.CostUSD, true
		}
		return 0, x.LLMCalls == 0
	}
	a, okA := known(u)
	b, okB := known(v)
	if okA && okB && sum.LLMCalls > 0 {
		cost := a + b
		sum.CostUSD = &cost
	}
	return sum
}

// MessageType implements Message.
func (Completion) MessageType() string { return "completion" }

// Validate implements Message.
func (c Completion) Validate() error {
	return problems(required("run_id", c.RunID), required("skill", c.Skill), oneOf("state", c.State, Healths()...),
		oneOf("outcome", c.Outcome, OutcomeDone, OutcomeMaxIterations, OutcomeDeadline, OutcomeCancelled, OutcomeFailed))
}

// Text is the fact in a line, such as "disk_used_pct = 97.2 %".
func (e Evidence) Text() string {
	value := fmt.Sprint(e.Value)
	if f, ok := e.Value.(float64); ok {
		value = strconv.FormatFloat(f, 'f', -1, 64) // not 1.2e+07
	}
	text := e.Name + " = " + value
	if e.Unit != "" && e.Unit != Text && e.Unit != Count {
		text = strings.TrimSpace(text + " " + e.Unit.Symbol())
	}
	return text
}
