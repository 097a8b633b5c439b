package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Defaults and bounds of a request.
const (
	DefaultDeadline      = 5 * time.Minute
	MaxDeadline          = 24 * time.Hour
	DefaultMaxIterations = 25
	MaxIterations        = 1000
	AgentLoop            = "agent_loop"
	Pipeline             = "pipeline"
)

// A Request asks why. Only Reason is required.
type Request struct {
	ID                  string            `json:"id,omitempty"` // idempotent; empty: made from the stream
	Reason              string            `json:"reason"`
	Context             map[string]any    `json:"context,omitempty"`
	Nodes               []string          `json:"nodes,omitempty"`  // empty: every node
	Labels              map[string]string `json:"labels,omitempty"` // nodes must have them all
	Skills              []string          `json:"skills,omitempty"` // empty: every skill
	Strategy            string            `json:"strategy,omitempty"`
	Model               string            `json:"model,omitempty"` // a name of the configuration
	DeadlineMS          int64             `json:"deadline_ms,omitempty"`
	MaxIterations       int               `json:"max_iterations,omitempty"`
	MaxTokens           int               `json:"max_tokens,omitempty"` // of all models in the investigation, input and output
	MaxCost             float64           `json:"max_cost,omitempty"`   // US dollars, of all models in the investigation; it needs models with a known price
	CompactionMaxTokens int               `json:"compaction_max_tokens,omitempty"`
	CompactionKeepLast  int               `json:"compaction_keep_last,omitempty"`
	Notifications       []Notification    `json:"notifications,omitempty"` // pre-seeded; never count as verified
	// Group is the triage group that asks; empty: a client. Coordinators read what it
	// found from their own state, so that a client cannot pass its words for facts.
	Group string `json:"group,omitempty"`
}

// MessageType implements Message.
func (Request) MessageType() string { return "request" }

// Validate implements Message.
func (r Request) Validate() error {
	errs := []error{
		required("reason", strings.TrimSpace(r.Reason)),
		within("deadline_ms", r.DeadlineMS, 0, MaxDeadline.Milliseconds()),
		within("max_iterations", r.MaxIterations, 0, MaxIterations),
		within("max_tokens", r.MaxTokens, 0, 100_000_000),
		costs("max_cost", r.MaxCost),
		within("compaction_max_tokens", r.CompactionMaxTokens, 0, 100_000_000),
		within("compaction_keep_last", r.CompactionKeepLast, 0, 10_000),
	}
	if len(r.Strategy) > MaxToken { // which there are, the coordinators know
		errs = append(errs, fmt.Errorf(`"strategy" must have at most %d bytes`, MaxToken))
	}
	if len(r.ID) > MaxToken {
		errs = append(errs, fmt.Errorf(`"id" must have at most %d bytes`, MaxToken))
	}
	return problems(errs...)
}

// maxCost is the most that max_cost may be, in US dollars: more is a slip of the pen.
const maxCost = 100_000

// costs checks a sum of US dollars; 0 is none.
func costs(name string, usd float64) error {
	if !(usd >= 0 && usd <= maxCost) { // no number is neither
		return fmt.Errorf("%q is %v; it must be from 0, for no limit, to %d US dollars", name, usd, maxCost)
	}
	return nil
}

// Deadline returns how long the investigation may take.
func (r Request) Deadline() time.Duration {
	if r.DeadlineMS == 0 {
		return DefaultDeadline
	}
	return time.Duration(r.DeadlineMS) * time.Millisecond
}

// ReadRequest reads a request as people send it: an object, a JSON string, or
// plain text, which is its reason. Text that begins as a JSON object or list but
// is none, text without a letter and bytes that are no text are errors, and so is
// a request that would be over its limit when it is passed on as JSON.
func ReadRequest(body []byte) (Request, error) {
	r, err := readRequest(body)
	if err != nil {
		return Request{}, err
	}
	if _, err := Encode(r); err != nil {
		return Request{}, err
	}
	return r, nil
}

