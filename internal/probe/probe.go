// Package probe watches one host: it takes snapshots of its targets, publishes
// them, says that it lives, and answers read-only questions. It changes nothing
// on the host, runs no program and no code that it is sent.
package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Doc is what the probe's help says.
const Doc = `Watch this host: publish snapshots to NATS and answer read-only questions.

The probe changes nothing on the host. Run one on each host, as an ordinary user:

  probe --server nats://nats.example:4222 --label role=web,zone=a`

// Config is a probe's configuration.
type Config struct {
	Node        string
	Labels      map[string]string
	Interval    time.Duration // between two snapshots of a source
	Heartbeat   time.Duration // between two heartbeats
	Buffer      int           // bytes kept while NATS is away; the oldest go first
	CallTimeout time.Duration // of one callback
	Level       string        // what callbacks may do: observe, events or trace
	Discover    bool          // say what could be targets; none is added
	Survey      time.Duration // between two looks for changes and links; no flag: it must be a minute to see short connections
	State       string        // folder for what must outlast a restart; empty: nothing is kept
	Redact      bool          // secrets in what leaves the host are replaced; off only for tests
	Proc        string        // where the host's /proc is
	Sys         string        // where the host's /sys is
	Root        string        // where the host's / is
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Interval: 30 * time.Second, Heartbeat: 10 * time.Second, Buffer: 8 << 20, CallTimeout: 10 * time.Second,
		Level: "observe", Discover: true, Survey: time.Minute, Redact: true, Proc: "/proc", Sys: "/sys",
		State: os.Getenv("STATE_DIRECTORY"), // systemd's StateDirectory=
	}
}

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Node, "node", c.Node, "name of this node (default: the host's name)")
	fs.StringToStringVar(&c.Labels, "label", c.Labels, "labels of this node: role=web,zone=a")
	fs.DurationVar(&c.Interval, "interval", c.Interval, "time between two snapshots")
	fs.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "time between two heartbeats; a node that misses three is silent")
	fs.IntVar(&c.Buffer, "buffer", c.Buffer, "bytes of snapshots to keep while NATS is away")
	fs.DurationVar(&c.CallTimeout, "call-timeout", c.CallTimeout, "how long one callback may take")
	fs.StringVar(&c.Level, "level", c.Level, "what callbacks may do: observe (read only), events or trace")
	fs.BoolVar(&c.Discover, "discover", c.Discover, "look for Go services, PostgreSQL, NATS, Prometheus and Erlang nodes that could be targets, and propose them in `fleetlens nodes`; none is added")
	fs.StringVar(&c.State, "state", c.State, "`folder` for what must outlast a restart: baselines, what was installed (default: $STATE_DIRECTORY; without either nothing is kept)")
	fs.BoolVar(&c.Redact, "redact", c.Redact, "secrets in what leaves the host are replaced; off only for tests")
	fs.StringVar(&c.Proc, "proc", c.Proc, "`folder` of the host's /proc")
	fs.StringVar(&c.Sys, "sys", c.Sys, "`folder` of the host's /sys")
	fs.StringVar(&c.Root, "root", c.Root, "`folder` of the host's / when it is mounted elsewhere")
}

// Validate names wrong settings, and fills in the node's name.
func (c *Config) Validate() error {
	var errs []error
	if c.Node == "" {
		name, err := os.Hostname()
		if err != nil {
			errs = append(errs, fmt.Errorf("--node: the host's name is not known: %w", err))
		}
		c.Node = name
	}
	for flag, d := range map[string]time.Duration{"interval": c.Interval, "heartbeat": c.Heartbeat, "call-timeout": c.CallTimeout} {
		if d < 10*time.Millisecond {
			errs = append(errs, fmt.Errorf("--%s %s: it must be at least 10ms", flag, d))
		}
	}
	if c.Buffer < 64<<10 {
		errs = append(errs, fmt.Errorf("--buffer %d: it must be at least %d", c.Buffer, 64<<10))
	}
	if levels[c.Level] == 0 {
		errs = append(errs, fmt.Errorf("--level %q: it is observe, events or trace", c.Level))
	}
	return errors.Join(errs...)
}

