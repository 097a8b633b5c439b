// Package operator is the worker: it takes tasks of its skills from the work
// queue, runs an agent's loop over the task's targets, and reports what it found.
// It keeps nothing: every worker can go on with every run.
package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Config is an operator's configuration.
type Config struct {
	Name        string        // of this worker; empty: a random one
	Skills      []string      // those it serves; empty: all it knows
	Concurrency int           // tasks at a time
	CallTimeout time.Duration // of one question to a probe
	Execute     bool          // let models run Lua
	Watch       bool          // evaluate the checks on every snapshot of the skills
	Cooldown    time.Duration // after which a problem that lasts is told again
	// Thresholds change the levels of the skills' checks, by "skill.metric".
	Thresholds map[string]skills.Threshold
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Concurrency: 4, CallTimeout: 5 * time.Second, Execute: true, Watch: true, Cooldown: 5 * time.Minute}
}

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Name, "name", c.Name, "name of this worker (default: a random one)")
	fs.StringSliceVar(&c.Skills, "skills", c.Skills, "skills to serve, separated by commas; custom stands for those that probes bring themselves (default: all)")
	fs.IntVar(&c.Concurrency, "concurrency", c.Concurrency, "tasks to run at a time")
	fs.DurationVar(&c.CallTimeout, "call-timeout", c.CallTimeout, "how long one question to a probe may take")
	fs.BoolVar(&c.Execute, "execute", c.Execute, "let models run Lua, in a child process with resource limits; --execute=false takes it away")
	fs.BoolVar(&c.Watch, "watch", c.Watch, "evaluate the checks of the skills on every snapshot, and notify when one is crossed; --watch=false leaves that to others")
	fs.DurationVar(&c.Cooldown, "watch-cooldown", c.Cooldown, "after which a crossed check that stays crossed is told again")
	proc.ThresholdFlag(fs, &c.Thresholds)
}

// Validate names wrong settings.
func (c *Config) Validate() error {
	var errs []error
	if c.Concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency %d: it must be at least 1", c.Concurrency))
	}
	if c.CallTimeout <= 0 {
		errs = append(errs, fmt.Errorf("--call-timeout %s: it must be more than 0", c.CallTimeout))
	}
	if c.Cooldown < time.Second || c.Cooldown > 24*time.Hour {
		errs = append(errs, fmt.Errorf("--watch-cooldown %s: it must be from 1s to 24h", c.Cooldown))
	}
	return errors.Join(errs...)
}

// Deps is what an operator works with.
type Deps struct {
	Log      *slog.Logger
	Bus      *bus.Conn
	Skills   []skills.Skill                            // those it was built with: their words
	Deciders func(model string) (agent.Decider, error) // by name; "" is the default
	Scripts  agent.Scripts                             // nil: no execute tool
	Version  string
	// Telemetry is where signals go; the zero value is nowhere.
	Telemetry signals.Providers
	// Ready, when set, is called once the worker takes tasks.
	Ready func()
}

// endGrace is how long past its deadline a task is held to write its end.
const endGrace = 15 * time.Second

// maxStalled is how many workers may claim a run in a row without progress
// before it is given up: it is the run that kills them.
const maxStalled = 5

// Run takes tasks until ctx ends, then hands back what is in flight.
func Run(ctx context.Context, cfg Config, deps Deps) error {
	if cfg.Name == "" {
		cfg.Name = "op-" + protocol.NewID()[:8]
	}
	words, err := skills.Words(deps.Skills, cfg.Thresholds)
	if err != nil {
		return err
	}
	w := &worker{cfg: cfg, Deps: deps, known: words, analyst: rules.New(words), tells: newTells(deps.Telemetry)}
	if w.skills, err = cfg.Serves(words); err != nil {
		return err
	}
	if err := deps.Bus.Wait(ctx, bus.Work, bus.Findings, bus.Journal, bus.Snapshots); err != nil {
		return err
	}
	svc := bus.Service{
		Name: "fleetlens-operator", Version: semver(deps.Version), Description: "runs investigations of its skills",
		Metadata: map[string]string{"name": cfg.Name},
	}
	var durables []bus.Consumer
	for _, skill := range w.skills {
		durables = append(durables, bus.Tasks(skill))
		svc.Endpoints = append(svc.Endpoints, bus.Endpoint{
			Name: "serves-" + protocol.Token(skill), Subject: protocol.ServesSubject(skill),
			Handler: func(context.Context, bus.Req) (any, error) { return map[string]string{"operator": cfg.Name}, nil },
		})
	}
	stop, err := deps.Bus.Serve(ctx, svc)
	if err != nil {
		return err
	}
	defer stop()
	deps.Log.Info("operator serves", "name", cfg.Name, "skills", w.skills, "concurrency", cfg.Concurrency)
	if err := deps.Bus.Flush(ctx); err != nil { // from here on the server knows who answers
		return err
	}
	if deps.Ready != nil {
		deps.Ready()
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return deps.Bus.Consume(ctx, cfg.Concurrency, durables, w.handle) })
	if cfg.Watch {
		watch := &watcher{conn: deps.Bus, log: deps.Log, words: words, cooldown: cfg.Cooldown, tells: w.tells}
		g.Go(func() error { return watch.run(ctx, w.skills) })
	}
	return g.Wait()
}

