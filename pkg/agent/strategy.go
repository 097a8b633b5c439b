package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// A Strategy is how a coordinator goes about an investigation: it makes the
// decider of the run from the model's. Whatever it decides runs in the same loop,
// with the same tools, guards and journal, and its insights are published like any.
type Strategy interface {
	Name() string
	Decider(model Decider) Decider
}

// Loop is the strategy in which the model chooses every step.
type Loop struct{}

var _ Strategy = Loop{}

// Name implements Strategy.
func (Loop) Name() string { return protocol.AgentLoop }

// Decider implements Strategy.
func (Loop) Decider(model Decider) Decider { return model }

// Pipeline is the strategy of three stages: classify asks the model which skills
// fit the request, gather runs them, synthesize asks it to sum up what they found.
// It costs two model calls whatever is found. The rules analyst is a pipeline
// already and decides for itself.
type Pipeline struct{}

var _ Strategy = Pipeline{}

// Name implements Strategy.
func (Pipeline) Name() string { return protocol.Pipeline }

// Decider implements Strategy.
func (Pipeline) Decider(model Decider) Decider {
	if model.Name() == protocol.RulesModel {
		return model
	}
	return pipeline{model}
}

type pipeline struct{ model Decider }

// Name implements Decider.
func (p pipeline) Name() string { return p.model.Name() }

// gatherWait is how long gathering waits at a time, at least; it ends early when
// something is reported.
const gatherWait = 10 * time.Second

// Decide implements Decider. Which stage comes next is read from the state.
func (p pipeline) Decide(ctx context.Context, v View) (protocol.Answer, error) {
	s, ok := v.State.(*CoordinatorState)
	if !ok {
		return p.model.Decide(ctx, v) // an operator's run, or a question
	}
	switch {
	case !s.Invoked:
		return p.classify(ctx, v, s)
	case len(s.Running()) > 0:
		wait := max(gatherWait, s.Subject.Deadline.Sub(v.Now)/10)
		return p.do("wait", map[string]any{"ms": wait.Milliseconds()})
	case len(s.Insights) == 0 && (len(s.Notifications) > 0 || s.Looked()):
		return p.synthesize(ctx, v, s)
	}
	return p.do("done", map[string]any{})
}

func (p pipeline) do(tool string, args any) (protocol.Answer, error) {
	raw, err := json.Marshal(args)
	return protocol.Answer{Model: p.Name(), Calls: []protocol.ToolCall{{Tool: tool, Args: string(raw)}}}, err
}

// Compact implements Compactor. The stages ask without the conversation so far.
func (p pipeline) Compact(ctx context.Context, v View) (*protocol.Compaction, error) {
	if _, ok := v.State.(*CoordinatorState); ok {
		return nil, nil //nolint:nilnil // nothing is to be done, and nothing failed
	}
	return Compact(ctx, p.model, v)
}

// A classification is what the first stage asks for.
type classification struct {
	Intent          string   `json:"intent" jsonschema:"required,enum=question,enum=investigation"`
	Skills          []string `json:"skills" jsonschema:"required,description=only those that matter; the fewest for a simple question"`
	OperatorContext string   `json:"operator_context" jsonschema:"required,description=what the operators should look for"`
}

// A synthesis is what the last stage asks for.
type synthesis struct {
	Answer string `json:"answer" jsonschema:"required,description=from the given facts alone, with figures as they are"`
}

var (
	classifyTool   = newTool[classification, none]("classify", "Says which skills fit the request.", nil, nil)
	synthesizeTool = newTool[synthesis, none]("synthesize", "Sums up what the operators found.", nil, nil)
)

func (p pipeline) classify(ctx context.Context, v View, s *CoordinatorState) (protocol.Answer, error) {
	signals.Emit(ctx, signals.ClassifyStart)
	var c classification
	a, err := p.stage(ctx, v, classifyTool, "Choose the skills that fit this request.\n\n"+v.Start.User, &c)
	if err != nil {
		return a, err
	}
	signals.Emit(ctx, signals.ClassifyComplete, signals.Text(signals.AttrIntent, c.Intent), texts(signals.AttrSkills, c.Skills))
	known := slices.DeleteFunc(slices.Clone(c.Skills), func(name string) bool {
		return !slices.ContainsFunc(s.Subject.Skills, func(i SkillInfo) bool { return i.Name == name })
	})
	if len(known) == 0 {
		return a, fmt.Errorf("classify named none of the skills there are: %q", c.Skills)
	}
	out, err := p.do("invoke_operators", map[string]any{"skills": known, "context": c.OperatorContext})
	out.Usage = a.Usage
	return out, err
}

func (p pipeline) synthesize(ctx context.Context, v View, s *CoordinatorState) (protocol.Answer, error) {
	signals.Emit(ctx, signals.SynthesizeStart, signals.AttrCount.Int(len(s.Notifications)))
	var result synthesis
	var ids, observations []string
	for _, n := range s.Notifications {
		ids, observations = append(ids, n.ID), append(observations, n.Observation)
	}
	a, err := p.stage(ctx, v, synthesizeTool, "Answer the request from these facts alone.\n\n"+v.Start.User+"\n"+fence(gathered(s)), &result)
	if err != nil {
		return a, err
	}
	signals.Emit(ctx, signals.SynthesizeComplete)
	args := map[string]any{
		"notification_ids": ids, "correlation_type": protocol.Symptomatic, "summary": result.Answer, "matched_observations": observations,
		"hypothesis_grounded": false, "confidence": protocol.Medium,
	}
	if len(ids) == 0 {
		args["notification_ids"], args["matched_observations"], args["correlation_type"] = []string{}, []string{}, protocol.None
	}
	out, err := p.do("produce_insight", args)
	out.Usage = a.Usage
	return out, err
}

// gathered lists what the operators reported: facts only, hypotheses are left out.
func gathered(s *CoordinatorState) string {
	var b strings.Builder
	for _, n := range s.Notifications {
		fmt.Fprintf(&b, "- %s %s on %s/%s at %s: %s; %s\n", n.Severity, n.Operator, n.Node, n.Target, n.DetectedAt.UTC().Format(time.RFC3339), n.Observation, n.Context)
	}
	if len(s.Notifications) == 0 {
		b.WriteString("No anomaly was reported. What the checks met at worst:\n- " + strings.Join(s.RuledOut(), "\n- "))
	}
	return render(b.String())
}

// stage asks the model one question with one tool to answer by.
func (p pipeline) stage(ctx context.Context, v View, t Tool, question string, into any) (protocol.Answer, error) {
	asked := v
	asked.Tools, asked.Records = []Tool{t}, nil
	asked.Start.User = question
	a, err := p.model.Decide(ctx, asked)
	if err != nil {
		return a, err
	}
	for _, c := range a.Calls {
		if c.Tool != t.Name {
			continue
		}
		args, err := t.arguments(c.Args)
		if err != nil {
			return a, err
		}
		return a, json.Unmarshal([]byte(args), into)
	}
	return a, fmt.Errorf("%s did not call %s", p.Name(), t.Name)
}
