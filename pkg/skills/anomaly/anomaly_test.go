package anomaly_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills/anomaly"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// monitor is a detector that found one metric odd.
type monitor struct{ quiet bool }

func (m monitor) Status() anomaly.Status {
	st := anomaly.Status{State: "active", LearningElapsedMS: 7_200_000, CollectionIntervalMS: 30_000, AutoTrigger: true, Metrics: 2, ZThreshold: 3}
	if !m.quiet {
		st.State, st.Anomalies, st.HostScore, st.ConsecutiveCount = "cooldown", 1, 1.75, 4
	}
	return st
}

func (monitor) Baselines() []anomaly.Baseline {
	return []anomaly.Baseline{
		{Target: "host", Skill: "os", Metric: "cpu_used_pct", Value: 97, Mean: 12, StdDev: 3, P50: 11, P95: 17, P99: 20, SampleCount: 500, Score: 20},
		{Target: "host", Skill: "ports", Metric: "sockets", Value: 50, Mean: 51, StdDev: 1, P50: 51, P95: 52, P99: 53, SampleCount: 500, Score: 1},
	}
}

func (m monitor) Anomalies() []anomaly.Anomaly {
	if m.quiet {
		return []anomaly.Anomaly{}
	}
	return []anomaly.Anomaly{{
		Target: "host", Skill: "os", Metric: "cpu_used_pct", Value: 97, Baseline: 12, Deviations: 28, Score: 20, Severity: protocol.SeverityWarning,
		Since: "2026-03-14T09:24:05Z", Told: true, Series: []protocol.Point{{At: 1, Value: 12}, {At: 2, Value: 97}},
	}}
}

func (monitor) Series(target, skill, metric string) []protocol.Point {
	if target != "host" || skill != "os" || metric != "cpu_used_pct" {
		return nil
	}
	return []protocol.Point{{At: 1, Value: 12}, {At: 2, Value: 97}}
}

func TestTheSkillKeepsThePromises(t *testing.T) {
	skilltest.Run(t, anomaly.Skill(monitor{}))
	skilltest.Run(t, anomaly.Skill(monitor{quiet: true}))
}

func TestTheSnapshotNamesWhatIsOddest(t *testing.T) {
	data, err := anomaly.Skill(monitor{}).Sources[0].Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"detector_state": "cooldown", "anomaly_count": 1.0, "metrics_collected": 2.0, "host_score": 1.75, "top_metric": "host/os.cpu_used_pct",
		"top_value": 97.0, "baseline_mean": 12.0, "baseline_std_dev": 3.0, "baseline_p50": 11.0, "baseline_p95": 17.0, "baseline_p99": 20.0,
	} {
		if data[name] != want {
			t.Errorf("%s is %v, want %v", name, data[name], want)
		}
	}
	if data["timestamp"].(float64) < 1e12 {
		t.Errorf("timestamp %v", data["timestamp"])
	}
	usual, _ := anomaly.Skill(monitor{quiet: true}).Sources[0].Snapshot(t.Context())
	if usual["detector_state"] != "active" || usual["top_metric"] != nil || usual["anomaly_count"] != 0.0 {
		t.Errorf("of a usual host: %v", usual)
	}
}

func TestTheCallbacksTellWhichMetricsAndWhatIsUsual(t *testing.T) {
	src := anomaly.Skill(monitor{}).Sources[0]
	for _, tt := range []struct{ call, want string }{
		{`monitor_get_state()`, "cooldown"},
		{`monitor_get_status()`, "consecutive_count:4"},
		{`monitor_anomalies(5)`, "metric:cpu_used_pct"},
		{`monitor_baselines("ports")`, "metric:sockets"},
		{`monitor_baselines("", 1)`, "percentile_95:17"},
		{`monitor_series("cpu_used_pct")`, "v:97"},
	} {
		v, err := skilltest.Call(t, src, tt.call)
		if err != nil || !strings.Contains(flat(v), tt.want) {
			t.Errorf("%s: %s, %v; want %s in it", tt.call, flat(v), err, tt.want)
		}
	}
	if _, err := skilltest.Call(t, src, `monitor_series("nothing")`); err == nil || !strings.Contains(err.Error(), "monitor_baselines()") {
		t.Errorf("an unknown metric: %v", err)
	}
}

func TestWithoutADetectorTheSkillSaysSo(t *testing.T) {
	src := anomaly.Skill(nil).Sources[0]
	if data, err := src.Snapshot(t.Context()); err != nil || data["detector_state"] != "off" {
		t.Errorf("snapshot %v, %v", data, err)
	}
	if _, err := skilltest.Call(t, src, "monitor_get_state()"); err == nil || !strings.Contains(err.Error(), "no detector") {
		t.Errorf("err %v", err)
	}
}

// flat writes a value as text without quotes.
func flat(v any) string { return strings.NewReplacer("map[", "", "]", "").Replace(fmt.Sprint(v)) }
