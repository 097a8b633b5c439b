package agent

import (
	"crypto/sha256"
	"encoding/hex"
)

// requestHash returns the hash of what a decider can read of a run: the
// conversation and the tools. Whatever decides, it is the same.
func requestHash(v View) (string, error) {
	c, err := conversation(v)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, t := range c.all() {
		h.Write(t.digest[:])
	}
	for _, t := range v.Tools {
		h.Write(t.digest[:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// EstimateRequest returns about how many tokens a decider would be sent now: the
// conversation and the tools, counted as [EstimateTokens] does.
func EstimateRequest(v View) int {
	c, err := conversation(v)
	if err != nil {
		return 0
	}
	n := c.tokens()
	for _, t := range v.Tools {
		n += frameTokens + tokens(t.Name) + tokens(t.Doc) + tokens(t.schemaText)
	}
	return n
}

// InvestigationOf returns the investigation that a run belongs to; empty: none is known.
func InvestigationOf(v View) string {
	switch s := v.State.(type) {
	case *OperatorState:
		return s.Subject.Task.InvestigationID
	case *CoordinatorState:
		return s.Subject.InvestigationID
	case *Question:
		return s.Investigation
	}
	return ""
}
