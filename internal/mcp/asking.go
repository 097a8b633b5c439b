package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// addCall adds the tool that an operator's user may use.
func (s *Server) addCall(server *sdk.Server) {
	add(s, server, "call", reads, "Asks a node one read-only question, such as the callback system_get_memory. A callback that is not there is answered with those that are.", s.call)
}

// addAsking adds the tools that a client's user may use.
func (s *Server) addAsking(server *sdk.Server) {
	add(s, server, "investigate", starts, "Has Fleetlens find out why. It costs time and perhaps money. It returns at once, with the id to give to get_investigation.", s.investigate)
	add(s, server, "get_investigation", reads, "Returns where an investigation stands: what is being done, and once it has ended its conclusions. It waits for the end for as long as wait_s says.", s.investigation)
	add(s, server, "cancel", ends, "Ends a running investigation, with all its runs.", s.cancel)
	add(s, server, "give_feedback", says, "Says whether an insight was right. People and later investigations read it.", s.feedback)
}

// by is who says what comes from an agent that does not say it.
const by = "mcp"

// callWithin is how long a node has to answer.
const callWithin = 10 * time.Second

// Question is one to a node.
type Question struct {
	Node     string `json:"node" jsonschema:"its name, as list_nodes has it"`
	Target   string `json:"target,omitempty" jsonschema:"of the node, as get_node has it; host when left out"`
	Callback string `json:"callback" jsonschema:"the question, such as system_get_memory"`
	Args     any    `json:"args,omitempty" jsonschema:"a list, or an object of names and values"`
}

// Answer is a node's.
type Answer struct {
	Answer protocol.CallReply `json:"answer"`
	Bounded
}

func (s *Server) call(ctx context.Context, q Question) (Answer, error) {
	if err := errors.Join(checkID("node", q.Node), checkID("callback", q.Callback)); err != nil {
		return Answer{}, err
	}
	c := protocol.Call{Target: q.Target, Callback: q.Callback, Args: q.Args, DeadlineMS: callWithin.Milliseconds()}
	if err := c.Validate(); err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callWithin+time.Second)
	defer cancel()
	raw, err := s.bus.Request(ctx, protocol.ProbeSubject(q.Node, "call"), c)
	if err != nil {
		return Answer{}, err
	}
	reply, err := protocol.Decode[protocol.CallReply](raw)
	return Answer{Answer: reply}, err
}

// Scope says where to look.
type Scope struct {
	Nodes  []string          `json:"nodes,omitempty" jsonschema:"only these nodes"`
	Labels map[string]string `json:"labels,omitempty" jsonschema:"only nodes that have all of these labels"`
	Skills []string          `json:"skills,omitempty" jsonschema:"only these skills, as fleet_overview names them"`
}

// Matter is what to find out.
type Matter struct {
	Reason    string         `json:"reason" jsonschema:"what is wrong or what to find out, in words: with symptoms, times and names"`
	Scope     Scope          `json:"scope,omitzero" jsonschema:"where to look; everywhere when left out"`
	Context   map[string]any `json:"context,omitempty" jsonschema:"what else is known, as facts by name"`
	MaxTokens int            `json:"max_tokens,omitempty" jsonschema:"how many tokens of models a run of it may use, input and output; as it is configured when left out"`
	MaxCost   float64        `json:"max_cost,omitempty" jsonschema:"how many US dollars the models of the whole investigation may cost; then it goes on without one. Refused where no price is known of the model; as it is configured when left out"`
	DeadlineS int            `json:"deadline_s,omitempty" jsonschema:"how long it may take in seconds; 300 when left out"`
}

// Handle names an investigation.
type Handle struct {
	ID string `json:"id" jsonschema:"give it to get_investigation"`
	Bounded
}

func (s *Server) investigate(ctx context.Context, m Matter) (Handle, error) {
	r := protocol.Request{
		ID: protocol.NewID(), Reason: m.Reason, Nodes: m.Scope.Nodes, Labels: m.Scope.Labels, Skills: m.Scope.Skills,
		Context: m.Context, MaxTokens: m.MaxTokens, MaxCost: m.MaxCost, DeadlineMS: int64(m.DeadlineS) * 1000,
	}
	if err := r.Validate(); err != nil {
		return Handle{}, err
	}
	_, err := s.bus.Publish(ctx, bus.Outgoing{Subject: protocol.RequestSubject, Body: r, ID: r.ID, Dedupe: true})
	return Handle{ID: r.ID, Bounded: Bounded{Hint: "it goes on by itself: call get_investigation with this id and wait_s 50"}}, err
}

// Bounds of an answer about an investigation.
const (
	maxWait   = 50 // seconds; clients give up after 60
	mostSteps = 10
)

// stateWaiting is the state of an investigation that no coordinator took yet.
const stateWaiting = "waiting"