// semver makes a version that a NATS service accepts.
func semver(v string) string {
	if len(v) > 1 && v[0] == 'v' && v[1] >= '0' && v[1] <= '9' {
		return v[1:]
	}
	return "0.0.0"
}

type worker struct {
	cfg Config
	Deps
	known   []protocol.Words
	skills  []string
	analyst agent.Decider // goes on where a model cannot
	tells   tells
}

// Serves returns the skills that the operator serves, of those it has words of;
// protocol.CustomSkill is among them for those whose words come with the task.
func (c *Config) Serves(words []protocol.Words) ([]string, error) {
	var known []string
	for _, w := range words {
		if !slices.Contains(known, w.Skill) {
			known = append(known, w.Skill)
		}
	}
	known = append(known, protocol.CustomSkill)
	if len(c.Skills) == 0 {
		return known, nil
	}
	for _, s := range c.Skills {
		if !slices.Contains(known, s) {
			return nil, fmt.Errorf("--skills: unknown skill %q (have %s)", s, strings.Join(known, ", "))
		}
	}
	return c.Skills, nil
}

// handle runs one task to its end.
func (w *worker) handle(ctx context.Context, d *bus.Delivery) error {
	task, err := protocol.Decode[protocol.Task](d.Data)
	if err != nil {
		return bus.Permanent(err)
	}
	d.Until(task.Deadline.Add(endGrace))
	log := w.Log.With("run", task.RunID, "skill", task.Skill, "investigation", task.InvestigationID)
	j, err := journal.Claim(ctx, w.Bus, protocol.OperatorAgent, task.RunID, w.cfg.Name)
	if err != nil {
		return fmt.Errorf("run %s: %w", task.RunID, err)
	}
	finish, ended := journal.Finished(j.Records())
	if !ended {
		finish, err = w.run(ctx, log, j, task, d)
		switch {
		case errors.Is(err, agent.ErrSuperseded):
			return fmt.Errorf("%w: %w", bus.ErrNotMine, err)
		case err != nil:
			return err
		}
	}
	return w.complete(ctx, d, task, finish)
}

// complete announces how a run ended. It is announced again when a worker finds a
// finished run whose task was not acknowledged; the repeat is dropped.
func (w *worker) complete(ctx context.Context, d *bus.Delivery, task protocol.Task, f protocol.Finish) error {
	var sum agent.OperatorSummary
	if len(f.Summary) > 0 {
		if err := json.Unmarshal(f.Summary, &sum); err != nil {
			return bus.Permanent(fmt.Errorf("summary of run %s: %w", task.RunID, err))
		}
	}
	done := agent.Completion(task, f, sum, time.Now().UTC())
	// The end is written even when this worker stops right now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	_, err := w.Bus.PublishOnce(ctx, bus.Findings, bus.Outgoing{
		Subject: protocol.CompletionSubject(task.Skill, task.InvestigationID), Body: done, ID: protocol.EffectID(task.RunID, "completion"), Again: true,
	})
	if err != nil {
		return fmt.Errorf("completion of run %s: %w", task.RunID, err)
	}
	if to := d.Header[protocol.HeaderReply]; len(to) > 0 && bus.IsInbox(to[0]) {
		return w.Bus.Announce(to[0], done)
	}
	return nil
}