func readRequest(body []byte) (Request, error) {
	trimmed := bytes.TrimSpace(body)
	switch {
	case len(trimmed) == 0:
		return Request{}, errors.New(`request: the body is empty; send {"reason":"…"} or the reason as text`)
	case len(body) > Limit("request"):
		return Request{}, fmt.Errorf("request: %d bytes: %w (at most %d)", len(body), ErrTooLarge, Limit("request"))
	case trimmed[0] == '{':
		return Decode[Request](body)
	case json.Valid(trimmed):
		var reason string
		if err := json.Unmarshal(trimmed, &reason); err != nil {
			return Request{}, fmt.Errorf(`request: it must be an object with "reason" or a string, not %s`, cut(trimmed, 40))
		}
		return Request{Reason: reason}, nil
	case !isText(trimmed) || trimmed[0] == '[' || trimmed[0] == '"':
		return Request{}, fmt.Errorf(`request: not JSON: %s; send {"reason":"…"} or the reason as text`, cut(trimmed, 40))
	}
	return Request{Reason: string(trimmed)}, nil
}

func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	letters := false
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
		letters = letters || unicode.IsLetter(r)
	}
	return letters
}

func cut(b []byte, n int) string {
	if len(b) > n {
		return fmt.Sprintf("%.*q…", n, b)
	}
	return fmt.Sprintf("%q", b)
}

// A Task asks the operators of one skill to look at targets of one kind.
type Task struct {
	RunID           string      `json:"run_id"`
	InvestigationID string      `json:"investigation_id"`
	Skill           string      `json:"skill"`
	Targets         []TargetRef `json:"targets"`
	// Words are those of a skill that operators were not built with, as the targets
	// announced them; null of all others.
	Words         *Words         `json:"words,omitempty"`
	Reason        string         `json:"reason"`
	Context       map[string]any `json:"context,omitempty"`
	Model         string         `json:"model,omitempty"`
	Deadline      time.Time      `json:"deadline"` // by the stream's clock
	MaxIterations int            `json:"max_iterations,omitempty"`
	MaxTokens     int            `json:"max_tokens,omitempty"`
	MaxCost       float64        `json:"max_cost,omitempty"` // US dollars, of the whole investigation
	// CompactionMaxTokens and CompactionKeepLast are those of the request; 0: the defaults.
	CompactionMaxTokens int    `json:"compaction_max_tokens,omitempty"`
	CompactionKeepLast  int    `json:"compaction_keep_last,omitempty"`
	TraceID             string `json:"trace_id,omitempty"`
}

// CustomSkill stands for all skills that operators were not built with where work is
// shared out: their tasks are queued under this name, and any operator takes them.
// No skill may have it.
const CustomSkill = "custom"

// Queue returns the name under which the task is queued: its skill, or CustomSkill.
func (t Task) Queue() string {
	if t.Words != nil {
		return CustomSkill
	}
	return t.Skill
}

// MaxTaskTargets is how many targets one task names at most.
const MaxTaskTargets = 50

// MessageType implements Message.
func (Task) MessageType() string { return "task" }

// Validate implements Message.
func (t Task) Validate() error {
	errs := []error{
		required("run_id", t.RunID), required("investigation_id", t.InvestigationID), required("skill", t.Skill),
		required("reason", t.Reason), requiredTime("deadline", t.Deadline),
		within("targets", len(t.Targets), 1, MaxTaskTargets),
	}
	if t.Words != nil {
		errs = append(errs, t.Words.Validate())
		if t.Words.Skill != t.Skill {
			errs = append(errs, fmt.Errorf("words: they are of the skill %q, the task is of %q", t.Words.Skill, t.Skill))
		}
	}
	for _, ref := range t.Targets {
		if ref.Kind != t.Targets[0].Kind {
			errs = append(errs, fmt.Errorf(`"targets" are of the kinds %q and %q; a task has one`, t.Targets[0].Kind, ref.Kind))
			break
		}
	}
	return problems(errs...)
}

