package intake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// States of an alert.
const (
	firing   = "firing"
	resolved = "resolved"
)

// Bounds of what one request says.
const (
	maxReports = 1000
	maxLabels  = 64
	maxText    = 512 // bytes of a label, an annotation or a name
)

// decode reads JSON, of what is named.
func decode(body []byte, v any, what string) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("not %s: %w", what, err)
	}
	return nil
}

// one is a report of one alert, with its texts bounded.
func one(a protocol.Alert) Report {
	a.Name, a.Fingerprint = cut(a.Name), cut(a.Fingerprint)
	a.Labels, a.Annotations = bounded(a.Labels), bounded(a.Annotations)
	a.StartsAt = a.StartsAt.UTC()
	if !a.EndsAt.IsZero() {
		a.EndsAt = a.EndsAt.UTC()
	}
	return Report{Alerts: []protocol.Alert{a}}
}

// severity reads the words that are in use for it.
func severity(word string) protocol.Severity {
	switch strings.ToLower(word) {
	case "critical", "page", "error", "emergency", "high", "fatal", "p1", "p2":
		return protocol.SeverityCritical
	case "info", "information", "none", "low", "notice", "p4", "p5":
		return protocol.SeverityInfo
	}
	return protocol.SeverityWarning
}

// bounded returns the pairs that say something, cut; the first of them where they are
// too many.
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

// filled leaves out what is empty.
func filled(m map[string]string) map[string]string {
	maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
	return m
}

// millis reads a time in milliseconds since 1970; the zero time where there is none.
func millis(n int64) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// orNow returns the time, or now where there is none or one that JSON cannot say.
func orNow(t, now time.Time) time.Time {
	if t.IsZero() || t.Year() > 9999 {
		return now
	}
	return t.UTC()
}
