package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// serve answers investigate.run, .cancel, .status, .list, .ask, .tell and the rest as the NATS service
// fleetlens-coordinator.
func (c *coordinator) serve(ctx context.Context) (stop func(), err error) {
	stopRun, err := c.Bus.ServeDeferred(protocol.RunSubject, "coordinators", c.runRequest(ctx))
	if err != nil {
		return nil, err
	}
	stopRest, err := c.Bus.Serve(ctx, bus.Service{
		Name: "fleetlens-coordinator", Version: "0.0.0", Description: "finds out why a fleet misbehaves",
		Metadata: map[string]string{"name": c.cfg.Name}, Timeout: 30 * time.Second,
		Endpoints: []bus.Endpoint{
			{Name: "cancel", Subject: protocol.CancelSubject, Handler: c.cancelRequest},
			{Name: "status", Subject: protocol.StatusSubject, Handler: c.statusRequest},
			{Name: "list", Subject: protocol.ListSubject, Handler: c.listRequest},
			{Name: "schedules", Subject: protocol.SchedulesSubject, Handler: c.schedulesRequest},
			{Name: "ask", Subject: protocol.AskSubject, Handler: c.askRequest, Timeout: askWithin},
			{Name: "tell", Subject: protocol.TellSubject, Handler: c.tellRequest},
			{Name: "unschedule", Subject: protocol.UnscheduleSubject, Handler: c.unscheduleRequest},
		},
	})
	if err != nil {
		stopRun()
		return nil, err
	}
	return func() { stopRun(); stopRest() }, nil
}

// runRequest queues a request; whoever finishes it answers its sender. What
// cannot be read is answered at once.
func (c *coordinator) runRequest(ctx context.Context) func(bus.Req, string) error {
	return func(r bus.Req, reply string) error {
		req, err := protocol.ReadRequest(r.Data)
		if err != nil {
			return bus.Refuse(400, "%v", err)
		}
		out := bus.Outgoing{Subject: protocol.RequestSubject, Body: req, Header: map[string]string{protocol.HeaderReply: reply}}
		if req.ID != "" {
			done, err := c.lookup(ctx, req.ID)
			if err != nil {
				return err
			}
			if done.Result != nil {
				return c.Bus.Announce(reply, *done.Result)
			}
		}
		_, err = c.Bus.Publish(bus.WithTrace(ctx, r.Header), out)
		return err
	}
}

// An idRequest names an investigation: {"id":"…"}, or the id as text.
type idRequest struct {
	ID     string `json:"id"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
}

func readID(body []byte) (idRequest, error) {
	var r idRequest
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal(body, &r); err != nil {
			return r, bus.Refuse(400, `send {"id":"…"}: %v`, err)
		}
	} else {
		r.ID = strings.Trim(text, `"`)
	}
	if r.ID == "" || len(r.ID) > protocol.MaxToken {
		return r, bus.Refuse(400, `send {"id":"…"}, the id of an investigation`)
	}
	return r, nil
}

// A Status says how far an investigation is.
type Status struct {
	InvestigationID string           `json:"investigation_id"`
	State           string           `json:"state"` // running, or a result's state
	Reason          string           `json:"reason"`
	Coordinator     string           `json:"coordinator,omitempty"`
	AcceptedAt      time.Time        `json:"accepted_at,omitzero"`
	Deadline        time.Time        `json:"deadline,omitzero"`
	Steps           int              `json:"steps"` // lines of progress so far
	Last            string           `json:"last,omitempty"`
	Result          *protocol.Result `json:"result,omitempty"`
	Insights        int              `json:"insights"`
	accepted        *protocol.Accepted
}

func (c *coordinator) statusRequest(ctx context.Context, r bus.Req) (any, error) {
	req, err := readID(r.Data)
	if err != nil {
		return nil, err
	}
	st, err := c.lookup(ctx, req.ID)
	if err != nil {
		return nil, err
	}
	if st.accepted == nil && st.Result == nil {
		return nil, bus.Refuse(404, "unknown investigation %q", req.ID)
	}
	return st, nil
}

// lookup reads an investigation's phases from the stream.
func (c *coordinator) lookup(ctx context.Context, id string) (Status, error) {
	st := Status{InvestigationID: id, State: "running"}
	for m, err := range c.Bus.Range(ctx, bus.Findings, protocol.InvestigationSubject(id, protocol.Any), 0) {
		if err != nil {
			return st, err
		}
		st.fold(m)
	}
	return st, nil
}

func (s *Status) fold(m bus.Msg) {
	parts, err := protocol.ParseSubject(m.Subject, "investigations", 2)
	if err != nil {
		return
	}
	switch parts[1] {
	case protocol.PhaseAccepted:
		if a, err := protocol.Decode[protocol.Accepted](m.Data); err == nil {
			s.accepted, s.Reason, s.Coordinator, s.AcceptedAt, s.Deadline = &a, a.Request.Reason, a.Coordinator, a.At, a.Deadline
		}
	case protocol.PhaseProgress:
		if p, err := protocol.Decode[protocol.Progress](m.Data); err == nil {
			s.Steps++
			s.Last = p.Agent + ": " + p.Text
		}
	case protocol.PhaseFinished:
		if r, err := protocol.Decode[protocol.Result](m.Data); err == nil {
			s.Result, s.State, s.Insights = &r, string(r.State), len(r.Insights)
		}
	}
}

// maxList is how many investigations a list holds: the latest.
const maxList = 100

func (c *coordinator) listRequest(ctx context.Context, _ bus.Req) (any, error) {
	byID := map[string]*Status{}
	var order []string
	for _, phase := range []string{protocol.PhaseAccepted, protocol.PhaseFinished} {
		for m, err := range c.Bus.Range(ctx, bus.Findings, protocol.InvestigationSubject(protocol.Any, phase), 0) {
			if err != nil {
				return nil, err
			}
			parts, err := protocol.ParseSubject(m.Subject, "investigations", 2)
			if err != nil {
				continue
			}
			st := byID[parts[0]]
			if st == nil {
				st = &Status{InvestigationID: parts[0], State: "running"}
				byID[parts[0]], order = st, append(order, parts[0])
			}
			st.fold(m)
			st.Result = nil
		}
	}
	out := []*Status{}
	for _, id := range slices.Backward(order) {
		if len(out) < maxList {
			out = append(out, byID[id])
		}
	}
	return map[string]any{"investigations": out, "total": len(order)}, nil
}

func (c *coordinator) cancelRequest(ctx context.Context, r bus.Req) (any, error) {
	req, err := readID(r.Data)
	if err != nil {
		return nil, err
	}
	st, err := c.lookup(ctx, req.ID)
	if err != nil {
		return nil, err
	}
	switch {
	case st.Result != nil:
		return nil, bus.Refuse(409, "investigation %s has ended already, as %s", req.ID, st.State)
	case st.accepted == nil:
		return nil, bus.Refuse(404, "unknown investigation %q", req.ID)
	}
	by := req.By
	if by == "" {
		by = c.cfg.Name
	}
	if err := journal.Cancel(ctx, c.Bus, protocol.CoordinatorAgent, req.ID, by, req.Reason); err != nil {
		return nil, fmt.Errorf("cancel: %w", err)
	}
	return map[string]string{"investigation_id": req.ID, "state": "cancelling"}, nil
}
