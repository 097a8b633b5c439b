//go:build linux

package docs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/gateway"
	"github.com/fleetlens/fleetlens/internal/proc"
)

func TestTheSinksOfTheDocumentWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repo, "docs/reference/sinks.md"))
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
	t.Setenv("SLACK_WEBHOOK", "https://hooks.slack.example/services/T/B/X")
	t.Setenv("SLACK_TOKEN", "xoxb-1")
	t.Setenv("PAGERDUTY_KEY", "0123456789abcdef0123456789abcdef")
	t.Setenv("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	var cfg gateway.Config
	if err := proc.Load(pflag.NewFlagSet("gateway", pflag.ContinueOnError), file, cfg.Sections()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil || len(cfg.Sinks) != 5 {
		t.Errorf("%d sinks: %v", len(cfg.Sinks), err)
	}
}
