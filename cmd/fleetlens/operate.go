package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (a *app) operate() *cobra.Command {
	var skill, model string
	var nodes []string
	var deadline time.Duration
	cmd := &cobra.Command{
		Use: "operate REASON --skill SKILL", Short: "Have one operator look, without a coordinator",
		Long: `Give the operators of one skill a task, without a coordinator. What they find goes to
operator.notification.> as always; the end of the run is printed. On a server with
users it takes the role coordinator or admin.`,
		Example: "  fleetlens operate \"is memory short?\" --skill os --node web-1",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&skill, "skill", "", "skill that looks (required)")
	cmd.Flags().StringSliceVar(&nodes, "node", nil, "nodes to look at (default: all that have the skill)")
	cmd.Flags().StringVar(&model, "model", "", "model that decides: a name of the operators' configuration, or rules")
	cmd.Flags().DurationVar(&deadline, "deadline", protocol.DefaultDeadline, "how long it may take")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if skill == "" {
			return proc.Usage("--skill is required: `fleetlens skills` lists those there are")
		}
		conn, err := a.dial(cmd)
		if err != nil {
			return err
		}
		defer conn.Close()
		targets, err := targetsOf(cmd.Context(), conn, skill, nodes)
		if err != nil {
			return err
		}
		id := protocol.NewID()
		task := protocol.Task{
			RunID: protocol.EffectID(id, skill), InvestigationID: id, Skill: skill, Targets: targets, Reason: args[0], Model: model,
			Deadline: time.Now().Add(deadline).UTC(),
		}
		follow := &follower{printer: progress(cmd), start: time.Now()}
		stop, err := follow.subscribe(conn, id)
		if err != nil {
			return err
		}
		defer stop()
		progress(cmd).printf("run %s · %d targets · deadline %s\n", task.RunID, len(targets), deadline)
		ctx, cancel := context.WithTimeout(cmd.Context(), deadline+answerGrace)
		defer cancel()
		raw, err := conn.RequestQueued(ctx, bus.Outgoing{Subject: protocol.TaskSubject(skill), Body: task, ID: task.RunID, Dedupe: true})
		if errors.Is(err, context.DeadlineExceeded) {
			return proc.ExitError{Code: proc.ExitResult, Err: fmt.Errorf("no operator of %s answered in time", skill)}
		}
		if err != nil {
			return err
		}
		done, err := protocol.Decode[protocol.Completion](raw)
		if err != nil {
			return err
		}
		return a.printCompletion(cmd, done)
	}
	return cmd
}

// targetsOf returns the targets that have the skill, of one kind, on the nodes.
func targetsOf(ctx context.Context, conn *bus.Conn, skill string, nodes []string) ([]protocol.TargetRef, error) {
	var targets []protocol.TargetRef
	seen := map[string]bool{}
	for m, err := range conn.Range(ctx, bus.Nodes, protocol.NodeSubject(protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		h, err := protocol.Decode[protocol.Heartbeat](m.Data)
		if err != nil || len(nodes) > 0 && !slices.Contains(nodes, h.Node) {
			continue
		}
		seen[h.Node] = true
		for _, t := range h.Targets {
			if slices.Contains(t.Skills, skill) && (len(targets) == 0 || t.Kind == targets[0].Kind) {
				targets = append(targets, protocol.TargetRef{Node: h.Node, Target: t.Name, Kind: t.Kind})
			}
		}
	}
	for _, n := range nodes {
		if !seen[n] {
			return nil, fmt.Errorf("unknown node %q: `fleetlens nodes` lists those there are", n)
		}
	}
	switch {
	case len(targets) == 0:
		return nil, fmt.Errorf("no target has the skill %q", skill)
	case len(targets) > protocol.MaxTaskTargets:
		return nil, proc.Usage("%d targets have the skill; one task takes at most %d: name some with --node", len(targets), protocol.MaxTaskTargets)
	}
	return targets, nil
}

func (a *app) printCompletion(cmd *cobra.Command, done protocol.Completion) error {
	if a.json {
		if err := printJSON(cmd.OutOrStdout(), done); err != nil {
			return err
		}
	} else {
		p := out(cmd)
		p.printf("%s: %s, %d notifications, by %s\n", done.Skill, done.State, len(done.NotificationIDs), clean(done.Model))
		p.list("not checked", done.NotChecked)
	}
	if done.Outcome == protocol.OutcomeDone {
		return nil
	}
	return proc.ExitError{Code: proc.ExitResult, Err: fmt.Errorf("the run ended as %s: %s", done.Outcome, clean(done.Error))}
}
