package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An EvidenceView is what an address of evidence says. An address always has an answer:
// the value where it was measured, the copy that a conclusion kept, or that both are gone.
type EvidenceView struct {
	Address string `json:"address"`
	// From is where the rest is from: snapshot, run, insight, or expired.
	From     string               `json:"from"`
	Evidence *protocol.Evidence   `json:"evidence,omitempty"` // as a conclusion or a finding keeps it
	Snapshot *protocol.Snapshot   `json:"snapshot,omitempty"` // that it is of, while that is kept
	Result   *protocol.ToolResult `json:"result,omitempty"`   // of the step that it is of
	CitedBy  []string             `json:"cited_by"`           // ids of insights
	Note     string               `json:"note,omitempty"`
}

func (s *Server) evidence(ctx context.Context, q *query) (any, error) {
	address := q.text("address")
	where, field, ok := strings.Cut(address, "#")
	if !ok || where == "" || field == "" || len(address) > 512 {
		q.wrong = append(q.wrong, fmt.Errorf("address=%.60q: it is SNAPSHOT#field or RUN/STEP#path", address))
	}
	if q.err() != nil {
		return nil, nil
	}
	v := EvidenceView{Address: address, From: "expired", CitedBy: []string{}}
	insights, _, err := readAll[protocol.Insight](ctx, s, bus.Insights, "insights.>", time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	for _, x := range insights {
		for _, e := range x.value.Evidence {
			if e.Address == address {
				v.CitedBy, v.Evidence, v.From = append(v.CitedBy, x.value.ID), &e, "insight"
				break
			}
		}
	}
	if run, step, is := strings.Cut(where, "/"); is {
		err = s.stepOf(ctx, run, step, &v)
	} else {
		err = s.snapshotOf(ctx, where, &v)
	}
	if err != nil {
		return nil, err
	}
	if v.From == "expired" {
		v.Note = "nothing that is kept has it: snapshots are kept for an hour or a day, runs for 7 days, conclusions for 30"
	}
	return v, nil
}

// snapshotOf finds a snapshot by its id. Where a conclusion names its node and target,
// only those are looked through.
func (s *Server) snapshotOf(ctx context.Context, id string, v *EvidenceView) error {
	node, target := protocol.Any, protocol.Any
	if e := v.Evidence; e != nil && e.Node != "" && e.Target != "" {
		node, target = e.Node, e.Target
	}
	for m, err := range s.bus.Range(ctx, bus.Snapshots, protocol.SnapshotSubject(node, target, protocol.Any), 0) {
		if err != nil {
			return err
		}
		if snap := decoded[protocol.Snapshot](m.Data); snap != nil && snap.ID == id {
			v.Snapshot, v.From = snap, "snapshot"
			return nil
		}
	}
	return nil
}

// stepOf finds the result of a run's step.
func (s *Server) stepOf(ctx context.Context, run, step string, v *EvidenceView) error {
	for _, agent := range []string{protocol.OperatorAgent, protocol.CoordinatorAgent} {
		for m, err := range s.bus.Range(ctx, bus.Journal, protocol.JournalSubject(agent, run), 0) {
			if err != nil {
				return err
			}
			r := decoded[protocol.Record](m.Data)
			if r == nil || r.Kind != protocol.RecordResult {
				continue
			}
			var res protocol.ToolResult
			if json.Unmarshal(r.Data, &res) == nil && (fmt.Sprint(res.Step) == step || res.CallID == step) {
				v.Result, v.From = &res, "run"
				return nil
			}
		}
	}
	return nil
}
