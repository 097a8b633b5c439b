package sinks

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// alertFor is how long an insight fires of which nobody says that it is over.
const alertFor = 4 * time.Hour

// alertmanager posts to the API v2 of Alertmanager (its openapi.yaml, postAlerts). The
// labels are the key: a repeat is the same alert.
type alertmanager struct{ settings }

func openAlertmanager(s settings) (Sink, error) { return alertmanager{s}, nil }

type postableAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Alertmanager has no limits of its own; what it passes on has.
var alertLimits = message.Limits{Title: 1024, More: 4096, Hypothesis: 4096, Facts: 8192, Lines: 50, Context: 1024, Rest: 2048}

// Send implements Sink.
func (a alertmanager) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.Message.Cut(alertLimits)
	if n.Turn == nil {
		return nil, a.post(ctx, []postableAlert{postable(n.Insight, m, n.Insight.CreatedAt, n.Insight.CreatedAt.Add(alertFor))})
	}
	var alerts []postableAlert
	for _, i := range n.Told {
		from, to := n.Turn.At, n.Turn.At.Add(alertFor)
		if n.over() { // perhaps before it was concluded: what ends before it begins is refused
			from, to = i.CreatedAt, i.CreatedAt.Add(time.Second)
			if n.Turn.At.After(to) {
				to = n.Turn.At
			}
		}
		alerts = append(alerts, postable(i, m, from, to))
	}
	return nil, a.post(ctx, alerts)
}

func (a alertmanager) post(ctx context.Context, alerts []postableAlert) error {
	_, err := a.client.postJSON(ctx, a.url+"/api/v2/alerts", bearer(a.token), alerts)
	return err
}

// postable is the alert of an insight, which fires from one time to another.
func postable(i protocol.Insight, m message.Message, from, to time.Time) postableAlert {
	alert := postableAlert{
		Labels: map[string]string{
			"alertname": protocol.InsightAlert, "insight": i.ID, "severity": string(i.Severity), "correlation_type": string(i.CorrelationType),
			"confidence": string(i.Confidence), "grounded": strconv.FormatBool(i.HypothesisGrounded),
		},
		Annotations: map[string]string{"summary": m.Headline, "description": paragraphs(m)},
		StartsAt:    from.UTC(), EndsAt: to.UTC(),
	}
	if len(m.Links) > 0 {
		alert.GeneratorURL = m.Links[0].URL
	}
	return alert
}

// paragraphs is a message without its headline, as plain text.
func paragraphs(m message.Message) string {
	var out []string
	add := func(lines ...string) {
		if text := strings.Join(lines, "\n"); text != "" {
			out = append(out, text)
		}
	}
	add(m.More)
	add(m.Hypothesis)
	add(shown(m)...)
	for _, l := range rest(m) {
		add(append([]string{l.Title + ":"}, l.Lines...)...)
	}
	add(m.Context)
	for _, l := range m.Links {
		add(l.Text + ": " + l.URL)
	}
	return strings.Join(out, "\n\n")
}

// A list is lines under a title.
type list struct {
	Title string
	Lines []string
}

// rest is what comes after the facts, where there is any.
func rest(m message.Message) []list {
	var out []list
	for _, l := range []list{
		{"How it went", m.Chain}, {"Ruled out", m.RuledOut}, {"Not looked at", m.NotChecked}, {"What to do", m.Advice},
	} {
		if len(l.Lines) > 0 {
			out = append(out, l)
		}
	}
	return out
}
