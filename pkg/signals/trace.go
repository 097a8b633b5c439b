package signals

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const codeError = codes.Error

const traceParent = "traceparent"

// TraceParent returns the trace context of ctx as W3C writes it; empty: it has none.
func TraceParent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c[traceParent]
}

// WithTraceParent returns ctx within the span that a W3C trace context names. One
// that cannot be read changes nothing.
func WithTraceParent(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceParent: parent})
}

// TraceID returns the trace id of ctx: 32 hex digits, or "".
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}

// InTrace returns ctx within the trace of an id (32 hex digits), below a span that
// nobody tells of: for work that knows its trace and not its parent. The span's id
// is made from who (16 hex digits), so that each try has the same. Ids that cannot
// be read change nothing.
func InTrace(ctx context.Context, traceID, who string) context.Context {
	t, err := trace.TraceIDFromHex(traceID)
	if err != nil {
		return ctx
	}
	s, err := trace.SpanIDFromHex(who)
	if err != nil {
		var id trace.SpanID
		raw, _ := hex.DecodeString(traceID[:16])
		copy(id[:], raw)
		s = id
	}
	// Sampled: whoever records spans decides for himself, not this process, which records none.
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: t, SpanID: s, TraceFlags: trace.FlagsSampled, Remote: true}))
}

// Outside returns ctx outside of every span, for a trace of its own.
func Outside(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}
