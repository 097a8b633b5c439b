package protocol

import (
	"encoding/json"
	"time"
)

// A Record is one entry of a run's journal. The journal is the run: whoever
// reads all of it can go on where its last worker stopped.
type Record struct {
	RunID  string     `json:"run_id"`
	N      int        `json:"n"` // position in the journal, from 1
	Kind   RecordKind `json:"kind"`
	Worker string     `json:"worker"` // the instance that wrote it
	At     time.Time  `json:"at"`
	// Data is a Start, Claim, Answer, ToolResult, Input, Compaction, Retry, Cancel or Finish, by Kind.
	Data json.RawMessage `json:"data,omitempty"`
}

// A RecordKind says what a record holds.
type RecordKind string

// Kinds of record.
const (
	RecordStart  RecordKind = "start"    // the rendered prompt and the settings
	RecordClaim  RecordKind = "claim"    // a worker owns the run from here on
	RecordAnswer RecordKind = "answer"   // what the decider chose, before it is acted upon
	RecordResult RecordKind = "result"   // what one tool call gave
	RecordInput  RecordKind = "input"    // what reached the run from outside: findings of operators
	RecordRetry  RecordKind = "retry"    // an attempt to decide that failed
	RecordCancel RecordKind = "cancel"   // somebody ended the run
	RecordFinish RecordKind = "finished" // how the run ended
	// RecordCompaction: from here on a model reads a summary in place of what came before.
	RecordCompaction RecordKind = "compaction"
)

// MessageType implements Message.
func (Record) MessageType() string { return "record" }

// Validate implements Message.
func (r Record) Validate() error {
	return problems(required("run_id", r.RunID), required("kind", string(r.Kind)), requiredTime("at", r.At))
}

// Start is the first record's data.
type Start struct {
	Agent     string          `json:"agent"`  // CoordinatorAgent or OperatorAgent
	System    string          `json:"system"` // the rendered prompt
	User      string          `json:"user"`   // the question, with its context
	Subject   json.RawMessage `json:"subject,omitempty"`
	Tools     []string        `json:"tools,omitempty"` // those that the decider may call
	Settings  RunSettings     `json:"settings"`
	TraceID   string          `json:"trace_id,omitempty"`
	StartedAt time.Time       `json:"started_at"`
	// TraceParent is the W3C trace context that the run began in: a worker that goes
	// on with it goes on with its trace.
	TraceParent string `json:"traceparent,omitempty"`
}

// RunSettings are a run's limits.
type RunSettings struct {
	Model         string    `json:"model"`
	MaxIterations int       `json:"max_iterations"`
	MaxTokens     int       `json:"max_tokens,omitempty"` // 0: no limit
	MaxCost       float64   `json:"max_cost,omitempty"`   // US dollars, of the whole investigation; 0: no limit
	Deadline      time.Time `json:"deadline"`
	// CompactionMaxTokens is the estimated size of the conversation from which it is
	// compacted, and CompactionKeepLast how many messages stay as they are. 0: the
	// defaults, see package agent.
	CompactionMaxTokens int `json:"compaction_max_tokens,omitempty"`
	CompactionKeepLast  int `json:"compaction_keep_last,omitempty"`
}

// Claim says which worker goes on with the run.
type Claim struct {
	Worker  string `json:"worker"`
	Attempt int    `json:"attempt"` // from 1
}

// Answer is what the decider chose.
type Answer struct {
	Step  int        `json:"step"` // the iteration, from 1
	Text  string     `json:"text,omitempty"`
	Calls []ToolCall `json:"calls,omitempty"`
	// Dropped is how many more calls the answer made, too many for one step.
	Dropped int    `json:"dropped,omitempty"`
	Model   string `json:"model"`
	Usage   Usage  `json:"usage"`
	// RequestHash is the SHA-256, in hex, of what the decider could read when it
	// decided: the conversation and the tools. By it a replay tells whether today's
	// code would have asked the same.
	RequestHash string `json:"request_hash,omitempty"`
	// Instead says why another decider than the run's decided: a budget is spent, or
	// the provider does not answer. Empty: the run's own did.
	Instead string `json:"instead,omitempty"`
	// Extra is what a provider wants back unchanged, such as signed thinking.
	Extra map[string]any `json:"extra,omitempty"`
}

// A ToolCall is one tool that the decider calls, with its arguments as JSON.
type ToolCall struct {
	ID   string `json:"id"`
	Tool string `json:"tool"`
	Args string `json:"args"`
}

// ToolResult is what one tool call gave. Content is what the decider reads;
// Effect is what it changed in the run.
type ToolResult struct {
	Step    int             `json:"step"`
	CallID  string          `json:"call_id"`
	Tool    string          `json:"tool"`
	Content string          `json:"content"`
	Failed  bool            `json:"failed,omitempty"`  // the tool answered with an error
	Invalid bool            `json:"invalid,omitempty"` // no such tool, or arguments it does not take
	Effect  json.RawMessage `json:"effect,omitempty"`
}

// Input is what reached the run from outside between two turns.
type Input struct {
	Step int    `json:"step"`
	Text string `json:"text"` // what the decider reads, as data
	// Said is what people said, for the decider to heed.
	Said   []string        `json:"said,omitempty"`
	Effect json.RawMessage `json:"effect,omitempty"`
}

// Compaction replaces the conversation so far with a summary. The records stay:
// only what a model reads of them changes.
type Compaction struct {
	Step    int    `json:"step"`    // the last step that was decided
	Upto    int    `json:"upto"`    // the messages of the records up to this one are replaced
	Summary string `json:"summary"` // the model's words, then every id by code
	Usage   Usage  `json:"usage"`   // of making the summary
}

// Retry is an attempt to decide that failed.
type Retry struct {
	Step    int    `json:"step"`
	Attempt int    `json:"attempt"`
	Error   string `json:"error"`
	DelayMS int64  `json:"delay_ms"`
}

// Cancel ends a run from outside.
type Cancel struct {
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// Finish says how a run ended.
type Finish struct {
	Outcome Outcome         `json:"outcome"`
	Error   string          `json:"error,omitempty"`
	Usage   Usage           `json:"usage"`
	Steps   int             `json:"steps"`
	Model   string          `json:"model"`
	Instead string          `json:"instead,omitempty"` // as in Answer, of the last one that has it
	Summary json.RawMessage `json:"summary,omitempty"`
}
