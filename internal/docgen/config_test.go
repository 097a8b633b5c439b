package docgen_test

import (
	"strings"
	"testing"
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
