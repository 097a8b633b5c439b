package reading

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An EvidenceView is what an address of evidence says. An address always has an answer:
// the value where it was measured, the copy that a conclusion or a finding kept, or
// that all are gone.
type EvidenceView struct {
	Address string `json:"address"` // in full
	// From is where the rest is from: snapshot, run, insight, finding, anomaly, or expired.
	From     string               `json:"from"`
	Evidence *protocol.Evidence   `json:"evidence,omitempty"` // as a conclusion or a finding keeps it
	Snapshot *protocol.Snapshot   `json:"snapshot,omitempty"` // that it is of, while that is kept
	Result   *protocol.ToolResult `json:"result,omitempty"`   // of the step that it is of
	CitedBy  []string             `json:"cited_by"`           // ids of insights
	Findings []CitingFinding      `json:"findings,omitempty"` // that cite it
	// Series is what the field was, oldest first: as far as snapshots are kept, else as
	// a conclusion or a finding kept it.
	Series []protocol.Point `json:"series,omitempty"`
	// SkewMS is how far the host's clock was ahead of the stream's at its last beat, the
	// way included.
	SkewMS int64 `json:"skew_ms,omitempty"`
	// KeptUntil is when the last conclusion that keeps a copy expires.
	KeptUntil time.Time `json:"kept_until,omitzero"`
	Note      string    `json:"note,omitempty"`
}

// A CitingFinding is a notification that cites an address.
type CitingFinding struct {
	ID       string `json:"id"`
	Verified bool   `json:"verified"`
}

// ParseAddress reads SNAPSHOT#field or RUN/STEP#path, with or without the word snap
// before it, as people copy it.
func ParseAddress(address string) (where, field string, err error) {
	address = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(address), "snap "))
	where, field, ok := strings.Cut(address, "#")
	if !ok || where == "" || field == "" || len(address) > 512 {
		return "", "", fmt.Errorf("%.60q: it is SNAPSHOT#field or RUN/STEP#path", address)
	}
	return where, field, nil
}

// Evidence returns what an address says. The id in it may be the beginning of one: of
// those that an insight or a finding cites, for these are what people copy; only when
// none of them begins so, of all that are kept. An AmbiguousError when several do.
func Evidence(ctx context.Context, conn *bus.Conn, address string) (EvidenceView, error) {
	where, field, err := ParseAddress(address)
	if err != nil {
		return EvidenceView{}, err
	}
	s := search{conn: conn, where: where, field: field, view: EvidenceView{From: "expired", CitedBy: []string{}}}
	if err := s.run(ctx); err != nil {
		return EvidenceView{}, err
	}
	return s.view, nil
}

// SnapshotOf returns the snapshot of an id, or of the beginning of one: as it was stored,
// or the copy that a finding kept. A MissingError, or an AmbiguousError.
func SnapshotOf(ctx context.Context, conn *bus.Conn, id string) (protocol.Snapshot, error) {
	s := search{conn: conn, where: id}
	findings, err := s.notifications(ctx)
	if err != nil {
		return protocol.Snapshot{}, err
	}
	s.cited(nil, nil, findings)
	if err := s.snapshot(ctx); err != nil {
		return protocol.Snapshot{}, err
	}
	if s.view.Snapshot == nil {
		return protocol.Snapshot{}, &MissingError{fmt.Sprintf("no snapshot %q is kept", id)}
	}
	return *s.view.Snapshot, nil
}

// search looks for an address.
type search struct {
	conn         *bus.Conn
	where, field string
	view         EvidenceView
}

func (s *search) run(ctx context.Context) error {
	insights, stored, err := Insights(ctx, s.conn)
	if err != nil {
		return err
	}
	findings, err := s.notifications(ctx)
	if err != nil {
		return err
	}
	if err := s.complete(insights, findings); err != nil {
		return err
	}
	if run, step, is := strings.Cut(s.where, "/"); is {
		if run, err = s.runID(ctx, run); err == nil {
			s.where = run + "/" + step
			s.cited(insights, stored, findings)
			err = s.step(ctx, run, step)
		}
	} else {
		s.cited(insights, stored, findings)
		err = s.snapshot(ctx)
	}
	if err == nil && s.view.From == "expired" {
		err = s.anomaly(ctx)
	}
	if err == nil {
		err = s.history(ctx)
	}
	s.view.Address = s.where + "#" + s.field
	if s.view.From == "expired" {
		s.view.Note = "nothing that is kept has it: snapshots are kept for an hour or a day, runs and findings for 7 days, conclusions for 30"
	}
	return err
}

func (s *search) notifications(ctx context.Context) (list []protocol.Notification, err error) {
	for m, err := range s.conn.Range(ctx, bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		if n, err := protocol.Decode[protocol.Notification](m.Data); err == nil {
			list = append(list, n)
		}
	}
	return list, nil
}

// complete makes the id whole by what cites it.
func (s *search) complete(insights []protocol.Insight, findings []protocol.Notification) error {
	var ids []string
	take := func(list []protocol.Evidence) {
		for _, e := range list {
			if where, field, ok := strings.Cut(e.Address, "#"); ok && field == s.field {
				ids = append(ids, where)
			}
		}
	}
	for _, i := range insights {
		take(i.Evidence)
	}
	for _, n := range findings {
		take(n.Evidence)
		for _, snap := range n.Snapshots {
			ids = append(ids, snap.ID)
		}
	}
	id, err := Match(s.where, ids)
	if err == nil && id != "" {
		s.where = id
	}
	return err
}

