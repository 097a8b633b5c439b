package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Investigation is where one stands.
type Investigation struct {
	ID       string            `json:"id"`
	State    string            `json:"state"` // running, or how it ended
	Request  *protocol.Request `json:"request,omitempty"`
	Accepted time.Time         `json:"accepted_at,omitzero"`
	Deadline time.Time         `json:"deadline,omitzero"`
	Ended    time.Time         `json:"ended_at,omitzero"`
	Error    string            `json:"error,omitempty"`
	RunID    string            `json:"run_id,omitempty"` // of its coordinator
	Insights int               `json:"insights"`
	Usage    *protocol.Usage   `json:"usage,omitempty"`
}

// A Run is one of an agent within an investigation.
type Run struct {
	ID      string               `json:"run_id"`
	Skill   string               `json:"skill,omitempty"` // empty: the coordinator's
	Targets []protocol.TargetRef `json:"targets,omitempty"`
	State   string               `json:"state,omitempty"`
	Outcome string               `json:"outcome,omitempty"` // empty: it runs
	Error   string               `json:"error,omitempty"`
}

// An InvestigationView is one investigation with all that it brought forth.
type InvestigationView struct {
	Investigation
	Progress      []protocol.Progress     `json:"progress"`
	Notifications []protocol.Notification `json:"notifications"`
	Runs          []Run                   `json:"runs"`
	Conclusions   []protocol.Insight      `json:"conclusions"`
	Said          Said                    `json:"said"`
}

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

// findings are what the stream of findings holds of an investigation.
type findings struct {
	accepted      *protocol.Accepted
	progress      []protocol.Progress
	result        *protocol.Result
	notifications []protocol.Notification
	completions   []protocol.Completion
	states        []protocol.State
}

// findings reads them.
func (s *Server) findings(ctx context.Context, id string) (findings, error) {
	var f findings
	for _, subject := range []string{
		protocol.InvestigationSubject(id, protocol.Any), protocol.NotificationSubject(protocol.Any, protocol.Any, id),
		protocol.CompletionSubject(protocol.Any, id), protocol.StateSubject(protocol.Any, id),
	} {
		for m, err := range s.bus.Range(ctx, bus.Findings, subject, 0) {
			if err != nil {
				return f, err
			}
			f.take(m)
		}
	}
	return f, nil
}

// take takes a message in; one that cannot be read is left out.
func (f *findings) take(m bus.Msg) {
	switch kind, _, _ := strings.Cut(m.Subject, "."); {
	case strings.HasPrefix(m.Subject, "operator.notification."):
		collect(m.Data, &f.notifications)
	case strings.HasPrefix(m.Subject, "operator.completion."):
		collect(m.Data, &f.completions)
	case strings.HasPrefix(m.Subject, "operator.state."):
		collect(m.Data, &f.states)
	case kind == "investigations" && strings.HasSuffix(m.Subject, "."+protocol.PhaseAccepted):
		f.accepted = decoded[protocol.Accepted](m.Data)
	case kind == "investigations" && strings.HasSuffix(m.Subject, "."+protocol.PhaseFinished):
		f.result = decoded[protocol.Result](m.Data)
	case kind == "investigations" && strings.HasSuffix(m.Subject, "."+protocol.PhaseProgress):
		collect(m.Data, &f.progress)
	}
}

func decoded[T protocol.Message](data []byte) *T {
	v, err := protocol.Decode[T](data)
	if err != nil {
		return nil
	}
	return &v
}

func collect[T protocol.Message](data []byte, to *[]T) {
	if v := decoded[T](data); v != nil {
		*to = append(*to, *v)
	}
}

// runs lists the runs, the coordinator's first.
func (f *findings) runs() []Run {
	out := []Run{}
	if f.accepted != nil {
		r := Run{ID: f.accepted.RunID}
		if f.result != nil {
			r.Outcome, r.Error = string(f.result.State), f.result.Error
		}
		out = append(out, r)
	}
	for _, c := range f.completions {
		out = append(out, Run{ID: c.RunID, Skill: c.Skill, Targets: c.Targets, State: string(c.State), Outcome: string(c.Outcome), Error: c.Error})
	}
	for _, st := range f.states {
		if !slices.ContainsFunc(out, func(r Run) bool { return r.ID == st.RunID }) {
			out = append(out, Run{ID: st.RunID, Skill: st.Skill, State: string(st.State)})
		}
	}
	return out
}