// run takes the run from where its journal stands to its end.
func (w *worker) run(ctx context.Context, log *slog.Logger, j *journal.Journal, task protocol.Task, d *bus.Delivery) (protocol.Finish, error) {
	// Two counts, because each alone is wrong: a delivery that was handed back is
	// no failure, and a claim can follow a restart of NATS.
	if stalled := journal.Stalled(j.Records()); stalled > maxStalled && d.Deliveries > maxStalled {
		cause := fmt.Errorf("%d workers claimed the run in a row and none wrote a step: it is given up", stalled)
		if err := w.Bus.DeadLetter(ctx, d.Msg, cause.Error()); err != nil {
			return protocol.Finish{}, err
		}
		return w.giveUp(ctx, j, task, cause)
	}
	if ended, err := w.orphaned(ctx, task); err != nil {
		return protocol.Finish{}, err
	} else if ended {
		return w.end(ctx, j, task, protocol.OutcomeCancelled, "the investigation had ended before the task was taken")
	}
	decider, err := w.Deciders(task.Model)
	if err != nil {
		return w.giveUp(ctx, j, task, err)
	}
	words, custom, err := w.words(task)
	if err != nil {
		return w.giveUp(ctx, j, task, err)
	}
	ctx = traced(ctx, task, j.Records())
	log = signals.Logger(ctx, log)
	asker := &probes{conn: w.Bus, timeout: w.cfg.CallTimeout, tells: w.tells}
	now := time.Now().UTC()
	start, err := agent.OperatorStart(agent.OperatorSubject{Task: task, Words: words, Custom: custom, Snapshots: asker.latest(ctx, task)},
		protocol.RunSettings{
			Model: decider.Name(), MaxIterations: orDefault(task.MaxIterations), MaxTokens: task.MaxTokens, MaxCost: task.MaxCost, Deadline: task.Deadline,
			CompactionMaxTokens: task.CompactionMaxTokens, CompactionKeepLast: task.CompactionKeepLast,
		}, now)
	if err != nil {
		return w.giveUp(ctx, j, task, err)
	}
	aborted := make(chan struct{})
	var closed bool
	stop, err := w.Bus.Subscribe(protocol.CancelledSubject(task.RunID), func(bus.Msg) {
		if !closed {
			closed = true
			close(aborted)
		}
	})
	if err != nil {
		return protocol.Finish{}, err
	}
	defer stop()
	deps := agent.OperatorDeps{Probes: asker, Findings: findings{w.Bus}, TraceID: task.TraceID}
	if w.cfg.Execute {
		deps.Scripts = w.Scripts
	}
	log.Info("run begins", "targets", len(task.Targets), "model", decider.Name(), "records", len(j.Records()))
	f, err := agent.Run(ctx, agent.Spec{
		RunID: task.RunID, Start: start, Tools: agent.NewOperatorTools(deps), Decider: decider, Journal: j, Log: log, Aborted: aborted,
		Slot: d.Slot, Instead: w.analyst, Telemetry: w.tells.agent, Skill: task.Skill,
		OnStep: func(step int, text string) { w.progress(task, step, text) },
	})
	if err == nil {
		log.Info("run ended", "outcome", f.Outcome, "steps", f.Steps, "err", f.Error)
	}
	return f, err
}

// giveUp ends a run that cannot be run: it is a failure that its caller hears of.
func (w *worker) giveUp(ctx context.Context, j *journal.Journal, task protocol.Task, cause error) (protocol.Finish, error) {
	w.Log.Error("a run is given up", "run", task.RunID, "err", cause)
	return w.end(ctx, j, task, protocol.OutcomeFailed, cause.Error())
}

// end writes the end of a run that did nothing here.
func (w *worker) end(ctx context.Context, j *journal.Journal, task protocol.Task, outcome protocol.Outcome, why string) (protocol.Finish, error) {
	raw, err := json.Marshal(agent.OperatorSummary{Health: protocol.Observing, NotificationIDs: []string{}, SnapshotIDs: []string{}})
	if err != nil {
		return protocol.Finish{}, err
	}
	f := protocol.Finish{Outcome: outcome, Error: why, Summary: raw}
	_, err = j.Append(ctx, protocol.RecordFinish, f)
	if errors.Is(err, agent.ErrCancelled) {
		f.Outcome, f.Error = protocol.OutcomeCancelled, agent.ErrCancelled.Error()
		_, err = j.Append(ctx, protocol.RecordFinish, f)
	}
	w.tells.agent.GaveUp(ctx, protocol.OperatorAgent, task.Skill, f.Outcome)
	return f, err
}

// orphaned reports whether the task's investigation was cancelled or has ended:
// nobody waits for what would be found. A task that no coordinator gave has no
// investigation.
func (w *worker) orphaned(ctx context.Context, task protocol.Task) (bool, error) {
	m, err := w.Bus.Last(ctx, bus.Journal, protocol.JournalSubject(protocol.CoordinatorAgent, task.InvestigationID))
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := protocol.Decode[protocol.Record](m.Data)
	return err == nil && (r.Kind == protocol.RecordCancel || r.Kind == protocol.RecordFinish), nil
}

// words returns the words of the task's skill: those this operator was built with, else
// those that the task brings, which are custom.
func (w *worker) words(task protocol.Task) (words protocol.Words, custom bool, err error) {
	kind := task.Targets[0].Kind
	for _, words := range w.known {
		if words.Skill == task.Skill && words.Kind == kind {
			return words, false, nil
		}
	}
	if task.Words != nil && task.Words.Kind == kind {
		return *task.Words, true, nil
	}
	return protocol.Words{}, false, fmt.Errorf("skill %q has no source for targets of kind %q in this operator", task.Skill, kind)
}

func (w *worker) progress(task protocol.Task, step int, text string) {
	p := protocol.Progress{InvestigationID: task.InvestigationID, RunID: task.RunID, Agent: task.Skill, Step: step, Text: text, At: time.Now().UTC()}
	if err := w.Bus.Announce(protocol.InvestigationSubject(task.InvestigationID, protocol.PhaseProgress), p); err != nil {
		w.Log.Debug("progress was not sent", "run", task.RunID, "err", err)
	}
}

func orDefault(iterations int) int {
	if iterations == 0 {
		return protocol.DefaultMaxIterations
	}
	return iterations
}
