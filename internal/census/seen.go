package census

import (
	"encoding/json"
	"fmt"
	"time"
)

// Names of what is kept.
const (
	seenName     = "changes.json"
	packagesName = "packages-" // and the manager
)

// seen is what the last census saw. It is kept as JSON.
type seen struct {
	At       time.Time           `json:"at"` // of the last look
	Boot     string              `json:"boot"`
	Kernel   string              `json:"kernel"`
	Services map[string]service  `json:"services"`
	Packages map[string]packages `json:"packages"` // by manager
	Patterns []string            `json:"patterns"` // of the files
	Files    map[string]file     `json:"files"`    // by path
}

// packages is a database as it was read last.
type packages struct {
	Changed time.Time `json:"changed"`
	Size    int64     `json:"size"`
}

// load returns what the census before saw; nil when there was none. What cannot be
// read counts as none, and is said.
func load(keep Keeper) (*seen, error) {
	b, err := keep.Read(seenName)
	if err != nil || b == nil {
		return nil, err
	}
	s := &seen{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("what was seen before the restart cannot be read (%s): %w", seenName, err)
	}
	if s.At.IsZero() || s.Boot == "" {
		return nil, fmt.Errorf("what was seen before the restart is not whole (%s)", seenName)
	}
	return s, nil
}
