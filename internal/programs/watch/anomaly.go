package watch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/keys"
	"github.com/fleetlens/fleetlens/pkg/skills"
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
	var errs []error
	in := func(unit time.Duration, key string, into *time.Duration, from *int64) {
		switch {
		case from == nil:
		case *from > int64(longest/unit):
			errs = append(errs, fmt.Errorf("anomaly: %s: %d is more than a year", key, *from))
		default:
			*into = time.Duration(max(*from, -1)) * unit // whatever is below zero is refused by its name
		}
	}
	if a.CooldownMS != nil && a.CooldownDurationMS != nil && *a.CooldownMS != *a.CooldownDurationMS {
		return o, fmt.Errorf("anomaly: cooldown_ms is %d and cooldown_duration_ms is %d: they are two names of one setting", *a.CooldownMS, *a.CooldownDurationMS)
	}
	in(time.Millisecond, "collection_interval_ms", &o.CollectionInterval, a.CollectionIntervalMS)
	in(time.Millisecond, "learning_duration_ms", &o.LearningDuration, a.LearningDurationMS)
	in(time.Millisecond, "cooldown_duration_ms", &o.Cooldown, a.CooldownDurationMS)
	in(time.Millisecond, "cooldown_ms", &o.Cooldown, a.CooldownMS)
	in(time.Millisecond, "auto_save_interval_ms", &o.AutoSaveInterval, a.AutoSaveIntervalMS)
	in(time.Minute, "history_minutes", &o.History, a.HistoryMinutes)
	set(&o.Enabled, a.Enabled)
	set(&o.ZThreshold, a.ZThreshold)
	set(&o.ConsecutiveRequired, a.ConsecutiveRequired)
	set(&o.AutoTrigger, a.AutoTrigger)
	set(&o.MaxTriggers, a.MaxTriggersPerHour)
	o.Skills = a.Skills
	if err := o.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("anomaly: %w", err))
	}
	return o, errors.Join(errs...)
}

// longest is the longest duration that a setting takes.
const longest = 366 * 24 * time.Hour

// known names the skills to watch that a probe does not have.
func (a Anomaly) known(list []skills.Skill) error {
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	var errs []error
	for _, name := range a.Skills {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("anomaly: skills: unknown skill %q; the nearest is %q", name, keys.Nearest(name, names)))
		}
	}
	return errors.Join(errs...)
}

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}
