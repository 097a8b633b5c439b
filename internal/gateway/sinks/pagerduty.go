package sinks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// pagerDutyURL is of the United States; accounts in Europe give their own.
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// pagerDuty triggers alerts by the Events API v2 (developer.pagerduty.com, "Send an
// alert event"), and resolves them. The key is what insights share that belong together:
// they are one alert, and so are repeats.
type pagerDuty struct{ settings }

func openPagerDuty(s settings) (Sink, error) {
	if s.url == "" {
		s.url = pagerDutyURL
	}
	return pagerDuty{s}, nil
}

// The limits of a summary, 1,024, and of an event, 512,000 bytes, which the rest stays
// far below.
var pagerDutyLimits = message.Limits{Title: 1024, More: 4096, Hypothesis: 4096, Facts: 16 << 10, Lines: 100, Context: 1024, Rest: 8192}

type pagerDutyEvent struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	// Payload is there unless the action is to resolve.
	Payload   *pagerDutyPayload `json:"payload,omitempty"`
	Links     []pagerDutyLink   `json:"links,omitempty"`
	Client    string            `json:"client,omitempty"`
	ClientURL string            `json:"client_url,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group"`
	Class     string         `json:"class"`
	Details   map[string]any `json:"custom_details"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Send implements Sink.
func (p pagerDuty) Send(ctx context.Context, n Note) (Ref, error) {
	m, i := n.Message.Cut(pagerDutyLimits), n.Insight
	key := protocol.InsightKey + protocol.Token(i.Thread())
	if n.over() {
		_, err := p.client.postJSON(ctx, p.url, nil, pagerDutyEvent{RoutingKey: p.token, Action: "resolve", DedupKey: key})
		return nil, err
	}
	e := pagerDutyEvent{
		RoutingKey: p.token, Action: "trigger", DedupKey: key, Client: "Fleetlens",
		Payload: &pagerDutyPayload{
			Summary: m.Title(), Source: source(i), Severity: string(i.Severity), Timestamp: i.CreatedAt.UTC().Format(time.RFC3339),
			Component: message.Cut(message.Clean(strings.Join(i.Skills, ", ")), maxName, nil), Group: i.Thread(), Class: string(i.CorrelationType),
			Details: map[string]any{"facts": m.Facts, "context": m.Context},
		},
	}
	for name, value := range map[string]string{"summary": m.More, "hypothesis": m.Hypothesis, "not shown": m.Shown()} {
		if value != "" {
			e.Payload.Details[name] = value
		}
	}
	for _, l := range rest(m) {
		e.Payload.Details[strings.ToLower(l.Title)] = l.Lines
	}
	for _, l := range m.Links {
		e.Links = append(e.Links, pagerDutyLink{l.URL, l.Text})
		e.ClientURL = m.Links[0].URL
	}
	_, err := p.client.postJSON(ctx, p.url, nil, e)
	return nil, err
}

// maxName is the length of names that stand beside a message, in runes.
const maxName = 255

// source names whom an insight is about.
func source(i protocol.Insight) string {
	switch len(i.Nodes) {
	case 0:
		return "fleet"
	case 1:
		return message.Cut(message.Clean(i.Nodes[0]), maxName, nil)
	}
	return fmt.Sprintf("%d nodes", len(i.Nodes))
}
