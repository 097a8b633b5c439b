//go:build linux

package unasked

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

func TestMain(m *testing.M) {
	box.Play(act)
	os.Exit(m.Run())
}

// A fleet is NATS, who works on it, and all that was said on it without a question.
type fleet struct {
	t   *testing.T
	url string

	mu        sync.Mutex
	snapshots map[string]int // by node, of the os skill
	anomalies []protocol.Anomaly
	notices   []protocol.Notification // of watching operators
	requests  []protocol.Request
	insights  []protocol.Insight
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	server, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	f := &fleet{t: t, url: server.URL(), snapshots: map[string]int{}}
	nc, err := nats.Connect(f.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	hear(f, nc, "snapshots.*.host.os", func(s protocol.Snapshot) { f.snapshots[s.Node]++ })
	hear(f, nc, "anomalies.>", func(a protocol.Anomaly) { f.anomalies = append(f.anomalies, a) })
	hear(f, nc, "operator.notification.>", func(n protocol.Notification) {
		if n.Origin == protocol.OriginWatch {
			f.notices = append(f.notices, n)
		}
	})
	hear(f, nc, protocol.RequestSubject, func(r protocol.Request) {
		if !slices.ContainsFunc(f.requests, func(o protocol.Request) bool { return o.ID == r.ID }) {
			f.requests = append(f.requests, r)
		}
	})
	hear(f, nc, "insights.>", func(i protocol.Insight) {
		if !slices.ContainsFunc(f.insights, func(o protocol.Insight) bool { return o.ID == i.ID }) {
			f.insights = append(f.insights, i)
		}
	})
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return f
}

// hear has what is said on a subject taken in.
func hear[T any](f *fleet, nc *nats.Conn, subject string, take func(T)) {
	_, err := nc.Subscribe(subject, func(m *nats.Msg) {
		var v T
		if json.Unmarshal(m.Data, &v) != nil {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		take(v)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) run(name, ready string, args ...string) *box.Process {
	f.t.Helper()
	p := box.Start(f.t, name, exec.Command(built.Program(f.t, "cmd/"+name), append([]string{"--server", f.url, "--http", ""}, args...)...))
	p.Says(ready)
	return p
}

// coordinator starts one that does not wait for more: what happens on several machines at one moment
// would be one matter.
func (f *fleet) coordinator() *box.Process {
	return f.run("coordinator", "coordinator takes requests", "--triage-settle", "0s")
}

func (f *fleet) operator(name string) *box.Process {
	return f.run("operator", "operator serves", "--name", name)
}

// idle is for how long nothing happens on any machine but the one that was full before.
var idle = flag.Duration("idle", 0, "for how long nothing happens before the faults; a sixth of it is learned")

// learning is how long the detectors learn, instead of two hours.
func learning() time.Duration { return max(16*time.Second, *idle/6) }

// probe starts the probe of a box, with every skill but those of logs, which are the
// machine's and not the box's.
func (f *fleet) probe(node string, b *box.Box) {
	f.t.Helper()
	config := filepath.Join(f.t.TempDir(), "probe.yaml")
	text := fmt.Sprintf("anomaly: {learning_duration_ms: %d}\nlogs: {files: [off], journal: off, docker: off, pods: off}\n", learning().Milliseconds())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	args := []string{"--node", node, "--interval", "1s", "--heartbeat", "1s", "--http", "", "--config", config, "--state", f.t.TempDir()}
	b.Probe(f.t, f.url, built.Program(f.t, "cmd/probe"), args)
}

// asked returns the investigations that were asked for of a node.
func (f *fleet) asked(node string) []protocol.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []protocol.Request
	for _, r := range f.requests {
		if slices.Contains(r.Nodes, node) {
			out = append(out, r)
		}
	}
	return out
}

// concluded returns the insights of a node that warn.
func (f *fleet) concluded(node string) []protocol.Insight {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []protocol.Insight
	for _, i := range f.insights {
		if slices.Contains(i.Nodes, node) {
			out = append(out, i)
		}
	}
	return out
}

// said returns how many anomalies and notifications there were of a node.
func (f *fleet) said(node string) (anomalies, notices int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.anomalies {
		if a.Node == node {
			anomalies++
		}
	}
	for _, n := range f.notices {
		if n.Node == node {
			notices++
		}
	}
	return anomalies, notices
}

func (f *fleet) count(node string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snapshots[node]
}
