package intake

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// opsgenieAction is the part of a webhook of Jira Service Management (Opsgenie's before)
// that is read (support.atlassian.com, "Alert action data").
type opsgenieAction struct {
	Action string `json:"action"`
	Alert  struct {
		ID        string         `json:"alertId"`
		Alias     string         `json:"alias"`
		Message   string         `json:"message"`
		Entity    string         `json:"entity"`
		Priority  string         `json:"priority"`
		Tags      []string       `json:"tags"`
		Details   map[string]any `json:"details"`
		CreatedAt int64          `json:"createdAt"` // milliseconds
		UpdatedAt int64          `json:"updatedAt"` // nanoseconds
	} `json:"alert"`
}

// readOpsgenie reads that an alert was created or closed; what else people do with it is
// nothing to report.
func readOpsgenie(r request) (Report, error) {
	var o opsgenieAction
	if err := decode(r.body, &o, "a webhook of Jira Service Management"); err != nil {
		return Report{}, err
	}
	if o.Action == "" || o.Alert.ID == "" {
		return Report{}, errors.New(`not a webhook of Jira Service Management: it has no "action" and "alert" with "alertId"`)
	}
	state := ""
	switch o.Action {
	case "Create":
		state = firing
	case "Close", "Delete":
		state = resolved
	default:
		return Report{}, nil
	}
	a := protocol.Alert{
		ID: protocol.EffectID(opsgenie, o.Alert.ID, state), Source: opsgenie, State: state, Name: strings.TrimSpace(o.Alert.Message),
		Severity: severity(o.Alert.Priority), Fingerprint: o.Alert.ID, Labels: map[string]string{}, StartsAt: orNow(millis(o.Alert.CreatedAt), r.now),
	}
	for k, v := range o.Alert.Details {
		a.Labels[k] = fmt.Sprint(v)
	}
	maps.Copy(a.Labels, filled(map[string]string{"alias": o.Alert.Alias, "entity": o.Alert.Entity, "priority": o.Alert.Priority, "tags": strings.Join(o.Alert.Tags, ",")}))
	if a.Labels["alertname"] == "" {
		a.Labels["alertname"] = a.Name
	}
	if state == resolved {
		a.EndsAt = orNow(millis(o.Alert.UpdatedAt/int64(time.Millisecond)), r.now)
	}
	return one(a), nil
}
