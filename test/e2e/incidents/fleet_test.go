//go:build linux

package incidents

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A fleet is NATS, a coordinator and an operator, for all incidents, and what the
// probes have published.
type fleet struct {
	url string

	mu    sync.Mutex
	seen  map[string]int // snapshots, by node, target and skill
	last  map[string]map[string]any
	names int // of nodes
}

// thresholds are levels that hold for all incidents, where a test cannot wait as
// long, or write as much, as the usual ones want.
var thresholds = []string{
	"--threshold", "postgres.idle_in_transaction_max_seconds=4:600",
	"--threshold", "postgres.blocked_max_seconds=2:60",
	"--threshold", "postgres.unused_indexes_mb=8:100000",
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	server, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	f := &fleet{url: server.URL(), seen: map[string]int{}, last: map[string]map[string]any{}}
	nc, err := nats.Connect(f.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.Subscribe("snapshots.>", f.snapshot); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) *box.Process {
		return box.Start(t, name, exec.Command(built.Program(t, "cmd/"+name), append([]string{"--server", f.url, "--http", ""}, args...)...))
	}
	coordinator, operator := run("coordinator", thresholds...), run("operator", append(thresholds, "--name", "op-1")...)
	coordinator.Says("coordinator takes requests")
	operator.Says("operator serves")
	return f
}

func (f *fleet) snapshot(m *nats.Msg) {
	var s protocol.Snapshot
	if json.Unmarshal(m.Data, &s) != nil {
		return
	}
	at := s.Node + "/" + s.Target + "/" + s.Skill
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[at]++
	f.last[at] = s.Data
}

// count returns how many snapshots of a skill on a target there were.
func (f *fleet) count(node, skill string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[node+"/"+skill]
}

// value returns a figure of the latest snapshot; 0 when it is not there.
func (f *fleet) value(node, skill, field string) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, _ := f.last[node+"/"+skill][field].(float64)
	return v
}

// latest returns the latest snapshots of a skill on all targets of a node.
func (f *fleet) latest(node, skill string) map[string]map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]map[string]any{}
	for at, data := range f.last {
		if strings.HasPrefix(at, node+"/") && strings.HasSuffix(at, "/"+skill) {
			out[at] = data
		}
	}
	return out
}

// text is value for what is written in words.
func (f *fleet) text(node, skill, field string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, _ := f.last[node+"/"+skill][field].(string)
	return v
}

// probe starts the probe of an incident, in its box if it has one.
func (f *fleet) probe(t *testing.T, node string, s *scene) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "probe.yaml")
	if err := os.WriteFile(config, []byte(s.config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--node", node, "--interval", "1s", "--heartbeat", "300ms", "--http", "", "--config", config}, s.args...)
	if s.box != nil {
		s.box.Probe(t, f.url, built.Program(t, "cmd/probe"), args)
		return
	}
	p := box.Start(t, "probe "+node, exec.Command(built.Program(t, "cmd/probe"), append(args, "--server", f.url)...))
	p.Says("probe watches")
}

// investigate runs the person's command.
func (f *fleet) investigate(t *testing.T, node, reason string, skills []string) (r protocol.Result) {
	t.Helper()
	args := []string{"investigate", reason, "--json", "--node", node, "--server", f.url, "--deadline", "30s"}
	for _, s := range skills {
		args = append(args, "--skill", s)
	}
	p := box.Start(t, "fleetlens", exec.Command(built.Program(t, "cmd/fleetlens"), args...))
	<-p.Ended
	if err := json.Unmarshal([]byte(p.Stdout.String()), &r); err != nil {
		t.Fatalf("fleetlens investigate ended with %d: %v\n%s\n%s", p.Cmd.ProcessState.ExitCode(), err, &p.Stdout, &p.Stderr)
	}
	return r
}

// machine is a host as files: a healthy one, with some of its files replaced.
// These are the flags with which a probe looks at it, and its folder.
func machine(t *testing.T, replaced map[string]string) (args []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../testdata/host")); err != nil {
		t.Fatal(err)
	}
	for name, text := range replaced {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.TrimPrefix(text, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"--proc", dir + "/proc", "--sys", dir + "/sys", "--root", dir}, dir
}
