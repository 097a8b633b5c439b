package signals

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Logger returns a logger whose records belong to the span of ctx, also those that
// are written without a context. What log writes stays as it is; a collector of
// logs learns which trace they are of.
func Logger(ctx context.Context, log *slog.Logger) *slog.Logger {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return log
	}
	return slog.New(within{log.Handler(), sc})
}

// within is a handler whose records belong to a span.
type within struct {
	slog.Handler
	span trace.SpanContext
}

// Handle implements slog.Handler. A record that has a span of its own keeps it.
func (w within) Handle(ctx context.Context, r slog.Record) error {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, w.span)
	}
	return w.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (w within) WithAttrs(attrs []slog.Attr) slog.Handler {
	return within{w.Handler.WithAttrs(attrs), w.span}
}

// WithGroup implements slog.Handler.
func (w within) WithGroup(name string) slog.Handler { return within{w.Handler.WithGroup(name), w.span} }
