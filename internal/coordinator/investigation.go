package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// endGrace is how long past its deadline a request is held to write its end.
const endGrace = 20 * time.Second

// maxStalled is how many coordinators may claim an investigation in a row
// without progress before it is given up.
const maxStalled = 5

// handle runs one request to its end.
func (c *coordinator) handle(ctx context.Context, d *bus.Delivery) error {
	req, err := protocol.ReadRequest(d.Data)
	if err != nil {
		c.answer(d, protocol.Result{
			InvestigationID: c.requestID(req, d), State: protocol.ResultFailed, Error: err.Error(), Insights: []protocol.Insight{},
			OperatorResults: []protocol.Completion{}, StartedAt: d.Time, EndedAt: time.Now().UTC(),
		})
		return bus.Permanent(err)
	}
	inv := &investigation{coordinator: c, id: c.requestID(req, d), req: req, deadline: d.Time.Add(req.Deadline()), started: d.Time}
	inv.log = c.Log.With("investigation", inv.id)
	d.Until(inv.deadline.Add(endGrace))
	j, err := journal.Claim(ctx, c.Bus, protocol.CoordinatorAgent, inv.id, c.cfg.Name)
	if err != nil {
		return err
	}
	finish, ended := journal.Finished(j.Records())
	ctx, span := inv.traced(ctx, d, j.Records())
	defer span.End()
	if !ended {
		if finish, err = inv.run(ctx, j, d); errors.Is(err, agent.ErrSuperseded) {
			return fmt.Errorf("%w: %w", bus.ErrNotMine, err)
		} else if err != nil {
			return err
		}
	}
	result, err := inv.result(finish)
	if err != nil {
		return bus.Permanent(err)
	}
	inv.ended(ctx, span, result, ended)
	// The end is written even when this coordinator stops right now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	if err := inv.publish(ctx, protocol.PhaseFinished, result); err != nil {
		return err
	}
	c.answer(d, result)
	inv.log.Info("investigation finished", "state", result.State, "insights", len(result.Insights), "err", result.Error)
	return nil
}

// requestID returns the id of a request: its own, or one made of the stream and
// the sequence, so that every coordinator that gets it makes the same.
func (c *coordinator) requestID(req protocol.Request, d *bus.Delivery) string {
	if req.ID != "" {
		return req.ID
	}
	return protocol.EffectID("investigation", c.created.UTC().Format(time.RFC3339Nano), d.Stream, fmt.Sprint(d.Sequence))
}

// answer sends a result to whoever waits for it.
func (c *coordinator) answer(d *bus.Delivery, r protocol.Result) {
	// Only an inbox: a coordinator may publish where a requester may not.
	if to := d.Header[protocol.HeaderReply]; len(to) > 0 && bus.IsInbox(to[0]) {
		if err := c.Bus.Announce(to[0], r); err != nil {
			c.Log.Warn("an answer was not sent", "investigation", r.InvestigationID, "err", err)
		}
	}
}

// An investigation is one request in the hands of this coordinator.
type investigation struct {
	*coordinator
	id       string
	req      protocol.Request
	deadline time.Time
	started  time.Time
	log      interface {
		Info(msg string, args ...any)
		Warn(msg string, args ...any)
		Error(msg string, args ...any)
	}
}

