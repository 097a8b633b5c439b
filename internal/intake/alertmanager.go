package intake

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// webhook is the part of Alertmanager's webhook format, version 4, that is read
// (prometheus.io/docs/alerting/latest/configuration, webhook_config).
type webhook struct {
	Version string         `json:"version"`
	Alerts  []webhookAlert `json:"alerts"`
}

type webhookAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	Fingerprint  string            `json:"fingerprint"`
	DashboardURL string            `json:"dashboardURL"` // of Grafana
	PanelURL     string            `json:"panelURL"`     // of Grafana
}

func readAlertmanager(r request) (Report, error) {
	return readWebhook(r, alertmanager, "4", "a webhook of Alertmanager")
}

// readWebhook reads the format that Alertmanager and Grafana share.
func readWebhook(r request, source, version, what string) (Report, error) {
	var w webhook
	if err := decode(r.body, &w, what); err != nil {
		return Report{}, err
	}
	switch {
	case w.Version != "" && w.Version != version:
		return Report{}, fmt.Errorf("version %q of the webhook is not known (have %s)", w.Version, version)
	case len(w.Alerts) == 0:
		return Report{}, errors.New(`it has no "alerts"`)
	case len(w.Alerts) > maxReports:
		return Report{}, fmt.Errorf("%d alerts are too many (at most %d)", len(w.Alerts), maxReports)
	}
	var out Report
	for _, a := range w.Alerts {
		out.Alerts = append(out.Alerts, a.alert(source, r.now))
	}
	return out, nil
}

func (a webhookAlert) alert(source string, now time.Time) protocol.Alert {
	out := protocol.Alert{
		Source: source, State: a.Status, Name: cut(a.Labels["alertname"]), Severity: severity(a.Labels["severity"]), Fingerprint: cut(a.Fingerprint),
		Labels: bounded(a.Labels), Annotations: bounded(a.Annotations), StartsAt: orNow(a.StartsAt, now),
	}
	for name, address := range map[string]string{"dashboard_url": a.DashboardURL, "panel_url": a.PanelURL} {
		if address != "" {
			out.Annotations[name] = cut(address)
		}
	}
	if a.Status == resolved && !a.EndsAt.IsZero() {
		out.EndsAt = a.EndsAt.UTC()
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
	out.ID = protocol.EffectID(source, what, a.StartsAt.UTC().Format(time.RFC3339Nano), a.Status)
	return out
}
