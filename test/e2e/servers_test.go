//go:build linux

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/internal/kubetest"
	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// looksInto starts a fleet whose probe looks into a target of the configuration file.
func looksInto(t *testing.T, target string) *fleet {
	t.Helper()
	f := newFleet(t)
	config := filepath.Join(t.TempDir(), "probe.yaml")
	if err := os.WriteFile(config, []byte("targets:\n"+target), 0o600); err != nil {
		t.Fatal(err)
	}
	ready(f.coordinator(), f.operator("op-1"), f.probe("node-1", tree(t, nil), "--config", config))
	return f
}

// blames asks the fleet and checks that an insight names the cause, what is known of it,
// and whom the root of it is put down to.
func blames(t *testing.T, f *fleet, body, word string, says []string, root string) insight {
	t.Helper()
	got := about(t, request(t, f.nc, body), word)
	for _, text := range says {
		if !strings.Contains(got.Summary, text) {
			t.Errorf("it does not say %q: %s", text, got.Summary)
		}
	}
	if !strings.Contains(got.RootCause, root) {
		t.Errorf("it puts it down to %q, want %q", got.RootCause, root)
	}
	if !strings.HasPrefix(got.Model, "rules") {
		t.Errorf("%s decided", got.Model)
	}
	checkFigures(t, got)
	return got
}

func TestAnInvestigationNamesTheConsumerThatIsStuck(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
		ServerName: "hub", JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(box.Patience) {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := js.Publish(t.Context(), "orders.new", []byte("order")); err != nil {
			t.Fatal(err)
		}
	}
	billing, err := js.CreateConsumer(t.Context(), "ORDERS", jetstream.ConsumerConfig{Durable: "billing", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 5})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := billing.Fetch(5) // it takes five and acknowledges none
	if err != nil {
		t.Fatal(err)
	}
	for range batch.Messages() {
		continue
	}
	f := looksInto(t, fmt.Sprintf("  nats:\n    bus: {url: http://%s}\n", s.MonitorAddr()))
	blames(t, f, `{"reason":"orders are not billed","skills":["nats"]}`, "ORDERS/billing",
		[]string{"100 % of the messages unacknowledged that it may"}, "consumer ORDERS/billing: too many messages are not acknowledged")
}

func TestAnInvestigationNamesTheTargetThatIsDown(t *testing.T) {
	t.Parallel()
	if !missing.Debian(t, "prometheus", "prometheus") {
		return
	}
	address := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}
	at, shop, dir := address(), address(), t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 200ms}\nscrape_configs:\n  - {job_name: prometheus, static_configs: [{targets: [%q]}]}\n  - {job_name: shop, static_configs: [{targets: [%q]}]}\n", at, shop)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=error")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	f := looksInto(t, fmt.Sprintf("  prometheus:\n    metrics: {url: http://%s}\n", at))
	box.Eventually(t, "Prometheus scrapes", func() bool {
		resp, err := http.Get("http://" + at + "/api/v1/targets")
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(b), `"health":"down"`) && strings.Contains(string(b), `"health":"up"`)
	})
	blames(t, f, `{"reason":"the shop's graphs are empty","skills":["prometheus"]}`, "cannot be scraped",
		[]string{"1 of 2 targets (50 %)", "shop " + shop, "connection refused"}, "target shop "+shop+": ")
}

// The API server is a recorded one: no cluster can run in a test.
func TestAnInvestigationNamesThePodThatCrashesAndTheRolloutBefore(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t, "crashloop")
	f := looksInto(t, fmt.Sprintf("  kubernetes:\n    prod: {kubeconfig: %q}\n", s.Kubeconfig(t)))
	box.Eventually(t, "the rollout is a change", func() bool {
		for _, m := range f.stored("FL_EVENTS", "changes.node-1.probe") {
			if strings.Contains(string(m.Data()), "shop/checkout was rolled out: image") {
				return true
			}
		}
		return false
	})
	const pod = "shop/checkout-84c6d8b7f9-kw5zd"
	got := blames(t, f, `{"reason":"checkout is slow","skills":["kubernetes"]}`, "crash again and again",
		[]string{pod + " (app)", "OOMKilled, exit code 137", "image registry.example/checkout:1.4.2 before, registry.example/checkout:1.5.0 now", "its limit is 256 MiB"},
		"pod "+pod+" (app): OOMKilled, exit code 137")
	stored := f.stored("FL_INSIGHTS", "insights.>")
	if len(stored) != 1 || !strings.Contains(string(stored[0].Data()), got.ID) {
		t.Fatalf("%d insights are stored, want %s", len(stored), got.ID)
	}
	raw := string(stored[0].Data())
	for _, name := range []string{"kube_restarts", "kube_rollouts"} {
		a := fleetlens(t, "call", "--server", f.url, "--target", "prod", "node-1", name, "1")
		if a.code != 0 || !strings.Contains(a.stdout, "checkout") {
			t.Errorf("%s ended with %d: %s%s", name, a.code, a.stdout, a.stderr)
		}
	}
	if strings.Contains(raw, "hunter2") || strings.Contains(raw, kubetest.Token) {
		t.Errorf("a secret has left the cluster: %s", raw)
	}
}
