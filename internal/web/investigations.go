package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Investigation is where one stands.
type Investigation = reading.Investigation

// An InvestigationView is one investigation with all that it brought forth.
type InvestigationView = reading.InvestigationView

// A Run is one of an agent within an investigation.
type Run = reading.Run

// An Asked is a request that was stored.
type Asked struct {
	ID string `json:"id"` // of the investigation that it becomes
}

// A Question is one to an investigation, or to a host.
type Question struct {
	Text     string `json:"text,omitempty"`     // to an investigation
	Node     string `json:"node,omitempty"`     // to a host
	Target   string `json:"target,omitempty"`   // of it; empty: the host itself
	Callback string `json:"callback,omitempty"` // which of its questions
	Args     any    `json:"args,omitempty"`     // a list, or names and values
}

func (s *Server) investigations(ctx context.Context, q *query) (any, error) {
	limit, since := q.number("limit", 100, 1, 1000), q.since(keptFor)
	if q.err() != nil {
		return nil, nil
	}
	list, err := reading.Recent(ctx, s.bus, since, limit)
	return Page[Investigation]{Items: list}, err
}

func (s *Server) investigation(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	return reading.ViewInvestigation(ctx, s.bus, id)
}

// investigate stores a request. Its id makes a repeat harmless.
func (s *Server) investigate(ctx context.Context, q *query) (any, error) {
	var r protocol.Request
	q.body(&r)
	if r.Group != "" || len(r.Notifications) > 0 {
		q.wrong = append(q.wrong, fmt.Errorf(`"group" and "notifications" are not for people`))
	}
	if r.ID == "" {
		r.ID = protocol.NewID()
	}
	if err := r.Validate(); err != nil {
		q.wrong = append(q.wrong, err)
	}
	if q.err() != nil {
		return nil, nil
	}
	if _, err := s.bus.Publish(ctx, bus.Outgoing{Subject: protocol.RequestSubject, Body: r, ID: r.ID, Dedupe: true}); err != nil {
		return nil, err
	}
	return accepted{Asked{r.ID}}, nil
}

func (s *Server) cancel(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	_, err := s.bus.Request(ctx, protocol.CancelSubject, map[string]string{"id": id, "by": by})
	return nil, err
}

func (s *Server) question(q *query, what string) Question {
	var in Question
	q.body(&in)
	if what == "text" && strings.TrimSpace(in.Text) == "" {
		q.wrong = append(q.wrong, fmt.Errorf(`"text" is missing`))
	}
	return in
}

func (s *Server) tell(ctx context.Context, q *query) (any, error) {
	id, in := q.id("id"), s.question(q, "text")
	if q.err() != nil {
		return nil, nil
	}
	_, err := s.bus.Request(ctx, protocol.TellSubject, protocol.Ask{ID: id, Text: in.Text, By: by})
	return nil, err
}

// by is who says what comes over the API: it knows a token, and nobody's name.
const by = "api"

func (s *Server) call(ctx context.Context, q *query) (any, error) {
	in := s.question(q, "call")
	if in.Node == "" || in.Callback == "" || in.Node == protocol.Any || in.Callback == protocol.Any {
		q.wrong = append(q.wrong, fmt.Errorf(`"node" and "callback" name a host and its question`))
	}
	if q.err() != nil {
		return nil, nil
	}
	const within = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, within+time.Second)
	defer cancel()
	raw, err := s.bus.Request(ctx, protocol.ProbeSubject(in.Node, "call"), protocol.Call{Target: in.Target, Callback: in.Callback, Args: in.Args, DeadlineMS: within.Milliseconds()})
	return json.RawMessage(raw), err
}

func (s *Server) run(ctx context.Context, q *query) (any, error) {
	id, from, limit := q.id("run"), q.number("from", 1, 1, 1<<30), q.number("limit", 100, 1, 1000)
	if q.err() != nil {
		return nil, nil
	}
	page := Page[protocol.Record]{Items: []protocol.Record{}}
	for m, err := range reading.Journal(ctx, s.bus, id) {
		if err != nil {
			return nil, err
		}
		r, err := protocol.Decode[protocol.Record](m.Data)
		switch {
		case err != nil:
			page.Unreadable++
		case r.N < from:
		case len(page.Items) == limit:
			page.Next = fmt.Sprint(r.N)
			return page, nil
		default:
			page.Items = append(page.Items, r)
		}
	}
	return page, nil
}
