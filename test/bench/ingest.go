package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// metricsEach is how many metrics a snapshot of this benchmark has.
const metricsEach = 20

// ingestReport is what it costs to publish a snapshot.
type ingestReport struct {
	Metrics    int         `json:"metrics_per_snapshot"`
	Bytes      int         `json:"bytes_per_snapshot"` // the body, without headers
	Sources    int         `json:"sources"`
	Watched    int         `json:"metrics_watched"` // by the detector, of all sources
	BackToBack ingestTimes `json:"back_to_back"`    // a thousand at a time, as fast as it goes
	OneByOne   ingestTimes `json:"one_by_one"`      // spread over time: every snapshot wakes the process
}

// ingestTimes are CPU times per snapshot, from values to acknowledged publish.
// Raw is JetStream's asynchronous publish of the very same messages.
type ingestTimes struct {
	Snapshots int     `json:"snapshots"`
	PerSecond float64 `json:"snapshots_per_second"`
	Probe     figure  `json:"probe_cpu_us_per_snapshot"`
	Raw       float64 `json:"raw_jetstream_cpu_us_per_message"`
	Server    float64 `json:"server_cpu_us_per_snapshot"`
	ServerRaw float64 `json:"server_cpu_us_per_raw_message"`
}

func ingestCommand() *cobra.Command {
	var rounds int
	cmd := subcommand("ingest", "CPU of one snapshot, beside JetStream alone",
		`Run a probe in this process with 100 sources of 20 metrics, against a NATS server
in another, and take this process's CPU time by snapshots stored: from the values
of a source through the probe to the acknowledgement of its publish. Then publish the
same messages (subjects, headers, bodies) with nats.go's JetStream client alone.

Back to back the sources have their values ready, a thousand at a time; one by one
each source has its own ticks, and every snapshot wakes the process up, which is how
a probe lives. The server keeps 120 messages a subject throughout.`,
		func(ctx context.Context, b *bench) (any, error) { return b.ingest(ctx, rounds) })
	cmd.Flags().IntVar(&rounds, "rounds", 30, "rounds of a thousand snapshots, back to back")
	return cmd
}

const (
	sources    = 100
	roundSize  = 1000
	warmRounds = 3
	// tick is the time between two snapshots of a source, one by one; ticksFor how
	// long they are measured.
	tick     = 100 * time.Millisecond
	ticksFor = 8 * time.Second
)

func (b *bench) ingest(ctx context.Context, rounds int) (*ingestReport, error) {
	server, err := b.startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer server.end()
	conn, err := b.dial(ctx, bus.Config{Server: server.url})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := &ingest{bench: b, server: server, conn: conn}
	r := &ingestReport{Metrics: metricsEach, Sources: sources, Watched: sources * metricsEach}

	b.say("back to back: the probe, %d snapshots", rounds*roundSize)
	probed, err := in.probeBackToBack(ctx, rounds)
	if err != nil {
		return nil, err
	}
	msgs, err := in.sample(ctx)
	if err != nil {
		return nil, err
	}
	r.Bytes = len(msgs[0].Data)
	b.say("back to back: JetStream alone")
	raw, err := in.rawBackToBack(ctx, msgs, rounds)
	if err != nil {
		return nil, err
	}
	r.BackToBack = compare(probed, raw)
	b.say("one by one: the probe, %s", ticksFor)
	if probed, err = in.probeOneByOne(ctx); err != nil {
		return nil, err
	}
	b.say("one by one: JetStream alone")
	if raw, err = in.rawOneByOne(ctx, msgs); err != nil {
		return nil, err
	}
	r.OneByOne = compare(probed, raw)
	return r, nil
}

// A cost is what a number of messages took.
type cost struct {
	messages int
	wall     time.Duration
	self     time.Duration // CPU of this process
	server   time.Duration // CPU of the server's
}

func compare(probed, raw cost) ingestTimes {
	return ingestTimes{
		Snapshots: probed.messages, PerSecond: round(float64(probed.messages) / probed.wall.Seconds()),
		Probe: atMost(us(per(probed.self, probed.messages)), 30), Raw: us(per(raw.self, raw.messages)),
		Server: us(per(probed.server, probed.messages)), ServerRaw: us(per(raw.server, raw.messages)),
	}
}

// ingest is the state of one run.
type ingest struct {
	*bench
	server *natsServer
	conn   *bus.Conn // for looking, not for what is measured
}

// cost runs publish and returns what the messages took that were stored meanwhile.
func (in *ingest) cost(ctx context.Context, publish func() error) (c cost, err error) {
	read := func(sign time.Duration) {
		if err != nil {
			return
		}
		var n int
		var self, server time.Duration
		if n, err = stored(ctx, in.conn, bus.Snapshots); err != nil {
			return
		}
		if self, err = cpuTime(os.Getpid()); err != nil {
			return
		}
		if server, err = cpuTime(in.server.pid); err != nil {
			return
		}
		c.messages += int(sign) * n
		c.self, c.server = c.self+sign*self, c.server+sign*server
	}
	read(-1)
	began := time.Now()
	if err == nil {
		err = publish()
	}
	c.wall = time.Since(began)
	read(1)
	if err == nil && c.messages == 0 {
		err = errors.New("nothing was stored")
	}
	return c, err
}

