package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Try sends a message that says that it is a test to one sink, whatever its rules are.
// It needs no NATS and keeps nothing.
func Try(ctx context.Context, cfg Config, name string) (sinks.Ref, error) {
	c, ok := cfg.Sinks[name]
	if !ok {
		return nil, cfg.Unknown(name)
	}
	s, err := c.Open()
	if err != nil {
		return nil, err
	}
	i := sample(time.Now().UTC())
	body, err := protocol.Encode(i)
	if err != nil {
		return nil, err
	}
	return s.Send(ctx, sinks.Note{
		Insight: i, Body: body, Envelope: protocol.NewEnvelope(i, i.ID, "gateway/test", i.CreatedAt), Message: message.Of(i, cfg.UI), At: i.CreatedAt,
	})
}

// Unknown says that there is no sink of a name, and which there are.
func (c *Config) Unknown(name string) error {
	return fmt.Errorf("unknown sink %q (have %s)", name, strings.Join(slices.Sorted(maps.Keys(c.Sinks)), ", "))
}

// sample is an insight about nothing, with all that a message can have.
func sample(now time.Time) protocol.Insight {
	limit := 90.0
	id := "test-" + protocol.NewID()
	return protocol.Insight{
		ID: id, InvestigationID: id, NotificationIDs: []string{}, SupportingIDs: []string{}, CorrelationType: protocol.Temporal, Severity: protocol.SeverityInfo,
		Summary:    "This is a test of Fleetlens: the disk of node example would be at 93 %. Nothing is wrong.",
		Grounding:  "a test has no findings",
		Confidence: protocol.Medium, RootCauseHypothesis: "Somebody asked for a test message.",
		Nodes: []string{"example"}, Skills: []string{"os"}, MatchedObservations: []string{},
		Evidence:   []protocol.Evidence{{Address: "test#disk_used_pct", Node: "example", Target: "host", Name: "disk_used_pct", Value: 93.0, Unit: protocol.Percent, Threshold: &limit}},
		Figures:    []protocol.Figure{{Text: "93 %", Value: 93, Unit: "percent", Found: true, Evidence: "test#disk_used_pct"}},
		Chain:      []protocol.ChainLink{{At: now, Node: "example", What: "a test was asked for", Role: "change"}},
		RuledOut:   []string{"that this is more than a test"},
		NotChecked: []string{"anything"}, Trigger: "test", SuggestedActions: []string{"Nothing."}, CreatedAt: now, Model: protocol.RulesModel,
	}
}
