package prometheus_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	reach "github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

const patience = 60 * time.Second

// freeAddress returns where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody connected
	return l.Addr().String()
}

const config = `
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["%s"]}]}
  - {job_name: shop, static_configs: [{targets: ["%s"]}]}
`

const rules = `
groups:
  - name: shop
    rules:
      - {alert: ShopDown, expr: 'up{job="shop"} == 0', labels: {severity: page}, annotations: {summary: "the shop is down"}}
      - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
      - {record: broken, expr: 'prometheus_build_info + on() group_left() {__name__=~"prometheus_http_requests_total|up"}'}
`

// server starts a Prometheus that scrapes itself, and a shop that is down; empty where
// there is no Prometheus, which the test has told then.
func server(t *testing.T) string {
	t.Helper()
	if !missing.Debian(t, "prometheus", "prometheus") {
		return ""
	}
	dir, at := t.TempDir(), freeAddress(t)
	for name, text := range map[string]string{"prometheus.yml": fmt.Sprintf(config, at, freeAddress(t)), "rules.yml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--log.level=error")
	cmd.Stderr = t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return "http://" + at
}

func open(t *testing.T, url string) (skills.Skill, skills.Source) {
	t.Helper()
	s := reach.New(reach.Config{URL: url})
	t.Cleanup(s.Close)
	k := prometheus.Skill(map[string]*reach.Server{"main": s})
	return k, k.Sources[0].Open("main")
}

func rows(a map[string]any, name string) []map[string]any {
	list, _ := a[name].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func TestARealServer(t *testing.T) {
	url := server(t)
	if url == "" {
		return
	}
	skill, src := open(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var d skills.Data
	for ready := false; !ready; <-time.After(50 * time.Millisecond) {
		var err error
		d, err = src.Snapshot(ctx)
		if ctx.Err() != nil {
			t.Fatalf("waited in vain for an alert: %v, %v", d, err)
		}
		ready = err == nil && d["alerts_firing"] == 1.0 && d["targets_down"] == 1.0 && d["rules_failing"] == 1.0
		if q, err := skilltest.Call(t, src, `prom_query("count_over_time(up{job='prometheus'}[1h]) > 12")`); err != nil || len(rows(q.(map[string]any), "series")) == 0 {
			ready = false
		}
	}
	if d["reachable"] != 1.0 || d["config_ok"] != 1.0 || d["targets"] != 2.0 || d["targets_down_pct"] != 50.0 || d["rules"] != 3.0 {
		t.Errorf("the snapshot is %v", d)
	}
	if head, _ := d["head_series"].(float64); head < 100 || d["server_version"] == nil {
		t.Errorf("the snapshot is %v", d)
	}
	said := map[string]string{}
	for _, x := range skills.Evaluate(src.Checks, d) {
		said[x.Check.Metric] = x.Says
	}
	for metric, want := range map[string]string{
		"targets_down_pct": "connection refused", "alerts_firing": `ShopDown{instance=`, "rules_failing": "broken of shop: ",
	} {
		if !strings.Contains(said[metric], want) {
			t.Errorf("%s says %q, want %q", metric, said[metric], want)
		}
	}
	ask := func(question string) map[string]any {
		t.Helper()
		return skilltest.Object(t, src, question)
	}
	if s := rows(ask(`prom_query("up{job='shop'}")`), "series"); len(s) != 1 || s[0]["value"] != 0.0 || !strings.HasPrefix(fmt.Sprint(s[0]["series"]), "up{instance=") {
		t.Errorf("the shop is %v", s)
	}
	if s := rows(ask(`prom_query("scalar(vector(0)) / 0")`), "series"); len(s) != 1 || s[0]["value"] != "NaN" {
		t.Errorf("nothing by nothing is %v", s)
	}
	if s := rows(ask(`prom_top("up # of all", 1)`), "series"); len(s) != 1 || s[0]["value"] != 1.0 {
		t.Errorf("the first is %v", s)
	}
	if a := ask(`prom_top("{job='prometheus'}", 3)`); len(rows(a, "series")) != 3 {
		t.Errorf("the first three are %v", a)
	}
	if a := ask(`prom_query("{job='prometheus'}")`); len(rows(a, "series")) != 50 || a["truncated"] != true {
		t.Errorf("of many series %d are told, truncated %v", len(rows(a, "series")), a["truncated"])
	}
	if s := rows(ask(`prom_range("up", 1, 1)`), "series"); len(s) != 2 || len(s[0]["points"].([]any)) == 0 {
		t.Errorf("the range is %v", s)
	}
	if a := rows(ask("prom_alerts(5)"), "alerts"); len(a) != 2 || a[0]["state"] != "firing" {
		t.Errorf("the alerts are %v", a)
	}
	if a := ask("prom_targets(1)"); a["down"] != 1.0 || a["truncated"] != true || rows(a, "targets")[0]["job"] != "shop" || rows(a, "jobs")[0]["job"] != "shop" {
		t.Errorf("the targets are %v", a)
	}
	for question, want := range map[string]string{
		`prom_query("up{")`:                               "parse error",
		`prom_query("'text'")`:                            "gives a string",
		`prom_query("")`:                                  "the expression is empty",
		`prom_range("up[5m]", 1, 1)`:                      "invalid expression type",
		`prom_range("up", 600, 1)`:                        "step must be at least 303",
		`prom_correlated("up", 5)`:                        "gives 2 series",
		`prom_correlated("sum(up)", 5)`:                   "neither the label instance nor job",
		`prom_query("` + strings.Repeat("u", 2001) + `")`: "at most 2000",
	} {
		if _, err := skilltest.Call(t, src, question); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", question, err, want)
		}
	}
	skilltest.RunTarget(t, skill, skills.Target{Name: "main", Kind: skills.Prometheus})
}
