package tracer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func begun(t gopprof.Trace) any {
	a := map[string]any{"status": "active", "kind": t.Kind, "seconds": t.For.Seconds()}
	if t.CPU.Known {
		a["service_cpu_pct"] = skills.Round(t.CPU.Pct, 1)
	} else if t.CPU.Why != "" {
		a["note"] = "how busy the service is, is not known, and was not taken into account: " + t.CPU.Why
	}
	return a
}

type statusAnswer struct {
	Status  string   `json:"status"`
	Kind    string   `json:"kind,omitempty"`
	Seconds float64  `json:"seconds,omitempty"`
	Elapsed *float64 `json:"elapsed_seconds,omitempty"`
	Began   string   `json:"began,omitempty"`
	Error   string   `json:"error,omitempty"`
	Count   int      `json:"trace_count"`
}

func status(t gopprof.Trace, count int) statusAnswer {
	a := statusAnswer{Status: "idle", Count: count}
	if count == 0 {
		return a
	}
	seconds := skills.Round(elapsed(t).Seconds(), 1)
	a.Kind, a.Seconds, a.Elapsed, a.Began = t.Kind, t.For.Seconds(), &seconds, t.Began.Format(time.RFC3339)
	switch {
	case t.Active():
		a.Status = "active"
	case t.Stopped:
		a.Status = "stopped"
	case t.Err != nil:
		a.Status, a.Error = "failed", skills.Cut(t.Err.Error())
	default:
		a.Status = "done"
	}
	return a
}

type functionRow struct {
	Function string  `json:"function"`
	Line     string  `json:"line,omitempty"`
	Flat     float64 `json:"flat"`
	FlatPct  float64 `json:"flat_pct"`
	Cum      float64 `json:"cum"`
	CumPct   float64 `json:"cum_pct"`
}

type resultAnswer struct {
	statusAnswer
	Functions []functionRow `json:"functions"`
	Unit      string        `json:"unit,omitempty"`
	Total     *float64      `json:"total,omitempty"`
	Truncated bool          `json:"truncated,omitempty"`
}

// units are how the values of a profile are told.
var units = map[string]struct {
	name string
	by   float64
}{"nanoseconds": {"seconds", 1e9}, "bytes": {"MiB", 1 << 20}}

func result(t gopprof.Trace, count, limit int, sortBy string) resultAnswer {
	a := resultAnswer{statusAnswer: status(t, count), Functions: []functionRow{}}
	if t.Top == nil {
		return a
	}
	unit, by := "count", 1.0
	if u, ok := units[t.Top.Unit]; ok {
		unit, by = u.name, u.by
	}
	told := func(v int64) float64 { return skills.Round(float64(v)/by, 3) }
	share := func(v int64) float64 { return skills.Round(100*float64(v)/float64(cmp.Or(t.Top.Total, 1)), 1) }
	total := told(t.Top.Total)
	a.Unit, a.Total, a.Truncated = unit, &total, len(t.Top.Functions) > limit
	list := slices.Clone(t.Top.Functions)
	slices.SortStableFunc(list, func(x, y gopprof.Function) int {
		if sortBy == "cum" {
			return cmp.Or(cmp.Compare(y.Cum, x.Cum), strings.Compare(x.Name, y.Name))
		}
		return cmp.Or(cmp.Compare(y.Flat, x.Flat), cmp.Compare(y.Cum, x.Cum), strings.Compare(x.Name, y.Name))
	})
	for _, f := range list[:min(limit, len(list))] {
		line := gopprof.Frame{File: f.File, Line: f.Line}.Where()
		a.Functions = append(a.Functions, functionRow{f.Name, line, told(f.Flat), share(f.Flat), told(f.Cum), share(f.Cum)})
	}
	return a
}
