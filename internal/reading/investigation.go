package reading

import (
	"context"
	"encoding/json"
	"fmt"
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

// findings are what the stream of findings holds of an investigation.
type findings struct {
	accepted      *protocol.Accepted
	progress      []protocol.Progress
	result        *protocol.Result
	notifications []protocol.Notification
	completions   []protocol.Completion
	states        []protocol.State
}

// findingsOf reads those of an investigation.
func findingsOf(ctx context.Context, conn *bus.Conn, id string) (findings, error) {
	var f findings
	for _, subject := range []string{
		protocol.InvestigationSubject(id, protocol.Any), protocol.NotificationSubject(protocol.Any, protocol.Any, id),
		protocol.CompletionSubject(protocol.Any, id), protocol.StateSubject(protocol.Any, id),
	} {
		for m, err := range conn.Range(ctx, bus.Findings, subject, 0) {
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

// investigation says where an investigation stands.
func (f *findings) investigation(id string) Investigation {
	i := Investigation{ID: id, State: Running}
	if a := f.accepted; a != nil {
		i.Request, i.RunID, i.Deadline, i.Accepted = &a.Request, a.RunID, a.Deadline, a.At
	}
	if r := f.result; r != nil {
		i.State, i.Error, i.Ended, i.Insights, i.Usage = string(r.State), r.Error, r.EndedAt, len(r.Insights), &r.Usage
	}
	return i
}

// Running is the state of an investigation that has not ended.
const Running = "running"

// Recent returns where the investigations stand that said something since a moment, the
// newest first; at most limit.
func Recent(ctx context.Context, conn *bus.Conn, since time.Time, limit int) ([]Investigation, error) {
	by, order := map[string]*findings{}, []string{}
	for m, err := range conn.RangeSince(ctx, bus.Findings, protocol.InvestigationSubject(protocol.Any, protocol.Any), since) {
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
	list := []Investigation{}
	for _, id := range slices.Backward(order) {
		if len(list) == limit {
			break
		}
		list = append(list, by[id].investigation(id))
	}
	return list, nil
}

// ViewInvestigation returns an investigation by its whole id; a MissingError where no
// coordinator took one in the last week.
func ViewInvestigation(ctx context.Context, conn *bus.Conn, id string) (v InvestigationView, err error) {
	f, err := findingsOf(ctx, conn, id)
	if err != nil {
		return v, err
	}
	if f.accepted == nil && f.result == nil && len(f.progress) == 0 && len(f.notifications) == 0 {
		return v, &MissingError{fmt.Sprintf("no investigation %q in the last 7 days", id)}
	}
	v = InvestigationView{
		Investigation: f.investigation(id), Progress: orEmpty(f.progress), Notifications: orEmpty(f.notifications), Runs: f.runs(), Conclusions: []protocol.Insight{},
	}
	list, _, err := All[protocol.Insight](ctx, conn, bus.Insights, protocol.InsightSubject(protocol.Any, protocol.Any, id))
	if err != nil {
		return v, err
	}
	for _, x := range list {
		v.Conclusions = append(v.Conclusions, x.Value)
	}
	if v.Runs, err = begun(ctx, conn, v.Runs, v.State); err != nil {
		return v, err
	}
	v.Said, err = SaidOf(ctx, conn, id)
	return v, err
}

// begun adds to the runs of an investigation those that its coordinator began and that
// have said nothing yet, as its journal has them. Of one that has ended there are none.
func begun(ctx context.Context, conn *bus.Conn, runs []Run, state string) ([]Run, error) {
	if state != Running || len(runs) == 0 {
		return runs, nil
	}
	records, _, err := All[protocol.Record](ctx, conn, bus.Journal, protocol.JournalSubject(protocol.CoordinatorAgent, runs[0].ID))
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		var result protocol.ToolResult
		var effect struct {
			Runs []Run `json:"runs"`
		}
		if rec.Value.Kind != protocol.RecordResult || json.Unmarshal(rec.Value.Data, &result) != nil || json.Unmarshal(result.Effect, &effect) != nil {
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
