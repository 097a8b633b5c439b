package operator

import (
	"context"
	"log/slog"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// Sandbox runs a model's scripts in pkg/luasandbox. Whoever made it closes it.
type Sandbox struct{ *luasandbox.Sandbox }

var _ agent.Scripts = Sandbox{}

// NewSandbox returns a sandbox with the default limits. Where scripts cannot be
// run, or not within every limit, the log says why; each run fails with the reason
// then, or goes on without those limits.
func NewSandbox(log *slog.Logger) Sandbox {
	if err := luasandbox.Check(); err != nil {
		log.Warn("scripts of models are restricted here", "err", err)
	}
	return Sandbox{luasandbox.New(luasandbox.DefaultLimits())}
}

// Run implements agent.Scripts.
func (s Sandbox) Run(ctx context.Context, code string, callbacks []string, call func(context.Context, string, []any) (any, error)) (any, string, error) {
	funcs := make([]luasandbox.Func, 0, len(callbacks))
	for _, name := range callbacks {
		funcs = append(funcs, luasandbox.Func{Name: name, Call: func(ctx context.Context, args []any) (any, error) {
			return call(ctx, name, args)
		}})
	}
	res, err := s.Sandbox.Run(ctx, code, funcs)
	return res.Value, res.Output, err
}
