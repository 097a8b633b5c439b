package intake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A cloudEvent is an event in structured mode (CloudEvents 1.0, JSON event format).
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Time        time.Time       `json:"time"`
	Data        json.RawMessage `json:"data"`
	Base64      []byte          `json:"data_base64"`
}

// readCloudEvents reads an event in structured or binary mode whose data is an alert or a
// change as they lie in the stream; the end of its type says which. Id and time are the
// event's where the data has none.
func readCloudEvents(r request) (Report, error) {
	e, err := cloudEventOf(r)
	if err != nil {
		return Report{}, err
	}
	switch {
	case e.SpecVersion != "1.0":
		return Report{}, fmt.Errorf("specversion %q is not known (have 1.0)", cut(e.SpecVersion))
	case e.ID == "" || e.Source == "" || e.Type == "":
		return Report{}, errors.New("id, source and type of the event are required")
	case len(e.Data) == 0:
		return Report{}, errors.New("the event has no data")
	}
	id := protocol.EffectID(cloudEvents, e.Source, e.ID) // together they are unique
	switch {
	case strings.HasSuffix(e.Type, ".alert"):
		var a protocol.Alert
		if err := decode(e.Data, &a, "an alert in the event's data"); err != nil {
			return Report{}, err
		}
		a.ID, a.Source, a.State = id, cut(cmp.Or(a.Source, cloudEvents)), cmp.Or(a.State, firing)
		a.StartsAt = orNow(a.StartsAt, orNow(e.Time, r.now))
		a.Severity = severity(string(a.Severity))
		if a.EndsAt.Year() > 9999 {
			a.EndsAt = time.Time{}
		}
		return one(a), nil
	case strings.HasSuffix(e.Type, ".change"):
		var c protocol.Change
		if err := decode(e.Data, &c, "a change in the event's data"); err != nil {
			return Report{}, err
		}
		c.ID, c.Source = id, cmp.Or(c.Source, cloudEvents)
		if c.At.IsZero() {
			c.At = e.Time
		}
		return Report{Changes: []protocol.Change{changed(c, r.now)}}, nil
	}
	return Report{}, fmt.Errorf("type %q says neither alert nor change: it ends with .alert or .change", cut(e.Type))
}

func cloudEventOf(r request) (cloudEvent, error) {
	var e cloudEvent
	switch r.kind {
	case "application/cloudevents+json":
		err := decode(r.body, &e, "a CloudEvent in structured mode")
		if len(e.Base64) > 0 {
			e.Data = e.Base64
		}
		return e, err
	case "application/cloudevents-batch+json":
		return e, errors.New("batches are not read: send an event a request")
	}
	// An attribute is a header, with percent-encoding (HTTP protocol binding, 3.1.3.2).
	attribute := func(name string) string {
		v := r.header.Get("ce-" + name)
		if plain, err := url.PathUnescape(v); err == nil {
			return plain
		}
		return v
	}
	e = cloudEvent{SpecVersion: attribute("specversion"), ID: attribute("id"), Source: attribute("source"), Type: attribute("type"), Data: r.body}
	if e.SpecVersion == "" {
		return e, errors.New("not a CloudEvent: it has no header ce-specversion, and Content-Type is not application/cloudevents+json")
	}
	if at := attribute("time"); at != "" {
		var err error
		if e.Time, err = time.Parse(time.RFC3339, at); err != nil {
			return e, fmt.Errorf("ce-time %q is no time of RFC 3339", cut(at))
		}
	}
	return e, nil
}
