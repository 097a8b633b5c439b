// Package anomaly is the skill of a node's own detector: which of its metrics left
// their usual course, what is usual, and what the detector does.
package anomaly

import (
	"context"
	_ "embed"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var prompt string

// Name is the skill's. Its own metrics are watched by no detector.
const Name = "anomaly"

// A Monitor is the detector of a node. It is safe for concurrent use.
type Monitor interface {
	Status() Status
	// Baselines returns what is usual, by target, skill and metric.
	Baselines() []Baseline
	// Anomalies returns those that go on or ended a short while ago, the strongest first.
	Anomalies() []Anomaly
	// Series returns the recent values of a metric, oldest first; nil of one that is not watched.
	Series(target, skill, metric string) []protocol.Point
}

// A Status is what a detector does, and how it is set.
type Status struct {
	State                string `json:"state"` // learning, active or cooldown; off when there is no detector
	LearningStartTime    string `json:"learning_start_time,omitempty"`
	LearningElapsedMS    int64  `json:"learning_elapsed_ms"`
	CooldownStartTime    string `json:"cooldown_start_time,omitempty"`
	ConsecutiveCount     int    `json:"consecutive_count"` // the most of all metrics
	CollectionIntervalMS int64  `json:"collection_interval_ms"`
	AutoTrigger          bool   `json:"auto_trigger"`
	TriggersInLastHour   int    `json:"triggers_in_last_hour"`

	LearningDurationMS  int64   `json:"learning_duration_ms"`
	ZThreshold          float64 `json:"z_threshold"`
	ConsecutiveRequired int     `json:"consecutive_required"`
	CooldownMS          int64   `json:"cooldown_ms"`
	MaxTriggersPerHour  int     `json:"max_triggers_per_hour"`
	Metrics             int     `json:"metrics"`
	MetricsIgnored      int     `json:"metrics_ignored"`
	Anomalies           int     `json:"anomalies"`
	HostScore           float64 `json:"host_score"`
}

// A Baseline is what is usual for one metric.
type Baseline struct {
	Target      string  `json:"target"`
	Skill       string  `json:"skill"`
	Metric      string  `json:"metric"`
	Value       float64 `json:"value"` // the last one; of a counter its rate a second
	Mean        float64 `json:"mean"`
	StdDev      float64 `json:"std_dev"`
	P50         float64 `json:"percentile_50"`
	P95         float64 `json:"percentile_95"`
	P99         float64 `json:"percentile_99"`
	SampleCount int     `json:"sample_count"`
	Score       float64 `json:"score"` // how unlikely its last samples are
	LastUpdated string  `json:"last_updated"`
}

// An Anomaly is a metric that left its usual course.
type Anomaly struct {
	Target     string            `json:"target"`
	Skill      string            `json:"skill"`
	Metric     string            `json:"metric"`
	Value      float64           `json:"value"`
	Baseline   float64           `json:"baseline"`
	Deviations float64           `json:"deviations"`
	Score      float64           `json:"score"`
	Severity   protocol.Severity `json:"severity"`
	Since      string            `json:"since"`
	Told       bool              `json:"asked_for_an_investigation"`
	Why        string            `json:"why_not,omitempty"`
	Series     []protocol.Point  `json:"series,omitempty"`
}

// Skill returns the skill; m is the node's detector, nil where there is none.
func Skill(m Monitor) skills.Skill {
	return skills.Skill{
		Name:    Name,
		Title:   "Statistical anomaly detection",
		Summary: "Which metrics of a node left their usual course, since when and how far, judged by what each has been like before.",
		Prefix:  "monitor_",
		Sources: []skills.Source{{
			Kind: skills.Host, Prompt: prompt, Metrics: metrics, Calls: calls(m),
			Snapshot: func(context.Context) (skills.Data, error) { return snapshot(m, time.Now()), nil },
		}},
	}
}

var metrics = []skills.Metric{
	skills.Info("detector_state", protocol.Text, "learning: nothing is told yet; active; cooldown: something was told a short while ago; off."),
	skills.Info("timestamp", protocol.Milliseconds, "When this was read, in milliseconds since 1970."),
	skills.Gauge("anomaly_count", protocol.Count, "Metrics that left their usual course, and those that came back a short while ago."),
	skills.Gauge("host_score", protocol.Count, "Sum over the metrics that are odd now of their score in units of the threshold; 0 on a usual host."),
	skills.Gauge("metrics_collected", protocol.Count, "Metrics that the detector watches, of all skills and targets of the node."),
	skills.Gauge("metrics_ignored", protocol.Count, "Metrics that it has no room for."),
	skills.Gauge("triggers_in_last_hour", protocol.Count, "Investigations it asked for in the last hour."),
	skills.Info("top_metric", protocol.Text, "The metric that is furthest from its usual course, as target/skill.metric; absent when all are usual."),
	skills.Info("top_value", protocol.Count, "Its value, in its own unit."),
	skills.Info("top_score", protocol.Count, "How unlikely its last samples are: the sum of -ln of the tail probabilities of unlike features."),
	skills.Info("baseline_mean", protocol.Count, "Its mean before."),
	skills.Info("baseline_std_dev", protocol.Count, "Its standard deviation before."),
	skills.Info("baseline_p50", protocol.Count, "Its median before."),
	skills.Info("baseline_p95", protocol.Count, "Its 95th percentile before."),
	skills.Info("baseline_p99", protocol.Count, "Its 99th percentile before."),
}

func snapshot(m Monitor, now time.Time) skills.Data {
	d := skills.Data{"detector_state": "off", "timestamp": float64(now.UnixMilli())}
	if m == nil {
		return d
	}
	st := m.Status()
	d["detector_state"] = st.State
	d.Set("anomaly_count", float64(st.Anomalies), 0)
	d.Set("host_score", st.HostScore, 2)
	d.Set("metrics_collected", float64(st.Metrics), 0)
	d.Set("metrics_ignored", float64(st.MetricsIgnored), 0)
	d.Set("triggers_in_last_hour", float64(st.TriggersInLastHour), 0)
	if st.Anomalies == 0 {
		return d
	}
	list := m.Anomalies()
	if len(list) == 0 {
		return d
	}
	top := list[0]
	d.Text("top_metric", top.Target+"/"+top.Skill+"."+top.Metric)
	d.Set("top_value", top.Value, 3)
	d.Set("top_score", top.Score, 2)
	for _, b := range m.Baselines() {
		if b.Target == top.Target && b.Skill == top.Skill && b.Metric == top.Metric {
			d.Set("baseline_mean", b.Mean, 3)
			d.Set("baseline_std_dev", b.StdDev, 3)
			d.Set("baseline_p50", b.P50, 3)
			d.Set("baseline_p95", b.P95, 3)
			d.Set("baseline_p99", b.P99, 3)
		}
	}
	return d
}
