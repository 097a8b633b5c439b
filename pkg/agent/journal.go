package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Journal is the durable record of one run, in the hands of the worker that
// claimed it. It is used by one goroutine.
type Journal interface {
	// Records returns what the journal held when it was claimed and what was
	// appended since, oldest first.
	Records() []protocol.Record
	// Append writes a record and returns when it is durable. It returns
	// ErrSuperseded when another worker claimed the run since, and ErrCancelled
	// when somebody cancelled it; in both cases nothing was written.
	Append(ctx context.Context, kind protocol.RecordKind, data any) (protocol.Record, error)
}

// Errors of a journal.
var (
	ErrSuperseded = errors.New("another worker claimed the run")
	ErrCancelled  = errors.New("the run was cancelled")
)

// MemoryJournal is a journal that lives as long as the process: for tests and
// for scripts that need no durability. The zero value is empty and ready.
type MemoryJournal struct {
	Run  string
	Log  []protocol.Record
	Time Clock // nil: the system's
	// Refuse, when set, is asked before each append: an error is returned instead.
	Refuse func(kind protocol.RecordKind) error
}

var _ Journal = (*MemoryJournal)(nil)

// Records implements Journal.
func (m *MemoryJournal) Records() []protocol.Record { return m.Log }

// Append implements Journal.
func (m *MemoryJournal) Append(_ context.Context, kind protocol.RecordKind, data any) (protocol.Record, error) {
	if m.Refuse != nil {
		if err := m.Refuse(kind); err != nil {
			return protocol.Record{}, err
		}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return protocol.Record{}, fmt.Errorf("journal: %w", err)
	}
	r := protocol.Record{RunID: m.Run, N: len(m.Log) + 1, Kind: kind, Worker: "memory", At: m.Time.now(), Data: raw}
	m.Log = append(m.Log, r)
	return r, nil
}