// investigationOf says where an investigation stands.
func (f *findings) investigation(id string) Investigation {
	i := Investigation{ID: id, State: stateRunning}
	if a := f.accepted; a != nil {
		i.Request, i.RunID, i.Deadline, i.Accepted = &a.Request, a.RunID, a.Deadline, a.At
	}
	if r := f.result; r != nil {
		i.State, i.Error, i.Ended, i.Insights, i.Usage = string(r.State), r.Error, r.EndedAt, len(r.Insights), &r.Usage
	}
	return i
}

func (s *Server) investigations(ctx context.Context, q *query) (any, error) {
	limit, since := q.number("limit", 100, 1, 1000), q.since(keptFor)
	if q.err() != nil {
		return nil, nil
	}
	by, order := map[string]*findings{}, []string{}
	for m, err := range s.bus.RangeSince(ctx, bus.Findings, protocol.InvestigationSubject(protocol.Any, protocol.Any), since) {
		if err != nil {
			return nil, err
		}
		names, err := protocol.ParseSubject(m.Subject, "investigations", 2)
		if err != nil || names[1] == protocol.PhaseTold {
			continue
		}
		f := by[names[0]]
		if f == nil {
			f = &findings{}
			by[names[0]] = f
			order = append(order, names[0])
		}
		f.take(m)
	}
	page := Page[Investigation]{Items: []Investigation{}}
	for _, id := range slices.Backward(order) {
		if len(page.Items) == limit {
			break
		}
		page.Items = append(page.Items, by[id].investigation(id))
	}
	return page, nil
}

func (s *Server) investigation(ctx context.Context, q *query) (any, error) {
	id := q.id("id")
	if q.err() != nil {
		return nil, nil
	}
	f, err := s.findings(ctx, id)
	if err != nil {
		return nil, err
	}
	if f.accepted == nil && f.result == nil && len(f.progress) == 0 && len(f.notifications) == 0 {
		return nil, failure{http.StatusNotFound, fmt.Sprintf("no investigation %q in the last 7 days", id)}
	}
	v := InvestigationView{
		Investigation: f.investigation(id), Progress: orEmpty(f.progress), Notifications: orEmpty(f.notifications), Runs: f.runs(), Conclusions: []protocol.Insight{},
	}
	list, _, err := latest[protocol.Insight](ctx, s, bus.Insights, protocol.InsightSubject(protocol.Any, protocol.Any, id))
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		v.Conclusions = append(v.Conclusions, x.value)
	}
	if v.Runs, err = s.begun(ctx, v.Runs, v.State); err != nil {
		return nil, err
	}
	v.Said, err = s.said(ctx, id)
	return v, err
}

// begun adds to the runs of an investigation those that its coordinator began and that
// have said nothing yet, as its journal has them. Of one that has ended there are none.
func (s *Server) begun(ctx context.Context, runs []Run, state string) ([]Run, error) {
	if state != stateRunning || len(runs) == 0 {
		return runs, nil
	}
	records, _, err := latest[protocol.Record](ctx, s, bus.Journal, protocol.JournalSubject(protocol.CoordinatorAgent, runs[0].ID))
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		var result protocol.ToolResult
		var effect struct {
			Runs []Run `json:"runs"`
		}
		if rec.value.Kind != protocol.RecordResult || json.Unmarshal(rec.value.Data, &result) != nil || json.Unmarshal(result.Effect, &effect) != nil {
			continue // another tool's, or one that a newer version wrote
		}
		for _, r := range effect.Runs {
			k := slices.IndexFunc(runs, func(known Run) bool { return known.ID == r.ID })
			if k < 0 {
				runs = append(runs, r)
			} else if len(runs[k].Targets) == 0 { // its states do not say which they are
				runs[k].Targets = r.Targets
			}
		}
	}
	return runs, nil
}

// stateRunning is the state of an investigation that has not ended.
const stateRunning = "running"

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
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
	if err != nil {
		return nil, needsOperator{err}
	}
	return json.RawMessage(raw), nil
}

func (s *Server) run(ctx context.Context, q *query) (any, error) {
	id, from, limit := q.id("run"), q.number("from", 1, 1, 1<<30), q.number("limit", 100, 1, 1000)
	if q.err() != nil {
		return nil, nil
	}
	page := Page[protocol.Record]{Items: []protocol.Record{}}
	found := false
	for _, agent := range []string{protocol.CoordinatorAgent, protocol.OperatorAgent} {
		for m, err := range s.bus.Range(ctx, bus.Journal, protocol.JournalSubject(agent, id), 0) {
			if err != nil {
				return nil, err
			}
			r, err := protocol.Decode[protocol.Record](m.Data)
			found = true
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
		if found {
			return page, nil
		}
	}
	return nil, failure{http.StatusNotFound, fmt.Sprintf("no run %q in the last 7 days", id)}
}
