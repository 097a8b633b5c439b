package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "embed"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// uiReport is what the web UI costs those who look at it, and its server.
type uiReport struct {
	Chromium   string  `json:"chromium"`
	FirstPaint figure  `json:"first_paint_gzip_bytes"` // the page, its script and its style, as they are sent
	Bundle     figure  `json:"bundle_gzip_bytes"`      // all files
	Loads      int     `json:"cold_loads"`
	Content    figure  `json:"insight_first_content_ms_p50"`
	ContentMax figure  `json:"insight_first_content_ms_max"`
	Nodes      int     `json:"nodes"`
	FirstRow   figure  `json:"first_row_ms"` // the slowest of three cold loads
	Filter     figure  `json:"filter_p95_ms"`
	Elements   figure  `json:"dom_elements"`
	Over       float64 `json:"live_s"`
	Updates    float64 `json:"updates_per_s"`
	LongTasks  figure  `json:"long_tasks_over_100_ms"`
	Longest    float64 `json:"longest_task_ms"` // 0: none took 50 ms, from which on browsers tell
	Server     float64 `json:"server_core_share_percent"`
}

// coldLoads is how often the page of an insight is loaded.
const coldLoads = 15

func uiCommand() *cobra.Command {
	var nodes, seconds int
	cmd := subcommand("ui", "The web UI in a browser",
		`Load the page of an insight in Chromium again and again, each time with an empty
cache, from the start of the navigation to the frame with the summary in its heading.
Then the list of a whole fleet: its first row, what each key of a filter takes, and what
333 beats a second do to it for a minute. The insight has findings, runs and 200 others
before it. NATS and the web server run in processes of their own; the share of a core is
the web server's while the beats come. It takes about two minutes.

It needs Node, Chromium and the packages of the UI (npm ci in internal/web/ui). The
browser has the cores that others leave it: on a busy machine all times are worse, so
look at "load_1m" and "load_1m_after" before you believe them.`,
		func(ctx context.Context, b *bench) (any, error) {
			if nodes < 100 || seconds < 1 || seconds > 180 {
				return nil, proc.Usage("--nodes %d --seconds %d: at least 100 nodes, and 1 to 180 seconds", nodes, seconds)
			}
			return b.ui(ctx, nodes, time.Duration(seconds)*time.Second)
		})
	cmd.Flags().IntVar(&nodes, "nodes", 10_000, "nodes of the fleet")
	cmd.Flags().IntVar(&seconds, "seconds", 60, "how long the nodes beat")
	return cmd
}

func (b *bench) ui(ctx context.Context, nodes int, over time.Duration) (*uiReport, error) {
	tools, err := findTools(ctx)
	if err != nil {
		return nil, err
	}
	nats, err := b.startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer nats.end()
	conn, err := b.dial(ctx, bus.Config{Server: nats.url})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	b.say("a fleet of %d nodes, with an insight", nodes)
	fleet := uiFleet{stormFleet{conn, nodes}}
	if err := fleet.seed(); err != nil {
		return nil, err
	}
	server, err := b.startPart(ctx, "web-server", "--server", nats.url)
	if err != nil {
		return nil, err
	}
	defer server.end()
	r := &uiReport{Chromium: tools.version, Loads: coldLoads, Nodes: nodes}
	url, token, _ := strings.Cut(server.says, " ")
	if err := r.weigh(ctx, url, tools.dist); err != nil {
		return nil, err
	}
	seen, err := b.browse(ctx, tools, url, token, nodes, func() error {
		b.say("%d beats a second for %s", beatsPerSecond, over)
		return r.live(ctx, fleet, server.pid, over)
	})
	if err != nil {
		return nil, err
	}
	r.take(seen)
	return r, nil
}

// uiTools are what the browser's part needs.
type uiTools struct {
	node, chromium, version string
	modules, dist           string // folders: of the UI's packages, and of what is served
}

