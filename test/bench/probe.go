package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// probeReport is what the probe costs.
type probeReport struct {
	Processes    int             `json:"processes"`
	CPU          figure          `json:"cpu_us_per_collection"` // at one collection a second; budget: the exporter's scrape
	Collections  int             `json:"collections"`           // of that figure
	RSS          figure          `json:"rss_mb"`                // at 30 s, NATS connection included
	RSSAnonymous float64         `json:"rss_anonymous_mb"`      // of it, no file's pages
	RSSPeak      float64         `json:"rss_peak_mb"`
	Share        figure          `json:"core_share_percent_at_30s"` // heartbeats included, the start not
	Window       float64         `json:"core_share_window_s"`       // over so long
	WindowSnaps  int             `json:"core_share_window_collections"`
	FastRSSPeak  float64         `json:"rss_peak_mb_at_1s"`
	NodeExporter *exporterReport `json:"node_exporter"` // null: not installed
}

// exporterReport is what node_exporter costs on the same machine in the same run.
type exporterReport struct {
	Version string  `json:"version"`
	Flags   string  `json:"flags"`
	CPU     float64 `json:"cpu_us_per_scrape"`
	Scrapes int     `json:"scrapes"`
	Bytes   int64   `json:"bytes_per_scrape"` // uncompressed
	RSS     float64 `json:"rss_mb"`
	RSSPeak float64 `json:"rss_peak_mb"`
}

// manyProcesses is from how many on node_exporter has to read each of them too.
const manyProcesses = 1000

// mostRounds is how many collections and as many scrapes fit into the time.
const mostRounds = 30

func probeCommand() *cobra.Command {
	var wanted, rounds int
	cmd := subcommand("probe", "CPU and memory of the probe, beside node_exporter",
		`Build cmd/probe and run it as a process of its own against a NATS server in
another: one probe at an interval of 30 s for memory and the share of a core, then
one that collects every second for the CPU time of a collection, published.

Beside it prometheus-node-exporter is scraped as often, when it is installed
(Debian: apt-get install prometheus-node-exporter), with its defaults; from
--processes 1000 on with its collector of processes too, since the probe reads
every process.`,
		func(ctx context.Context, b *bench) (any, error) {
			if rounds < 1 || rounds > mostRounds {
				return nil, proc.Usage("--collections %d: it must be from 1 to %d", rounds, mostRounds)
			}
			return b.probe(ctx, wanted, rounds)
		})
	cmd.Flags().IntVar(&wanted, "processes", 0, "start idle processes until the machine has so many (0: as it is)")
	cmd.Flags().IntVar(&rounds, "collections", 20, "collections, and scrapes, to measure; one a second")
	return cmd
}

func (b *bench) probe(ctx context.Context, wanted, rounds int) (*probeReport, error) {
	binary := filepath.Join(b.dir, "probe")
	b.say("building cmd/probe")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "github.com/fleetlens/fleetlens/cmd/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build cmd/probe: %w: %s", err, out)
	}
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
	idle, err := b.crowd(ctx, wanted)
	defer idle()
	if err != nil {
		return nil, err
	}
	r := &probeReport{}
	if r.Processes, err = processes(); err != nil {
		return nil, err
	}
	b.say("%d processes on this machine, load %.2f", r.Processes, loadAverage())

	slow, err := b.startProbe(ctx, conn, binary, server.url, "slow", 30*time.Second)
	if err != nil {
		return nil, err
	}
	defer slow.end()
	slowCPU, err := cpuTime(slow.pid)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	slowSnaps, err := count(ctx, conn, slow.node)
	if err != nil {
		return nil, err
	}
	if err := b.collections(ctx, conn, r, binary, server.url, rounds); err != nil {
		return nil, err
	}
	if r.NodeExporter, err = b.nodeExporter(ctx, wanted >= manyProcesses, rounds); err != nil {
		return nil, err
	}
	if r.NodeExporter != nil {
		r.CPU = atMost(r.CPU.Value, r.NodeExporter.CPU)
	}
	return r, b.atRest(ctx, conn, r, slow, slowCPU, slowSnaps, began)
}

// window is over how long the share of a core is taken: more than one interval.
const window = 45 * time.Second

// atRest reads what the probe at 30 s has used since it began.
func (b *bench) atRest(ctx context.Context, conn *bus.Conn, r *probeReport, p *child, cpu time.Duration, snaps int, began time.Time) error {
	b.say("waiting until the probe at 30 s ran for %s", window)
	if err := pause(ctx, time.Until(began.Add(window))); err != nil {
		return err
	}
	after, err := cpuTime(p.pid)
	if err != nil {
		return err
	}
	took := time.Since(began)
	now, err := count(ctx, conn, p.node)
	if err != nil {
		return err
	}
	m, err := readMemory(p.pid)
	if err != nil {
		return err
	}
	r.Share, r.Window, r.WindowSnaps = atMost(100*float64(after-cpu)/float64(took), 0.5), round(took.Seconds()), now-snaps
	r.RSS, r.RSSAnonymous, r.RSSPeak = atMost(m.rss, 25), round(m.anon), round(m.peak)
	return nil
}

