package watch

import (
	"fmt"
	"time"

	"github.com/fleetlens/fleetlens/internal/detect"
)

// Anomaly is how the node's detector is set, by the names that its users know. A key
// that is left out has its default.
type Anomaly struct {
	// false: nothing is watched (default true).
	Enabled *bool `yaml:"enabled"`
	// how far apart samples of a metric are judged (default: the probe's interval, 30000).
	CollectionIntervalMS *int64 `yaml:"collection_interval_ms"`
	// how long the node and each of its metrics is watched before anything is told (default 7200000, two hours).
	LearningDurationMS *int64 `yaml:"learning_duration_ms"`
	// how far from the usual is anomalous, in deviations of a normal distribution (default 3.0).
	ZThreshold *float64 `yaml:"z_threshold"`
	// how many samples of one metric in a row must be anomalous (default 3).
	ConsecutiveRequired *int `yaml:"consecutive_required"`
	// how long a metric must be usual before it is told again (default 900000, a quarter of an hour).
	CooldownMS *int64 `yaml:"cooldown_ms"`
	// the same as cooldown_ms.
	CooldownDurationMS *int64 `yaml:"cooldown_duration_ms"`
	// how far back recent samples are kept (default 60).
	HistoryMinutes *int64 `yaml:"history_minutes"`
	// false: what is found is published, and asks for no investigation (default true).
	AutoTrigger *bool `yaml:"auto_trigger"`
	// how many investigations the node may ask for in an hour; triage has a limit of its own for the fleet (default 3).
	MaxTriggersPerHour *int `yaml:"max_triggers_per_hour"`
	// how often baselines are saved in the state folder; 0: never (default 300000, five minutes).
	AutoSaveIntervalMS *int64 `yaml:"auto_save_interval_ms"`
	// the skills whose metrics are watched (default: all).
	Skills []string `yaml:"skills"`
}

// options returns the detector's options for a probe that collects at an interval.
func (a Anomaly) options(interval time.Duration) (detect.Options, error) {
	o := detect.DefaultOptions()
	o.CollectionInterval = interval
	ms := func(into *time.Duration, from *int64) {
		if from != nil {
			*into = time.Duration(*from) * time.Millisecond
		}
	}
	if a.CooldownMS != nil && a.CooldownDurationMS != nil && *a.CooldownMS != *a.CooldownDurationMS {
		return o, fmt.Errorf("anomaly: cooldown_ms is %d and cooldown_duration_ms is %d: they are two names of one setting", *a.CooldownMS, *a.CooldownDurationMS)
	}
	ms(&o.CollectionInterval, a.CollectionIntervalMS)
	ms(&o.LearningDuration, a.LearningDurationMS)
	ms(&o.Cooldown, a.CooldownDurationMS)
	ms(&o.Cooldown, a.CooldownMS)
	ms(&o.AutoSaveInterval, a.AutoSaveIntervalMS)
	if a.HistoryMinutes != nil {
		o.History = time.Duration(*a.HistoryMinutes) * time.Minute
	}
	set(&o.Enabled, a.Enabled)
	set(&o.ZThreshold, a.ZThreshold)
	set(&o.ConsecutiveRequired, a.ConsecutiveRequired)
	set(&o.AutoTrigger, a.AutoTrigger)
	set(&o.MaxTriggers, a.MaxTriggersPerHour)
	o.Skills = a.Skills
	if err := o.Validate(); err != nil {
		return o, fmt.Errorf("anomaly: %w", err)
	}
	return o, nil
}

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}
