package detect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Options say how a [Detector] judges. The names of the fields are those of the
// settings: learning_duration_ms is LearningDuration, and so on.
type Options struct {
	Enabled bool // enabled: when false nothing is watched
	// CollectionInterval is how far apart samples of a metric are judged; what
	// comes sooner is shown but not judged, because scores mean the same only at
	// one rate.
	CollectionInterval time.Duration // collection_interval_ms
	// LearningDuration is how long the node and each of its metrics is watched
	// before anything is told.
	LearningDuration time.Duration // learning_duration_ms
	// ZThreshold is how far from the usual is anomalous, in deviations of a normal
	// distribution: see [Threshold].
	ZThreshold float64 // z_threshold
	// ConsecutiveRequired is how many samples of one metric in a row must be
	// anomalous.
	ConsecutiveRequired int // consecutive_required
	// Cooldown is for how long a metric must be usual at least before it is told
	// again, and how long an escalation takes in others of its skill.
	Cooldown         time.Duration // cooldown_ms
	History          time.Duration // history_minutes: how far back recent samples are kept
	AutoTrigger      bool          // auto_trigger: whether an anomaly asks for an investigation
	MaxTriggers      int           // max_triggers_per_hour
	AutoSaveInterval time.Duration // auto_save_interval_ms: for the caller, who keeps the file
	Skills           []string      // skills to watch; none: all
	MaxMetrics       int           // how many metrics are watched at most
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options {
	return Options{
		Enabled:             true,
		CollectionInterval:  30 * time.Second,
		LearningDuration:    2 * time.Hour,
		ZThreshold:          3,
		ConsecutiveRequired: 3,
		Cooldown:            15 * time.Minute,
		History:             time.Hour,
		AutoTrigger:         true,
		MaxTriggers:         3,
		AutoSaveInterval:    5 * time.Minute,
		MaxMetrics:          4096,
	}
}

// Validate returns every fault of the options, each with the setting's name.
func (o Options) Validate() error {
	var faults []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	bad(o.CollectionInterval < time.Millisecond, "collection_interval_ms: %s is less than a millisecond", o.CollectionInterval)
	bad(o.LearningDuration < 0, "learning_duration_ms: %s is negative", o.LearningDuration)
	bad(!(o.ZThreshold >= 1 && o.ZThreshold <= 30), "z_threshold: %v is not from 1 to 30", o.ZThreshold)
	bad(o.ConsecutiveRequired < 1 || o.ConsecutiveRequired > math.MaxUint16, "consecutive_required: %d is not from 1 to %d", o.ConsecutiveRequired, math.MaxUint16)
	bad(o.Cooldown < 0, "cooldown_ms: %s is negative", o.Cooldown)
	bad(o.History < 0 || o.History > 24*time.Hour, "history_minutes: %s is not from 0 to a day", o.History)
	bad(o.MaxTriggers < 0, "max_triggers_per_hour: %d is negative", o.MaxTriggers)
	bad(o.AutoSaveInterval < 0, "auto_save_interval_ms: %s is negative", o.AutoSaveInterval)
	bad(slices.Contains(o.Skills, ""), "skills: a name is empty")
	bad(o.MaxMetrics < 1, "max_metrics: %d is less than 1", o.MaxMetrics)
	return errors.Join(faults...)
}
