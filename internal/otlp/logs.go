package otlp

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// Logs sends log records. It is safe for concurrent use.
type Logs struct{ client *client }

var _ sdklog.Exporter = (*Logs)(nil)

// NewLogs returns an exporter as the environment wants it.
func NewLogs() (*Logs, error) {
	c, err := fromEnv("LOGS")
	return &Logs{c}, err
}

// ForceFlush implements sdklog.Exporter; nothing is held.
func (l *Logs) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdklog.Exporter; nothing is held.
func (l *Logs) Shutdown(context.Context) error { return nil }

// Export implements sdklog.Exporter.
func (l *Logs) Export(ctx context.Context, records []sdklog.Record) error {
	if len(records) == 0 {
		return nil
	}
	return l.client.post(ctx, map[string]any{"resourceLogs": resourceLogs(records)})
}

type resourceLogsJSON struct {
	Resource  resourceJSON     `json:"resource"`
	ScopeLogs []*scopeLogsJSON `json:"scopeLogs"`
	SchemaURL string           `json:"schemaUrl,omitempty"`
}

type scopeLogsJSON struct {
	Scope     scopeJSON    `json:"scope"`
	Records   []recordJSON `json:"logRecords"`
	SchemaURL string       `json:"schemaUrl,omitempty"`
}

type recordJSON struct {
	Time              count      `json:"timeUnixNano,omitempty"`
	Observed          count      `json:"observedTimeUnixNano,omitempty"`
	Severity          int        `json:"severityNumber,omitempty"`
	SeverityText      string     `json:"severityText,omitempty"`
	Body              anyValue   `json:"body"`
	Attributes        []keyValue `json:"attributes,omitempty"`
	DroppedAttributes int        `json:"droppedAttributesCount,omitempty"`
	Flags             uint32     `json:"flags,omitempty"`
	TraceID           string     `json:"traceId,omitempty"`
	SpanID            string     `json:"spanId,omitempty"`
	EventName         string     `json:"eventName,omitempty"`
}

func resourceLogs(records []sdklog.Record) []*resourceLogsJSON {
	type scopeKey struct {
		resource attribute.Distinct
		scope    instrumentation.Scope
	}
	resources, scopes := map[attribute.Distinct]*resourceLogsJSON{}, map[scopeKey]*scopeLogsJSON{}
	var out []*resourceLogsJSON
	for i := range records {
		rec := &records[i]
		res := rec.Resource()
		rk := res.Equivalent()
		r := resources[rk]
		if r == nil {
			r = &resourceLogsJSON{Resource: ofResource(res), SchemaURL: res.SchemaURL()}
			resources[rk], out = r, append(out, r)
		}
		key := scopeKey{rk, rec.InstrumentationScope()}
		sc := scopes[key]
		if sc == nil {
			sc = &scopeLogsJSON{Scope: ofScope(rec.InstrumentationScope()), SchemaURL: rec.InstrumentationScope().SchemaURL}
			scopes[key], r.ScopeLogs = sc, append(r.ScopeLogs, sc)
		}
		sc.Records = append(sc.Records, ofRecord(rec))
	}
	return out
}

func ofRecord(r *sdklog.Record) recordJSON {
	trace, span := r.TraceID(), r.SpanID()
	out := recordJSON{
		Time: nanos(r.Timestamp()), Observed: nanos(r.ObservedTimestamp()), Severity: int(r.Severity()), SeverityText: r.SeverityText(),
		Body: ofValue(r.Body()), DroppedAttributes: r.DroppedAttributes(), Flags: uint32(r.TraceFlags()),
		TraceID: id(trace[:]), SpanID: id(span[:]), EventName: r.EventName(),
	}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		out.Attributes = append(out.Attributes, keyValue{string(kv.Key), ofValue(kv.Value)})
		return true
	})
	return out
}
