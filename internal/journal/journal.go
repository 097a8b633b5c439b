// Package journal keeps the journals of agents in JetStream: one subject a run,
// every append expecting the subject's last sequence, so that of two workers
// that hold one run only the last to claim it can go on.
package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Journal is one run in the hands of the worker that claimed it.
type Journal struct {
	conn    *bus.Conn
	subject string
	run     string
	owner   string // this claim: the worker and a nonce
	records []protocol.Record
	last    uint64 // sequence of the subject's last record
	// cancelled says that a cancel was read that Append has not told of yet.
	cancelled bool
}

var _ agent.Journal = (*Journal)(nil)

// Read returns a run's records, oldest first; none when there is no such run.
func Read(ctx context.Context, conn *bus.Conn, kind, run string) ([]protocol.Record, error) {
	records, _, err := read(ctx, conn, protocol.JournalSubject(kind, run), 1)
	return records, err
}

func read(ctx context.Context, conn *bus.Conn, subject string, from uint64) (records []protocol.Record, last uint64, err error) {
	for m, err := range conn.Range(ctx, bus.Journal, subject, from) {
		if err != nil {
			return nil, 0, fmt.Errorf("journal: %w", err)
		}
		r, err := protocol.Decode[protocol.Record](m.Data)
		if err != nil {
			return nil, 0, fmt.Errorf("journal %s, sequence %d: %w", subject, m.Sequence, err)
		}
		records, last = append(records, r), m.Sequence
	}
	return records, last, nil
}

// Claim makes worker the owner of a run. Whoever owned it before is superseded:
// its next append fails.
func Claim(ctx context.Context, conn *bus.Conn, kind, run, worker string) (*Journal, error) {
	j := &Journal{conn: conn, subject: protocol.JournalSubject(kind, run), run: run, owner: worker + "#" + protocol.NewID()}
	for {
		var err error
		if j.records, j.last, err = read(ctx, conn, j.subject, 1); err != nil {
			return nil, err
		}
		attempt := 1
		for _, r := range j.records {
			if r.Kind == protocol.RecordClaim {
				attempt++
			}
		}
		_, err = j.Append(ctx, protocol.RecordClaim, protocol.Claim{Worker: worker, Attempt: attempt})
		switch {
		case err == nil:
			return j, nil
		case errors.Is(err, agent.ErrSuperseded), errors.Is(err, agent.ErrCancelled): // somebody wrote in between: look again
			j.cancelled = false
		default:
			return nil, fmt.Errorf("claim run %s: %w", run, err)
		}
	}
}

// Records implements agent.Journal.
func (j *Journal) Records() []protocol.Record { return j.records }

// Append implements agent.Journal.
func (j *Journal) Append(ctx context.Context, kind protocol.RecordKind, data any) (protocol.Record, error) {
	if j.cancelled {
		j.cancelled = false
		return protocol.Record{}, agent.ErrCancelled
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return protocol.Record{}, fmt.Errorf("journal: %w", err)
	}
	for {
		r := protocol.Record{RunID: j.run, N: len(j.records) + 1, Kind: kind, Worker: j.owner, At: time.Now().UTC(), Data: raw}
		expect := j.last
		got, err := j.conn.Publish(ctx, bus.Outgoing{Subject: j.subject, Body: r, At: r.At, ExpectLast: &expect})
		switch {
		case err == nil:
			j.records, j.last = append(j.records, r), got.Sequence
			return r, nil
		case !errors.Is(err, bus.ErrWrongLast):
			return protocol.Record{}, err
		}
		stored, err := j.reconcile(ctx, r)
		if err != nil {
			return protocol.Record{}, err
		}
		if stored {
			return r, nil
		}
	}
}

// reconcile finds out what was written since the last record that is known. It
// may be the very record whose acknowledgement was lost, which stored tells; an
// own record before it whose acknowledgement the worker did not await, because
// the deadline passed; a cancel; or the claim of another worker.
func (j *Journal) reconcile(ctx context.Context, mine protocol.Record) (stored bool, err error) {
	since, last, err := read(ctx, j.conn, j.subject, j.last+1)
	if err != nil {
		return false, err
	}
	for _, r := range since {
		switch {
		case r.Worker == j.owner && r.N == mine.N && r.Kind == mine.Kind && bytes.Equal(r.Data, mine.Data):
			stored = true
		case r.Worker == j.owner:
		case r.Kind == protocol.RecordCancel:
			j.cancelled = true
		default:
			return false, fmt.Errorf("run %s: %w: %s", j.run, agent.ErrSuperseded, r.Worker)
		}
	}
	if len(since) == 0 {
		return false, fmt.Errorf("run %s: the journal ends before sequence %d: it was purged", j.run, j.last)
	}
	j.records, j.last = append(j.records, since...), last
	if stored || !j.cancelled {
		return stored, nil
	}
	j.cancelled = false
	return false, agent.ErrCancelled
}

// Cancel ends a run from outside, whoever owns it: it writes a cancel record and
// aborts the call in hand.
func Cancel(ctx context.Context, conn *bus.Conn, kind, run, by, reason string) error {
	raw, err := json.Marshal(protocol.Cancel{By: by, Reason: reason})
	if err != nil {
		return err
	}
	r := protocol.Record{RunID: run, Kind: protocol.RecordCancel, Worker: by, At: time.Now().UTC(), Data: raw}
	if _, err := conn.Publish(ctx, bus.Outgoing{Subject: protocol.JournalSubject(kind, run), Body: r}); err != nil {
		return fmt.Errorf("cancel run %s: %w", run, err)
	}
	return conn.Send(protocol.CancelledSubject(run), nil)
}

// Finished returns a run's finish record, and whether there is one.
func Finished(records []protocol.Record) (protocol.Finish, bool) {
	for _, r := range records {
		if r.Kind == protocol.RecordFinish {
			var f protocol.Finish
			return f, json.Unmarshal(r.Data, &f) == nil
		}
	}
	return protocol.Finish{}, false
}

// Started reports whether a run has its start record, which holds what it is about.
func Started(records []protocol.Record) bool {
	return slices.ContainsFunc(records, func(r protocol.Record) bool { return r.Kind == protocol.RecordStart })
}

// Stalled returns how many workers in a row claimed the run and wrote nothing
// else: a run that kills its workers has many.
func Stalled(records []protocol.Record) int {
	n := 0
	for i := len(records) - 1; i >= 0 && records[i].Kind == protocol.RecordClaim; i-- {
		n++
	}
	return n
}