// run takes the investigation from where its journal stands to its end.
func (inv *investigation) run(ctx context.Context, j *journal.Journal, d *bus.Delivery) (protocol.Finish, error) {
	if stalled := journal.Stalled(j.Records()); stalled > maxStalled && d.Deliveries > maxStalled {
		cause := fmt.Errorf("%d coordinators claimed the investigation in a row and none wrote a step: it is given up", stalled)
		if err := inv.Bus.DeadLetter(ctx, d.Msg, cause.Error()); err != nil {
			return protocol.Finish{}, err
		}
		return inv.giveUp(ctx, j, cause)
	}
	decider, subject, err := inv.prepare(ctx)
	if err != nil {
		return inv.giveUp(ctx, j, err)
	}
	if !journal.Started(j.Records()) { // else it was told when it began
		subject.Past = inv.remembers(ctx, subject.Request.Notifications, inv.req.Skills, inv.req.Nodes)
	}
	traceID := signals.TraceID(ctx)
	start, err := agent.CoordinatorStart(subject, protocol.RunSettings{
		Model: decider.Name(), MaxIterations: iterations(inv.req), MaxTokens: inv.req.MaxTokens, MaxCost: inv.req.MaxCost, Deadline: inv.deadline,
		CompactionMaxTokens: inv.req.CompactionMaxTokens, CompactionKeepLast: inv.req.CompactionKeepLast,
	}, traceID, time.Now().UTC())
	if err != nil {
		return inv.giveUp(ctx, j, err)
	}
	start.TraceParent = signals.TraceParent(ctx)
	err = inv.publish(ctx, protocol.PhaseAccepted, protocol.Accepted{
		InvestigationID: inv.id, RunID: inv.id, Coordinator: inv.cfg.Name, Request: inv.req, Deadline: inv.deadline, At: time.Now().UTC(),
	})
	if err != nil {
		return protocol.Finish{}, err
	}
	ops := &operators{conn: inv.Bus}
	stopListening, err := ops.listen(ctx, inv.id)
	if err != nil {
		return protocol.Finish{}, err
	}
	defer stopListening()
	aborted := make(chan struct{})
	closed := false
	stop, err := inv.Bus.Subscribe(protocol.CancelledSubject(inv.id), func(bus.Msg) {
		if !closed {
			closed = true
			close(aborted)
		}
	})
	if err != nil {
		return protocol.Finish{}, err
	}
	defer stop()
	tools := agent.NewCoordinatorTools(agent.CoordinatorDeps{
		Fleet: inv.fleet, Operators: ops, Conclusions: &conclusions{conn: inv.Bus}, Asks: inv, Schedules: schedules{inv.Bus}, TraceID: traceID,
		Causes: causes{conn: inv.Bus, fleet: inv.fleet, topology: inv.topology, words: inv.words, id: inv.id, past: inv.remembers},
	})
	inv.log.Info("investigation begins", "reason", inv.req.Reason, "nodes", subject.Matched, "model", decider.Name(), "records", len(j.Records()))
	f, err := agent.Run(ctx, agent.Spec{
		RunID: inv.id, Start: start, Tools: tools, Decider: decider, Journal: j, Log: inv.Log, Aborted: aborted,
		OnStep: inv.progress, Slot: d.Slot, Instead: inv.analyst, Telemetry: inv.tells.agent,
	})
	if err != nil {
		return f, err
	}
	// Whatever ended it, operators that still run have nobody to report to.
	state, _ := tools.State().(*agent.CoordinatorState)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	return f, cancelAll(end, inv.Bus, state.Running(), inv.cfg.Name, "the investigation ended as "+string(f.Outcome))
}

// prepare checks what the request asks for.
func (inv *investigation) prepare(ctx context.Context) (agent.Decider, agent.CoordinatorSubject, error) {
	sub := agent.CoordinatorSubject{InvestigationID: inv.id, Request: inv.req, Deadline: inv.deadline}
	strategy, err := inv.strategy(inv.req.Strategy)
	if err != nil {
		return nil, sub, err
	}
	model, err := inv.Deciders(inv.req.Model)
	if err != nil {
		return nil, sub, err
	}
	if inv.req.MaxCost > 0 && !llm.Priced(model) {
		return nil, sub, fmt.Errorf("max_cost: no price is known of the model %s: give it a price in the section models, or use max_tokens", model.Name())
	}
	decider := strategy.Decider(model)
	sel := inv.fleet.selectNodes(inv.req.Nodes, inv.req.Labels)
	if len(sel.nodes) == 0 || len(sel.nodes) < len(inv.req.Nodes) { // a beat may be on its way
		if err := inv.fleet.beats.read(ctx); err != nil {
			inv.log.Warn("heartbeats cannot be read", "err", err)
		}
		sel = inv.fleet.selectNodes(inv.req.Nodes, inv.req.Labels)
	}
	custom := inv.fleet.custom(ctx, sel.nodes)
	known := skillInfos(slices.Concat(inv.words, custom))
	var names []string
	for _, s := range known {
		names = append(names, s.Name)
		if len(inv.req.Skills) == 0 || slices.Contains(inv.req.Skills, s.Name) {
			sub.Skills = append(sub.Skills, s)
		}
	}
	for _, s := range inv.req.Skills {
		if !slices.Contains(names, s) {
			return nil, sub, fmt.Errorf("unknown skill %q (have %s)", s, strings.Join(names, ", "))
		}
	}
	for _, w := range custom {
		if slices.ContainsFunc(sub.Skills, func(s agent.SkillInfo) bool { return s.Name == w.Skill }) {
			sub.Custom = append(sub.Custom, w)
		}
	}
	switch {
	case len(sel.nodes) == 0 && len(inv.req.Nodes) == 0 && len(inv.req.Labels) == 0:
		return nil, sub, errNoNodes
	case len(sel.nodes) == 0:
		return nil, sub, fmt.Errorf("no node matches nodes %q and labels %v: `fleetlens nodes` lists those there are", inv.req.Nodes, inv.req.Labels)
	}
	if len(inv.req.Skills) == 0 {
		sub.Skills = offered(sub.Skills, sel.nodes)
	}
	sub.Matched, sub.Silent = len(sel.nodes), head(sel.silent)
	for i := range sub.Request.Notifications {
		n := &sub.Request.Notifications[i]
		n.Origin, n.Verified, n.InvestigationID = agent.OriginRequest, false, inv.id
		if n.ID == "" {
			n.ID = protocol.EffectID(inv.id, "request", fmt.Sprint(i))
		}
	}
	if inv.req.Group != "" {
		g, err := readGroup(ctx, inv.Bus, inv.req.Group)
		if err != nil {
			return nil, sub, err
		}
		sub.Request.Notifications = append(sub.Request.Notifications, g.Notes(inv.id)...)
		signals.Emit(ctx, signals.TriageAsked, signals.Text(signals.AttrReason, inv.req.Reason), signals.AttrCount.Int(len(inv.req.Nodes)))
	}
	return decider, sub, nil
}

