package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (a *app) investigate() *cobra.Command {
	var req protocol.Request
	var local, watch bool
	var deadline time.Duration
	var severe exitSeverity
	l := newLocalSettings()
	cmd := &cobra.Command{
		Use: "investigate REASON", Short: "Find out why, and print the insights",
		Long: `Ask the fleet's coordinators to find out why, and print what they conclude.

With --local nothing else is needed: NATS and every process run inside this one,
for this host, and end with it.`,
		Example: `  fleetlens investigate --local "is this host healthy?"
  fleetlens investigate "checkout is slow" --label role=web --deadline 2m
  fleetlens investigate "checkout is slow" --max-cost 0.05
  fleetlens investigate --json "disk full?" --node db-3 | jq .insights[].summary`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&local, "local", false, "look at this host, with everything in this process")
	cmd.Flags().StringSliceVar(&req.Nodes, "node", nil, "only these nodes")
	cmd.Flags().StringToStringVar(&req.Labels, "label", nil, "only nodes with these labels")
	cmd.Flags().StringSliceVar(&req.Skills, "skill", nil, "only these skills")
	cmd.Flags().StringVar(&req.Model, "model", "", "model that decides: a name of the coordinators' configuration, or rules")
	cmd.Flags().IntVar(&req.MaxTokens, "max-tokens", 0, "tokens that the models may use, input and output; then the rules analyst goes on (0: as it is configured)")
	cmd.Flags().Float64Var(&req.MaxCost, "max-cost", 0, "what the models may cost, in US `dollars`; then the rules analyst goes on (0: as it is configured). It needs a model whose price is known")
	cmd.Flags().DurationVar(&deadline, "deadline", protocol.DefaultDeadline, "how long it may take")
	cmd.Flags().BoolVar(&watch, "watch", false, "show every step of every agent, not only what is found")
	cmd.Flags().StringVar((*string)(&severe), "exit-severity", "", exitSeverityDoc)
	l.flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := severe.validate(); err != nil {
			return err
		}
		req.ID, req.Reason, req.DeadlineMS = protocol.NewID(), args[0], deadline.Milliseconds()
		if err := req.Validate(); err != nil {
			return proc.UsageError{Err: err}
		}
		if !local {
			return a.traced(cmd, func(signals.Providers) error {
				conn, err := a.dial(cmd)
				if err != nil {
					return err
				}
				defer conn.Close()
				return a.ask(cmd, conn, req, watch, severe)
			})
		}
		if req.Model != "" { // before the configuration is checked
			l.llm.Default = req.Model
		}
		o, err := l.options(cmd, a)
		if err != nil {
			return err
		}
		if err := known(o.Probe.Skills(), req.Skills); err != nil {
			return proc.UsageError{Err: err}
		}
		return a.traced(cmd, func(p signals.Providers) error {
			o.Telemetry = p
			// One question is asked here; what else goes on is nobody's.
			o.Operator.Watch, o.Coordinator.Lead, o.Coordinator.Alerts.Addr, o.Coordinator.Fleet = false, false, "", ""
			stack, err := allinone.Start(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer stack.Stop()
			// Rates are differences: let the second reading be long enough after the first.
			if err := stack.Settle(cmd.Context()); err != nil {
				return err
			}
			return a.ask(cmd, stack.Bus, req, watch, severe)
		})
	}
	return cmd
}

// known returns an error for names that none of the skills has.
func known(list []skills.Skill, names []string) error {
	registry, err := skills.NewRegistry(list...)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := registry.Lookup(name); err != nil {
			return err
		}
	}
	return nil
}

// answerGrace is how much longer than the deadline the answer is waited for.
const answerGrace = 30 * time.Second

// ask sends the request, shows what happens, and prints the result.
func (a *app) ask(cmd *cobra.Command, conn *bus.Conn, req protocol.Request, watch bool, severe exitSeverity) error {
	p := progress(cmd)
	follow := &follower{printer: p, start: time.Now(), watch: watch}
	stop, err := follow.subscribe(conn, req.ID)
	if err != nil {
		return err
	}
	defer stop()
	p.printf("%s\n", asked(req))
	ctx, cancel := context.WithTimeout(cmd.Context(), req.Deadline()+answerGrace)
	defer cancel()
	raw, err := conn.Request(ctx, protocol.RunSubject, req)
	var refusal bus.Refusal
	switch {
	case errors.Is(err, bus.ErrNobody):
		return fmt.Errorf("no coordinator answers at %s: start one with `coordinator` or `fleetlens up`, or try --local", conn.URL())
	case errors.As(err, &refusal) && refusal.Code == 400:
		return proc.UsageError{Err: refusal}
	case cmd.Context().Err() != nil:
		return fmt.Errorf("the investigation goes on without you; end it with `fleetlens cancel %s`", req.ID)
	case err != nil:
		return proc.ExitError{Code: proc.ExitResult, Err: err}
	}
	result, err := protocol.Decode[protocol.Result](raw)
	if err != nil {
		return err
	}
	follow.finish(result)
	return a.printResult(cmd, result, severe)
}

