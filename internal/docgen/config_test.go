package docgen_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/programs"
)

func TestThePageOfOptionsHasEveryOptionAndKey(t *testing.T) {
	page := string(files(t)["config.md"])
	for _, want := range []string{
		"`--interval duration` | `FLEETLENS_INTERVAL` | `30s` |", "`--tokens-per-day int`", "`--concurrency int` | `FLEETLENS_CONCURRENCY` | `32`",
		"`models.NAME.retry.attempts` | number |", "`models.NAME.price.cache_write` | decimal |", "`sets.NAME.fallback` | list of strings |", "`recurring.NAME.every` | duration |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for line := range strings.Lines(page) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.TrimSpace(cells[len(cells)-2]) == "" {
			t.Errorf("an option without a meaning: %s", line)
		}
	}
}

func TestEverySectionOfAConfigurationFileIsOnThePage(t *testing.T) {
	page := string(files(t)["config.md"])
	for _, p := range programs.All() {
		for section := range p.Settings.Sections() {
			if !strings.Contains(page, "\n| `"+section+".") {
				t.Errorf("%s of %s is not on the page", section, p.Name)
			}
		}
	}
}

// The comments of the settings say what their defaults are: they must be those of
// the detector.
func TestThePageSaysTheDetectorsDefaults(t *testing.T) {
	page := string(files(t)["config.md"])
	o := detect.DefaultOptions()
	for key, want := range map[string]any{
		"enabled": o.Enabled, "collection_interval_ms": o.CollectionInterval.Milliseconds(), "learning_duration_ms": o.LearningDuration.Milliseconds(),
		"z_threshold": fmt.Sprintf("%.1f", o.ZThreshold), "consecutive_required": o.ConsecutiveRequired, "cooldown_ms": o.Cooldown.Milliseconds(),
		"history_minutes": o.History.Minutes(), "auto_trigger": o.AutoTrigger, "max_triggers_per_hour": o.MaxTriggers,
		"auto_save_interval_ms": o.AutoSaveInterval.Milliseconds(), "skills": "all",
	} {
		_, line, found := strings.Cut(page, "| `anomaly."+key+"` |")
		line, _, _ = strings.Cut(line, "\n")
		_, said, _ := strings.Cut(line, "(default")
		if text := fmt.Sprint(want); !found || !strings.Contains(strings.NewReplacer(",", " ", ")", " ").Replace(said)+" ", " "+text+" ") {
			t.Errorf("%s is said as %q, and the default is %s", key, line, text)
		}
	}
}
