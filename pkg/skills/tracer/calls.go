package tracer

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const statusDoc = "status (idle, active, done, stopped, failed), kind, seconds (as long as it was asked for), elapsed_seconds, began (UTC), error (why there is no result), trace_count (profiles begun since the probe started)"

func calls(s *gopprof.Service) []skills.Call {
	return []skills.Call{
		{
			Name: "trace_start",
			Doc: "Begins a profile and returns at once: status (active), kind, seconds, service_cpu_pct (how busy the service was, of its processors), note (why that is not known). " +
				"Refused while one is active, and while the service is busier than its configuration allows. Ask trace_status, then trace_get.",
			Params: []skills.Param{
				{Name: "kind", Type: "string", Doc: "cpu: processor time; heap: what was allocated meanwhile and is still held; goroutine: where they stand (at once); mutex: who held locks; block: who waited", Enum: gopprof.Kinds},
				{Name: "seconds", Type: "integer", Doc: "how long", Default: 10.0, Min: skills.Level(gopprof.ShortestTrace.Seconds()), Max: skills.Level(gopprof.LongestTrace.Seconds())},
			},
			Example: `trace_start("cpu", 10)`,
			Level:   "trace",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				t, err := s.StartTrace(ctx, a.String("kind"), time.Duration(a.Int("seconds"))*time.Second)
				if err != nil {
					return nil, err
				}
				return begun(t), nil
			},
		},
		{
			Name:    "trace_status",
			Doc:     "The profile that is being taken, or the last that was: " + statusDoc + ".",
			Example: "trace_status()",
			Run:     func(context.Context, skills.Args) (any, error) { return status(s.Trace()), nil },
		},
		{
			Name: "trace_get",
			Doc: "What the last profile came to. functions: function, line (file:line, where most of it was), flat and flat_pct (in the function itself), cum and cum_pct (with those it called), most first. " +
				"unit (of flat, cum and total: seconds, MiB or count), total, kind, and " + statusDoc + ". functions is empty while none is finished. truncated: there are more.",
			Params: []skills.Param{
				skills.Limit(10, 50, "how many functions"),
				{Name: "sort_by", Type: "string", Doc: "by what the functions had themselves, or with those they called", Default: "flat", Enum: []string{"flat", "cum"}},
			},
			Example: `trace_get(10, "cum")`,
			Run: func(_ context.Context, a skills.Args) (any, error) {
				t, count := s.Trace()
				return result(t, count, a.Int("limit"), a.String("sort_by")), nil
			},
		},
		{
			Name:    "trace_stop",
			Doc:     "Ends the profile that is being taken; its result is lost. Without one it changes nothing. " + statusDoc + ".",
			Example: "trace_stop()",
			Level:   "trace",
			Run:     func(context.Context, skills.Args) (any, error) { return status(s.StopTrace()), nil },
		},
	}
}
