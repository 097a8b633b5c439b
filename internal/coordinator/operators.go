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

	mu    sync.Mutex
	wake  chan struct{}
	since agent.Cursor // how far News has read
}

var _ agent.Operators = (*operators)(nil)

// listen wakes up at every notification and completion of the investigation, when
// a person says something, and once at the beginning: nobody knows what came before, when it was another
// coordinator's, and a wait that is taken over must not sit it out.
func (o *operators) listen(ctx context.Context, investigation string) (stop func(), err error) {
	o.wake = make(chan struct{})
	o.ring()
	heard := make(chan struct{}, 1)
	hear := func(bus.Msg) {
		select {
		case heard <- struct{}{}:
		default:
		}
	}
	stopN, err := o.conn.Subscribe(protocol.NotificationSubject(protocol.Any, protocol.Any, investigation), hear)
	if err != nil {
		return nil, err
	}
	stopC, err := o.conn.Subscribe(protocol.CompletionSubject(protocol.Any, investigation), hear)
	if err != nil {
		stopN()
		return nil, err
	}
	stopT, err := o.conn.Subscribe(protocol.InvestigationSubject(investigation, protocol.PhaseTold), hear)
	if err != nil {
		stopN()
		stopC()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	go o.watch(ctx, investigation, heard)
	return func() { stopN(); stopC(); stopT(); cancel() }, nil
}

// How soon after a message was heard, and how often at least, the stream is asked.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 5 * time.Second
)

// watch wakes up when the stream has something new. To hear of it is not enough:
// a subscriber may hear a message before the stream has stored it, and whoever
// read the stream at once and missed it would wait for a message that has come
// already; one that was sent while this connection was down is never heard.
func (o *operators) watch(ctx context.Context, investigation string, heard <-chan struct{}) {
	look := time.NewTimer(lastLook)
	defer look.Stop()
	for delay := lastLook; ; look.Reset(delay) {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			delay = firstLook
		case <-look.C:
			delay = min(2*delay, lastLook)
		}
		if o.news(ctx, investigation) {
			o.ring()
		}
	}
}

// news reports whether the stream has what News has not returned yet.
func (o *operators) news(ctx context.Context, investigation string) bool {
	o.mu.Lock()
	since := o.since
	o.mu.Unlock()
	for _, err := range o.conn.RangeLeader(ctx, bus.Findings, protocol.CompletionSubject(protocol.Any, investigation), since.Completions+1) {
		return err == nil
	}
	for _, err := range o.conn.RangeLeader(ctx, bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, investigation), since.Notifications+1) {
		return err == nil
	}
	for _, err := range o.conn.RangeLeader(ctx, bus.Findings, protocol.InvestigationSubject(investigation, protocol.PhaseTold), since.Told+1) {
		return err == nil
	}
	return false
}

// Wake implements agent.Operators. What came since the last News has closed
// the channel already.
func (o *operators) Wake() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wake
}

// servesWithin is how long a worker may take to be found, servesTry how long those
// that are asked may take, and servesAsked how many that is: some may hang while
// others work.
const (
	servesWithin = 2 * time.Second
	servesTry    = 250 * time.Millisecond
	servesAsked  = 4
)

