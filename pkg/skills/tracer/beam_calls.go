package tracer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const beamStatusDoc = "status (idle, active, stopped), function, trace_count (calls told), elapsed_ms, ended_by (stop, count: 50 calls, rate: more than 5 in a second, time: 60 s, or what went wrong; absent while it runs)"

func (b beamTrace) calls() []skills.Call {
	level := string(beam.Trace)
	return []skills.Call{
		{
			Name: "trace_start",
			Doc: "Traces the calls of one function and returns at once: status (started), matches (functions, 1), function, calls_per_second (just before). Which process calls it and from where is told, never with what. " +
				"The node itself ends it: after 50 calls, when more than 5 come in a second, after 60 seconds. Refused: a second one (trace_already_active), wildcards, functions through which all goes (blocked_function: sending, " +
				"ets lookups and insertions, gen_server and GenServer calls and casts, the erlang module), one that is called more than 500 times a second (hot_function), and any while somebody else traces. trace_start({module, function, arity}) is the same.",
			Params: []skills.Param{
				{Name: "module", Type: "string", Doc: "as its language writes it: Shop.Cart, shop_cart"},
				{Name: "function", Type: "string", Doc: "its name: handle_call"},
				{Name: "arity", Type: "integer", Doc: "how many arguments it takes", Min: skills.Level(0), Max: skills.Level(255)},
			},
			Example: `trace_start("Shop.Cart", "checkout", 2)`,
			Level:   level,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				t, err := b.node.StartTrace(ctx, a.String("module"), a.String("function"), a.Int("arity"))
				if err != nil {
					return nil, err
				}
				return map[string]any{"status": "started", "matches": 1, "function": t.Function, "calls_per_second": t.PerSecond}, nil
			},
		},
		{
			Name: "trace_get",
			Doc: "What the trace that runs, or the last one, has told. traces, newest first: datetime (UTC), pid, process (its registered name, label or first function; absent when it was gone), caller (the function that called; absent when the node does not know). " +
				"by_caller: caller and count, most often first. " + beamStatusDoc + ". truncated: there are more.",
			Params:  []skills.Param{skills.Limit(50, beam.TraceCalls, "how many calls")},
			Example: "trace_get()",
			Run: func(_ context.Context, a skills.Args) (any, error) {
				return b.result(time.Now(), a.Int("limit")), nil
			},
		},
		{
			Name:    "trace_stop",
			Doc:     "Ends the trace that runs; what it has told stays for trace_get. Without one it changes nothing. " + beamStatusDoc + ".",
			Example: "trace_stop()",
			Level:   level,
			Run: func(ctx context.Context, _ skills.Args) (any, error) {
				if _, err := b.node.StopTrace(ctx); err != nil {
					return nil, err
				}
				return b.status(time.Now()), nil
			},
		},
	}
}

func (b beamTrace) status(now time.Time) map[string]any {
	t, count := b.node.CallTrace()
	v := map[string]any{"status": "idle", "trace_count": len(t.Calls)}
	if count == 0 {
		return v
	}
	v["status"], v["function"], v["elapsed_ms"] = "stopped", t.Function, lasted(t, now).Milliseconds()
	if t.Active() {
		v["status"] = "active"
	} else {
		v["ended_by"] = skills.Cut(t.Why)
	}
	return v
}

type tracedRow struct {
	At      string `json:"datetime"`
	PID     string `json:"pid"`
	Process string `json:"process,omitempty"`
	Caller  string `json:"caller,omitempty"`
}

type callerRow struct {
	Caller string `json:"caller"`
	Count  int    `json:"count"`
}

func (b beamTrace) result(now time.Time, limit int) map[string]any {
	v := b.status(now)
	t, _ := b.node.CallTrace()
	traces, callers := []tracedRow{}, []callerRow{}
	for _, c := range slices.Backward(t.Calls) {
		if len(traces) < limit {
			traces = append(traces, tracedRow{c.At.UTC().Format("2006-01-02T15:04:05.000Z"), c.PID, skills.Cut(c.Process), skills.Cut(c.Caller)})
		}
		who := cmp.Or(c.Caller, "unknown")
		i := slices.IndexFunc(callers, func(r callerRow) bool { return r.Caller == who })
		if i < 0 {
			i, callers = len(callers), append(callers, callerRow{Caller: who})
		}
		callers[i].Count++
	}
	slices.SortStableFunc(callers, func(a, b callerRow) int { return cmp.Compare(b.Count, a.Count) })
	v["traces"], v["by_caller"], v["truncated"] = traces, callers, len(t.Calls) > limit
	if len(t.Calls) == 0 && t.Active() {
		v["note"] = fmt.Sprintf("%s was not called yet", t.Function)
	}
	return v
}
