package agent

import (
	"context"
	"errors"
	"time"

	"github.com/cloudwego/eino/schema"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// A ModelOption changes one model's decider.
type ModelOption func(*modelDecider)

// Served says who serves a model and under which name, for telemetry: provider as
// OpenTelemetry's conventions call it ("anthropic", "aws.bedrock").
func Served(provider, model string) ModelOption {
	return func(d *modelDecider) { d.provider, d.served = provider, model }
}

// chat asks the model, within a span of its own.
func (d *modelDecider) chat(ctx context.Context, v View, messages []*schema.Message, ask func(context.Context) (*schema.Message, error)) (*schema.Message, error) {
	t := telemetryOf(ctx)
	ctx, span := signals.Start(ctx, t.tracer, signals.Chat, d.served, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		signals.AttrOperation.String(string(genaiconv.OperationNameChat)), signals.Text(signals.AttrProvider, d.provider),
		signals.Text(signals.AttrRequestModel, d.served), signals.Text(signals.AttrConversation, v.RunID),
		signals.AttrIteration.Int(v.Step), signals.AttrContextSize.Int(len(messages)),
	))
	began := time.Now()
	failed := "panic" // unless it returns
	defer func() {
		attrs := []attribute.KeyValue{t.operation.AttrRequestModel(d.served)}
		if failed != "" {
			attrs = append(attrs, signals.AttrErrorType.String(failed))
		}
		t.operation.Record(ctx, time.Since(began).Seconds(), genaiconv.OperationNameChat, genaiconv.ProviderNameAttr(d.provider), attrs...)
		span.End()
	}()
	msg, err := ask(ctx)
	if err != nil {
		failed = class(ctx, err)
		signals.Error(span, failed, err.Error())
		return msg, err
	}
	failed = ""
	d.answered(ctx, t, span, msg)
	return msg, nil
}

// class is the sort of a model's failure, in one word.
func class(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case ctx.Err() != nil:
		return "cancelled"
	case errors.Is(err, ErrFinal):
		return "final"
	}
	return "failed"
}

func (d *modelDecider) answered(ctx context.Context, t *Telemetry, span trace.Span, msg *schema.Message) {
	u := usage(msg)
	for kind, n := range map[genaiconv.TokenTypeAttr]int{genaiconv.TokenTypeInput: u.InputTokens, genaiconv.TokenTypeOutput: u.OutputTokens} {
		if n > 0 {
			t.tokens.Record(ctx, int64(n), genaiconv.OperationNameChat, genaiconv.ProviderNameAttr(d.provider), kind, t.tokens.AttrRequestModel(d.served))
		}
	}
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(tokenAttrs(u)...)
	span.SetAttributes(signals.Text(signals.AttrResponse, msg.Content), signals.Text(signals.AttrResponseModel, d.served))
	tool, intent := "", ""
	if len(msg.ToolCalls) > 0 {
		tool = msg.ToolCalls[0].Function.Name
		intent = tool + " " + msg.ToolCalls[0].Function.Arguments
	}
	span.SetAttributes(signals.Text(signals.AttrToolSelected, tool), signals.Text(signals.AttrIntent, intent))
}

func tokenAttrs(u protocol.Usage) []attribute.KeyValue {
	return []attribute.KeyValue{signals.AttrInputTokens.Int(u.InputTokens), signals.AttrOutputTokens.Int(u.OutputTokens), signals.AttrCachedTokens.Int(u.CachedTokens)}
}