// withProbe runs a probe of many sources while measure runs. wait holds a source
// back until its next values are due.
func (in *ingest) withProbe(ctx context.Context, interval time.Duration, wait func(ctx context.Context) error, measure func() error) error {
	conn, err := in.dial(ctx, bus.Config{Server: in.server.url})
	if err != nil {
		return err
	}
	defer conn.Close()
	cfg := probe.DefaultConfig()
	cfg.Node, cfg.Interval, cfg.CallTimeout = "bench", interval, longest
	// As every probe's, but for how often it judges: each of these snapshots.
	options := detect.DefaultOptions()
	options.CollectionInterval, options.LearningDuration = time.Millisecond, time.Second
	detector, err := probe.NewDetector(options)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	g, running := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(running)
	defer stop()
	g.Go(func() error {
		return probe.Run(running, cfg, probe.Deps{
			Log: in.log, Bus: conn, Skills: manySkills(wait), Detector: detector, Identity: probe.Identity{MachineID: "bench", BootID: "bench"},
			Version: "bench", Ready: func() { close(ready) },
		})
	})
	g.Go(func() error {
		defer stop()
		select {
		case <-ready:
			return measure()
		case <-running.Done():
			return context.Cause(running)
		}
	})
	return g.Wait()
}

// probeBackToBack lets the sources go on a thousand snapshots at a time, and
// waits until those are stored: no queue grows.
func (in *ingest) probeBackToBack(ctx context.Context, rounds int) (c cost, err error) {
	due := make(chan struct{}, roundSize)
	wait := func(ctx context.Context) error {
		select {
		case <-due:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	play := func(rounds int) error {
		for range rounds {
			before, err := stored(ctx, in.conn, bus.Snapshots)
			if err != nil {
				return err
			}
			for range roundSize {
				due <- struct{}{}
			}
			if err := waitStored(ctx, in.conn, bus.Snapshots, before+roundSize); err != nil {
				return err
			}
		}
		return nil
	}
	err = in.withProbe(ctx, 1, wait, func() error {
		if err := play(warmRounds); err != nil {
			return err
		}
		c, err = in.cost(ctx, func() error { return play(rounds) })
		return err
	})
	return c, err
}

// probeOneByOne lets the probe's own interval set the pace.
func (in *ingest) probeOneByOne(ctx context.Context) (c cost, err error) {
	wait := func(context.Context) error { return nil }
	err = in.withProbe(ctx, tick, wait, func() error {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		c, err = in.cost(ctx, func() error { return pause(ctx, ticksFor) })
		return err
	})
	return c, err
}

// manySkills returns skills of one source each, with values that change.
func manySkills(wait func(ctx context.Context) error) []skills.Skill {
	var metrics []skills.Metric
	for i := range metricsEach {
		metrics = append(metrics, skills.Metric{Name: fmt.Sprintf("metric_%02d_pct", i), Unit: protocol.Percent, Kind: protocol.Gauge, Doc: "A value."})
	}
	var list []skills.Skill
	for i := range sources {
		values := skills.Data{}
		for k, m := range metrics {
			values[m.Name] = float64(i*100+k) + rand.Float64()
		}
		list = append(list, skills.Skill{
			Name: fmt.Sprintf("s%02d", i), Title: "A source", Summary: "A source.", Prefix: "s_",
			Sources: []skills.Source{{
				Kind: skills.Host, Prompt: "A source.", Metrics: metrics,
				Snapshot: func(ctx context.Context) (skills.Data, error) {
					if err := wait(ctx); err != nil {
						return nil, err
					}
					values["metric_00_pct"] = rand.Float64()
					return maps.Clone(values), nil
				},
			}},
		})
	}
	return list
}

// sample returns the last message of each source as the probe published it.
func (in *ingest) sample(ctx context.Context) ([]*nats.Msg, error) {
	var msgs []*nats.Msg
	for i := range sources {
		subject := protocol.SnapshotSubject("bench", "host", fmt.Sprintf("s%02d", i))
		m, err := in.conn.LastDirect(ctx, bus.Snapshots, subject)
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	return msgs, nil
}

// raw returns nats.go's own JetStream client on a connection of its own.
func (in *ingest) raw() (jetstream.JetStream, error) {
	nc, err := nats.Connect(in.server.url)
	if err != nil {
		return nil, err
	}
	return jetstream.New(nc)
}

func (in *ingest) rawBackToBack(ctx context.Context, msgs []*nats.Msg, rounds int) (cost, error) {
	js, err := in.raw()
	if err != nil {
		return cost{}, err
	}
	defer js.Conn().Close()
	play := func(rounds int) error {
		for range rounds {
			for i := range roundSize {
				if _, err := js.PublishMsgAsync(again(msgs[i%sources])); err != nil {
					return err
				}
			}
			select {
			case <-js.PublishAsyncComplete():
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	if err := play(warmRounds); err != nil {
		return cost{}, err
	}
	return in.cost(ctx, func() error { return play(rounds) })
}

// rawOneByOne publishes with the probe's pace: each subject has its own ticks.
func (in *ingest) rawOneByOne(ctx context.Context, msgs []*nats.Msg) (cost, error) {
	js, err := in.raw()
	if err != nil {
		return cost{}, err
	}
	defer js.Conn().Close()
	running, stop := context.WithCancel(ctx)
	defer stop()
	g, running := errgroup.WithContext(running)
	for _, m := range msgs {
		g.Go(func() error {
			for pause(running, tick*9/10+rand.N(tick/5)) == nil {
				ack, err := js.PublishMsgAsync(again(m))
				if err != nil {
					return err
				}
				select {
				case <-ack.Ok():
				case err := <-ack.Err():
					return err
				}
			}
			return nil
		})
	}
	if err := pause(ctx, time.Second); err != nil {
		return cost{}, err
	}
	c, err := in.cost(ctx, func() error { return pause(ctx, ticksFor) })
	stop()
	return c, errors.Join(err, g.Wait())
}

// again returns a message to publish once more: the client keeps what it is given.
func again(m *nats.Msg) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
}
