package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// leastBeat keeps a machine that is busy for seconds from being taken for a fleet that
// fell silent, where the interval is very short.
const leastBeat = 2 * time.Second

// Beats is how many heartbeats a simulated probe sends in an interval. By default it
// is three; a third of a second would be mostly heartbeats.
const beatEvery = 2 // intervals

// ProbeConfig is the default configuration of a probe with its times scaled to an
// interval between snapshots.
func ProbeConfig(interval time.Duration) probe.Config {
	cfg := probe.DefaultConfig()
	cfg.Interval = interval
	cfg.Heartbeat = max(beatEvery*interval, leastBeat)
	cfg.Discover = false // there is no host to look at
	return cfg
}

// DetectOptions are the default options of a detector, with those times scaled that
// count samples.
func DetectOptions(interval time.Duration) detect.Options {
	o := detect.DefaultOptions()
	scale := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * float64(interval) / float64(o.CollectionInterval))
	}
	o.Cooldown, o.History, o.LearningDuration = scale(o.Cooldown), scale(o.History), scale(o.LearningDuration)
	o.CollectionInterval = interval
	return o
}

// Probes are the probes of a simulated fleet.
type Probes struct {
	script   *Script
	interval time.Duration
	zero     atomic.Int64 // moment zero of the scenario, unix nanoseconds; 0: not yet
	begin    time.Time    // of the simulated day
	wires    []*Wire
	stops    []context.CancelFunc
	group    *errgroup.Group
}

// moment returns where in the scenario a time is, in intervals, and what time of the
// simulated day: it goes on where history ended, a Step an interval.
func (p *Probes) moment(now time.Time) (at float64, day time.Time) {
	at = -1e9
	if zero := p.zero.Load(); zero != 0 {
		at = float64(now.UnixNano()-zero) / float64(p.interval)
	}
	return at, p.begin.Add(time.Duration(float64(now.Sub(p.begin)) / float64(p.interval) * float64(Step)))
}

// startProbes returns when every probe has reported. Each has its baselines from history and keeps its
// state in a folder below dir.
func startProbes(ctx context.Context, s *Script, h History, interval time.Duration, url, dir string, log *slog.Logger) (*Probes, error) {
	p := &Probes{script: s, interval: interval, begin: time.Now()}
	p.group, ctx = errgroup.WithContext(ctx)
	var ready sync.WaitGroup
	failed := make(chan error, len(s.Nodes))
	for i, node := range s.Nodes {
		folder := filepath.Join(dir, node.Name)
		if err := h.write(node.Name, folder); err != nil {
			return nil, err
		}
		w := &Wire{
			addr: strings.TrimPrefix(url, "nats://"), open: map[*wired]bool{}, dice: rand.New(rand.NewPCG(s.seed, hash("wire "+node.Name))),
			clock: s.clock(i, interval),
		}
		run, stop := context.WithCancel(ctx)
		p.wires, p.stops = append(p.wires, w), append(p.stops, stop)
		ready.Add(1)
		up := sync.OnceFunc(ready.Done)
		p.group.Go(func() error {
			defer up()
			err := p.run(run, i, w, folder, log, up)
			if err != nil && !errors.Is(err, context.Canceled) {
				failed <- fmt.Errorf("%s: %w", node.Name, err)
				return err
			}
			return nil
		})
	}
	ready.Wait()
	select {
	case err := <-failed:
		return nil, errors.Join(err, p.stop())
	default:
	}
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), p.stop())
	}
	return p, nil
}

// run is one probe.
func (p *Probes) run(ctx context.Context, i int, w *Wire, folder string, log *slog.Logger, ready func()) error {
	node := p.script.Nodes[i]
	conn, err := bus.Dial(ctx, bus.Config{InProcess: w}, "probe/"+node.Name, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	detector, err := probe.NewDetector(DetectOptions(p.interval))
	if err != nil {
		return err
	}
	m := p.script.machine(i)
	m.effects, m.moment = p.script.effects[i], p.moment
	cfg := ProbeConfig(p.interval)
	cfg.Node, cfg.Labels, cfg.State = node.Name, node.Labels, folder
	return probe.Run(ctx, cfg, probe.Deps{
		Log: log, Bus: conn, Skills: []skills.Skill{osSkill(m.read("os")), shopSkill(m.read("shop"))}, Detector: detector,
		Node: func(context.Context) (skills.Node, error) {
			return skills.Node{Name: node.Name, OSType: "simulated"}, nil
		},
		Links: links{p.script.Plan, i}, Identity: probe.Identity{MachineID: node.Name, BootID: "1"}, Version: "simulated", Ready: ready,
	})
}

// stop ends all probes.
func (p *Probes) stop() error {
	for i, stop := range p.stops {
		p.wires[i].Cut(false)
		stop()
	}
	return p.group.Wait()
}

// clock returns by how much a node's clock is ahead.
func (c *Script) clock(node int, interval time.Duration) time.Duration {
	ahead := 0.0
	for _, f := range c.Faults {
		for _, n := range c.faults[f.Name] {
			if n == node {
				ahead += f.Clock
			}
		}
	}
	return time.Duration(ahead * float64(interval))
}

// links tells whom a simulated host talks to.
type links struct {
	plan *Plan
	node int
}

var _ probe.LinkReader = links{}

// servicePort is where every simulated service listens.
const servicePort = 8080

func address(i int) string { return fmt.Sprintf("10.42.%d.%d", i/250, i%250+1) }

// Links implements probe.LinkReader.
func (l links) Links(context.Context) (protocol.Links, error) {
	n := l.plan.Nodes[l.node]
	out := protocol.Links{
		Node: n.Name, Addresses: []string{address(l.node)}, Listens: []protocol.Listener{{Port: servicePort, Process: n.Role}}, Peers: []protocol.LinkPeer{},
		At: time.Now().UTC(),
	}
	for _, o := range n.calls {
		out.Peers = append(out.Peers, protocol.LinkPeer{Address: address(o), Port: servicePort, Process: n.Role, Connections: 4})
	}
	return out, nil
}

// Same implements probe.LinkReader.
func (links) Same(a, b protocol.Links) bool { return len(a.Peers) == len(b.Peers) }
