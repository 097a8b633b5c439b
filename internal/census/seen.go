package census

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
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

// saveEvery is how often what did not change is kept anew: each time costs the disk a
// flush. After a crash what is known may be so much older.
const saveEvery = 10 * time.Minute

// saved is what was kept last.
type saved struct {
	mark [sha256.Size]byte
	at   time.Time // of the look
}

// save remembers what was seen, and keeps it if more than times changed. The caller
// holds the lock.
func (c *Census) save(s *seen, keep Keeper) error {
	c.seen = s
	plain := *s
	plain.At, plain.Services = time.Time{}, maps.Clone(s.Services)
	for key, x := range plain.Services {
		x.Seen = time.Time{}
		plain.Services[key] = x
	}
	b, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	mark := sha256.Sum256(b)
	if mark == c.saved.mark && s.At.Sub(c.saved.at) < saveEvery {
		return nil
	}
	if b, err = json.Marshal(s); err != nil {
		return err
	}
	if err := keep.Write(seenName, b); err != nil {
		return err
	}
	c.saved = saved{mark, s.At}
	return nil
}
