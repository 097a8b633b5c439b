package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Source is the source of alerts that came by Alertmanager's webhook.
const Source = "alertmanager"

// webhook is the part of Alertmanager's webhook format, version 4, that is read
// (prometheus.io/docs/alerting/latest/configuration, webhook_config).
type webhook struct {
	Version string         `json:"version"`
	Alerts  []webhookAlert `json:"alerts"`
}

type webhookAlert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
}

// Bounds of one alert.
const (
	maxAlerts = 1000
	maxLabels = 64
	maxText   = 512 // bytes of a label or an annotation
)

// ReadWebhook reads a webhook. One alert that is wrong refuses all, with its number.
// Labels and annotations are bounded; an alert without a time begins at now. Alerts that
// a gateway made of insights are left out.
func ReadWebhook(body []byte, now time.Time) ([]protocol.Alert, error) {
	var w webhook
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, fmt.Errorf("not a webhook of Alertmanager: %w", err)
	}
	switch {
	case w.Version != "" && w.Version != "4":
		return nil, fmt.Errorf("version %q of the webhook is not known (have 4)", w.Version)
	case len(w.Alerts) == 0:
		return nil, errors.New(`it has no "alerts"`)
	case len(w.Alerts) > maxAlerts:
		return nil, fmt.Errorf("%d alerts are too many (at most %d)", len(w.Alerts), maxAlerts)
	}
	var out []protocol.Alert
	var errs []error
	for i, a := range w.Alerts {
		if a.Labels["alertname"] == protocol.InsightAlert {
			continue // our own word is no reason to look again
		}
		alert := a.alert(now)
		if err := alert.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("alerts[%d]: %w", i, err))
		}
		out = append(out, alert)
	}
	return out, errors.Join(errs...)
}

func (a webhookAlert) alert(now time.Time) protocol.Alert {
	out := protocol.Alert{
		Source: Source, State: a.Status, Name: cut(a.Labels["alertname"]), Severity: severity(a.Labels["severity"]),
		Labels: bounded(a.Labels), Annotations: bounded(a.Annotations), StartsAt: a.StartsAt.UTC(), EndsAt: a.EndsAt.UTC(),
	}
	if a.StartsAt.IsZero() {
		out.StartsAt = now
	}
	if a.EndsAt.IsZero() {
		out.EndsAt = time.Time{}
	}
	what := a.Fingerprint
	if what == "" {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
			pairs = append(pairs, k+"="+a.Labels[k])
		}
		what = strings.Join(pairs, "\x00")
	}
	// Alertmanager repeats what still fires: the same alert has the same id.
	out.ID = protocol.EffectID(Source, what, a.StartsAt.UTC().Format(time.RFC3339Nano), a.Status)
	return out
}

// severity reads the words that are in use for the label.
func severity(label string) protocol.Severity {
	switch strings.ToLower(label) {
	case "critical", "page", "error", "emergency", "high", "fatal":
		return protocol.SeverityCritical
	case "info", "information", "none", "low", "notice":
		return protocol.SeverityInfo
	}
	return protocol.SeverityWarning
}

func bounded(m map[string]string) map[string]string {
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(out) == maxLabels {
			break
		}
		out[cut(k)] = cut(m[k])
	}
	return out
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
