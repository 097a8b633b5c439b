package intake

import (
	"errors"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// pagerDutyEvent is the part of a V3 webhook that is read (developer.pagerduty.com,
// "Webhooks Overview").
type pagerDutyEvent struct {
	Event struct {
		ID         string    `json:"id"`
		Type       string    `json:"event_type"`
		OccurredAt time.Time `json:"occurred_at"`
		Data       struct {
			ID        string    `json:"id"`
			Title     string    `json:"title"`
			Urgency   string    `json:"urgency"`
			Key       string    `json:"incident_key"`
			URL       string    `json:"html_url"`
			CreatedAt time.Time `json:"created_at"`
			Service   struct {
				Summary string `json:"summary"`
			} `json:"service"`
		} `json:"data"`
	} `json:"event"`
}

// readPagerDuty reads that an incident began or ended; of what else happens to it, and of
// those that a gateway made, there is nothing to report.
func readPagerDuty(r request) (Report, error) {
	var p pagerDutyEvent
	if err := decode(r.body, &p, "a V3 webhook of PagerDuty"); err != nil {
		return Report{}, err
	}
	e, i := p.Event, p.Event.Data
	if e.ID == "" || e.Type == "" {
		return Report{}, errors.New(`not a V3 webhook of PagerDuty: it has no "event" with "id" and "event_type"`)
	}
	state := ""
	switch e.Type {
	case "incident.triggered", "incident.reopened":
		state = firing
	case "incident.resolved":
		state = resolved
	}
	if state == "" || strings.HasPrefix(i.Key, protocol.InsightKey) {
		return Report{}, nil
	}
	if i.ID == "" {
		return Report{}, errors.New(`the event's "data" has no "id"`)
	}
	a := protocol.Alert{
		ID: protocol.EffectID(pagerDuty, e.ID), Source: pagerDuty, State: state, Name: i.Title, Fingerprint: i.ID,
		Labels:      filled(map[string]string{"alertname": i.Title, "service": i.Service.Summary, "urgency": i.Urgency}),
		Annotations: filled(map[string]string{"url": i.URL}), StartsAt: orNow(i.CreatedAt, orNow(e.OccurredAt, r.now)),
	}
	// Its urgencies are high, which wakes people, and low.
	a.Severity = protocol.SeverityWarning
	if i.Urgency == "high" {
		a.Severity = protocol.SeverityCritical
	}
	if state == resolved {
		a.EndsAt = orNow(e.OccurredAt, r.now)
	}
	return one(a), nil
}
