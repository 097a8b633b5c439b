// Package coordinator takes requests, has operators look into them, and
// publishes what it concludes. Any number of coordinators share the work; every
// one can go on with every investigation.
package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/agentproto"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/llm/rules"
	"github.com/fleetlens/fleetlens/internal/proc"
	dependencies "github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Config is a coordinator's configuration.
type Config struct {
	Name        string // of this coordinator; empty: a random one
	Concurrency int    // investigations at a time
	Replicas    int    // of the streams it makes; 0: as they are
	// Thresholds change the levels of the skills' checks, by "skill.metric".
	Thresholds map[string]skills.Threshold
	// Lead has this coordinator do the triage when no other does.
	Lead   bool
	Triage triage.Options
	Alerts intake.Config // where alerts of other systems are taken
	// Silence is how long a node says nothing, at least, until people are woken for it,
	// however often it beats: a machine that is busy for a moment misses three beats of a
	// second.
	Silence time.Duration
	// Recurring investigations, by name.
	Recurring map[string]Recurring
	// Fleet is the name by which other agents ask, over the Synadia Agent Protocol;
	// empty: they may not.
	Fleet string
	// Topology is a file with dependencies of nodes; empty: only those that sockets show.
	Topology string
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Concurrency: 32, Lead: true, Triage: triage.DefaultOptions(), Silence: 10 * time.Second, Alerts: intake.DefaultConfig(), Fleet: agentproto.DefaultFleet}
}

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Name, "name", c.Name, "name of this coordinator (default: a random one)")
	fs.IntVar(&c.Concurrency, "concurrency", c.Concurrency, "investigations to run at a time")
	fs.IntVar(&c.Replicas, "replicas", c.Replicas, "replicas of the streams (default: as they are, 1 for new ones; 3 in a cluster)")
	fs.BoolVar(&c.Lead, "triage", c.Lead, "put anomalies, crossed checks, alerts and silent nodes into groups and investigate each once, unless another coordinator does; --triage=false leaves it to others")
	fs.DurationVar(&c.Triage.Settle, "triage-settle", c.Triage.Settle, "how long a new group waits for more before it is investigated")
	fs.DurationVar(&c.Silence, "triage-silence", c.Silence, "how long a node says nothing, at least, until it counts as fallen silent; three of its beats in any case")
	fs.DurationVar(&c.Triage.Cooldown, "triage-cooldown", c.Triage.Cooldown, "how long after its last signal a group ends; what comes later is investigated anew")
	fs.DurationVar(&c.Triage.Repeat, "triage-repeat", c.Triage.Repeat, "after how long a problem that never ended is investigated again")
	fs.IntVar(&c.Triage.MaxPerHour, "max-triggers-per-hour", c.Triage.MaxPerHour, "groups an hour that may be investigated with a model, in the whole fleet; the rules analyst has the rest")
	c.Alerts.Flags(fs)
	agentproto.Flag(fs, &c.Fleet)
	fs.StringVar(&c.Topology, "topology", c.Topology, "`file` (YAML) with who depends on whom, beside what the nodes' connections show")
	proc.ThresholdFlag(fs, &c.Thresholds)
}

