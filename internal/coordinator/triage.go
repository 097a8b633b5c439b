package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Keys of the state bucket that triage uses.
const (
	triageLease  = "triage.leader"
	triageLedger = bus.TriageLedger
	triageGroups = "triage.group."
)

// A desk does the triage of the fleet while this coordinator holds the lease: it puts
// signals into groups, keeps the groups in the state bucket before it acknowledges a
// signal, and asks once about each group.
type desk struct {
	conn  *bus.Conn
	log   *slog.Logger
	fleet *fleet
	links *topology
	words []protocol.Words
	opts  triage.Options
	least time.Duration // of a silence
	tells tells

	mu       sync.Mutex
	board    *triage.Board
	revision map[string]uint64 // of each key as this desk wrote or read it
	changed  map[string]*triage.Group
	ledger   triage.Ledger
	counted  bool          // the ledger changed
	saved    chan struct{} // closed when what changed until now is kept
	silenced []protocol.Silence
	people   uint64               // how far silences were read
	silent   map[string]time.Time // nodes that are silent, with their last beat
	since    time.Time            // from when on silence is judged
}

// Triage settings that are not a person's to choose.
const (
	triageBatch   = 512
	triageTick    = 250 * time.Millisecond
	stale         = 30 * time.Minute // older signals tell of something that is over
	followEvery   = time.Second      // how often the ends of investigations are looked for
	silencesEvery = 15 * time.Second
)

func (c *coordinator) newDesk() *desk {
	return &desk{conn: c.Bus, log: c.Log.With("part", "triage"), fleet: c.fleet, links: c.topology, words: c.words, opts: c.cfg.Triage, least: c.cfg.Silence, tells: c.tells}
}

// lead does the triage until ctx ends.
func (d *desk) lead(ctx context.Context) error {
	if err := d.load(ctx); err != nil {
		return err
	}
	d.tells.leading.Add(ctx, 1)
	defer d.tells.leading.Add(context.WithoutCancel(ctx), -1)
	g, ctx := errgroup.WithContext(ctx)
	for _, con := range []bus.Consumer{bus.TriageEvents, bus.TriageFindings} {
		g.Go(func() error { return d.conn.Batches(ctx, con, triageBatch, d.take) })
	}
	g.Go(func() error { return d.tick(ctx) })
	return g.Wait()
}

