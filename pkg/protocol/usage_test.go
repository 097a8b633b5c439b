package protocol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestUsagePlus(t *testing.T) {
	usd := func(v float64) *float64 { return &v }
	priced := protocol.Usage{InputTokens: 100, OutputTokens: 10, CachedTokens: 50, LLMCalls: 2, CostUSD: usd(0.25)}
	unpriced := protocol.Usage{InputTokens: 30, OutputTokens: 3, LLMCalls: 1}
	none := protocol.Usage{}

	for _, tt := range []struct {
		name       string
		a, b, want protocol.Usage
	}{
		{"all counts add up", priced, priced, protocol.Usage{InputTokens: 200, OutputTokens: 20, CachedTokens: 100, LLMCalls: 4, CostUSD: usd(0.5)}},
		{"one unknown price makes the sum unknown", priced, unpriced, protocol.Usage{InputTokens: 130, OutputTokens: 13, CachedTokens: 50, LLMCalls: 3}},
		{"a run that called no model costs nothing", priced, none, priced},
		{"nothing and nothing has no cost", none, none, none},
		{"two unknown prices", unpriced, unpriced, protocol.Usage{InputTokens: 60, OutputTokens: 6, LLMCalls: 2}},
		{"a free model costs zero, which is known", protocol.Usage{LLMCalls: 1, CostUSD: usd(0)}, none, protocol.Usage{LLMCalls: 1, CostUSD: usd(0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.a.Plus(tt.b)); diff != "" {
				t.Errorf("a+b (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, tt.b.Plus(tt.a)); diff != "" {
				t.Errorf("b+a (-want +got):\n%s", diff)
			}
		})
	}
}
