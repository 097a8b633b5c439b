package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// turn says the n-th turn of a group: by turns it is over, and goes on again.
func turn(t *testing.T, c *bus.Conn, n int, group string, insights ...string) {
	t.Helper()
	now := time.Now().UTC()
	r := protocol.Resolution{
		ID: protocol.EffectID("resolution", group, strconv.Itoa(n)), Group: group, State: protocol.Reopened, Why: "a test says so", Insights: insights, Since: now.Add(-14 * time.Minute), At: now,
	}
	if n%2 == 1 {
		r.State = protocol.Resolved
	}
	if _, err := c.Publish(t.Context(), bus.Outgoing{Subject: protocol.ResolutionSubject(group), Body: r, ID: r.ID, Dedupe: true}); err != nil {
		t.Fatal(err)
	}
}

func TestThatItIsOverGoesIntoTheThreadOfTheGroup(t *testing.T) {
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	t.Parallel()
	start(t, conn, Config{Sinks: map[string]sinks.Config{"team": {Type: "slack", URL: f.URL, TokenEnv: "SINK_TOKEN", Channel: "C0123456789"}}})
	publish(t, conn, insight("c1", "g1"))
	f.await(t, 1)
	asked := insight("c2", "somebody asked about the group")
	asked.Group = "g1"
	publish(t, conn, asked)
	f.await(t, 2)
	turn(t, conn, 1, "g1", "c1")
	turn(t, conn, 1, "a group without insights here", "c9")
	f.await(t, 4)
	settled(t, conn, "team")
	posts := f.got()
	type message struct {
		TS, Text string
		ThreadTS string `json:"thread_ts"`
	}
	var got []message
	for _, p := range posts {
		var m message
		if err := json.Unmarshal([]byte(p.body), &m); err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	if len(got) != 4 || got[1].ThreadTS != "1.1" || posts[2].path != "/chat.update" || got[2].TS != "1.1" || got[3].ThreadTS != "1.1" {
		t.Fatalf("%+v", got)
	}
	if got[2].Text != "✔ resolved after 14 min · ◆ warning: summary of c1" || got[3].Text != "✔ resolved after 14 min: summary of c1" {
		t.Errorf("%+v", got[2:])
	}
}

func TestWhoWasToldNothingHearsOfNoEnd(t *testing.T) {
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	severe := webhook(f)
	severe.When.MinSeverity = protocol.SeverityCritical
	start(t, conn, Config{Sinks: map[string]sinks.Config{"severe": severe, "chat": chat(f)}})
	publish(t, conn, insight("c1", "g1"))
	f.await(t, 1)
	turn(t, conn, 1, "g1", "c1")
	settled(t, conn, "severe")
	settled(t, conn, "chat")
	if posts := f.got(); len(posts) != 1 {
		t.Errorf("%v", posts)
	}
}

func TestTheEndWaitsForTheInsightAndTheLastWordCounts(t *testing.T) {
	t.Parallel()
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	f.busy(http.StatusServiceUnavailable)
	follows := true
	cfg := chat(f)
	cfg.Resolved = &follows
	start(t, conn, Config{Sinks: map[string]sinks.Config{"team": cfg}})
	publish(t, conn, insight("c1", "g1"))
	for n := range 3 {
		turn(t, conn, n+1, "g1", "c1")
	}
	f.await(t, 3)
	settled(t, conn, "team")
	var got []string
	for _, p := range f.got() {
		for _, says := range []string{"resolved after", "goes on again", "warning"} {
			if strings.Contains(p.body, says) {
				got = append(got, says)
				break
			}
		}
	}
	if want := []string{"warning", "warning", "resolved after"}; !slices.Equal(got, want) {
		t.Errorf("posts of %v, want %v", got, want)
	}
}
