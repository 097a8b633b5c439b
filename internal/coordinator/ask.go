package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var _ agent.Asks = (*investigation)(nil)

// Ask implements agent.Asks: the coordinator rebuilds the operator's conversation
// from its journal and asks the model itself.
func (inv *investigation) Ask(ctx context.Context, run agent.OperatorRun, question string) (agent.Reply, protocol.Usage, error) {
	records, err := journal.Read(ctx, inv.Bus, protocol.OperatorAgent, run.RunID)
	if err != nil {
		return agent.Reply{}, protocol.Usage{}, err
	}
	reply, answer, err := inv.about(ctx, inv.req.Model, run.RunID, records, agent.Question{Investigation: inv.id, By: "The coordinator", Text: question})
	return reply, answer.Usage, err
}

// about asks a model, or where it does not answer the rules analyst, about a run.
func (c *coordinator) about(ctx context.Context, model, run string, records []protocol.Record, q agent.Question) (agent.Reply, protocol.Answer, error) {
	decider, err := c.Deciders(model)
	if err != nil {
		return agent.Reply{}, protocol.Answer{}, err
	}
	reply, answer, err := agent.AskAbout(ctx, decider, run, records, q)
	if err == nil || ctx.Err() != nil {
		return reply, answer, err
	}
	c.Log.Warn("a model did not answer a question: the rules analyst does", "run", run, "err", err)
	used, why := answer.Usage, err
	reply, answer, err = agent.AskAbout(ctx, c.analyst, run, records, q)
	answer.Usage, answer.Instead = answer.Usage.Plus(used), why.Error()
	return reply, answer, err
}

// askWithin is how long a model may take for the answer to a person.
const askWithin = 3 * time.Minute

// askRequest answers a question about an investigation that has ended. The answer
// is a run of its own, with a journal; the investigation stays as it is.
func (c *coordinator) askRequest(ctx context.Context, r bus.Req) (any, error) {
	q, st, err := c.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	if st.Result == nil {
		return nil, bus.Refuse(409, "investigation %s still runs: tell it something with %s", q.ID, protocol.TellSubject)
	}
	records, err := journal.Read(ctx, c.Bus, protocol.CoordinatorAgent, q.ID)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, bus.Refuse(404, "the journal of investigation %s is gone: it was kept for 7 days", q.ID)
	}
	model := ""
	if st.accepted != nil {
		model = st.accepted.Request.Model
	}
	run := protocol.NewID()
	j, err := journal.Claim(ctx, c.Bus, protocol.CoordinatorAgent, run, c.cfg.Name)
	if err != nil {
		return nil, err
	}
	subject, err := json.Marshal(map[string]string{"about": q.ID, "by": q.By})
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	start := protocol.Start{
		Agent: protocol.CoordinatorAgent, User: q.Text, Subject: subject, StartedAt: now,
		Settings: protocol.RunSettings{Model: model, MaxIterations: 1, Deadline: now.Add(askWithin)},
	}
	if _, err := j.Append(ctx, protocol.RecordStart, start); err != nil {
		return nil, err
	}
	question := agent.Question{Investigation: q.ID, By: q.By, Text: q.Text}
	if q.Parts {
		question.Hear = parts(r)
	}
	reply, answer, askErr := c.about(ctx, model, run, records, question)
	if err := endAsk(ctx, j, reply, answer, askErr); err != nil {
		return nil, err
	}
	if askErr != nil {
		return nil, bus.Refuse(503, "no answer: %v", askErr)
	}
	figures, err := agent.CheckReply(records, reply)
	if err != nil {
		c.Log.Warn("the figures of an answer could not be checked", "run", run, "err", err)
	}
	return protocol.AskReply{
		InvestigationID: q.ID, RunID: run, Summary: reply.Summary, Findings: listOf(reply.Findings), Concerns: listOf(reply.Concerns),
		Figures: figures, Model: answer.Model, Usage: answer.Usage,
	}, nil
}

// partEvery is how often the answer so far is sent at most.
const partEvery = 100 * time.Millisecond

// parts sends a reply on while it is being written.
func parts(r bus.Req) func(agent.Reply) {
	var last time.Time
	return func(so agent.Reply) {
		if time.Since(last) < partEvery {
			return // the next one has it too
		}
		last = time.Now()
		_ = r.Part(protocol.AskPart{Summary: so.Summary, Findings: listOf(so.Findings), Concerns: listOf(so.Concerns)}) // the answer has it all
	}
}

// endAsk writes the answer and the end of the run of a question, also when whoever
// asked has gone.
func endAsk(ctx context.Context, j *journal.Journal, reply agent.Reply, a protocol.Answer, askErr error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	f := protocol.Finish{Outcome: protocol.OutcomeDone, Usage: a.Usage, Steps: 1, Model: a.Model, Instead: a.Instead}
	if askErr != nil {
		f.Outcome, f.Error, f.Steps = protocol.OutcomeFailed, askErr.Error(), 0
	} else {
		a.Step = 1
		if _, err := j.Append(ctx, protocol.RecordAnswer, a); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	f.Summary = raw
	if _, err := j.Append(ctx, protocol.RecordFinish, f); err != nil && !errors.Is(err, agent.ErrCancelled) {
		return err
	}
	return nil
}

func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// tellRequest adds what a person says to an investigation that runs.
func (c *coordinator) tellRequest(ctx context.Context, r bus.Req) (any, error) {
	q, st, err := c.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	if st.Result != nil {
		return nil, bus.Refuse(409, "investigation %s has ended, as %s: ask about it with %s", q.ID, st.State, protocol.AskSubject)
	}
	told := protocol.Told{ID: protocol.NewID(), InvestigationID: q.ID, Text: q.Text, By: q.By, At: time.Now().UTC()}
	_, err = c.Bus.PublishOnce(ctx, bus.Findings, bus.Outgoing{
		Subject: protocol.InvestigationSubject(q.ID, protocol.PhaseTold), Body: told, ID: told.ID, At: told.At,
	})
	return told, err
}

// maxAskText is how long what a person says may be, in bytes: all of it is read by
// a model, at each step.
const maxAskText = 4 << 10

// asked reads what a person says, and looks the investigation up that it is said to.
func (c *coordinator) asked(ctx context.Context, r bus.Req) (protocol.Ask, Status, error) {
	q, err := protocol.Decode[protocol.Ask](r.Data)
	if err != nil {
		return q, Status{}, bus.Refuse(400, `send {"id":"…","text":"…"}: %v`, err)
	}
	if len(q.ID) > protocol.MaxToken {
		return q, Status{}, bus.Refuse(400, `"id" has %d letters (at most %d)`, len(q.ID), protocol.MaxToken)
	}
	if len(q.Text) > maxAskText {
		return q, Status{}, bus.Refuse(400, `"text" has %d bytes (at most %d)`, len(q.Text), maxAskText)
	}
	if q.By == "" {
		q.By = "a person"
	}
	st, err := c.lookup(ctx, q.ID)
	if err == nil && st.accepted == nil && st.Result == nil {
		err = bus.Refuse(404, "unknown investigation %q", q.ID)
	}
	return q, st, err
}

// strategy returns the strategy of a name; "" is the default.
func (inv *investigation) strategy(name string) (agent.Strategy, error) {
	if name == "" {
		return inv.Strategies[0], nil
	}
	var have []string
	for _, s := range inv.Strategies {
		if s.Name() == name {
			return s, nil
		}
		have = append(have, s.Name())
	}
	return nil, fmt.Errorf("unknown strategy %q (have %s)", name, strings.Join(have, ", "))
}
