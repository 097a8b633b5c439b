package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/gateway"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/proc"
)

func TestTheIntakesOfTheDocumentWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repo, "docs/reference/intakes.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := given.FindSubmatch(text)
	if m == nil {
		t.Fatal("it has none")
	}
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, m[1], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"PAGERDUTY_SECRET", "GITHUB_SECRET", "GITHUB_SECRET_BEFORE"} {
		t.Setenv(name, "s3cret of "+name)
	}
	cfg := gateway.DefaultConfig()
	if err := proc.Load(pflag.NewFlagSet("gateway", pflag.ContinueOnError), file, cfg.Sections()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil || len(cfg.Alerts.Sources) != 2 {
		t.Errorf("%d sources: %v", len(cfg.Alerts.Sources), err)
	}
	var have []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(/in/[a-z]+)").FindAllSubmatch(text, -1) {
		have = append(have, string(row[1]))
	}
	if !slices.Equal(have, intake.Paths()) {
		t.Errorf("it has the paths %v, and there are %v", have, intake.Paths())
	}
}

func TestTheTemplateForDatadogIsReadAsItIs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repo, "docs/reference/intakes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	template, _, _ := strings.Cut(rest, "```")
	example, err := os.ReadFile(filepath.Join(repo, "internal/intake/testdata/datadog.http"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(example), "\n\n")
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