var levels = map[string]int{"observe": 1, "": 1, "events": 2, "trace": 3}

// Deps is what a probe works with.
type Deps struct {
	Log     *slog.Logger
	Bus     *bus.Conn
	Skills  []skills.Skill
	Targets []skills.Target // what to look into besides the host
	// Detector, when set, watches the numbers of all snapshots.
	Detector *Detector
	Node     func(ctx context.Context) (skills.Node, error) // for get_node_info
	// Look, when set, finds what could be targets. One call at a time is made.
	Look func(ctx context.Context) ([]protocol.Proposal, error)
	// Changes, when set, finds what changed on the host, Links whom it talks to.
	Changes  ChangeFinder
	Links    LinkReader
	Identity Identity
	Version  string
	// Telemetry is where signals go; the zero value is nowhere.
	Telemetry signals.Providers
	// Ready, when set, is called once the probe answers and has said that it lives.
	Ready func()
}

// Run watches the host until ctx ends. It returns an error when another machine
// has the node's name.
func Run(ctx context.Context, cfg Config, deps Deps) error {
	p := &probe{cfg: cfg, Deps: deps, instance: protocol.NewID(), started: time.Now().UTC()}
	registry, err := p.registry()
	if err != nil {
		return err
	}
	p.skills = registry
	if p.state, err = openState(cfg.State); err != nil {
		return err
	}
	if err := deps.Bus.Wait(ctx, bus.Nodes, bus.Snapshots); err != nil {
		return err
	}
	if err := p.checkName(ctx); err != nil {
		return err
	}
	p.outbox = newOutbox(deps.Bus, deps.Log, cfg.Buffer)
	p.tells = newTells(deps.Telemetry, p.outbox, deps.Detector)
	defer p.tells.stop()
	if err := p.open(); err != nil {
		return err
	}
	stop, err := p.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()

	g, ctx := errgroup.WithContext(ctx)
	if p.Detector != nil {
		if kept := p.state; p.Detector.restore(ctx, kept, p.Log, p.tells) {
			g.Go(func() error { p.Detector.keep(ctx, kept, p.Log, p.tells); return nil })
		}
	}
	g.Go(func() error { p.outbox.run(ctx); return nil })
	g.Go(func() error { return p.beat(ctx) })
	if cfg.Discover && deps.Look != nil {
		g.Go(func() error { p.discover(ctx); return nil })
	}
	g.Go(func() error { p.survey(ctx); return nil })
	for _, t := range p.targets {
		g.Go(func() error { p.watch(ctx, t); return nil })
	}
	err = g.Wait()
	p.outbox.drain()
	return err
}

type probe struct {
	cfg Config
	Deps
	skills   *skills.Registry
	base     []skills.Call
	outbox   *outbox
	state    state
	targets  []*target
	instance string
	started  time.Time
	tells    tells
	found    atomic.Pointer[[]protocol.Proposal]
}

func (p *probe) registry() (*skills.Registry, error) {
	p.base = skills.BaseCalls(func() skills.Time {
		now := time.Now().UTC()
		return skills.Time{Timestamp: now.Format(time.RFC3339Nano), UnixMS: now.UnixMilli()}
	}, func(ctx context.Context) (skills.Node, error) {
		n, err := p.Node(ctx)
		n.Name = p.cfg.Node
		return n, err
	})
	return skills.NewRegistry(p.Skills...)
}