// cited takes in who cites the address, and the copy that they keep.
func (s *search) cited(insights []protocol.Insight, stored []bus.Msg, findings []protocol.Notification) {
	address := s.where + "#" + s.field
	copyOf := func(list []protocol.Evidence, from string) bool {
		i := slices.IndexFunc(list, func(e protocol.Evidence) bool { return e.Address == address })
		if i >= 0 && (s.view.Evidence == nil || from == "insight") {
			s.view.Evidence, s.view.From = &list[i], from
		}
		return i >= 0
	}
	s.view.CitedBy, s.view.Findings = []string{}, nil
	for _, n := range findings {
		cites := copyOf(n.Evidence, "finding")
		for _, f := range n.Figures {
			cites = cites || f.Evidence == address
		}
		if cites {
			s.view.Findings = append(s.view.Findings, CitingFinding{n.ID, n.Verified})
		}
		for _, snap := range n.Snapshots {
			if snap.ID == s.where && s.view.Snapshot == nil {
				s.view.Snapshot = &snap
				if s.view.From == "expired" {
					s.view.From = "finding"
				}
			}
		}
	}
	kept, _ := bus.StreamOf(bus.Insights)
	for n, i := range insights {
		if copyOf(i.Evidence, "insight") {
			s.view.CitedBy = append(s.view.CitedBy, i.ID)
			s.view.KeptUntil = stored[n].Time.Add(kept.MaxAge)
		}
	}
}

// snapshot finds the snapshot. Where a conclusion or a finding names its node and
// target, only those are looked through.
func (s *search) snapshot(ctx context.Context) error {
	node, target := protocol.Any, protocol.Any
	switch e := s.view.Evidence; {
	case e != nil && e.Node != "" && e.Target != "":
		node, target = e.Node, e.Target
	case s.view.Snapshot != nil:
		node, target = s.view.Snapshot.Node, s.view.Snapshot.Target
	}
	var ids []string
	var last *protocol.Snapshot
	for m, err := range s.conn.Range(ctx, bus.Snapshots, protocol.SnapshotSubject(node, target, protocol.Any), 0) {
		if err != nil {
			return err
		}
		snap, err := protocol.Decode[protocol.Snapshot](m.Data)
		if err != nil || !strings.HasPrefix(snap.ID, s.where) {
			continue
		}
		ids, last = append(ids, snap.ID), &snap
		if snap.ID == s.where { // whatever else begins so
			ids = ids[len(ids)-1:]
			break
		}
	}
	id, err := Match(s.where, ids)
	if err == nil && id != "" {
		s.where, s.view.Snapshot, s.view.From = id, last, "snapshot"
	}
	return err
}

// runID makes the id of a run whole.
func (s *search) runID(ctx context.Context, run string) (string, error) {
	runs, err := Runs(ctx, s.conn)
	if err != nil {
		return "", err
	}
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	id, err := Match(run, ids)
	if err == nil && id == "" {
		id = run
	}
	return id, err
}

// step finds the result of a run's step.
func (s *search) step(ctx context.Context, run, step string) error {
	for _, agent := range []string{protocol.OperatorAgent, protocol.CoordinatorAgent} {
		for m, err := range s.conn.Range(ctx, bus.Journal, protocol.JournalSubject(agent, run), 0) {
			if err != nil {
				return err
			}
			r, err := protocol.Decode[protocol.Record](m.Data)
			if err != nil || r.Kind != protocol.RecordResult {
				continue
			}
			var res protocol.ToolResult
			if json.Unmarshal(r.Data, &res) == nil && (fmt.Sprint(res.Step) == step || res.CallID == step) {
				s.view.Result, s.view.From = &res, "run"
				return nil
			}
		}
	}
	return nil
}

// anomaly finds what a detector said, whose findings have its id for an address.
func (s *search) anomaly(ctx context.Context) error {
	for m, err := range s.conn.Range(ctx, bus.Events, protocol.AnomalySubject(protocol.Any, protocol.Any, protocol.Any), 0) {
		if err != nil {
			return err
		}
		a, err := protocol.Decode[protocol.Anomaly](m.Data)
		if err == nil && a.ID == s.where && a.Metric == s.field {
			baseline := a.Baseline
			s.view.From = "anomaly"
			s.view.Evidence = &protocol.Evidence{
				Address: s.where + "#" + s.field, Node: a.Node, Target: a.Target, Name: a.Metric, Value: a.Value, Unit: a.Unit, Baseline: &baseline, Series: a.Series,
			}
			return nil
		}
	}
	return nil
}

// history takes in what the field was, and how the host's clock goes.
func (s *search) history(ctx context.Context) error {
	snap, e := s.view.Snapshot, s.view.Evidence
	if e != nil {
		s.view.Series = e.Series
	}
	if snap == nil {
		return nil
	}
	var kept []protocol.Point
	for m, err := range s.conn.Range(ctx, bus.Snapshots, protocol.SnapshotSubject(snap.Node, snap.Target, snap.Skill), 0) {
		if err != nil {
			return err
		}
		if x, err := protocol.Decode[protocol.Snapshot](m.Data); err == nil {
			if v, ok := x.Data[s.field].(float64); ok {
				kept = append(kept, protocol.Point{At: x.CapturedAt.UnixMilli(), Value: v})
			}
		}
	}
	if len(kept) > len(s.view.Series) {
		s.view.Series = kept
	}
	m, err := s.conn.LastDirect(ctx, bus.Nodes, protocol.NodeSubject(snap.Node))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if h, err := protocol.Decode[protocol.Heartbeat](m.Data); err == nil {
		s.view.SkewMS = h.SentAt.Sub(m.Time).Milliseconds()
	}
	return nil
}
