package beam

import (
	"context"
	"math"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// atoms are how many there are and may be.
type atoms struct{ count, limit int }

// atomWindow is over what time a leak of atoms is judged.
const atomWindow = 10 * time.Minute

// A trend is how the number of atoms moves, between the oldest and the newest reading.
type trend struct {
	now       atoms
	samples   int
	over      time.Duration
	perMinute float64
	known     bool // there are two readings
	// steady says that it is no start: they grew in most of the readings, in the newer
	// half nearly as fast as in the older one, and by a number that says something.
	steady bool
}

// What a steady growth has at least.
const (
	atomReadings = 5
	atomsAdded   = 500
)

func trendOf(list []skills.Reading[atoms]) trend {
	t := trend{samples: len(list)}
	if len(list) == 0 {
		return t
	}
	first, last := list[0], list[len(list)-1]
	t.now, t.over = last.Value, last.At.Sub(first.At)
	if t.over <= 0 {
		return t
	}
	t.known = true
	added := last.Value.count - first.Value.count
	t.perMinute = float64(added) / t.over.Minutes()
	rises := 0
	for i := 1; i < len(list); i++ {
		if list[i].Value.count > list[i-1].Value.count {
			rises++
		}
	}
	middle := list[len(list)/2]
	older := float64(middle.Value.count-first.Value.count) / middle.At.Sub(first.At).Minutes()
	newer := float64(last.Value.count-middle.Value.count) / last.At.Sub(middle.At).Minutes()
	t.steady = len(list) >= atomReadings && added >= atomsAdded && 5*rises >= 4*(len(list)-1) && 2*newer >= older
	return t
}

// hoursLeft returns when there is no room, at the same speed; infinite without growth.
func (t trend) hoursLeft() float64 {
	if t.perMinute <= 0 {
		return math.Inf(1)
	}
	return float64(t.now.limit-t.now.count) / t.perMinute / 60
}

func (t trend) usedPct() float64 { return 100 * float64(t.now.count) / float64(max(1, t.now.limit)) }

// urgency is one of six words: how soon somebody has to do something.
func (t trend) urgency() string {
	switch used, hours := t.usedPct(), t.hoursLeft(); {
	case !t.known:
		return "insufficient_history"
	case used > 90:
		return "critical"
	case used > 80:
		return "warning"
	case math.IsInf(hours, 1):
		return "healthy"
	case hours > 168:
		return "monitoring"
	case hours > 24:
		return "concerning"
	}
	return "critical"
}

func (t trend) recommendation() string {
	switch {
	case !t.known:
		return "There is no history yet: ask again after two snapshots."
	case t.hoursLeft() < 24:
		return "Critical: at this speed there is no room within a day, and the node ends then. Stop what makes atoms, or plan a restart."
	case t.perMinute > 100:
		return "Severe: atoms are made all the time. Look for binary_to_atom, list_to_atom and String.to_atom on text from outside, for XML and JSON parsers that make atoms, and for names of nodes."
	case t.perMinute > 10:
		return "Their number grows faster than by loading code: look for what makes atoms of text from outside."
	}
	return "Normal: one or two a minute come by themselves."
}

type growthRate struct {
	Count     int      `json:"current_count"`
	Limit     int      `json:"limit"`
	Used      float64  `json:"utilization_pct"`
	PerMinute *float64 `json:"atoms_per_minute"`
	PerHour   *float64 `json:"atoms_per_hour"`
	Hours     *float64 `json:"hours_until_exhausted"`
	Urgency   string   `json:"urgency"`
	Window    float64  `json:"time_window_minutes"`
	Samples   int      `json:"samples_count"`
}

// atomTrend reads the number of atoms and returns its trend over the last so long.
func (w *watch) atomTrend(ctx context.Context, window time.Duration) (trend, error) {
	v, err := w.node.Vitals(ctx)
	if err != nil {
		return trend{}, err
	}
	now := time.Now()
	w.anew(now)
	w.atoms.Add(now, atoms{v.Atoms, v.AtomLimit})
	t := trendOf(w.atoms.Since(now.Add(-window)))
	t.now = atoms{v.Atoms, v.AtomLimit}
	return t, nil
}

func finite(v float64, decimals int) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	v = skills.Round(v, decimals)
	return &v
}

func (w *watch) atomGrowth(ctx context.Context, minutes float64) (any, error) {
	t, err := w.atomTrend(ctx, time.Duration(minutes*float64(time.Minute)))
	if err != nil {
		return nil, err
	}
	a := growthRate{
		Count: t.now.count, Limit: t.now.limit, Used: skills.Round(t.usedPct(), 2), Urgency: t.urgency(),
		Window: skills.Round(t.over.Minutes(), 2), Samples: t.samples,
	}
	if t.known {
		a.PerMinute, a.PerHour, a.Hours = finite(t.perMinute, 2), finite(60*t.perMinute, 1), finite(t.hoursLeft(), 1)
	}
	return a, nil
}

func (w *watch) atomLeak(ctx context.Context) (any, error) {
	t, err := w.atomTrend(ctx, atomWindow)
	if err != nil {
		return nil, err
	}
	a := map[string]any{
		"suspected_leak": t.steady || t.known && t.usedPct() > 50 && t.perMinute > 10,
		"growth_rate":    nil, "hours_until_full": nil, "current_utilization_pct": skills.Round(t.usedPct(), 2), "recommendation": t.recommendation(),
	}
	if t.known {
		a["growth_rate"], a["hours_until_full"] = skills.Round(t.perMinute, 2), finite(t.hoursLeft(), 1)
	}
	return a, nil
}
