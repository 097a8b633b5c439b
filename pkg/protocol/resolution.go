package protocol

import "time"

// States of a Resolution.
const (
	Resolved = "resolved"
	Reopened = "reopened" // it was resolved, and goes on
)

// A Resolution says that what a group of triage is about is over, or goes on again. It
// follows the insights of the group.
type Resolution struct {
	ID       string    `json:"id"`
	Group    string    `json:"group"` // of triage, and the id of its investigation
	State    string    `json:"state"`
	Why      string    `json:"why"`      // how it is known
	Insights []string  `json:"insights"` // ids of those of the group
	Since    time.Time `json:"since"`    // event time of the first signal
	At       time.Time `json:"at"`       // when it was over, or began again
}

// MessageType implements Message.
func (Resolution) MessageType() string { return "resolution" }

// Validate implements Message.
func (r Resolution) Validate() error {
	return problems(required("id", r.ID), required("group", r.Group), oneOf("state", r.State, Resolved, Reopened), required("why", r.Why),
		requiredTime("since", r.Since), requiredTime("at", r.At))
}