// collections measures the CPU time of a collection, from reading /proc to the
// acknowledged publish, as process CPU by collections on the stream.
func (b *bench) collections(ctx context.Context, conn *bus.Conn, r *probeReport, binary, url string, rounds int) error {
	p, err := b.startProbe(ctx, conn, binary, url, "fast", time.Second)
	if err != nil {
		return err
	}
	defer p.end()
	if err := p.await(ctx, conn, 3); err != nil { // the first ones fill caches
		return err
	}
	before, err := cpuTime(p.pid)
	if err != nil {
		return err
	}
	b.say("%d collections, one a second", rounds)
	if err := p.await(ctx, conn, 3+rounds); err != nil {
		return err
	}
	after, err := cpuTime(p.pid)
	if err != nil {
		return err
	}
	n, err := count(ctx, conn, p.node)
	if err != nil {
		return err
	}
	m, err := readMemory(p.pid)
	if err != nil {
		return err
	}
	r.Collections = n - 3
	r.CPU, r.FastRSSPeak = measured(us(per(after-before, r.Collections))), round(m.peak)
	return nil
}

// A child is a process that is measured.
type child struct {
	pid  int
	node string
	end  func()
}

// start runs a program until end is called.
func (b *bench) start(ctx context.Context, program string, args ...string) (*child, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{pid: cmd.Process.Pid, end: func() {
		_ = cmd.Process.Kill() // it has ended already then
		_ = cmd.Wait()         // it was killed
	}}, nil
}

// startProbe returns a probe that has published its first snapshot.
func (b *bench) startProbe(ctx context.Context, conn *bus.Conn, binary, url, node string, interval time.Duration) (*child, error) {
	p, err := b.start(ctx, binary, "--server", url, "--node", node, "--interval", interval.String(), "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	p.node = node
	if err := p.await(ctx, conn, 1); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// await returns when the probe has so many snapshots on the stream.
func (p *child) await(ctx context.Context, conn *bus.Conn, want int) error {
	for {
		n, err := count(ctx, conn, p.node)
		if err != nil || n >= want {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("probe %s published %d of %d collections: %w", p.node, n, want, err)
		}
	}
}

// count returns how many collections of a node the stream holds. A collection is a
// snapshot of every skill of the host; they are counted by those of one.
func count(ctx context.Context, conn *bus.Conn, node string) (int, error) {
	n := 0
	for _, err := range conn.Range(ctx, bus.Snapshots, protocol.SnapshotSubject(node, string(skills.Host), "os"), 0) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// crowd starts idle processes until the machine has the wanted number. They end
// when end is called, and by themselves after the longest benchmark.
func (b *bench) crowd(ctx context.Context, wanted int) (end func(), err error) {
	var started []*child
	end = func() {
		for _, c := range started {
			c.end()
		}
	}
	have, err := processes()
	if err != nil || have >= wanted {
		return end, err
	}
	b.say("starting %d idle processes", wanted-have)
	for range wanted - have {
		c, err := b.start(ctx, "sleep", fmt.Sprint(longest.Seconds()))
		if err != nil {
			return end, fmt.Errorf("an idle process: %w", err)
		}
		started = append(started, c)
	}
	return end, nil
}

// nodeExporter scrapes node_exporter; nil when it is not installed.
func (b *bench) nodeExporter(ctx context.Context, everyProcess bool, rounds int) (*exporterReport, error) {
	program, err := exec.LookPath("prometheus-node-exporter")
	if err != nil {
		program, err = exec.LookPath("node_exporter")
	}
	if errors.Is(err, exec.ErrNotFound) {
		b.say("node_exporter is not installed: there is nothing to compare with (Debian: apt-get install prometheus-node-exporter)")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &exporterReport{Version: exporterVersion(ctx, program)}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"--web.listen-address=" + addr, "--log.level=error"}
	if everyProcess {
		r.Flags = "--collector.processes"
		args = append(args, r.Flags)
	}
	p, err := b.start(ctx, program, args...)
	if err != nil {
		return nil, err
	}
	defer p.end()
	scrape := func() error { r.Bytes, err = get(ctx, "http://"+addr+"/metrics"); return err }
	for scrape() != nil {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("node_exporter does not answer: %w", err)
		}
	}
	for range 2 { // as many as the probe's, to fill caches
		if err := scrape(); err != nil {
			return nil, err
		}
	}
	before, err := cpuTime(p.pid)
	if err != nil {
		return nil, err
	}
	b.say("%d scrapes of node_exporter %s, one a second", rounds, r.Version)
	for range rounds {
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
		if err := scrape(); err != nil {
			return nil, err
		}
	}
	after, err := cpuTime(p.pid)
	if err != nil {
		return nil, err
	}
	m, err := readMemory(p.pid)
	if err != nil {
		return nil, err
	}
	r.CPU, r.Scrapes, r.RSS, r.RSSPeak = us(per(after-before, rounds)), rounds, round(m.rss), round(m.peak)
	return r, nil
}

// exporterVersion returns the third word of "node_exporter, version 1.5.0 (…)".
func exporterVersion(ctx context.Context, program string) string {
	out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	var name, word, version string
	if _, scanErr := fmt.Sscan(string(out), &name, &word, &version); err != nil || scanErr != nil {
		return "unknown"
	}
	return version
}

// get reads a page as Prometheus does, compressed and over a connection that is
// kept, and returns its size.
func get(ctx context.Context, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
