package intake_test

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// TestAReportIsStoredOnce stores one twice, with the rights of each role that takes
// reports: its sender heard nothing of the first time.
func TestAReportIsStoredOnce(t *testing.T) {
	as := natstest.Roles(t)
	admin := as(bus.AdminRole)
	if _, err := admin.Setup(t.Context(), bus.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC()
	for _, role := range []string{bus.CoordinatorRole, bus.GatewayRole} {
		r := intake.Report{
			Alerts:  []protocol.Alert{{ID: "alert by " + role, Source: "grafana", State: "firing", Name: "DiskFull", Severity: protocol.SeverityWarning, StartsAt: at}},
			Changes: []protocol.Change{{ID: "change by " + role, Node: "web-1", Source: "jenkins", What: "deploy", At: at}},
		}
		for range 2 {
			if err := intake.To(as(role))(t.Context(), r); err != nil {
				t.Fatal(role, err)
			}
		}
	}
	for subject, want := range map[string]int{protocol.AlertSubject("grafana"): 2, protocol.ChangeSubject("web-1", "jenkins"): 2} {
		n := 0
		for _, err := range admin.Range(t.Context(), bus.Events, subject, 0) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want {
			t.Errorf("%d of %s, want %d", n, subject, want)
		}
	}
}