// findTools says all that is missing at once.
func findTools(ctx context.Context) (t uiTools, err error) {
	var missing []error
	if t.node, err = exec.LookPath("node"); err != nil {
		missing = append(missing, errors.New("node is not installed; on Debian: apt-get install nodejs npm"))
	}
	if t.chromium, err = exec.LookPath("chromium"); err != nil {
		missing = append(missing, errors.New("chromium is not installed; on Debian: apt-get install chromium"))
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/fleetlens/fleetlens/internal/web").Output()
	if err != nil {
		return t, fmt.Errorf("where the UI's packages are: %w", err)
	}
	dir := strings.TrimSpace(string(out))
	t.modules, t.dist = filepath.Join(dir, "ui", "node_modules"), filepath.Join(dir, "dist")
	if _, err := os.Stat(filepath.Join(t.modules, "playwright-core")); err != nil {
		missing = append(missing, fmt.Errorf("playwright-core is not installed: run npm ci in %s", filepath.Dir(t.modules)))
	}
	if err := errors.Join(missing...); err != nil {
		return t, err
	}
	out, err = exec.CommandContext(ctx, t.chromium, "--version").Output()
	t.version = strings.TrimSpace(string(out))
	return t, err
}

// weigh asks for the files of the UI as a browser does, and counts what is sent.
func (r *uiReport) weigh(ctx context.Context, url, dist string) error {
	files, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	var first, all int64
	for _, f := range files {
		n, err := sent(ctx, url+"/"+strings.TrimSuffix(f.Name(), "index.html"))
		if err != nil {
			return err
		}
		all += n
		if slices.Contains([]string{"index.html", "app.js", "app.css"}, f.Name()) {
			first += n
		}
	}
	r.FirstPaint, r.Bundle = atMost(float64(first), 60_000), atMost(float64(all), 150_000)
	return nil
}

// sent returns how many bytes a body has on its way.
func sent(ctx context.Context, url string) (int64, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	q.Header.Set("Accept-Encoding", "gzip") // set by hand, it is not undone
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}

//go:embed ui.mjs
var uiScript []byte

// uiSeen is what the browser tells, in ms.
type uiSeen struct {
	Content  []float64 `json:"content"`
	FirstRow []float64 `json:"first_row"`
	Filter   []float64 `json:"filter"`
	Elements int       `json:"elements"`
	Long     []float64 `json:"long"`
}

// browse runs the browser's part; live is called when nodes are to beat.
func (b *bench) browse(ctx context.Context, t uiTools, url, token string, nodes int, live func() error) (seen uiSeen, err error) {
	script := filepath.Join(b.dir, "ui.mjs")
	if err := os.WriteFile(script, uiScript, 0o600); err != nil {
		return seen, err
	}
	args, err := json.Marshal(map[string]any{
		"modules": t.modules, "browser": t.chromium, "url": url, "token": token, "insight": uiInsight, "summary": uiSummary, "nodes": nodes, "loads": coldLoads,
	})
	if err != nil {
		return seen, err
	}
	cmd := exec.CommandContext(ctx, t.node, script)
	cmd.Env, cmd.Stderr = append(os.Environ(), "FLEETLENS_BENCH_UI="+string(args)), b.errOut
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, 5*time.Second // it takes the browser along
	in, err := cmd.StdinPipe()
	if err != nil {
		return seen, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return seen, err
	}
	b.say("loading the insight %d times", coldLoads)
	if err := cmd.Start(); err != nil {
		return seen, err
	}
	err = converse(bufio.NewReader(out), in, live, &seen)
	_ = in.Close() // it is closed unless something failed
	return seen, errors.Join(err, cmd.Wait())
}

// converse waits for the browser to be ready, has nodes beat, and reads what it saw.
func converse(out *bufio.Reader, in io.Closer, live func() error, seen *uiSeen) error {
	if line, err := out.ReadString('\n'); err != nil || line != "live\n" {
		return fmt.Errorf("the browser did not come to the list of nodes: %q (%w)", line, err)
	}
	if err := live(); err != nil {
		return err
	}
	if err := in.Close(); err != nil {
		return err
	}
	return json.NewDecoder(out).Decode(seen)
}

// take holds what the browser saw against the limits.
func (r *uiReport) take(seen uiSeen) {
	long := slices.DeleteFunc(slices.Clone(seen.Long), func(ms float64) bool { return ms <= 100 })
	r.Content, r.ContentMax = atMost(percentileMS(seen.Content, 50), 300), atMost(percentileMS(seen.Content, 100), 300)
	r.FirstRow, r.Filter = atMost(percentileMS(seen.FirstRow, 100), 1000), atMost(percentileMS(seen.Filter, 95), 50)
	r.Elements, r.LongTasks = atMost(float64(seen.Elements), 1000), atMost(float64(len(long)), 0)
	r.Longest = round(percentileMS(seen.Long, 100))
}

// percentileMS is percentile of a browser's times.
func percentileMS(values []float64, p float64) float64 {
	var list []time.Duration
	for _, v := range values {
		list = append(list, time.Duration(v*float64(time.Millisecond)))
	}
	return ms(percentile(list, p))
}

// beatsPerSecond are those of 10,000 nodes that beat every 30 s.
const beatsPerSecond = 333

// live has nodes beat one after the other, and tells what that costs the server.
func (r *uiReport) live(ctx context.Context, f uiFleet, pid int, over time.Duration) error {
	before, err := cpuTime(pid)
	if err != nil {
		return err
	}
	began, n := time.Now(), 0
	for ; time.Since(began) < over; n++ {
		if err := pause(ctx, time.Until(began.Add(time.Duration(n)*time.Second/beatsPerSecond))); err != nil {
			return err
		}
		if err := f.send(f.beat(n % f.nodes)); err != nil {
			return err
		}
	}
	took := time.Since(began)
	after, err := cpuTime(pid)
	if err != nil {
		return err
	}
	r.Over, r.Updates, r.Server = round(took.Seconds()), round(float64(n)/took.Seconds()), round(100*float64(after-before)/float64(took))
	return f.send(f.beat(f.nodes)) // one that was not there
}

// A uiFleet is a fleet with something to look at.
type uiFleet struct{ stormFleet }

// beat is of a node that is looked at for minutes.
func (f uiFleet) beat(i int) bus.Outgoing {
	out := f.stormFleet.beat(i)
	h, _ := out.Body.(protocol.Heartbeat)
	h.IntervalMS = time.Minute.Milliseconds()
	out.Body = h
	return out
}
