package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// TestTheGatewaysRoleIsEnough runs it on a server with users, where it may make no durable.
func TestTheGatewaysRoleIsEnough(t *testing.T) {
	dir := t.TempDir()
	authority, err := bus.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := natsd.Start(natsd.Options{StoreDir: t.TempDir(), Config: filepath.Join(dir, bus.ResolverFile)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	dial := func(role string) *bus.Conn {
		t.Helper()
		creds, err := authority.Mint(role, role+"-1")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), role+".creds")
		if err := os.WriteFile(file, creds, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := bus.Dial(t.Context(), bus.Config{InProcess: server, Creds: file}, role, natstest.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	coordinator, gateway := dial(bus.CoordinatorRole), dial(bus.GatewayRole)
	if _, err := coordinator.Setup(t.Context(), bus.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
	f := newFarSide(t)
	start(t, gateway, Config{Sinks: map[string]sinks.Config{"team": chat(f)}}) // it waits for the durable
	if _, err := coordinator.Setup(t.Context(), bus.SetupOptions{Sinks: []string{"team"}}); err != nil {
		t.Fatal(err)
	}
	i := insight("c1", "i1")
	i.Nodes = []string{"unknown"}
	publish(t, coordinator, i)
	f.await(t, 1)
	var done delivery
	eventually(t, "it is noted as sent", func() bool {
		_, err := coordinator.ReadKey(t.Context(), bus.SentBucket, "delivery.team."+protocol.Token(i.ID), &done)
		return err == nil && done.State == stateSent
	})
}