// offered leaves out the skills that no target of the nodes has: nobody misses
// databases where there are none. When none is left all stay, and each says why.
func offered(list []agent.SkillInfo, nodes []protocol.Heartbeat) []agent.SkillInfo {
	had := map[string]bool{}
	for _, h := range nodes {
		for _, t := range h.Targets {
			for _, skill := range t.Skills {
				had[skill] = true
			}
		}
	}
	var out []agent.SkillInfo
	for _, s := range list {
		if had[s.Name] {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return list
	}
	return out
}

func iterations(r protocol.Request) int {
	if r.MaxIterations == 0 {
		return protocol.DefaultMaxIterations
	}
	return r.MaxIterations
}

// giveUp ends an investigation that cannot be run; its caller hears of it at once.
func (inv *investigation) giveUp(ctx context.Context, j *journal.Journal, cause error) (protocol.Finish, error) {
	inv.log.Error("an investigation is given up", "err", cause)
	raw, err := json.Marshal(agent.CoordinatorSummary{Insights: []protocol.Insight{}, Completions: []protocol.Completion{}, NotChecked: []string{}})
	if err != nil {
		return protocol.Finish{}, err
	}
	f := protocol.Finish{Outcome: protocol.OutcomeFailed, Error: cause.Error(), Summary: raw}
	_, err = j.Append(ctx, protocol.RecordFinish, f)
	if errors.Is(err, agent.ErrCancelled) {
		f.Outcome, f.Error = protocol.OutcomeCancelled, agent.ErrCancelled.Error()
		_, err = j.Append(ctx, protocol.RecordFinish, f)
	}
	inv.tells.agent.GaveUp(ctx, protocol.CoordinatorAgent, "", f.Outcome)
	return f, err
}

// result returns what the caller gets. An investigation in which nothing could be
// looked into has failed, whatever its agent thought.
func (inv *investigation) result(f protocol.Finish) (protocol.Result, error) {
	var sum agent.CoordinatorSummary
	if err := json.Unmarshal(f.Summary, &sum); err != nil {
		return protocol.Result{}, fmt.Errorf("summary of investigation %s: %w", inv.id, err)
	}
	r := protocol.Result{
		InvestigationID: inv.id, Error: f.Error, Insights: sum.Insights, OperatorResults: sum.Completions, Usage: f.Usage,
		StartedAt: inv.started, EndedAt: time.Now().UTC(),
	}
	r.Usage = r.Usage.Plus(sum.Asked)
	for _, done := range sum.Completions {
		r.Usage = r.Usage.Plus(done.Usage)
	}
	switch f.Outcome {
	case protocol.OutcomeDone:
		r.State = protocol.ResultDone
	case protocol.OutcomeCancelled:
		r.State = protocol.ResultCancelled
	case protocol.OutcomeDeadline:
		r.State = protocol.ResultDeadline
	case protocol.OutcomeMaxIterations:
		r.State = protocol.ResultDone
		if len(r.Insights) == 0 {
			r.State = protocol.ResultFailed
		}
	default:
		r.State = protocol.ResultFailed
	}
	looked := slices.ContainsFunc(sum.Completions, func(c protocol.Completion) bool { return c.Outcome == protocol.OutcomeDone && len(c.SnapshotIDs) > 0 })
	if r.State == protocol.ResultDone && len(r.Insights) == 0 && !looked {
		r.State = protocol.ResultFailed
		// Operators end a little before the investigation does: it is its deadline.
		inTime := func(c protocol.Completion) bool { return c.Outcome != protocol.OutcomeDeadline }
		if len(sum.Completions) > 0 && !slices.ContainsFunc(sum.Completions, inTime) {
			r.State = protocol.ResultDeadline
		}
		r.Error = "nothing could be looked into: " + strings.Join(sum.NotChecked, "; ")
	}
	return r, nil
}

// publish announces a phase of the investigation once.
func (inv *investigation) publish(ctx context.Context, phase string, body protocol.Message) error {
	_, err := inv.Bus.PublishOnce(ctx, bus.Findings, bus.Outgoing{
		Subject: protocol.InvestigationSubject(inv.id, phase), Body: body, ID: protocol.EffectID(inv.id, phase), Again: true,
	})
	return err
}

func (inv *investigation) progress(step int, text string) {
	p := protocol.Progress{InvestigationID: inv.id, RunID: inv.id, Agent: protocol.CoordinatorAgent, Step: step, Text: text, At: time.Now().UTC()}
	if err := inv.Bus.Announce(protocol.InvestigationSubject(inv.id, protocol.PhaseProgress), p); err != nil {
		inv.log.Warn("progress was not sent", "err", err)
	}
}
