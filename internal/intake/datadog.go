package intake

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A datadogEvent is what the template in docs/reference/intakes.md makes: Datadog has no format of
// its own but variables (docs.datadoghq.com/integrations/webhooks).
type datadogEvent struct {
	ID         string `json:"id"`         // $ID
	Cycle      string `json:"cycle"`      // $ALERT_CYCLE_KEY: from trigger to recovery
	Aggregate  string `json:"aggregate"`  // $AGGREG_KEY, of monitors without cycles
	Transition string `json:"transition"` // $ALERT_TRANSITION
	Title      string `json:"title"`      // $ALERT_TITLE
	Type       string `json:"type"`       // $ALERT_TYPE: error, warning, success, info
	Priority   string `json:"priority"`   // $ALERT_PRIORITY: P1 to P5
	Host       string `json:"host"`       // $HOSTNAME
	Scope      string `json:"scope"`      // $ALERT_SCOPE: tags, separated by commas
	Text       string `json:"text"`       // $TEXT_ONLY_MSG
	Link       string `json:"link"`       // $LINK
	Date       string `json:"date"`       // $DATE: milliseconds since 1970
}

func readDatadog(r request) (Report, error) {
	var d datadogEvent
	if err := decode(r.body, &d, "the template for Datadog"); err != nil {
		return Report{}, err
	}
	// A variable that means nothing for an event stays as it is written.
	for _, s := range []*string{&d.ID, &d.Cycle, &d.Aggregate, &d.Transition, &d.Title, &d.Type, &d.Priority, &d.Host, &d.Scope, &d.Text, &d.Link, &d.Date} {
		if strings.HasPrefix(*s, "$") {
			*s = ""
		}
	}
	a := protocol.Alert{Source: datadog, Name: d.Title, Severity: severity(cmp.Or(d.Priority, d.Type)), Fingerprint: cmp.Or(d.Cycle, d.Aggregate)}
	switch d.Transition {
	case "Recovered":
		a.State = resolved
	case "Triggered", "Re-Triggered", "No Data", "Re-No Data", "Warn", "Re-Warn", "Renotify":
		a.State = firing
	case "", "Null": // somebody wrote to the hook by hand
		if d.ID == "" {
			return Report{}, errors.New(`not the template for Datadog: it has no "id" and "transition"`)
		}
		return Report{}, nil
	default:
		return Report{}, fmt.Errorf("transition %q is not known: write $ALERT_TRANSITION there", d.Transition)
	}
	if d.ID == "" || a.Fingerprint == "" {
		return Report{}, errors.New(`"id" is required, and "cycle" or "aggregate": write $ID, $ALERT_CYCLE_KEY and $AGGREG_KEY there`)
	}
	a.ID = protocol.EffectID(datadog, d.ID, d.Transition)
	a.Labels = map[string]string{"alertname": d.Title, "host": d.Host, "priority": d.Priority}
	for tag := range strings.SplitSeq(d.Scope, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(tag), ":"); ok && a.Labels[k] == "" {
			a.Labels[k] = v
		}
	}
	a.Labels, a.Annotations = filled(a.Labels), filled(map[string]string{"summary": d.Text, "url": d.Link})
	ms, _ := strconv.ParseInt(d.Date, 10, 64)
	at := orNow(millis(ms), r.now)
	a.StartsAt = at
	if a.State == resolved {
		a.EndsAt = at
	}
	return one(a), nil
}
