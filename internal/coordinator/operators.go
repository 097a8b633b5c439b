package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// operators is how one investigation has work done.
type operators struct {
	conn *bus.Conn

	mu   sync.Mutex
	wake chan struct{}
}

var _ agent.Operators = (*operators)(nil)

// listen wakes up at every notification and completion of the investigation.
func (o *operators) listen(investigation string) (stop func(), err error) {
	o.wake = make(chan struct{})
	ring := func(bus.Msg) {
		o.mu.Lock()
		defer o.mu.Unlock()
		select {
		case <-o.wake:
		default:
			close(o.wake)
		}
	}
	stopN, err := o.conn.Subscribe(protocol.NotificationSubject(protocol.Any, protocol.Any, investigation), ring)
	if err != nil {
		return nil, err
	}
	stopC, err := o.conn.Subscribe(protocol.CompletionSubject(protocol.Any, investigation), ring)
	if err != nil {
		stopN()
		return nil, err
	}
	return func() { stopN(); stopC() }, nil
}

// Wake implements agent.Operators. What came since the last Findings has closed
// the channel already.
func (o *operators) Wake() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wake
}

// servesWithin is how long a worker may take to be found.
const servesWithin = 2 * time.Second

// Serves implements agent.Operators.
func (o *operators) Serves(ctx context.Context, skill string) error {
	if err := o.conn.EnsureConsumer(ctx, bus.Tasks(skill)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, servesWithin)
	defer cancel()
	for {
		_, err := o.conn.Request(ctx, protocol.ServesSubject(skill), nil)
		if err == nil {
			return nil
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("no worker serves %s: start one with `operator --skills %s`", skill, skill)
		case <-t.C:
		}
	}
}

// Start implements agent.Operators.
func (o *operators) Start(ctx context.Context, t protocol.Task) error {
	_, err := o.conn.Publish(ctx, bus.Outgoing{Subject: protocol.TaskSubject(t.Skill), Body: t, ID: t.RunID, Dedupe: true})
	return err
}

// maxFindings is how many notifications are read at a time; maxFindingBytes how
// much of them fits into one record of the journal.
const (
	maxFindings     = 100
	maxFindingBytes = 256 << 10
)

// Findings implements agent.Operators. Completions are read before
// notifications, and from the stream's leader, so that what an operator sent
// before it completed is there. Where not all notifications fit, completions
// wait for the next time.
func (o *operators) Findings(ctx context.Context, investigation string, since agent.Cursor) ([]protocol.Notification, []protocol.Completion, agent.Cursor, error) {
	o.mu.Lock()
	o.wake = make(chan struct{})
	o.mu.Unlock()
	next := since
	var done []protocol.Completion
	for m, err := range o.conn.RangeLeader(ctx, bus.Findings, protocol.CompletionSubject(protocol.Any, investigation), since.Completions+1) {
		if err != nil {
			return nil, nil, since, err
		}
		c, err := protocol.Decode[protocol.Completion](m.Data)
		if err != nil {
			return nil, nil, since, fmt.Errorf("completion at sequence %d: %w", m.Sequence, err)
		}
		done, next.Completions = append(done, c), m.Sequence
	}
	var found []protocol.Notification
	size := 0
	for m, err := range o.conn.RangeLeader(ctx, bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, investigation), since.Notifications+1) {
		if err != nil {
			return nil, nil, since, err
		}
		if size += len(m.Data); len(found) >= maxFindings || len(found) > 0 && size > maxFindingBytes {
			next.Completions = since.Completions
			o.ring()
			return found, nil, next, nil
		}
		n, err := protocol.Decode[protocol.Notification](m.Data)
		if err != nil {
			return nil, nil, since, fmt.Errorf("notification at sequence %d: %w", m.Sequence, err)
		}
		found, next.Notifications = append(found, n), m.Sequence
	}
	return found, done, next, nil
}

func (o *operators) ring() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.wake)
}

// Status implements agent.Operators.
func (o *operators) Status(ctx context.Context, run string) (agent.RunStatus, error) {
	var st agent.RunStatus
	m, err := o.conn.Last(ctx, bus.Journal, protocol.JournalSubject(protocol.OperatorAgent, run))
	if errors.Is(err, bus.ErrNotFound) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	r, err := protocol.Decode[protocol.Record](m.Data)
	if err != nil {
		return st, err
	}
	st.Worker, st.Last = r.Worker, r.At
	var step struct {
		Step    int              `json:"step"`
		Outcome protocol.Outcome `json:"outcome"`
	}
	if err := json.Unmarshal(r.Data, &step); err != nil {
		return st, err
	}
	st.Step, st.State = step.Step, step.Outcome
	return st, nil
}

// conclusions publishes insights.
type conclusions struct{ conn *bus.Conn }

var _ agent.Conclusions = conclusions{}

// Publish implements agent.Conclusions.
func (c conclusions) Publish(ctx context.Context, i protocol.Insight) error {
	_, err := c.conn.Publish(ctx, bus.Outgoing{
		Subject: protocol.InsightSubject(string(i.Severity), string(i.CorrelationType), i.InvestigationID), Body: i, ID: i.ID, Dedupe: true, At: i.CreatedAt,
	})
	return err
}

// maxPoints keeps a series within 2 KiB of JSON.
const maxPoints = 56

// Series implements agent.Conclusions.
func (c conclusions) Series(ctx context.Context, skill string, e protocol.Evidence) []protocol.Point {
	if skill == "" || e.Node == "" {
		return nil
	}
	var points []protocol.Point
	for m, err := range c.conn.Range(ctx, bus.Snapshots, protocol.SnapshotSubject(e.Node, e.Target, skill), 0) {
		if err != nil {
			return nil // the evidence stands without its series
		}
		s, err := protocol.Decode[protocol.Snapshot](m.Data)
		if err != nil {
			continue
		}
		if v, ok := s.Data[e.Name].(float64); ok {
			points = append(points, protocol.Point{At: s.CapturedAt.UnixMilli(), Value: v})
		}
	}
	for len(points) > maxPoints { // every second one, and always the last
		kept := points[:0]
		for i, p := range points {
			if (len(points)-1-i)%2 == 0 {
				kept = append(kept, p)
			}
		}
		points = kept
	}
	return points
}

// cancelAll ends the operators that still run.
func cancelAll(ctx context.Context, conn *bus.Conn, runs []agent.OperatorRun, by, reason string) error {
	var errs []error
	for _, r := range runs {
		errs = append(errs, journal.Cancel(ctx, conn, protocol.OperatorAgent, r.RunID, by, reason))
	}
	return errors.Join(errs...)
}