// asked says in a line what was asked for.
func asked(r protocol.Request) string {
	parts := []string{"investigation " + r.ID}
	switch {
	case len(r.Nodes) > 0:
		parts = append(parts, clean(strings.Join(r.Nodes, ", ")))
	case len(r.Labels) > 0:
		parts = append(parts, "nodes with "+clean(pairs(r.Labels)))
	}
	if len(r.Skills) > 0 {
		parts = append(parts, "skills "+clean(strings.Join(r.Skills, ", ")))
	}
	if r.Model != "" {
		parts = append(parts, clean(r.Model))
	}
	return strings.Join(append(parts, "deadline "+r.Deadline().String()), " · ")
}

func (a *app) printResult(cmd *cobra.Command, r protocol.Result, severe exitSeverity) error {
	if a.json {
		if err := printJSON(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	} else {
		p := out(cmd)
		for _, i := range r.Insights {
			p.printf("\n")
			p.insight(i)
		}
	}
	switch {
	case r.State == protocol.ResultDone:
		return severe.of(r.Insights...)
	case a.json:
		return proc.ExitError{Code: proc.ExitResult}
	}
	return proc.ExitError{Code: proc.ExitResult, Err: fmt.Errorf("the investigation ended as %s: %s", r.State, clean(r.Error))}
}

// follower shows what an investigation does while it runs, a line each.
type follower struct {
	printer
	start time.Time
	watch bool

	mu   sync.Mutex
	done bool
}

func (f *follower) subscribe(conn *bus.Conn, id string) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for subject, show := range map[string]func(bus.Msg){
		protocol.NotificationSubject(protocol.Any, protocol.Any, id): f.notification,
		protocol.CompletionSubject(protocol.Any, id):                 f.completion,
		protocol.InvestigationSubject(id, protocol.PhaseProgress):    f.step,
		protocol.InsightSubject(protocol.Any, protocol.Any, id):      f.insightLine,
	} {
		s, err := conn.Subscribe(subject, show)
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, s)
	}
	return stop, nil
}

func (f *follower) line(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return
	}
	d := time.Since(f.start)
	f.printf("  %s  %s\n", f.dim(fmt.Sprintf("%02d:%04.1f", int(d.Minutes()), (d%time.Minute).Seconds())), clean(fmt.Sprintf(format, args...)))
}

func (f *follower) notification(m bus.Msg) {
	if n, err := protocol.Decode[protocol.Notification](m.Data); err == nil {
		verified := "✓ verified"
		if !n.Verified {
			verified = "? not verified"
		}
		f.line("%-10s %s/%s  %s  %s  %s", n.Operator, n.Node, n.Target, n.Severity, n.Observation, verified)
	}
}

func (f *follower) completion(m bus.Msg) {
	if c, err := protocol.Decode[protocol.Completion](m.Data); err == nil {
		text := fmt.Sprintf("%-10s %s looked into: %s", c.Skill, count(len(c.Targets), "target"), c.State)
		if c.Outcome != protocol.OutcomeDone {
			text = fmt.Sprintf("%-10s ended as %s: %s", c.Skill, c.Outcome, c.Error)
		}
		f.line("%s", text)
	}
}

func (f *follower) step(m bus.Msg) {
	p, err := protocol.Decode[protocol.Progress](m.Data)
	if err != nil || !f.watch && !strings.Contains(p.Text, "refused:") {
		return
	}
	f.line("%-10s step %d: %s", p.Agent, p.Step, p.Text)
}

func (f *follower) insightLine(m bus.Msg) {
	if i, err := protocol.Decode[protocol.Insight](m.Data); err == nil {
		f.line("%-10s %s: %s", "insight", i.Severity, i.Summary)
	}
}

func (f *follower) finish(r protocol.Result) {
	f.line("%s · %s", strings.ReplaceAll(string(r.State), "_", " "), spending(r.Usage))
	f.mu.Lock()
	f.done = true
	f.mu.Unlock()
}

func (a *app) cancel() *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "End a running investigation", Args: cobra.ExactArgs(1),
		Example: "  fleetlens cancel 5be0c2a47f19d3e8",
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			id, err := reading.InvestigationID(ctx, conn, args[0])
			if err != nil {
				return usage(err)
			}
			raw, err := conn.Request(ctx, protocol.CancelSubject, map[string]string{"id": id, "by": person()})
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), json.RawMessage(raw))
			}
			out(cmd).printf("investigation %s is being cancelled\n", clean(id))
			return nil
		},
	}
}
