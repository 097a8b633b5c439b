package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

type invokeArgs struct {
	Skills  []string          `json:"skills" jsonschema:"required"`
	Context string            `json:"context,omitempty" jsonschema:"description=what the operators should look for"`
	Nodes   []string          `json:"nodes,omitempty" jsonschema:"description=only these nodes"`
	Labels  map[string]string `json:"labels,omitempty" jsonschema:"description=only nodes with these labels"`
}

// invoked is the effect of invoke_operators.
type invoked struct {
	Runs       []OperatorRun `json:"runs"`
	NotChecked []string      `json:"not_checked,omitempty"`
}

func (c *CoordinatorTools) invoke(ctx context.Context, call Call, a invokeArgs) (Outcome, error) {
	e := invoked{Runs: []OperatorRun{}}
	unserved := c.unserved(ctx, a.Skills)
	for i, skill := range a.Skills {
		if slices.Contains(a.Skills[:i], skill) { // it would be started under the same run id
			continue
		}
		err := c.invokeSkill(ctx, call, a, skill, unserved[c.queue(skill)], &e)
		if err != nil && len(e.Runs) > 0 && ctx.Err() != nil {
			break // the run ends, but what was started has to be known
		}
		if err != nil {
			return Outcome{}, err
		}
	}
	type started struct {
		Skill   string `json:"skill"`
		RunID   string `json:"run_id"`
		Targets int    `json:"targets"`
	}
	list := []started{}
	for _, r := range e.Runs {
		list = append(list, started{r.Skill, r.RunID, len(r.Targets)})
	}
	content := map[string]any{"started": list, "count": len(list)}
	if len(e.NotChecked) > 0 {
		content["not_started"] = e.NotChecked
	}
	return Outcome{Content: content, Effect: e}, nil
}

// queue is the name under which a skill's tasks are queued: that of custom ones is
// the same for all, since every operator can with the words it is given.
func (c *CoordinatorTools) queue(skill string) string {
	if words, _ := c.state.Subject.custom(skill); words != nil {
		return protocol.CustomSkill
	}
	return skill
}

// unserved asks at once who serves the queues of all skills, and returns why nobody
// serves some: one after another, each would cost its own two seconds.
func (c *CoordinatorTools) unserved(ctx context.Context, skills []string) map[string]error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	asked, out := map[string]bool{}, map[string]error{}
	for _, skill := range skills {
		queue := c.queue(skill)
		if asked[queue] || !c.state.Subject.has(skill) { // that is refused, whoever serves it
			continue
		}
		asked[queue] = true
		wg.Go(func() {
			if err := c.deps.Operators.Serves(ctx, queue); err != nil {
				mu.Lock()
				defer mu.Unlock()
				out[queue] = err
			}
		})
	}
	wg.Wait()
	return out
}

// invokeSkill starts the tasks of one skill, unless unserved says why nobody would
// take them. Only what the worker itself cannot go on with is an error; a skill that
// cannot be served is noted.
func (c *CoordinatorTools) invokeSkill(ctx context.Context, call Call, a invokeArgs, skill string, unserved error, e *invoked) error {
	note := func(format string, args ...any) { e.NotChecked = append(e.NotChecked, fmt.Sprintf(format, args...)) }
	sub := c.state.Subject
	if !sub.has(skill) {
		var have []string
		for _, s := range sub.Skills {
			have = append(have, s.Name)
		}
		note("%s: not among the skills of this investigation (%s)", skill, strings.Join(have, ", "))
		return nil
	}
	if slices.ContainsFunc(c.state.Running(), func(r OperatorRun) bool { return r.Skill == skill }) {
		note("%s: it is running already", skill)
		return nil
	}
	nodes, labels := sub.Request.Nodes, sub.Request.Labels
	if len(a.Nodes) > 0 {
		nodes = a.Nodes
	}
	if len(a.Labels) > 0 {
		labels = a.Labels
	}
	words, hashes := sub.custom(skill)
	targets, leftOut, err := c.deps.Fleet.Targets(ctx, TargetQuery{Skill: skill, Nodes: nodes, Labels: labels, Words: hashes, Limit: maxTasks * protocol.MaxTaskTargets})
	if err != nil {
		return err
	}
	e.NotChecked = append(e.NotChecked, leftOut...)
	if len(targets) == 0 {
		note("%s: no node that matches has it", skill)
		return nil
	}
	if unserved != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		note("%s: %v", skill, unserved)
		return nil
	}
	for n, chunk := range chunks(targets) {
		task := protocol.Task{
			RunID: call.EffectID("task", skill, fmt.Sprint(n)), InvestigationID: sub.InvestigationID, Skill: skill, Targets: chunk,
			Reason: sub.Request.Reason, Context: sub.Request.Context, Model: sub.Request.Model, Deadline: operatorDeadline(call.At, sub.Deadline),
			MaxIterations: sub.Request.MaxIterations, MaxTokens: sub.Request.MaxTokens, MaxCost: sub.Request.MaxCost, Words: words[chunk[0].Kind],
			CompactionMaxTokens: sub.Request.CompactionMaxTokens, CompactionKeepLast: sub.Request.CompactionKeepLast, TraceID: c.deps.TraceID,
		}
		if a.Context != "" {
			task.Reason += "\n" + a.Context
		}
		if err := c.start(ctx, task); err != nil {
			return err
		}
		e.Runs = append(e.Runs, OperatorRun{RunID: task.RunID, Skill: skill, Targets: chunk, StartedAt: call.At})
	}
	return nil
}

// startWithin is how long queueing one task may take.
const startWithin = 10 * time.Second

// start queues a task. It is not broken off when the run is cancelled: whether the
// task was queued would not be known then.
func (c *CoordinatorTools) start(ctx context.Context, task protocol.Task) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
	defer cancel()
	return c.deps.Operators.Start(ctx, task)
}

// operatorDeadline leaves the coordinator a tenth of the time that is left, at
// most fifteen seconds, to conclude.
func operatorDeadline(now, deadline time.Time) time.Time {
	return deadline.Add(-min(max(deadline.Sub(now)/10, 0), 15*time.Second))
}

// chunks splits targets into tasks: of one kind each, and of a size.
func chunks(targets []protocol.TargetRef) [][]protocol.TargetRef {
	var kinds []string
	byKind := map[string][]protocol.TargetRef{}
	for _, t := range targets {
		if byKind[t.Kind] == nil {
			kinds = append(kinds, t.Kind)
		}
		byKind[t.Kind] = append(byKind[t.Kind], t)
	}
	var out [][]protocol.TargetRef
	for _, kind := range kinds {
		out = slices.AppendSeq(out, slices.Chunk(byKind[kind], protocol.MaxTaskTargets))
	}
	return out
}

func (c *CoordinatorTools) foldInvoke(e invoked) error {
	c.state.Invoked = true
	c.state.Runs = append(c.state.Runs, e.Runs...)
	c.state.NotChecked = append(c.state.NotChecked, e.NotChecked...)
	return nil
}
