package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

const rulesFile = "deploy/prometheus/fleetlens.yml"

// A rule is one alert: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/.
type rule struct {
	Alert               string
	Expr                string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var list []rule
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	if len(list) == 0 {
		t.Fatal("there are no rules")
	}
	return list
}

// A dashboard is what is read of one in Grafana's JSON model:
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
type dashboard struct {
	UID, Title string
	Panels     []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repo, "deploy/grafana/*.json"))
	if err != nil || len(files) != 3 {
		t.Fatalf("there are %d dashboards, %v", len(files), err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = d
	}
	return all
}

// expressions returns the PromQL of rules and dashboards, by where it stands. Grafana's own
// variables are replaced as Grafana does: https://grafana.com/docs/grafana/latest/dashboards/variables/add-template-variables/#global-variables.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range alerts(t) {
		all[r.Alert] = r.Expr
	}
	for name, d := range dashboards(t) {
		for _, p := range d.Panels {
			for i, x := range p.Targets {
				all[fmt.Sprintf("%s, %s, %d", name, p.Title, i)] = strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h").Replace(x.Expr)
			}
		}
	}
	return all
}

var (
	metricName = regexp.MustCompile(`\b(fleetlens|gen_ai|process|go)_[a-z0-9_]+\b`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
	labelList  = regexp.MustCompile(`\b(by|on) \(([^)]*)\)`)
	matcher    = regexp.MustCompile(`[{,] *([a-z_]+) *(=|!=|=~|!~)`)
)

// That /metrics has each metric of the table under the name used here is tested in internal/telemetry.
func TestRulesAndDashboardsAskForMetricsThatThereAre(t *testing.T) {
	labels := map[string][]string{"process_resident_memory_bytes": {}}
	for _, s := range signals.Table() {
		if s.Kind == signals.KindSpan || s.Kind == signals.KindEvent {
			continue
		}
		var names []string
		for _, a := range s.Attrs {
			names = append(names, strings.ReplaceAll(string(a), ".", "_"))
		}
		name := telemetry.PrometheusName(s)
		labels[name] = names
		if s.Kind == signals.KindHistogram {
			delete(labels, name) // Prometheus has its parts
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				labels[name+part] = append(slices.Clone(names), "le")
			}
		}
	}
	target := []string{"job", "instance"} // of any scraped series
	for where, expr := range expressions(t) {
		var have []string
		bare := quoted.ReplaceAllString(expr, `""`)
		for _, name := range metricName.FindAllString(labelList.ReplaceAllString(bare, ""), -1) {
			if slices.Contains([]string{"gen_ai_request_model", "gen_ai_token_type"}, name) {
				continue
			}
			names, ok := labels[name]
			if !ok {
				t.Errorf("%s: no process tells %s", where, name)
			}
			have = append(have, names...)
		}
		for _, m := range slices.Concat(labelList.FindAllStringSubmatch(bare, -1), matcher.FindAllStringSubmatch(bare, -1)) {
			list := m[1]
			if m[1] == "by" || m[1] == "on" {
				list = m[2]
			}
			for label := range strings.SplitSeq(list, ",") {
				if label = strings.TrimSpace(label); label != "" && !slices.Contains(have, label) && !slices.Contains(target, label) {
					t.Errorf("%s: the metrics have no label %s", where, label)
				}
			}
		}
	}
}

func TestPrometheusTakesRulesAndDashboards(t *testing.T) {
	if !missing.Debian(t, "promtool", "prometheus") {
		return
	}
	promtool := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	promtool("check", "rules", rulesFile)
	promtool("test", "rules", "deploy/prometheus/fleetlens_test.yml")

	// What dashboards ask is PromQL, if rules that record it are.
	type record struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var records []record
	for _, expr := range expressions(t) {
		records = append(records, record{fmt.Sprintf("panel:%d", len(records)), expr})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": records}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool("check", "rules", file)
}

func TestEachAlertSaysWhatToDo(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repo, "deploy/prometheus/fleetlens_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alerts(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s is %q", r.Alert, r.Labels["severity"])
		}
		for _, k := range []string{"summary", "description", "runbook"} {
			if r.Annotations[k] == "" {
				t.Errorf("%s has no %s", r.Alert, k)
			}
		}
		if n := strings.Count(string(text), r.Alert); n < 2 {
			t.Errorf("%s is not tested to fire and to be still", r.Alert)
		}
	}
}

func TestDashboardsAreLaidOut(t *testing.T) {
	for name, d := range dashboards(t) {
		if d.UID != name || d.Title == "" {
			t.Errorf("%s: uid %q, title %q", name, d.UID, d.Title)
		}
		ids := map[int]bool{}
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: panel %d %q at %+v with %d targets", name, p.ID, p.Title, p.GridPos, len(p.Targets))
			}
			ids[p.ID] = true
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if taken[at] != "" {
						t.Fatalf("%s: %q lies over %q", name, p.Title, taken[at])
					}
					taken[at] = p.Title
				}
			}
		}
	}
}
