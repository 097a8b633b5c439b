package proc

import (
	"context"
	"log/slog"

	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Addresses are where processes serve /metrics, /healthz and /readyz unless
// somebody names another address: each kind has its own, so that one of each may
// run on one machine.
var Addresses = map[string]string{
	"fleetlens":   "127.0.0.1:4230",
	"probe":       "127.0.0.1:4231",
	"operator":    "127.0.0.1:4232",
	"coordinator": "127.0.0.1:4233",
	"gateway":     "127.0.0.1:4235",
}

// Observing is what a process is watched by.
type Observing struct {
	signals.Providers
	Health *telemetry.Health
	Log    *slog.Logger // the process's own, and the collector's when there is one
}

// Observed runs a process whose signals go where the flags and the environment say.
func Observed(ctx context.Context, name string, http telemetry.HTTP, log *slog.Logger, run func(ctx context.Context, o Observing) error) error {
	t, err := telemetry.Setup(ctx, telemetry.Config{Service: service(name), Version: Version(), Metrics: http.Addr != ""}, log)
	if err != nil {
		return err
	}
	defer t.Stop()
	log = t.Logger(log)
	health := &telemetry.Health{}
	stop, err := http.Serve(ctx, t, health, log)
	if err != nil {
		return err
	}
	defer stop()
	defer context.AfterFunc(ctx, health.Stopping)()
	return run(ctx, Observing{Providers: t.Providers, Health: health, Log: log})
}

// service is a process's name among others of OpenTelemetry.
func service(name string) string {
	if name == "fleetlens" {
		return name
	}
	return "fleetlens-" + name
}