// Accepted says that a coordinator took a request.
type Accepted struct {
	InvestigationID string    `json:"investigation_id"`
	RunID           string    `json:"run_id"`
	Coordinator     string    `json:"coordinator"`
	Request         Request   `json:"request"`
	Deadline        time.Time `json:"deadline"`
	At              time.Time `json:"at"`
}

// MessageType implements Message.
func (Accepted) MessageType() string { return "accepted" }

// Validate implements Message.
func (a Accepted) Validate() error {
	return problems(required("investigation_id", a.InvestigationID), required("run_id", a.RunID))
}

// Ask is what a person says to an investigation: a question about one that has
// ended, or a message to one that runs.
type Ask struct {
	ID   string `json:"id"` // of the investigation
	Text string `json:"text"`
	By   string `json:"by,omitempty"`
	// Parts asks for the answer to a question while a model writes it: AskParts, each
	// with the header HeaderPart, come before the AskReply.
	Parts bool `json:"parts,omitempty"`
}

// MessageType implements Message.
func (Ask) MessageType() string { return "ask" }

// Validate implements Message.
func (a Ask) Validate() error { return problems(required("id", a.ID), required("text", a.Text)) }

// AskPart is as much of an AskReply as is written yet: it takes the place of the part
// before it. Nothing of it is checked. It may be lost, or be another answer's when a
// model was asked again.
type AskPart struct {
	Summary  string   `json:"summary"`
	Findings []string `json:"findings"`
	Concerns []string `json:"concerns"`
}

// MessageType implements Message.
func (AskPart) MessageType() string { return "ask_part" }

// Validate implements Message.
func (p AskPart) Validate() error { return problems(required("summary", p.Summary)) }

// AskReply answers a question. The investigation and its insights stay as they are.
type AskReply struct {
	InvestigationID string   `json:"investigation_id"`
	RunID           string   `json:"run_id"` // of the child run, which has a journal
	Summary         string   `json:"summary"`
	Findings        []string `json:"findings"`
	Concerns        []string `json:"concerns"`
	// Figures are the numbers of the summary, of each finding and of each concern, in
	// this order: a list for each text. They are looked up in what the investigation
	// saw. Empty: they were not.
	Figures [][]Figure `json:"figures,omitempty"`
	Model   string     `json:"model"`
	Usage   Usage      `json:"usage"`
}

// MessageType implements Message.
func (AskReply) MessageType() string { return "ask_reply" }

// Validate implements Message.
func (r AskReply) Validate() error {
	return problems(required("investigation_id", r.InvestigationID), required("run_id", r.RunID), required("summary", r.Summary))
}

// Told is what a person adds to a running investigation.
type Told struct {
	ID              string    `json:"id"`
	InvestigationID string    `json:"investigation_id"`
	Text            string    `json:"text"`
	By              string    `json:"by"`
	At              time.Time `json:"at"`
}

// MessageType implements Message.
func (Told) MessageType() string { return "told" }

// Validate implements Message.
func (t Told) Validate() error {
	return problems(required("id", t.ID), required("investigation_id", t.InvestigationID), required("text", t.Text), required("by", t.By))
}

// Progress is one line of what an investigation does.
type Progress struct {
	InvestigationID string    `json:"investigation_id"`
	RunID           string    `json:"run_id"`
	Agent           string    `json:"agent"` // "coordinator" or the operator's skill
	Step            int       `json:"step"`
	Text            string    `json:"text"`
	At              time.Time `json:"at"`
}

// MessageType implements Message.
func (Progress) MessageType() string { return "progress" }

// Validate implements Message.
func (p Progress) Validate() error {
	return problems(required("investigation_id", p.InvestigationID), required("text", p.Text))
}