// Serves implements agent.Operators. While NATS is away nobody can be found, which
// says nothing about workers: that time does not count.
func (o *operators) Serves(ctx context.Context, skill string) error {
	for late := time.Now().Add(servesWithin); ; {
		err := o.served(ctx, skill)
		if err == nil || !bus.Transient(err) && !errors.Is(err, bus.ErrNobody) {
			return err
		}
		if !o.conn.Connected() {
			late = time.Now().Add(servesWithin)
		}
		if time.Now().After(late) {
			return fmt.Errorf("no worker serves %s: start one with `operator --skills %s`", skill, skill)
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// served asks once whether somebody serves a skill, whose durable it makes.
func (o *operators) served(ctx context.Context, skill string) error {
	setup, cancel := context.WithTimeout(ctx, servesWithin)
	defer cancel()
	if err := o.conn.EnsureConsumer(setup, bus.Tasks(skill)); err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, servesTry)
	defer cancel()
	// Each request goes to one of the workers, by lot: where some of them hang, one
	// would often meet those alone.
	answers := make(chan error, servesAsked)
	for range servesAsked {
		go func() {
			_, err := o.conn.Request(ask, protocol.ServesSubject(skill), nil)
			answers <- err
		}()
	}
	var err error
	for range servesAsked {
		err = <-answers
		if _, refused := errors.AsType[bus.Refusal](err); err == nil || refused { // who is too busy to answer serves it too
			return nil
		}
	}
	return err
}

// Start implements agent.Operators.
func (o *operators) Start(ctx context.Context, t protocol.Task) error {
	_, err := o.conn.Publish(ctx, bus.Outgoing{Subject: protocol.TaskSubject(t.Queue()), Body: t, ID: t.RunID, Dedupe: true})
	return err
}

// maxFindings is how many messages of a kind are read at a time; maxFindingBytes
// how much of each kind fits into one record of the journal.
const (
	maxFindings     = 100
	maxFindingBytes = 256 << 10
)

// News implements agent.Operators. Completions are read before notifications, and
// from the stream's leader, so that what an operator sent before it completed is
// there. Where not all notifications fit, completions wait for the next time.
func (o *operators) News(ctx context.Context, investigation string, since agent.Cursor) (news agent.News, err error) {
	o.mu.Lock()
	o.wake = make(chan struct{})
	o.mu.Unlock()
	news.Cursor = since
	defer func() {
		if err != nil {
			news = agent.News{Cursor: since}
		}
		o.mu.Lock()
		o.since = news.Cursor
		o.mu.Unlock()
	}()
	more := false
	if news.Told, more, err = someOf[protocol.Told](ctx, o.conn, protocol.InvestigationSubject(investigation, protocol.PhaseTold), &news.Cursor.Told); err != nil {
		return news, err
	}
	if more {
		o.ring()
	}
	if news.Completions, more, err = someOf[protocol.Completion](ctx, o.conn, protocol.CompletionSubject(protocol.Any, investigation), &news.Cursor.Completions); err != nil {
		return news, err
	}
	if more {
		o.ring()
	}
	news.Notifications, more, err = someOf[protocol.Notification](ctx, o.conn, protocol.NotificationSubject(protocol.Any, protocol.Any, investigation), &news.Cursor.Notifications)
	if err == nil && more {
		news.Completions, news.Cursor.Completions = nil, since.Completions
		o.ring()
	}
	return news, err
}

// someOf reads the messages of a subject after a sequence, as many as fit into one
// record of the journal but at least one, and says whether there are more.
func someOf[M protocol.Message](ctx context.Context, conn *bus.Conn, subject string, after *uint64) (list []M, more bool, err error) {
	size := 0
	for m, err := range conn.RangeLeader(ctx, bus.Findings, subject, *after+1) {
		if err != nil {
			return nil, false, err
		}
		if size += len(m.Data); len(list) >= maxFindings || len(list) > 0 && size > maxFindingBytes {
			return list, true, nil
		}
		v, err := protocol.Decode[M](m.Data)
		if err != nil {
			return nil, false, fmt.Errorf("%s at sequence %d: %w", v.MessageType(), m.Sequence, err)
		}
		list, *after = append(list, v), m.Sequence
	}
	return list, false, nil
}

// ring wakes up whoever waits, and whoever waits next before the next News.
func (o *operators) ring() {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.wake: // somebody was faster
	default:
		close(o.wake)
	}
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

// conclusions publishes the insights of one investigation.
type conclusions struct {
	conn *bus.Conn
	// read is what Series read of each subject: an insight has a dozen series, most
	// of them of the same snapshots.
	read map[string][]protocol.Snapshot
}

var _ agent.Conclusions = (*conclusions)(nil)

// Publish implements agent.Conclusions.
func (c *conclusions) Publish(ctx context.Context, i protocol.Insight) error {
	_, err := c.conn.PublishOnce(ctx, bus.Insights, bus.Outgoing{
		Subject: protocol.InsightSubject(string(i.Severity), string(i.CorrelationType), i.InvestigationID), Body: i, ID: i.ID, At: i.CreatedAt,
	})
	return err
}

// maxPoints keeps a series within 2 KiB of JSON.
const maxPoints = 56

// Series implements agent.Conclusions.
func (c *conclusions) Series(ctx context.Context, skill string, e protocol.Evidence) []protocol.Point {
	if skill == "" || e.Node == "" {
		return nil
	}
	var points []protocol.Point
	for _, s := range c.snapshots(ctx, protocol.SnapshotSubject(e.Node, e.Target, skill)) {
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

// snapshots returns what the stream holds of a subject, oldest first, as it was
// when the investigation first asked. Evidence stands without its series: what
// cannot be read is left out.
func (c *conclusions) snapshots(ctx context.Context, subject string) []protocol.Snapshot {
	if known, ok := c.read[subject]; ok {
		return known
	}
	var list []protocol.Snapshot
	for m, err := range c.conn.Range(ctx, bus.Snapshots, subject, 0) {
		if err != nil {
			break
		}
		if s, err := protocol.Decode[protocol.Snapshot](m.Data); err == nil {
			list = append(list, s)
		}
	}
	if c.read == nil {
		c.read = map[string][]protocol.Snapshot{}
	}
	c.read[subject] = list
	return list
}

// cancelAll ends the operators that still run.
func cancelAll(ctx context.Context, conn *bus.Conn, runs []agent.OperatorRun, by, reason string) error {
	var errs []error
	for _, r := range runs {
		errs = append(errs, journal.Cancel(ctx, conn, protocol.OperatorAgent, r.RunID, by, reason))
	}
	return errors.Join(errs...)
}
