//go:build linux

package docs_test

import (
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/gateway"
)

func TestTheSinksOfTheDocumentWork(t *testing.T) {
	t.Setenv("SLACK_WEBHOOK", "https://hooks.slack.example/services/T/B/X")
	t.Setenv("SLACK_TOKEN", "xoxb-1")
	t.Setenv("PAGERDUTY_KEY", "0123456789abcdef0123456789abcdef")
	t.Setenv("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	var cfg gateway.Config
	configure(t, pflag.NewFlagSet("gateway", pflag.ContinueOnError), &cfg, blocksOf(t, "docs/reference/sinks.md", "yaml", 1)[0])
	if err := cfg.Validate(); err != nil || len(cfg.Sinks) != 5 {
		t.Errorf("%d sinks: %v", len(cfg.Sinks), err)
	}
}
