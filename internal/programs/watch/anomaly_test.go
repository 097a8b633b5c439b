package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/internal/proc"
)

// configured reads a configuration file.
func configured(t *testing.T, text string) (*Settings, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "probe.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New()
	fs := pflag.NewFlagSet("probe", pflag.ContinueOnError)
	s.Flags(fs)
	if err := proc.Load(fs, file, s.Sections()); err != nil {
		return nil, err
	}
	return s, s.Validate()
}

func TestEachSettingReachesTheDetector(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		change     func(*detect.Options)
	}{
		{"none", "{}", func(*detect.Options) {}},
		{"an empty section", "anomaly: {}", func(*detect.Options) {}},
		{"the probe's interval", "interval: 45s", func(o *detect.Options) { o.CollectionInterval = 45 * time.Second }},
		{"an interval of its own", "{interval: 45s, anomaly: {collection_interval_ms: 60_000}}", func(o *detect.Options) { o.CollectionInterval = time.Minute }},
		{"enabled", "anomaly: {enabled: false}", func(o *detect.Options) { o.Enabled = false }},
		{"learning_duration_ms", "anomaly: {learning_duration_ms: 300_000}", func(o *detect.Options) { o.LearningDuration = 5 * time.Minute }},
		{"z_threshold", "anomaly: {z_threshold: 4.5}", func(o *detect.Options) { o.ZThreshold = 4.5 }},
		{"consecutive_required", "anomaly: {consecutive_required: 5}", func(o *detect.Options) { o.ConsecutiveRequired = 5 }},
		{"cooldown_ms", "anomaly: {cooldown_ms: 60_000}", func(o *detect.Options) { o.Cooldown = time.Minute }},
		{"cooldown_duration_ms", "anomaly: {cooldown_duration_ms: 60_000}", func(o *detect.Options) { o.Cooldown = time.Minute }},
		{"both, when they agree", "anomaly: {cooldown_ms: 60_000, cooldown_duration_ms: 60_000}", func(o *detect.Options) { o.Cooldown = time.Minute }},
		{"history_minutes", "anomaly: {history_minutes: 90}", func(o *detect.Options) { o.History = 90 * time.Minute }},
		{"auto_trigger", "anomaly: {auto_trigger: false}", func(o *detect.Options) { o.AutoTrigger = false }},
		{"max_triggers_per_hour", "anomaly: {max_triggers_per_hour: 0}", func(o *detect.Options) { o.MaxTriggers = 0 }},
		{"auto_save_interval_ms", "anomaly: {auto_save_interval_ms: 0}", func(o *detect.Options) { o.AutoSaveInterval = 0 }},
		{"skills", "anomaly: {skills: [os, gc]}", func(o *detect.Options) { o.Skills = []string{"os", "gc"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := configured(t, tt.yaml)
			if err != nil {
				t.Fatal(err)
			}
			want := detect.DefaultOptions()
			tt.change(&want)
			got, err := s.Anomaly.options(s.Interval)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if !want.Enabled {
				return
			}
			if st := s.detector.Status(); st.ZThreshold != want.ZThreshold || st.CollectionIntervalMS != want.CollectionInterval.Milliseconds() {
				t.Errorf("the detector is %+v", st)
			}
		})
	}
}

func TestAWrongSettingOfTheDetectorIsNamed(t *testing.T) {
	for yaml, want := range map[string]string{
		"{collection_interval_ms: 0}":                      "anomaly: collection_interval_ms: ",
		"{learning_duration_ms: -1}":                       "anomaly: learning_duration_ms: ",
		"{z_threshold: 0.5}":                               "anomaly: z_threshold: 0.5 is not from 1 to 30",
		"{z_threshold: .nan}":                              "anomaly: z_threshold: ",
		"{consecutive_required: 0}":                        "anomaly: consecutive_required: ",
		"{cooldown_ms: -1}":                                "anomaly: cooldown_ms: ",
		"{cooldown_duration_ms: -1}":                       "anomaly: cooldown_ms: ",
		"{cooldown_ms: 60000, cooldown_duration_ms: 1000}": "they are two names of one setting",
		"{history_minutes: 1500}":                          "anomaly: history_minutes: ",
		"{max_triggers_per_hour: -1}":                      "anomaly: max_triggers_per_hour: ",
		"{auto_save_interval_ms: -5}":                      "anomaly: auto_save_interval_ms: ",
		"{skills: ['']}":                                   "anomaly: skills: ",
		"{skills: [os, loger]}":                            `anomaly: skills: unknown skill "loger"; the nearest is "logger"`,
		"{z_treshold: 3}":                                  `anomaly.z_treshold: unknown key; the nearest is "z_threshold"`,
		"{z_threshold: high}":                              "anomaly: ",
		"{enabled: maybe}":                                 "anomaly: ",
		"{learning_duration_ms: 2h}":                       "anomaly: ",
		"{learning_duration_ms: 9223372036854775807}":      "anomaly: learning_duration_ms: ",
		"{z_threshold: 99, max_triggers_per_hour: -1}":     "max_triggers_per_hour: ",
	} {
		t.Run(yaml, func(t *testing.T) {
			if _, err := configured(t, "anomaly: "+yaml); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// Behaviour: 71.
func TestTheDetectorAndTheTracerAreThereWhereTheyAreAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		detector   bool
		watches    string // of os, gc and anomaly
		tracer     bool
	}{
		{"by default the detector watches every skill but its own", "{}", true, "os gc", false},
		{"it can be turned off", "anomaly: {enabled: false}", false, "", false},
		{"it can be limited to skills", "anomaly: {skills: [gc]}", true, "gc", false},
		{"and never watches itself", "anomaly: {skills: [gc, anomaly]}", true, "gc", false},
		{"the tracer is there where a Go service is a target", "targets: {go: {shop: {url: 'http://127.0.0.1:6060'}}}", true, "os gc", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := configured(t, tt.yaml)
			if err != nil {
				t.Fatal(err)
			}
			deps, err := s.Deps(probe.Deps{Log: natstest.Log(t)})
			if err != nil {
				t.Fatal(err)
			}
			if (deps.Detector != nil) != tt.detector {
				t.Errorf("there is a detector: %v", deps.Detector != nil)
			}
			options, err := s.Anomaly.options(s.Interval)
			if err != nil {
				t.Fatal(err)
			}
			d, err := detect.New(options, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			var watches []string
			for _, skill := range []string{"os", "gc", "anomaly"} {
				if d.Watches(skill) {
					watches = append(watches, skill)
				}
			}
			if got := strings.Join(watches, " "); got != tt.watches {
				t.Errorf("it watches %q", got)
			}
			traces := false
			for _, target := range deps.Targets {
				for _, k := range deps.Skills {
					for _, src := range k.Sources {
						traces = traces || k.Name == "tracer" && src.Kind == target.Kind
					}
				}
			}
			if traces != tt.tracer {
				t.Errorf("the tracer looks into a target: %v", traces)
			}
		})
	}
}