// Validate names wrong settings.
func (c *Config) Validate() error {
	var errs []error
	if c.Concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency %d: it must be at least 1", c.Concurrency))
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		errs = append(errs, fmt.Errorf("--replicas %d: it must be from 1 to 5", c.Replicas))
	}
	if c.Silence < 0 || c.Silence > 24*time.Hour {
		errs = append(errs, fmt.Errorf("--triage-silence %s: it must be from 0 to 24h", c.Silence))
	}
	errs = append(errs, c.Triage.Validate(), c.Alerts.Validate(), agentproto.CheckFleet(c.Fleet))
	for _, name := range slices.Sorted(maps.Keys(c.Recurring)) {
		if err := c.Recurring[name].validate(); err != nil {
			errs = append(errs, fmt.Errorf("recurring.%s: %w", name, err))
		}
	}
	if c.Topology != "" {
		if _, err := dependencies.Load(c.Topology); err != nil {
			errs = append(errs, fmt.Errorf("--topology: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Deps is what a coordinator works with.
type Deps struct {
	Log      *slog.Logger
	Bus      *bus.Conn
	Skills   []skills.Skill // those it knows: their words
	Deciders func(model string) (agent.Decider, error)
	// Strategies are those that a request may name, the default first; none: the
	// agent loop and the pipeline.
	Strategies []agent.Strategy
	Version    string
	// Telemetry is where signals go; the zero value is nowhere.
	Telemetry signals.Providers
	// Ready, when set, is called once requests are taken.
	Ready func()
}

// Run takes requests until ctx ends, then hands back what is in flight. It makes
// the streams, or brings them up to date, first.
func Run(ctx context.Context, cfg Config, deps Deps) error {
	if cfg.Name == "" {
		cfg.Name = "co-" + protocol.NewID()[:8]
	}
	words, err := skills.Words(deps.Skills, cfg.Thresholds)
	if err != nil {
		return err
	}
	if len(deps.Strategies) == 0 {
		deps.Strategies = []agent.Strategy{agent.Loop{}, agent.Pipeline{}}
	}
	c := &coordinator{cfg: cfg, Deps: deps, words: words, analyst: rules.New(words), tells: newTells(deps.Telemetry)}
	var names []string
	for _, s := range skillInfos(words) {
		names = append(names, s.Name)
	}
	if err := c.setup(ctx, bus.SetupOptions{Replicas: cfg.Replicas, Skills: append(slices.Clone(names), protocol.CustomSkill)}); err != nil {
		return err
	}
	created, err := deps.Bus.Created(ctx, bus.Intake)
	if err != nil {
		return err
	}
	c.created = created
	c.fleet = newFleet(deps.Bus, deps.Log, words)
	stopFleet, err := c.fleet.beats.start(ctx)
	if err != nil {
		return err
	}
	defer stopFleet()
	defer c.tells.watchNodes(c.fleet)()
	if c.topology, err = newTopology(deps.Bus, deps.Log, c.fleet, cfg.Topology); err != nil {
		return err
	}
	stopTopology, err := c.topology.said.start(ctx)
	if err != nil {
		return err
	}
	defer stopTopology()
	stop, err := c.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if cfg.Fleet != "" {
		stop, err := agentproto.Serve(ctx, deps.Bus, cfg.Fleet, deps.Version)
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := c.recur(ctx); err != nil {
		return err
	}
	_, stopAlerts, err := cfg.Alerts.Serve(ctx, deps.Log, intake.To(deps.Bus))
	if err != nil {
		return err
	}
	defer stopAlerts()
	deps.Log.Info("coordinator takes requests", "name", cfg.Name, "skills", names)
	if err := deps.Bus.Flush(ctx); err != nil { // from here on the server knows who answers
		return err
	}
	if deps.Ready != nil {
		deps.Ready()
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { c.fleet.beats.refresh(ctx); return nil })
	if cfg.Lead {
		desk := c.newDesk()
		own := lease{conn: deps.Bus, log: deps.Log, key: triageLease, name: cfg.Name + "/" + protocol.NewID()[:8], ttl: leaseTTL}
		g.Go(func() error { return own.run(ctx, desk.lead) })
	}
	g.Go(func() error { c.topology.said.refresh(ctx); return nil })
	g.Go(func() error {
		return deps.Bus.Consume(ctx, cfg.Concurrency, []bus.Consumer{bus.Requests, bus.Scheduled}, c.handle)
	})
	return g.Wait()
}

// setup applies the table of streams. Where the server is not ready yet (a
// cluster without a leader) it tries again.
func (c *coordinator) setup(ctx context.Context, opts bus.SetupOptions) error {
	for {
		try, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := c.Bus.Setup(try, opts)
		cancel()
		if err == nil || ctx.Err() != nil || !bus.Transient(err) {
			return err
		}
		c.Log.Warn("the streams cannot be made yet", "err", err)
		t := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

type coordinator struct {
	cfg Config
	Deps
	words    []protocol.Words
	analyst  agent.Decider // goes on where a model cannot
	fleet    *fleet
	topology *topology
	created  time.Time // of the request stream: part of the ids of requests without one
	tells    tells
}

// skillInfos returns the skills of the words, each once, in order.
func skillInfos(words []protocol.Words) []agent.SkillInfo {
	var out []agent.SkillInfo
	seen := map[string]bool{}
	for _, w := range words {
		if !seen[w.Skill] {
			seen[w.Skill] = true
			out = append(out, agent.SkillInfo{Name: w.Skill, Title: w.Title, Summary: w.Summary})
		}
	}
	return out
}