// watch collects from a target at once and then at every interval, a tenth more or
// less, from a random moment on: a fleet that starts together does not publish together.
func (p *probe) watch(ctx context.Context, t *target) {
	delay := time.Duration(rand.Int64N(int64(p.cfg.Interval)) + 1)
	for n := 0; ; n++ {
		p.round(ctx, t)
		if n == settled {
			debug.FreeOSMemory() // what only the start needed
		}
		if !sleep(ctx, delay) {
			return
		}
		delay = p.cfg.Interval*9/10 + time.Duration(rand.Int64N(int64(p.cfg.Interval)/5+1))
	}
}

// settled is the round after which a probe has made all that it keeps.
const settled = 1

// patience is how long a round waits for one source before it goes on to the next.
const patience = time.Second

// round takes a snapshot of each source of a target, one after another, and publishes
// them together: one waking of the probe, not one for each skill. A source that is
// slow is not waited for; its snapshot follows when it is there.
func (p *probe) round(ctx context.Context, t *target) {
	var ready []taken
	slow := time.NewTimer(patience)
	defer slow.Stop()
	for _, src := range t.sources {
		there := make(chan *protocol.Snapshot, 1)
		go func() { there <- p.try(ctx, src) }()
		slow.Reset(patience)
		select {
		case snap := <-there:
			if snap != nil {
				ready = append(ready, taken{*snap, src})
			}
		case <-slow.C:
			go func() {
				if snap := <-there; snap != nil {
					p.publish(ctx, taken{*snap, src})
				}
			}()
		}
	}
	p.publish(ctx, ready...)
}

// try takes a snapshot; nil when it failed. That is logged when it begins, when it
// fails in another way, and when it ends: what a probe may not read it may never.
func (p *probe) try(ctx context.Context, src *source) *protocol.Snapshot {
	snap, err := p.take(ctx, src)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		if src.failing.Swap(nil) != nil {
			p.Log.Info("snapshots work again", "skill", src.skill, "target", src.target.Target)
		}
		return &snap
	}
	text := err.Error()
	if before := src.failing.Swap(&text); before == nil || *before != text {
		p.Log.Warn("a snapshot failed", "skill", src.skill, "target", src.target.Target, "err", err)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// collect takes one snapshot. A source that hangs past its time is left behind: its
// next snapshot fails until it returns.
func (p *probe) collect(ctx context.Context, src *source) (protocol.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.CallTimeout)
	defer cancel()
	select {
	case src.taking <- struct{}{}:
	case <-ctx.Done():
		return protocol.Snapshot{}, fmt.Errorf("the snapshot before this one still hangs: %w", ctx.Err())
	}
	type answer struct {
		data skills.Data
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-src.taking }()
		var t answer
		t.err = safely(func() (err error) { t.data, err = src.Snapshot(ctx); return err })
		done <- t
	}()
	var t answer
	select {
	case t = <-done:
	case <-ctx.Done():
		return protocol.Snapshot{}, fmt.Errorf("the snapshot hangs: %w", ctx.Err())
	}
	if len(t.data) == 0 {
		if t.err == nil {
			t.err = errors.New("the source gave nothing")
		}
		return protocol.Snapshot{}, t.err
	}
	snap := protocol.Snapshot{
		ID: protocol.NewID(), Node: src.target.Node, Target: src.target.Target, Kind: src.target.Kind, Skill: src.skill,
		CapturedAt: time.Now().UTC(), Data: t.data,
	}
	if t.err != nil { // part of it could not be read: say so beside what was
		snap.Errors = []string{t.err.Error()}
	}
	return snap, nil
}

// publish sends snapshots, and what the detector finds in them.
func (p *probe) publish(ctx context.Context, taken ...taken) {
	var list, found []bus.Outgoing
	for _, t := range taken {
		snap := t.snapshot
		list = append(list, bus.Outgoing{Subject: protocol.SnapshotSubject(snap.Node, snap.Target, snap.Skill), Body: snap, ID: snap.ID, At: snap.CapturedAt})
		if p.Detector != nil {
			found = append(found, p.judge(ctx, t)...)
		}
	}
	p.outbox.add(append(list, found...)...)
}

