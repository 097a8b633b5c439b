package nats_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

func TestAServerThatIsDownIsAFinding(t *testing.T) {
	t.Parallel()
	s := run(t, nil)
	tg := watch(t, s)
	tg.snapshot()
	stop(s)
	d, err := tg.Snapshot(within(t))
	if err == nil || d["reachable"] != 0.0 || len(d) != 2 {
		t.Fatalf("it is %v, %v", d, err)
	}
	if says := tg.crossed(d)["reachable"]; !strings.Contains(says, "nothing answers at http://127.0.0.1:") {
		t.Errorf("it says %q", says)
	}
}

func TestAServerThatHangsCostsOneDeadline(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	h := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	t.Cleanup(func() { close(held); h.Close() })
	tg := open(t, reach.Config{URL: h.URL, Timeout: 200 * time.Millisecond})
	began := time.Now()
	d, err := tg.Snapshot(within(t))
	if err == nil || d["reachable"] != 0.0 || time.Since(began) > 5*time.Second {
		t.Errorf("it is %v, %v after %s", d, err, time.Since(began))
	}
}

func TestWhatIsNoNATSServerSaysNothingOfOne(t *testing.T) {
	t.Parallel()
	h := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(h.Close)
	tg := open(t, reach.Config{URL: h.URL})
	if d, err := tg.Snapshot(within(t)); err == nil || d != nil || !strings.Contains(err.Error(), "is url the base of what the server serves") {
		t.Errorf("it is %v, %v", d, err)
	}
}

func TestAServerWithoutJetStreamHasNoStreams(t *testing.T) {
	t.Parallel()
	tg := watch(t, run(t, func(o *server.Options) { o.JetStream = false }))
	d := tg.snapshot()
	if d["reachable"] != 1.0 || d["streams"] != nil || d["storage_mb"] != nil || d["healthy"] != 1.0 {
		t.Errorf("it is %v", d)
	}
	for _, question := range []string{"nats_streams()", "nats_consumers()", "nats_accounts()", `nats_stream("ORDERS")`} {
		if _, err := skilltest.Call(t, tg.Source, question); err == nil || !strings.Contains(err.Error(), "the server has no JetStream") {
			t.Errorf("%s: %v", question, err)
		}
	}
	if a := tg.ask("nats_cluster()"); a["streams"] != nil || a["server"] != "hub" {
		t.Errorf("the cluster is %v", a)
	}
}

func TestWrongArgumentsAreRefusedWithWords(t *testing.T) {
	t.Parallel()
	tg := open(t, reach.Config{URL: "http://127.0.0.1:1"})
	for question, want := range map[string]string{
		"nats_streams(1000)":               "limit must be a whole number from 1 to 50",
		`nats_streams(5, "size")`:          `one of "used"`,
		`nats_consumers(5, "lag", "S", 1)`: "takes 3 arguments",
		"nats_stream(5)":                   "stream must be a string",
		`nats_connections(5, "cid")`:       `one of "idle"`,
	} {
		if _, err := skilltest.Raw(t, tg.Source, question); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", question, err, want)
		}
	}
}

func TestAWatchOfAnAccountsLimit(t *testing.T) {
	t.Parallel()
	s := run(t, nil)
	_, js := dial(t, s)
	account := s.GlobalAccount()
	if err := account.UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {MaxMemory: -1, MaxStore: 4 << 10, MaxStreams: -1, MaxConsumers: -1}}); err != nil {
		t.Fatal(err)
	}
	stream(t, js, jetstream.StreamConfig{Name: "ORDERS"}, 60)
	tg := watch(t, s)
	d := tg.snapshot()
	if pct, _ := d["account_used_pct"].(float64); pct < 50 || d["account"] != "$G (storage)" {
		t.Errorf("the account is %v with %v", d["account"], d["account_used_pct"])
	}
	a := rows(tg.ask("nats_accounts(5)"), "accounts")
	if len(a) == 0 || a[0]["account"] != "$G" || a[0]["storage_used_pct"] == nil || a[0]["memory_used_pct"] != nil {
		t.Errorf("the accounts are %v", a)
	}
}
