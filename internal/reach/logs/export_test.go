package logs

import "time"

// NewAt is New with a clock.
func NewAt(cfg Config, journal Journal, now func() time.Time) *Reader {
	r := New(cfg, journal)
	r.now = now
	return r
}

// JournalEntry is for the fuzz test.
var JournalEntry = journalEntry
