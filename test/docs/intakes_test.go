package docs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/gateway"
	"github.com/fleetlens/fleetlens/internal/intake"
)

const intakesPage = "docs/reference/intakes.md"

func TestTheIntakesOfTheDocumentWork(t *testing.T) {
	for _, name := range []string{"PAGERDUTY_SECRET", "GITHUB_SECRET", "GITHUB_SECRET_BEFORE"} {
		t.Setenv(name, "s3cret of "+name)
	}
	cfg := gateway.DefaultConfig()
	configure(t, pflag.NewFlagSet("gateway", pflag.ContinueOnError), &cfg, blocksOf(t, intakesPage, "yaml", 1)[0])
	if err := cfg.Validate(); err != nil || len(cfg.Alerts.Sources) != 2 {
		t.Errorf("%d sources: %v", len(cfg.Alerts.Sources), err)
	}
	var have []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(/in/[a-z]+)").FindAllStringSubmatch(read(t, intakesPage), -1) {
		have = append(have, row[1])
	}
	if !slices.Equal(have, intake.Paths()) {
		t.Errorf("it has the paths %v, and there are %v", have, intake.Paths())
	}
}

func TestTheTemplateForDatadogIsReadAsItIs(t *testing.T) {
	template := blocksOf(t, intakesPage, "json", 1)[0]
	_, body, _ := strings.Cut(read(t, "internal/intake/testdata/datadog.http"), "\n\n")
	var want, have map[string]string
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(template), &have); err != nil {
		t.Fatal(err)
	}
	for k := range want {
		if !strings.HasPrefix(have[k], "$") {
			t.Errorf("%s is %q in the template", k, have[k])
		}
	}
	if len(have) != len(want) {
		t.Errorf("it has %d fields, and %d are read", len(have), len(want))
	}
}
