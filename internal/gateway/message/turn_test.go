package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestATurnIsSaidInOneLine(t *testing.T) {
	since := time.Date(2026, 3, 14, 14, 2, 0, 0, time.UTC)
	for _, tt := range []struct {
		state string
		lasts time.Duration
		want  string
	}{
		{protocol.Resolved, 14*time.Minute + 10*time.Second, "✔ resolved after 14 min"},
		{protocol.Resolved, 20 * time.Second, "✔ resolved after less than a minute"},
		{protocol.Resolved, 125 * time.Minute, "✔ resolved after 2 h 5 min"},
		{protocol.Resolved, 76 * time.Hour, "✔ resolved after 3 d 4 h"},
		{protocol.Reopened, time.Hour, "↺ goes on again"},
	} {
		r := protocol.Resolution{State: tt.state, Why: "its alerts\nare over", Since: since, At: since.Add(tt.lasts)}
		m := message.Turn(r, insight(), "https://fleet.example")
		if !strings.HasPrefix(m.Title(), tt.want+": Checkout is slow") || m.Context != "its alerts are over · it was ▲ critical · insight c1f09a" || len(m.Links) == 0 || len(m.Facts) > 0 {
			t.Errorf("%s: %+v", tt.want, m)
		}
		if whole := message.Turned(r, insight(), ""); !strings.HasPrefix(whole.Title(), tt.want+" · ▲ critical: Checkout") || len(whole.Facts) == 0 {
			t.Errorf("%s: %+v", tt.want, whole)
		}
	}
}
