//go:build linux

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// freePort returns an address of this machine that nobody has.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// TestAStormOfAnAlertmanagerIsOneInvestigation posts 500 alerts to Debian's Alertmanager,
// which reports them to a gateway, which sends what was found back to it.
func TestAStormOfAnAlertmanagerIsOneInvestigation(t *testing.T) {
	if !missing.Debian(t, "prometheus-alertmanager", "prometheus-alertmanager") {
		return
	}
	t.Parallel()
	f := newFleet(t)
	dir, door, manager := t.TempDir(), freePort(t), freePort(t)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ready(f.coordinator("--triage=true"), f.operator("op-1"), f.probe("web-1", tree(t, nil)))
	gateway := f.start("fleetlens", "gateway", "gateway", "--alerts", door, "--config",
		write("gateway.yaml", "sinks: {routes: {type: alertmanager, url: 'http://"+manager+"', when: {nothing_wrong: true}}}"))
	box.Eventually(t, "the gateway takes alerts", func() bool {
		c, err := net.Dial("tcp", door)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	start(t, "alertmanager", "prometheus-alertmanager", "--cluster.listen-address=", "--web.listen-address="+manager, "--storage.path="+filepath.Join(dir, "data"),
		"--config.file="+write("alertmanager.yml", `
route: {receiver: fleetlens, group_by: [alertname], group_wait: 300ms, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: fleetlens
    webhook_configs: [{url: 'http://`+door+`/in/alertmanager', send_resolved: true}]
`))
	post := func(over bool) {
		const alerts = 500
		var list []map[string]any
		for n := range alerts {
			a := map[string]any{
				"labels":      map[string]string{"alertname": "HighLatency", "instance": fmt.Sprintf("web-%d:9100", n+1), "severity": "page"},
				"annotations": map[string]string{"summary": "p99 is 2.1 s"}, "startsAt": time.Now().Add(-time.Minute).UTC().Format(time.RFC3339),
			}
			if over {
				a["endsAt"] = time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
			}
			list = append(list, a)
		}
		body, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		box.Eventually(t, "the Alertmanager takes alerts", func() bool {
			r, err := http.Post("http://"+manager+"/api/v2/alerts", "application/json", bytes.NewReader(body))
			if err != nil {
				return false
			}
			_ = r.Body.Close()
			return r.StatusCode == http.StatusOK
		})
	}
	groups := func() []triage.Group {
		var out []triage.Group
		for _, m := range f.stored("KV_fl_state", "$KV.fl_state.triage.group.>") {
			out = append(out, decode[triage.Group](t, m.Data()))
		}
		return out
	}
	count := func(state string) int {
		n := 0
		for _, a := range decodeAll[protocol.Alert](t, f.stored("FL_EVENTS", "alerts.alertmanager")) {
			if a.State == state && a.Name == "HighLatency" {
				n++
			}
		}
		return n
	}

	insights := follow(t, f.nc, "insights.>")
	post(false)
	found := decode[insight](t, next(t, insights, box.Patience).Data)
	box.Eventually(t, "all alerts are in the stream", func() bool { return count("firing") == 500 })
	box.Eventually(t, "our own alert fires there", func() bool {
		r, err := http.Get("http://" + manager + "/api/v2/alerts?filter=alertname%3DFleetlensInsight")
		if err != nil {
			return false
		}
		defer func() { _ = r.Body.Close() }()
		var list []struct {
			Labels map[string]string `json:"labels"`
			Routed []any             `json:"receivers"`
		}
		return json.NewDecoder(r.Body).Decode(&list) == nil && len(list) == 1 && list[0].Labels["insight"] == found.ID && len(list[0].Routed) == 1
	})
	post(true)
	box.Eventually(t, "the group is over", func() bool {
		g := groups()
		return len(g) == 1 && g[0].Resolved() && len(g[0].Firing) == 0
	})
	if n := count("resolved"); n != 500 {
		t.Errorf("%d alerts are over in the stream", n)
	}
	g := groups()
	if requests := f.stored("FL_FINDINGS", "investigations.*.finished"); len(requests) != 1 || len(g) != 1 || g[0].ID != found.InvestigationID || g[0].Kinds[triage.Alert] == 0 {
		t.Errorf("%d investigations, %d groups, of %s", len(requests), len(g), found.InvestigationID)
	}
	for _, a := range decodeAll[protocol.Alert](t, f.stored("FL_EVENTS", "alerts.>")) {
		if a.Name == protocol.InsightAlert {
			t.Errorf("our own alert is in the stream: %+v", a)
		}
	}
	gateway.Interrupt()
	if code := gateway.Wait(); code != 0 {
		t.Errorf("the gateway ended with %d", code)
	}
}
