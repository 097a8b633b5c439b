package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// traced runs a command within a span of its own, so that what it asks for is part
// of one trace: that of TRACEPARENT, as a CI job sets it, else a new one. Where the
// environment names no collector, TRACEPARENT alone is passed on.
func (a *app) traced(cmd *cobra.Command, run func(p signals.Providers) error) error {
	return proc.Observed(cmd.Context(), "fleetlens", telemetry.HTTP{}, a.logging.New(os.Stderr), func(ctx context.Context, o proc.Observing) error {
		ctx = signals.WithTraceParent(ctx, os.Getenv("TRACEPARENT"))
		ctx, span := signals.Start(ctx, o.Tracer(), signals.Request, "")
		defer span.End()
		cmd.SetContext(ctx)
		err := run(o.Providers)
		if err != nil {
			signals.Error(span, "failed", err.Error())
		}
		return err
	})
}