// taken is a snapshot and the source that it is of.
type taken struct {
	snapshot protocol.Snapshot
	of       *source
}

// safely turns a panic of a source into an error: it cannot end the probe.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the source panicked: %v", p)
		}
	}()
	return f()
}

// An Identity tells one machine from another.
type Identity struct {
	MachineID string // a digest, stable over restarts
	BootID    string
}

// takenError says that another machine has the node's name.
func takenError(node string, h protocol.Heartbeat) error {
	return fmt.Errorf("node %q is taken by another machine (machine id %s, it said so at %s): give this probe another name with --node",
		node, h.MachineID, h.SentAt.UTC().Format(time.RFC3339))
}

// checkName refuses to start where another machine with this name lives.
func (p *probe) checkName(ctx context.Context) error {
	h, at, err := p.lastBeat(ctx)
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if h.MachineID != p.Identity.MachineID && !h.Silent(time.Since(at)) {
		return takenError(p.cfg.Node, h)
	}
	return nil
}

func (p *probe) lastBeat(ctx context.Context) (protocol.Heartbeat, time.Time, error) {
	m, err := p.Bus.Last(ctx, bus.Nodes, protocol.NodeSubject(p.cfg.Node))
	if err != nil {
		return protocol.Heartbeat{}, time.Time{}, err
	}
	h, err := protocol.Decode[protocol.Heartbeat](m.Data)
	return h, m.Time, err
}

// beat says that the probe lives until ctx ends. Beats are never kept for later:
// what counts is when they arrive.
func (p *probe) beat(ctx context.Context) error {
	ready := sync.OnceFunc(func() {
		p.Log.Info("probe watches", "node", p.cfg.Node, "targets", len(p.targets), "sources", len(p.sources()), "interval", p.cfg.Interval)
		if p.Ready != nil {
			p.Ready()
		}
	})
	for {
		try, cancel := context.WithTimeout(ctx, min(p.cfg.Heartbeat, 5*time.Second))
		err := p.sendBeat(try)
		cancel()
		var taken nameTaken
		switch {
		case err == nil:
			ready()
		case errors.As(err, &taken):
			return taken
		case ctx.Err() == nil:
			p.Log.Warn("a heartbeat was not sent", "err", err)
		}
		if !sleep(ctx, p.cfg.Heartbeat) {
			return nil
		}
	}
}

type nameTaken struct{ error }

func (p *probe) sendBeat(ctx context.Context) error {
	last, _, err := p.lastBeat(ctx)
	if err == nil && last.MachineID != p.Identity.MachineID && last.SentAt.After(p.started) {
		return nameTaken{takenError(p.cfg.Node, last)}
	}
	h := protocol.Heartbeat{
		Node: p.cfg.Node, Version: p.Version, MachineID: p.Identity.MachineID, BootID: p.Identity.BootID, InstanceID: p.instance,
		Labels: p.cfg.Labels, SentAt: time.Now().UTC(), IntervalMS: p.cfg.Heartbeat.Milliseconds(),
	}
	h.Buffered, h.Dropped = p.outbox.stats()
	announced := map[protocol.HeartbeatSkill]bool{}
	for _, t := range p.targets {
		said := protocol.HeartbeatTarget{Name: t.Target, Kind: t.Kind}
		for _, src := range t.sources {
			said.Skills = append(said.Skills, src.skill)
			words := protocol.HeartbeatSkill{Skill: src.skill, Kind: t.Kind, Hash: src.hash}
			if !announced[words] { // targets of a kind share their words
				announced[words] = true
				h.Skills = append(h.Skills, words)
			}
		}
		h.Targets = append(h.Targets, said)
	}
	h.Proposals = p.proposals(h)
	_, err = p.Bus.Publish(ctx, bus.Outgoing{Subject: protocol.NodeSubject(p.cfg.Node), Body: h, At: h.SentAt})
	return err
}