// load reads what the coordinator before this one kept.
func (d *desk) load(ctx context.Context) error {
	var kept, ended []*triage.Group
	entries, err := d.conn.ListState(ctx, triageGroups)
	if err != nil {
		return err
	}
	d.revision = map[string]uint64{}
	for _, e := range entries {
		g := new(triage.Group)
		if err := json.Unmarshal(e.Value, g); err != nil {
			return fmt.Errorf("%s: %w", e.Key, err)
		}
		d.revision[e.Key] = e.Revision
		if g.ClosedAt.IsZero() {
			kept = append(kept, g)
		} else {
			ended = append(ended, g)
		}
	}
	ledger := triage.Ledger{Silenced: map[string]int{}}
	if d.revision[triageLedger], err = d.conn.ReadState(ctx, triageLedger, &ledger); err != nil {
		return err
	}
	d.silenced, d.people = nil, 0
	if err := d.readSilences(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board = triage.NewBoard(d.opts, kept, ledger.Triggers, ground{d.fleet, d.links})
	d.board.Remember(ended, time.Now())
	d.ledger = ledger
	d.changed, d.saved, d.silent, d.since = map[string]*triage.Group{}, make(chan struct{}), map[string]time.Time{}, time.Now()
	for _, g := range slices.Concat(kept, ended) {
		for alert := range g.Firing {
			if node, ok := strings.CutPrefix(alert, silenceOf); ok { // it may report again by now
				d.silent[node] = g.Earliest
			}
		}
	}
	return nil
}

// take puts a batch of messages into groups, and returns when the groups are kept.
func (d *desk) take(ctx context.Context, batch []bus.Msg) error {
	var list []report
	for _, m := range batch {
		s, err := d.signal(m)
		switch {
		case err != nil:
			if err := d.conn.DeadLetter(ctx, m, err.Error()); err != nil {
				return err
			}
		case s.Key != "" && (s.Over || time.Since(m.Time) < stale):
			// What a probe kept while NATS was away tells of something that is over; an alert
			// that fires does not, however long ago it began.
			s.Quiet = s.Quiet || s.Kind != triage.Alert && time.Since(s.At) > stale
			list = append(list, s)
		}
	}
	d.mu.Lock()
	for _, s := range list {
		d.add(ctx, s)
	}
	saved := d.saved
	clean := len(d.changed) == 0
	d.mu.Unlock()
	if clean {
		return nil
	}
	select {
	case <-saved:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// add puts one signal into a group. The caller holds the lock.
func (d *desk) add(ctx context.Context, r report) {
	s := r.Signal
	if r.Over {
		d.resolve(s.Alert)
		return
	}
	if by := triage.SilencedBy(d.silenced, s, d.fleet.labelsOf(s.Node), time.Now()); by != "" {
		d.ledger.Silenced[by]++
		d.counted = true
		d.tells.triaged(ctx, "silenced")
		return
	}
	g, verdict := d.board.Add(s, time.Now().UTC())
	d.tells.triaged(ctx, string(verdict))
	if g != nil {
		d.changed[g.ID] = g
	} else {
		d.ledger.Quiet++
		d.counted = true
	}
	if verdict == triage.Opened {
		d.log.Info("group opened", "group", g.ID, "about", s.Key, "node", s.Node)
	}
}

// resolve notes that an alert is over. The caller holds the lock.
func (d *desk) resolve(alert string) {
	for _, g := range d.board.Resolve(alert, time.Now().UTC()) {
		d.changed[g.ID] = g
	}
}

// tick asks about groups, watches for silent nodes and keeps what changed.
func (d *desk) tick(ctx context.Context) error {
	followed, read := time.Time{}, time.Now()
	for pause(ctx, triageTick) {
		now := time.Now().UTC()
		if now.Sub(read) >= silencesEvery {
			read = now
			if err := d.readSilences(ctx); err != nil {
				return err
			}
		}
		d.listen(ctx, now)
		if now.Sub(followed) >= followEvery {
			followed = now
			if err := errors.Join(d.follow(ctx), d.saveLedger(ctx)); err != nil {
				return err
			}
		}
		if err := d.ask(ctx, now); err != nil {
			return err
		}
		d.mu.Lock()
		for _, g := range d.board.Sweep(now) {
			d.changed[g.ID] = g
		}
		d.mu.Unlock()
		if err := d.save(ctx); err != nil {
			return err
		}
		if err := d.tell(ctx); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// save keeps the groups that changed. A key that another coordinator wrote meanwhile
// ends this one's triage.
func (d *desk) save(ctx context.Context) error {
	d.mu.Lock()
	changed, saved := d.changed, d.saved
	if len(changed) == 0 {
		d.mu.Unlock()
		return nil
	}
	d.changed, d.saved = map[string]*triage.Group{}, make(chan struct{})
	bodies := map[string]json.RawMessage{}
	for id, g := range changed {
		b, err := json.Marshal(g)
		if err != nil {
			d.mu.Unlock()
			return err
		}
		bodies[triageGroups+id] = b
	}
	d.mu.Unlock()
	for key, body := range bodies {
		if err := d.write(ctx, key, body); err != nil {
			return err
		}
	}
	close(saved)
	return nil
}

// saveLedger keeps the ledger if it changed.
func (d *desk) saveLedger(ctx context.Context) error {
	d.mu.Lock()
	if !d.counted {
		d.mu.Unlock()
		return nil
	}
	d.counted = false
	d.ledger.Triggers = d.board.Triggers()
	body, err := json.Marshal(d.ledger)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.write(ctx, triageLedger, json.RawMessage(body))
}

func (d *desk) write(ctx context.Context, key string, v any) error {
	try, cancel := context.WithTimeout(ctx, leaseTTL)
	defer cancel()
	revision, err := d.conn.WriteState(try, key, v, d.revision[key])
	if err != nil {
		return fmt.Errorf("keep %s: %w", key, err)
	}
	d.revision[key] = revision
	return nil
}

// ask requests an investigation of each group that is due.
func (d *desk) ask(ctx context.Context, now time.Time) error {
	d.mu.Lock()
	due := d.board.Due(now)
	d.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	if err := d.save(ctx); err != nil { // the investigation reads the group
		return err
	}
	for _, g := range due {
		d.mu.Lock()
		model, why := d.board.Ask(g, now)
		d.changed[g.ID] = g
		d.counted = true
		r := d.request(g, model)
		d.mu.Unlock()
		// The request goes first: its id keeps it from being asked twice by whoever finds
		// the group not yet marked.
		_, err := d.conn.Publish(ctx, bus.Outgoing{Subject: protocol.RequestSubject, Body: r, ID: r.ID, Dedupe: true})
		d.tells.triageAsked(ctx, model, err)
		if err != nil {
			return err
		}
		if err := d.saveLedger(ctx); err != nil {
			return err
		}
		d.log.Info("asked about a group", "investigation", r.ID, "reason", r.Reason, "nodes", len(r.Nodes), "model", model, "why", why)
	}
	return nil
}

// maxAskedNodes is how many nodes of a group an investigation looks into.
const maxAskedNodes = 200

// maxNeeded is how many nodes that those of a group depend on are looked into with them.
const maxNeeded = 20

// request is what is asked about a group. The caller holds the lock.
func (d *desk) request(g *triage.Group, model bool) protocol.Request {
	r := protocol.Request{
		ID: g.ID, Reason: g.Reason(), Group: g.ID,
		Context: map[string]any{"signals": g.Signals(), "nodes": g.Count(), "about": g.Keys, "since": g.Earliest.UTC().Format(time.RFC3339)},
	}
	if !model {
		r.Model = llm.Rules
	}
	// Those of the examples first, since they are the strongest; then what they depend on.
	for _, e := range g.Examples {
		r.Nodes = appendNew(r.Nodes, e.Note.Node)
	}
	for _, n := range g.Names() {
		r.Nodes = appendNew(r.Nodes, n)
	}
	r.Nodes = d.fleet.known(append(r.Nodes, d.links.needs(r.Nodes, maxNeeded)...))
	if len(r.Nodes) > maxAskedNodes {
		r.Nodes = r.Nodes[:maxAskedNodes]
	}
	if len(r.Nodes) > fewNodes { // to look into all of everything would take too long
		r.Skills = slices.DeleteFunc(append(g.Skills(), "os"), func(s string) bool {
			return !slices.ContainsFunc(d.words, func(w protocol.Words) bool { return w.Skill == s })
		})
		slices.Sort(r.Skills)
		r.Skills = slices.Compact(r.Skills)
	}
	return r
}

// fewNodes is how many nodes are looked into with every skill there is.
const fewNodes = 20

func appendNew(list []string, s string) []string {
	if s == "" || len(list) >= 2*maxAskedNodes || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// follow writes down how the investigations of groups ended.
func (d *desk) follow(ctx context.Context) error {
	d.mu.Lock()
	var open []string
	for _, g := range d.board.Unknown() {
		open = append(open, g.ID)
	}
	d.mu.Unlock()
	for _, id := range open {
		m, err := d.conn.Last(ctx, bus.Findings, protocol.InvestigationSubject(id, protocol.PhaseFinished))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		result, err := protocol.Decode[protocol.Result](m.Data)
		if err != nil {
			d.log.Warn("a result cannot be read", "investigation", id, "err", err)
			continue
		}
		d.mu.Lock()
		for _, g := range d.board.Unknown() {
			if g.ID == id {
				g.State = result.State
				for _, i := range result.Insights {
					g.Insights = append(g.Insights, i.ID)
				}
				d.changed[id] = g
			}
		}
		d.mu.Unlock()
	}
	return nil
}

// tell says downstream that groups are over, or go on again. That they turned is kept
// already: whoever leads after this coordinator tells it again, by the same id.
func (d *desk) tell(ctx context.Context) error {
	d.mu.Lock()
	var list []protocol.Resolution
	turns := map[*triage.Group]int{}
	for _, g := range d.board.Untold() {
		turns[g] = g.Turns
		if len(g.Insights) > 0 { // else there is nothing that it could follow
			list = append(list, g.Resolution())
		}
	}
	d.mu.Unlock()
	for _, r := range list {
		if _, err := d.conn.PublishOnce(ctx, bus.Insights, bus.Outgoing{Subject: protocol.ResolutionSubject(r.Group), Body: r, ID: r.ID, At: r.At}); err != nil {
			return err
		}
		d.log.Info("a group turned", "group", r.Group, "state", r.State, "why", r.Why)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for g, n := range turns {
		g.Told = n
		d.changed[g.ID] = g
	}
	return nil
}
