//go:build linux

package beam

import (
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A fleet is NATS, a coordinator and an operator, for all incidents, and what the probes
// have published.
type fleet struct {
	url string

	mu   sync.Mutex
	seen map[string]int // snapshots, by node and skill of the target shop
	last map[string]map[string]any
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
	if _, err := nc.Subscribe("snapshots.*.shop.>", f.snapshot); err != nil {
		t.Fatal(err)
	}
	f.start(t, "coordinator", "coordinator takes requests")
	f.start(t, "operator", "operator serves", "--name", "op-1")
	return f
}

// start runs one of our programs until the test ends, and waits until it is ready.
func (f *fleet) start(t *testing.T, program, ready string, args ...string) {
	t.Helper()
	p := box.Start(t, program, exec.Command(built.Program(t, "cmd/"+program), append([]string{"--server", f.url, "--http", ""}, args...)...))
	p.Says(ready)
}

func (f *fleet) snapshot(m *nats.Msg) {
	var s protocol.Snapshot
	if json.Unmarshal(m.Data, &s) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[s.Node+"/"+s.Skill]++
	f.last[s.Node+"/"+s.Skill] = s.Data
}

// count returns how many snapshots of a skill of the node there were.
func (f *fleet) count(node, skill string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[node+"/"+skill]
}

// latest returns a field of the latest snapshot, nil when it is not there.
func (f *fleet) latest(node, skill, field string) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last[node+"/"+skill][field]
}

// investigate runs the person's command, and returns what it answers.
func (f *fleet) investigate(t *testing.T, node, reason string) (r protocol.Result, raw string) {
	t.Helper()
	args := []string{"investigate", reason, "--json", "--node", node, "--server", f.url, "--deadline", "40s"}
	for _, s := range asked {
		args = append(args, "--skill", s)
	}
	p := box.Start(t, "fleetlens", exec.Command(built.Program(t, "cmd/fleetlens"), args...))
	<-p.Ended
	raw = p.Stdout.String()
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		t.Fatalf("fleetlens investigate ended with %d: %v\n%s\n%s", p.Cmd.ProcessState.ExitCode(), err, raw, &p.Stderr)
	}
	return r, raw
}

// asked are the skills that an investigation asks for: all that a node has, so that those
// that see nothing must stay silent.
var asked = strings.Fields("beam ets gc allocator ports supervisor overload vm_events exception logger")