// InvestigationQuery asks where an investigation stands.
type InvestigationQuery struct {
	ID    string `json:"id" jsonschema:"as investigate returned it"`
	WaitS int    `json:"wait_s,omitempty" jsonschema:"how many seconds to wait for its end: 0 to 50"`
}

// Investigation is where one stands.
type Investigation struct {
	ID       string             `json:"id"`
	State    string             `json:"state" jsonschema:"waiting, running, done, failed, cancelled or deadline_exceeded"`
	Reason   string             `json:"reason,omitempty"`
	Deadline time.Time          `json:"deadline,omitzero"`
	Error    string             `json:"error,omitempty" jsonschema:"why it failed"`
	Steps    []string           `json:"steps" jsonschema:"the last things that its agents did"`
	Runs     []reading.Run      `json:"runs" jsonschema:"its agents' runs: get_run has their journals"`
	Insights []protocol.Insight `json:"insights" jsonschema:"its conclusions"`
	Usage    *protocol.Usage    `json:"usage,omitempty"`
	Bounded
}

func (s *Server) investigation(ctx context.Context, q InvestigationQuery) (Investigation, error) {
	if err := checkID("id", q.ID); err != nil {
		return Investigation{}, err
	}
	if q.WaitS < 0 || q.WaitS > maxWait {
		return Investigation{}, fmt.Errorf("wait_s %d: it is a number from 0 to %d", q.WaitS, maxWait)
	}
	if q.WaitS > 0 {
		wait, cancel := context.WithTimeout(ctx, time.Duration(q.WaitS)*time.Second)
		_, err := reading.Await(wait, s.bus, q.ID, nil)
		late := wait.Err() != nil
		cancel()
		if err != nil && !late {
			return Investigation{}, err
		}
	}
	v, err := reading.ViewInvestigation(ctx, s.bus, q.ID)
	if errors.Is(err, bus.ErrNotFound) {
		return Investigation{ID: q.ID, State: stateWaiting, Steps: []string{}, Runs: []reading.Run{}, Insights: []protocol.Insight{}, Bounded: Bounded{
			Hint: "no coordinator has taken it: it waits in the queue, or there is none of this id in the last 7 days",
		}}, nil
	}
	if err != nil {
		return Investigation{}, err
	}
	out := Investigation{ID: v.ID, State: v.State, Deadline: v.Deadline, Error: v.Error, Steps: []string{}, Runs: v.Runs, Insights: v.Conclusions, Usage: v.Usage}
	if v.Request != nil {
		out.Reason = v.Request.Reason
	}
	for _, p := range v.Progress[max(0, len(v.Progress)-mostSteps):] {
		out.Steps = append(out.Steps, p.Agent+": "+p.Text)
	}
	for k := range out.Insights {
		out.Insights[k] = slim(out.Insights[k])
	}
	return out, nil
}

// Which names an investigation.
type Which struct {
	ID string `json:"id" jsonschema:"as investigate returned it"`
}

// Cancelled says that an investigation is being ended.
type Cancelled struct {
	ID    string `json:"investigation_id"`
	State string `json:"state"`
	Bounded
}

func (s *Server) cancel(ctx context.Context, q Which) (Cancelled, error) {
	var out Cancelled
	if err := checkID("id", q.ID); err != nil {
		return out, err
	}
	raw, err := s.bus.Request(ctx, protocol.CancelSubject, map[string]string{"id": q.ID, "by": by})
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

// Verdict is what somebody thinks of an insight.
type Verdict struct {
	ID      string `json:"id" jsonschema:"of the insight, or a beginning that no other has"`
	Verdict string `json:"verdict" jsonschema:"right, known (right, and known before), not_quite or wrong"`
	Comment string `json:"comment,omitempty" jsonschema:"what was right, or what it was instead"`
	By      string `json:"by,omitempty" jsonschema:"who thinks so; mcp when left out"`
}

// Stored says of what insight the feedback is.
type Stored struct {
	ID string `json:"id"`
	Bounded
}

func (s *Server) feedback(ctx context.Context, v Verdict) (Stored, error) {
	if err := checkID("id", v.ID); err != nil {
		return Stored{}, err
	}
	i, _, err := reading.FindInsight(ctx, s.bus, v.ID)
	if err != nil {
		return Stored{}, err
	}
	f := protocol.Feedback{ID: i.ID, Verdict: v.Verdict, Comment: v.Comment, By: cmp.Or(v.By, by), At: time.Now().UTC()}
	if err := f.Validate(); err != nil {
		return Stored{}, err
	}
	_, err = s.bus.Publish(ctx, bus.Outgoing{Subject: protocol.PeopleSubject("feedback", i.ID), Body: f})
	return Stored{ID: i.ID}, err
}
