package otlp

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Traces sends spans. It is safe for concurrent use.
type Traces struct{ client *client }

var _ sdktrace.SpanExporter = (*Traces)(nil)

// NewTraces returns an exporter as the environment wants it.
func NewTraces() (*Traces, error) {
	c, err := fromEnv("TRACES")
	return &Traces{c}, err
}

// Shutdown implements sdktrace.SpanExporter; nothing is held.
func (t *Traces) Shutdown(context.Context) error { return nil }

// ExportSpans implements sdktrace.SpanExporter.
func (t *Traces) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	return t.client.post(ctx, map[string]any{"resourceSpans": resourceSpans(spans)})
}

type resourceSpansJSON struct {
	Resource   resourceJSON      `json:"resource"`
	ScopeSpans []*scopeSpansJSON `json:"scopeSpans"`
	SchemaURL  string            `json:"schemaUrl,omitempty"`
}

type scopeSpansJSON struct {
	Scope     scopeJSON  `json:"scope"`
	Spans     []spanJSON `json:"spans"`
	SchemaURL string     `json:"schemaUrl,omitempty"`
}

type spanJSON struct {
	TraceID           string      `json:"traceId"`
	SpanID            string      `json:"spanId"`
	TraceState        string      `json:"traceState,omitempty"`
	ParentSpanID      string      `json:"parentSpanId,omitempty"`
	Flags             uint32      `json:"flags,omitempty"`
	Name              string      `json:"name"`
	Kind              int         `json:"kind"`
	Start             count       `json:"startTimeUnixNano"`
	End               count       `json:"endTimeUnixNano"`
	Attributes        []keyValue  `json:"attributes,omitempty"`
	DroppedAttributes int         `json:"droppedAttributesCount,omitempty"`
	Events            []eventJSON `json:"events,omitempty"`
	DroppedEvents     int         `json:"droppedEventsCount,omitempty"`
	Links             []linkJSON  `json:"links,omitempty"`
	DroppedLinks      int         `json:"droppedLinksCount,omitempty"`
	Status            statusJSON  `json:"status"`
}

type eventJSON struct {
	Time              count      `json:"timeUnixNano"`
	Name              string     `json:"name"`
	Attributes        []keyValue `json:"attributes,omitempty"`
	DroppedAttributes int        `json:"droppedAttributesCount,omitempty"`
}

type linkJSON struct {
	TraceID           string     `json:"traceId"`
	SpanID            string     `json:"spanId"`
	TraceState        string     `json:"traceState,omitempty"`
	Attributes        []keyValue `json:"attributes,omitempty"`
	DroppedAttributes int        `json:"droppedAttributesCount,omitempty"`
	Flags             uint32     `json:"flags,omitempty"`
}

type statusJSON struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

// resourceSpans puts the spans under their resource and scope, in the order in
// which those are met.
func resourceSpans(spans []sdktrace.ReadOnlySpan) []*resourceSpansJSON {
	type scopeKey struct {
		resource attribute.Distinct
		scope    instrumentation.Scope
	}
	resources, scopes := map[attribute.Distinct]*resourceSpansJSON{}, map[scopeKey]*scopeSpansJSON{}
	var out []*resourceSpansJSON
	for _, s := range spans {
		rk := s.Resource().Equivalent()
		r := resources[rk]
		if r == nil {
			r = &resourceSpansJSON{Resource: ofResource(s.Resource()), SchemaURL: s.Resource().SchemaURL()}
			resources[rk], out = r, append(out, r)
		}
		key := scopeKey{rk, s.InstrumentationScope()}
		sc := scopes[key]
		if sc == nil {
			sc = &scopeSpansJSON{Scope: ofScope(s.InstrumentationScope()), SchemaURL: s.InstrumentationScope().SchemaURL}
			scopes[key], r.ScopeSpans = sc, append(r.ScopeSpans, sc)
		}
		sc.Spans = append(sc.Spans, ofSpan(s))
	}
	return out
}

func ofSpan(s sdktrace.ReadOnlySpan) spanJSON {
	ctx, parent := s.SpanContext(), s.Parent().SpanID()
	trace, span := ctx.TraceID(), ctx.SpanID()
	out := spanJSON{
		TraceID: id(trace[:]), SpanID: id(span[:]), ParentSpanID: id(parent[:]), TraceState: ctx.TraceState().String(),
		Flags: flags(uint32(ctx.TraceFlags()), s.Parent().IsRemote()), Name: s.Name(), Kind: int(s.SpanKind()),
		Start: nanos(s.StartTime()), End: nanos(s.EndTime()),
		Attributes: ofAttributes(s.Attributes()), DroppedAttributes: s.DroppedAttributes(),
		DroppedEvents: s.DroppedEvents(), DroppedLinks: s.DroppedLinks(), Status: ofStatus(s.Status()),
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, eventJSON{nanos(e.Time), e.Name, ofAttributes(e.Attributes), e.DroppedAttributeCount})
	}
	for _, l := range s.Links() {
		trace, span := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, linkJSON{
			id(trace[:]), id(span[:]), l.SpanContext.TraceState().String(), ofAttributes(l.Attributes),
			l.DroppedAttributeCount, flags(uint32(l.SpanContext.TraceFlags()), l.SpanContext.IsRemote()),
		})
	}
	return out
}

// flags are the trace's flags with two bits that say whether the parent, or what a
// link points at, belongs to another process (SpanFlags of trace.proto).
func flags(of uint32, remote bool) uint32 {
	const knowsRemote, isRemote = 1 << 8, 1 << 9
	of |= knowsRemote
	if remote {
		of |= isRemote
	}
	return of
}

// ofStatus: the protocol numbers the codes in another order than the SDK.
func ofStatus(s sdktrace.Status) statusJSON {
	switch s.Code {
	case codes.Ok:
		return statusJSON{s.Description, 1}
	case codes.Error:
		return statusJSON{s.Description, 2}
	default:
		return statusJSON{Message: s.Description}
	}
}
