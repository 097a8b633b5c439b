package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A watcher evaluates checks on the snapshots of the fleet, without a model. It
// keeps nothing that another worker would need: any worker may see any snapshot.
type watcher struct {
	conn     *bus.Conn
	log      *slog.Logger
	words    []protocol.Words
	cooldown time.Duration // a problem that lasts is told again after it
	tells    tells
	sent     recent
}

// watchBatch is how many snapshots a worker takes at a time.
const watchBatch = 128

// run watches the snapshots of skills until ctx ends.
func (w *watcher) run(ctx context.Context, names []string) error {
	var wg sync.WaitGroup
	for _, skill := range names {
		if !slices.ContainsFunc(w.words, func(k protocol.Words) bool { return k.Skill == skill && len(k.Checks) > 0 }) {
			continue // there is nothing to evaluate
		}
		wg.Go(func() {
			_ = w.conn.Batches(ctx, bus.Watched(skill), watchBatch, func(ctx context.Context, batch []bus.Msg) error { return w.look(ctx, skill, batch) })
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// look evaluates a batch and returns when the server has what was found.
func (w *watcher) look(ctx context.Context, skill string, batch []bus.Msg) error {
	var mu sync.Mutex
	var sent int
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(watchAtOnce)
	for _, m := range batch {
		found, err := w.problems(ctx, m)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, n := range found {
			g.Go(func() error {
				err := w.tell(ctx, n)
				mu.Lock()
				defer mu.Unlock()
				sent++
				return err
			})
		}
	}
	err := g.Wait()
	w.tells.watched(ctx, skill, len(batch), sent)
	return err
}

// watchAtOnce is how many notifications are on their way at a time.
const watchAtOnce = 16

// tell stores a notification, unless another worker did. Each has a subject of its own,
// so that it stays one however long the stream remembers ids.
func (w *watcher) tell(ctx context.Context, n telling) error {
	_, err := w.conn.PublishOnce(ctx, bus.Findings, bus.Outgoing{
		Subject: watchSubject(n.Operator, n.Node, n.ID), Body: n.Notification, ID: n.ID,
	})
	if errors.Is(err, protocol.ErrTooLarge) {
		w.log.Error("a notification cannot be written", "node", n.Node, "skill", n.Operator, "check", n.AnomalyType, "err", err)
		err = nil
	}
	if err == nil {
		w.sent.add(n.ID, n.at)
	}
	return err
}

// A telling is a notification, and when the stream took in the snapshot that it is of.
type telling struct {
	protocol.Notification
	at time.Time
}

// problems returns the notifications that a snapshot gives rise to.
func (w *watcher) problems(ctx context.Context, m bus.Msg) ([]telling, error) {
	if time.Since(m.Time) > w.cooldown { // what it shows is no longer so, or is in a later one
		return nil, nil
	}
	snap, words, ok := w.read(m)
	if !ok {
		return nil, nil
	}
	var out []telling
	var before []rules.Problem
	for _, p := range rules.Problems(words.Checks, snap) {
		// A cooldown of the stream's time has one id: workers that tell the same tell it once.
		turn := m.Time.UnixNano() / int64(w.cooldown)
		id, earlier := tellingID(p, turn), tellingID(p, turn-1)
		if w.sent.has(id) || m.Time.Before(w.sent.at(earlier).Add(w.cooldown)) { // the turn may be a new one, and the cooldown not over
			continue
		}
		if before == nil {
			var err error
			if before, err = w.before(ctx, m, words); err != nil {
				return nil, err
			}
		}
		// One snapshot may show a moment: a problem stands in two.
		if !slices.ContainsFunc(before, func(b rules.Problem) bool { return b.Resource() == p.Resource() }) {
			continue
		}
		// Another worker may have told it.
		told, err := w.toldAt(ctx, snap, earlier)
		if err != nil {
			return nil, err
		}
		if m.Time.Before(told.Add(w.cooldown)) {
			continue
		}
		out = append(out, telling{notification(id, p, words), m.Time})
	}
	return out, nil
}

// tellingID is the id of what is told of a problem in a turn.
func tellingID(p rules.Problem, turn int64) string {
	s := p.Snapshot
	return protocol.EffectID("watch", s.Node, s.Target, s.Skill, p.Resource(), string(p.Severity()), fmt.Sprint(turn))
}

func watchSubject(skill, node, id string) string {
	return protocol.NotificationSubject(skill, node, protocol.Watching+"-"+id)
}

// toldAt says when the stream took a notification in; the zero time: it has none.
func (w *watcher) toldAt(ctx context.Context, snap protocol.Snapshot, id string) (time.Time, error) {
	m, err := w.conn.Last(ctx, bus.Findings, watchSubject(snap.Skill, snap.Node, id))
	if errors.Is(err, bus.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	w.sent.add(id, m.Time)
	return m.Time, nil
}

// before returns the problems in the snapshot before m, never nil.
func (w *watcher) before(ctx context.Context, m bus.Msg, words protocol.Words) ([]rules.Problem, error) {
	previous, err := w.conn.Before(ctx, bus.Snapshots, m.Subject, m.Sequence)
	if errors.Is(err, bus.ErrNotFound) {
		return []rules.Problem{}, nil
	}
	if err != nil {
		return nil, err
	}
	snap, _, ok := w.read(previous)
	if !ok {
		return []rules.Problem{}, nil
	}
	return append([]rules.Problem{}, rules.Problems(words.Checks, snap)...), nil
}

// read decodes a snapshot whose words this worker knows.
func (w *watcher) read(m bus.Msg) (protocol.Snapshot, protocol.Words, bool) {
	snap, err := protocol.Decode[protocol.Snapshot](m.Data)
	if err != nil {
		w.log.Debug("a snapshot cannot be read", "subject", m.Subject, "err", err)
		return snap, protocol.Words{}, false
	}
	i := slices.IndexFunc(w.words, func(k protocol.Words) bool { return k.Skill == snap.Skill && k.Kind == snap.Kind })
	// A probe may write under its own node only, which its subject proves.
	if i < 0 || m.Subject != protocol.SnapshotSubject(snap.Node, snap.Target, snap.Skill) {
		return snap, protocol.Words{}, false
	}
	return snap, w.words[i], true
}

// notification says what stands in a snapshot: facts that code read, no guess.
func notification(id string, p rules.Problem, words protocol.Words) protocol.Notification {
	snap := p.Snapshot
	n := protocol.Notification{
		ID: id, RunID: protocol.Watching + "-" + id, Operator: snap.Skill, Node: snap.Node, Target: snap.Target, AnomalyType: p.Kind(),
		Severity: p.Severity(), Context: p.Circumstance(words), Observation: p.Observation(), Snapshots: []protocol.Snapshot{snap},
		Verified: true, DetectedAt: time.Now().UTC(), Origin: protocol.OriginWatch,
	}
	for _, x := range p.Crossed {
		m, _ := words.Metric(x.Check.Metric)
		n.Evidence = append(n.Evidence, protocol.Evidence{
			Address: snap.ID + "#" + x.Check.Metric, Node: snap.Node, Target: snap.Target, Name: x.Check.Metric, Value: x.Value, Unit: m.Unit, Threshold: &x.Threshold,
		})
	}
	if n.Validate() != nil { // its snapshot is too large: the evidence stands without it
		n.Snapshots = []protocol.Snapshot{}
	}
	return n
}

// recent remembers when what was told came up, by its id, so that a problem which
// lasts is not sent with every snapshot. What it forgets the server knows. It is safe
// for concurrent use.
type recent struct {
	mu        sync.Mutex
	now, past map[string]time.Time
}

// maxRecent is how many ids are remembered at least; twice as many at most.
const maxRecent = 50_000

func (r *recent) has(id string) bool { return !r.at(id).IsZero() }

// at returns the zero time for an id that is not known.
func (r *recent) at(id string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.now[id]; ok {
		return at
	}
	return r.past[id]
}

func (r *recent) add(id string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || len(r.now) >= maxRecent {
		r.past, r.now = r.now, map[string]time.Time{}
	}
	r.now[id] = at
}
