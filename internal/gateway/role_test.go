package gateway

import (
	"testing"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// TestTheGatewaysRoleIsEnough runs it on a server with users, where it may make no durable.
func TestTheGatewaysRoleIsEnough(t *testing.T) {
	t.Parallel()
	as := natstest.Roles(t)
	coordinator, gateway := as(bus.CoordinatorRole), as(bus.GatewayRole)
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
