package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/agent/agenttest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A modelCall is one question to the model and its answer, as texts.
type modelCall struct {
	agent  string
	blocks []string // tools with system, then each message
	answer string
	tools  []string // that it called
}

// A stage plays one investigation: the real loop, prompts and tools of coordinator
// and operators, in memory. One operator a skill; they report one after the other.
type stage struct {
	*tokenScript
	style   style
	scripts agent.Scripts
	words   map[string]protocol.Words
	calls   []modelCall
	ns      []protocol.Notification
	cs      []protocol.Completion
	ends    []int // notifications there were when each operator ended
	waits   int
	refused []string
	insight *protocol.Insight
}

func play(ctx context.Context, s *tokenScript, st style, scripts agent.Scripts) (*stage, error) {
	g := &stage{tokenScript: s, style: st, scripts: scripts, words: map[string]protocol.Words{}}
	sub := agent.CoordinatorSubject{
		InvestigationID: protocol.EffectID("investigation", s.Title), Request: protocol.Request{Reason: s.Reason},
		Deadline: time.Now().Add(longest), Matched: len(s.Nodes), Skills: skillInfos(),
	}
	for _, name := range s.Skills {
		w, err := scriptWords(name)
		if err != nil {
			return nil, err
		}
		g.words[name] = w
	}
	start, err := agent.CoordinatorStart(sub, protocol.RunSettings{Deadline: sub.Deadline, MaxIterations: 25}, "", scriptStart)
	if err != nil {
		return nil, err
	}
	tools := agent.NewCoordinatorTools(agent.CoordinatorDeps{Fleet: g, Operators: g, Conclusions: g, Causes: g})
	journal := &agent.MemoryJournal{Run: sub.InvestigationID}
	f, err := agent.Run(ctx, agent.Spec{
		RunID: sub.InvestigationID, Start: start, Tools: tools, Decider: g.decider("coordinator", s.Coordinator), Journal: journal, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil && (f.Outcome != protocol.OutcomeDone || g.insight == nil) {
		err = fmt.Errorf("the coordinator ended as %s without an insight: %s", f.Outcome, f.Error)
	}
	g.check("coordinator", journal.Log)
	return g, err
}

// check notes what tools refused: a script that does not play as written counts nothing.
func (g *stage) check(who string, records []protocol.Record) {
	for _, r := range records {
		var res protocol.ToolResult
		if r.Kind != protocol.RecordResult || json.Unmarshal(r.Data, &res) != nil {
			continue
		}
		if res.Failed || res.Invalid {
			g.refused = append(g.refused, fmt.Sprintf("%s: %s: %s", who, res.Tool, res.Content))
		}
	}
}

// decider returns a model that says what the script does, and counts.
func (g *stage) decider(who string, script []scriptTurn) agent.Decider {
	var replies []agenttest.Reply
	for _, t := range g.style.turns(script) {
		replies = append(replies, func(a agenttest.Ask) (*schema.Message, error) { return g.say(t, a) })
	}
	return agent.NewModelDecider(who, counted{agenttest.NewModel(replies...), g, who, nil})
}

func (g *stage) say(t scriptTurn, a agenttest.Ask) (*schema.Message, error) {
	m := schema.AssistantMessage(t.Says, nil)
	for i, c := range t.Calls {
		for tool, args := range c {
			if args == nil {
				args = map[string]any{}
			}
			text, err := resolved(args, g.cite)
			if err != nil {
				return nil, err
			}
			id := fmt.Sprintf("toolu_01%s%d", protocol.EffectID(fmt.Sprint(a.Step, i, tool)), i) // as long as Anthropic's
			m.ToolCalls = append(m.ToolCalls, schema.ToolCall{ID: id, Type: "function", Function: schema.FunctionCall{Name: tool, Arguments: text}})
		}
	}
	return m, nil
}

func (g *stage) cite(what, skill, node string) string {
	if what == "snapshot" {
		n := 0
		if g.style.fresh {
			n = 1
		}
		for _, s := range g.snapshots(skill, n) {
			if s.Node == node {
				return s.ID
			}
		}
	}
	for _, n := range g.ns {
		switch {
		case n.Operator != skill || n.Node != node:
		case what == "observation":
			return n.Observation
		default:
			return n.ID
		}
	}
	return "unknown"
}

// counted is a model whose questions and answers are kept.
type counted struct {
	inner model.ToolCallingChatModel
	stage *stage
	who   string
	tools []*schema.ToolInfo
}

// WithTools implements model.ToolCallingChatModel.
func (c counted) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	m, err := c.inner.WithTools(tools)
	return counted{m, c.stage, c.who, tools}, err
}

// Stream implements model.BaseChatModel.
func (c counted) Stream(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.StreamReader[*schema.Message], error) {
	return c.inner.Stream(ctx, in, opts...)
}

// Generate implements model.BaseChatModel. The texts are those of Anthropic's API:
// what only the frame of JSON adds is not counted there.
func (c counted) Generate(ctx context.Context, in []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	var first strings.Builder
	for _, t := range c.tools {
		s, err := t.ToJSONSchema()
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&first, "%s\n%s\n%s\n", t.Name, t.Desc, raw)
	}
	call := modelCall{agent: c.who, blocks: []string{first.String() + in[0].Content}}
	for _, m := range in[1:] {
		call.blocks = append(call.blocks, messageText(m))
	}
	answer, err := c.inner.Generate(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	call.answer = messageText(answer)
	for _, t := range answer.ToolCalls {
		call.tools = append(call.tools, t.Function.Name)
	}
	c.stage.calls = append(c.stage.calls, call)
	return answer, nil
}

// waited is the one thing in a conversation that depends on the clock.
var waited = regexp.MustCompile(`"waited":[0-9]+`)

func messageText(m *schema.Message) string {
	text := waited.ReplaceAllString(m.Content, `"waited":21440`)
	if m.ToolCallID != "" {
		text = m.ToolCallID + "\n" + text
	}
	for _, c := range m.ToolCalls {
		text += "\n" + c.ID + " " + c.Function.Name + " " + c.Function.Arguments
	}
	return text
}

// Targets implements agent.Fleet: every node has every skill.
func (g *stage) Targets(_ context.Context, q agent.TargetQuery) ([]protocol.TargetRef, []string, error) {
	var list []protocol.TargetRef
	for _, n := range g.Nodes {
		if len(q.Nodes) == 0 || slices.Contains(q.Nodes, n) {
			list = append(list, protocol.TargetRef{Node: n, Target: "host", Kind: string(skills.Host)})
		}
	}
	return list, nil, nil
}

// Overview implements agent.Fleet.
func (g *stage) Overview(context.Context, []string, map[string]string) (any, error) {
	return map[string]any{"nodes": len(g.Nodes)}, nil
}

// Serves implements agent.Operators.
func (g *stage) Serves(context.Context, string) error { return nil }

// Start implements agent.Operators: it runs the operator to its end.
func (g *stage) Start(ctx context.Context, t protocol.Task) error {
	op := agenttest.Operator{
		RunID: t.RunID, Reason: t.Reason, Words: g.words[t.Skill], Targets: t.Targets, Snapshots: g.snapshots(t.Skill, 1), Published: g.snapshots(t.Skill, 0),
		Answer: func(of protocol.TargetRef, callback string, args []any) (any, error) {
			return g.answer(t.Skill, of, callback, args)
		},
		Scripts: g.scripts, Now: scriptStart,
	}
	r, err := op.Run(ctx, g.decider(t.Skill, g.Operators[t.Skill]))
	if err != nil {
		return err
	}
	g.check(t.Skill, r.Records)
	g.ns = append(g.ns, r.Notifications...)
	g.cs = append(g.cs, agent.Completion(t, r.Finish, r.State.Summary(), scriptStart))
	g.ends = append(g.ends, len(g.ns))
	return nil
}

// News implements agent.Operators: after each wait the next operator has ended.
func (g *stage) News(_ context.Context, _ string, since agent.Cursor) (agent.News, error) {
	ended := min(len(g.cs), g.waits)
	if since.Completions >= uint64(ended) {
		return agent.News{Cursor: since}, nil
	}
	next := since
	next.Notifications, next.Completions = uint64(g.ends[ended-1]), uint64(ended)
	return agent.News{
		Notifications: slices.Clone(g.ns[since.Notifications:next.Notifications]), Completions: g.cs[since.Completions:ended], Cursor: next,
	}, nil
}

// Wake implements agent.Operators: no wait takes time.
func (g *stage) Wake() <-chan struct{} {
	g.waits++
	c := make(chan struct{})
	close(c)
	return c
}

// Status implements agent.Operators.
func (g *stage) Status(context.Context, string) (agent.RunStatus, error) {
	return agent.RunStatus{}, nil
}

// Publish implements agent.Conclusions.
func (g *stage) Publish(_ context.Context, i protocol.Insight) error {
	g.insight = &i
	return nil
}

// Rank implements agent.Causes: it answers as the script says.
func (g *stage) Rank(context.Context, agent.RankQuery) (agent.Ranking, error) {
	return g.Ranking.ranking(func(skill, node string) string { return g.cite("notification", skill, node) }), nil
}

// Series implements agent.Conclusions.
func (g *stage) Series(context.Context, string, protocol.Evidence) []protocol.Point { return nil }
