//go:build linux

package discover

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestTheMonitoringPortOfANATSServerIsProposed(t *testing.T) {
	program := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "--addr", "127.0.0.1", "--port", "-1", "--http_port", "-1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	f, asked := finder()
	var p *protocol.Proposal
	for end := time.Now().Add(30 * time.Second); p == nil; <-time.After(20 * time.Millisecond) {
		if p = of(t, f, cmd.Process.Pid); p == nil && time.Now().After(end) {
			t.Fatal("it is not proposed")
		}
	}
	if p.Kind != "nats" || asked.times(p.Address) != 1 {
		t.Errorf("it is proposed as %+v and was asked %d times", p, asked.times(p.Address))
	}
	watch := targets(t, p)
	for _, c := range watch.NATS {
		if v, err := nats.New(c).Vars(t.Context()); err != nil || v.Version == "" {
			t.Errorf("what is proposed answers %+v, %v", v, err)
		}
	}
	if len(watch.NATS) != 1 {
		t.Errorf("the configuration says %s", p.Config)
	}
	f, asked = finder(watch.Addresses()...)
	if again := of(t, f, cmd.Process.Pid); again != nil || asked.times(p.Address) != 0 {
		t.Errorf("as a target it is proposed as %+v", again)
	}
}
