package protocol

import (
	"cmp"
	"time"
)

// A Correlation says how the notifications of an insight belong together.
type Correlation string

// Correlation types.
const (
	Temporal    Correlation = "temporal"    // close in time
	Causal      Correlation = "causal"      // one caused the other
	Symptomatic Correlation = "symptomatic" // they share a cause
	None        Correlation = "none"        // the finding that nothing is wrong
)

// A Confidence says how sure the coordinator is.
type Confidence string

// Confidences.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// RulesModel is what Model says where no LLM was used.
const RulesModel = "rules (no LLM used)"

// An Insight is what the coordinator concluded.
type Insight struct {
	ID                  string      `json:"id"`
	InvestigationID     string      `json:"investigation_id"`
	Group               string      `json:"group,omitempty"` // of triage, that was asked about
	NotificationIDs     []string    `json:"notification_ids"`
	SupportingIDs       []string    `json:"supporting_ids"`
	CorrelationType     Correlation `json:"correlation_type"`
	Severity            Severity    `json:"severity"`
	Summary             string      `json:"summary"`
	MatchedObservations []string    `json:"matched_observations"`
	HypothesisGrounded  bool        `json:"hypothesis_grounded"`
	Grounding           string      `json:"grounding"` // why it is grounded, or why not
	RootCauseHypothesis string      `json:"root_cause_hypothesis,omitempty"`
	Confidence          Confidence  `json:"confidence"`
	Nodes               []string    `json:"nodes"`
	Skills              []string    `json:"skills"`
	Evidence            []Evidence  `json:"evidence"`
	Figures             []Figure    `json:"figures,omitempty"` // the fact check of Summary
	Chain               []ChainLink `json:"chain,omitempty"`
	RuledOut            []string    `json:"ruled_out"`
	NotChecked          []string    `json:"not_checked"`
	Trigger             string      `json:"trigger"` // the reason of the request
	Supersedes          string      `json:"supersedes,omitempty"`
	SuggestedActions    []string    `json:"suggested_actions"` // text for a person, never a command
	CreatedAt           time.Time   `json:"created_at"`
	Model               string      `json:"model"`
	Usage               Usage       `json:"usage"`
}

// A ChainLink is one step from change to effect to symptom.
type ChainLink struct {
	At       time.Time `json:"at"` // event time
	Node     string    `json:"node"`
	What     string    `json:"what"`
	Role     string    `json:"role"` // change, effect or symptom
	Evidence string    `json:"evidence,omitempty"`
}

// Thread is the same for all insights that belong together: those of one group of triage,
// or else of one investigation. A Resolution's Group is that of its insights.
func (i Insight) Thread() string { return cmp.Or(i.Group, i.InvestigationID) }

// MessageType implements Message.
func (Insight) MessageType() string { return "insight" }

// Validate implements Message.
func (i Insight) Validate() error {
	return problems(required("id", i.ID), required("investigation_id", i.InvestigationID), required("summary", i.Summary),
		required("model", i.Model), required("grounding", i.Grounding),
		oneOf("correlation_type", i.CorrelationType, Temporal, Causal, Symptomatic, None),
		oneOf("severity", i.Severity, SeverityInfo, SeverityWarning, SeverityCritical),
		oneOf("confidence", i.Confidence, High, Medium, Low), requiredTime("created_at", i.CreatedAt))
}

// A ResultState says how an investigation ended.
type ResultState string

// Ends of an investigation.
const (
	ResultDone      ResultState = "done"
	ResultFailed    ResultState = "failed"
	ResultCancelled ResultState = "cancelled"
	ResultDeadline  ResultState = "deadline_exceeded"
)

// A Result is the end of an investigation, and the answer to investigate.run.
type Result struct {
	InvestigationID string       `json:"investigation_id"`
	State           ResultState  `json:"state"`
	Error           string       `json:"error,omitempty"`
	Insights        []Insight    `json:"insights"`
	OperatorResults []Completion `json:"operator_results"`
	Usage           Usage        `json:"usage"`
	StartedAt       time.Time    `json:"started_at"`
	EndedAt         time.Time    `json:"ended_at"`
}

// MessageType implements Message.
func (Result) MessageType() string { return "result" }

// Validate implements Message.
func (r Result) Validate() error {
	return problems(required("investigation_id", r.InvestigationID),
		oneOf("state", r.State, ResultDone, ResultFailed, ResultCancelled, ResultDeadline))
}
