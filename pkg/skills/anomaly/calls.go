package anomaly

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

// mostListed is how many entries of a list are returned at most.
const mostListed = 200

func calls(m Monitor) []skills.Call {
	ask := func(run func(a skills.Args) (any, error)) func(context.Context, skills.Args) (any, error) {
		return func(_ context.Context, a skills.Args) (any, error) {
			if m == nil {
				return nil, errors.New("this probe has no detector: it is turned off in the configuration (anomaly: enabled)")
			}
			return run(a)
		}
	}
	which := []skills.Param{
		{Name: "metric", Type: "string", Doc: "name of the metric"},
		{Name: "skill", Type: "string", Doc: "its skill", Default: "os"},
		{Name: "target", Type: "string", Doc: "its target", Default: "host"},
	}
	return []skills.Call{
		{
			Name: "monitor_get_state", Doc: "The detector's state: learning, active or cooldown.", Example: "monitor_get_state()",
			Run: ask(func(skills.Args) (any, error) { return m.Status().State, nil }),
		},
		{
			Name: "monitor_get_status", Doc: "The detector's state with the progress of learning, its counts and its settings.", Example: "monitor_get_status()",
			Run: ask(func(skills.Args) (any, error) { return m.Status(), nil }),
		},
		{
			Name: "monitor_anomalies", Doc: "The metrics that left their usual course, the strongest first: value, baseline, score, since when, and the recent series.",
			Example: "monitor_anomalies(10)", Params: []skills.Param{skills.Limit(20, mostListed, "how many")},
			Run: ask(func(a skills.Args) (any, error) {
				list := m.Anomalies()
				return list[:min(len(list), a.Int("limit"))], nil
			}),
		},
		{
			Name: "monitor_baselines", Doc: "What is usual for the metrics of a skill: mean, deviation and percentiles beside the last value, the least usual first.",
			Example: `monitor_baselines("os", 20)`,
			Params: []skills.Param{
				{Name: "skill", Type: "string", Doc: "whose metrics; empty: of all skills", Default: ""}, skills.Limit(50, mostListed, "how many"),
			},
			Run: ask(func(a skills.Args) (any, error) {
				list := slices.DeleteFunc(m.Baselines(), func(b Baseline) bool { return a.String("skill") != "" && b.Skill != a.String("skill") })
				slices.SortStableFunc(list, func(x, y Baseline) int { return cmp.Compare(y.Score, x.Score) })
				return list[:min(len(list), a.Int("limit"))], nil
			}),
		},
		{
			Name: "monitor_series", Doc: "The recent values of one metric, oldest first; of a counter its rate a second.",
			Example: `monitor_series("cpu_used_pct", "os")`, Params: which,
			Run: ask(func(a skills.Args) (any, error) {
				points := m.Series(a.String("target"), a.String("skill"), a.String("metric"))
				if points == nil {
					return nil, fmt.Errorf("no metric %q of skill %q on target %q is watched: monitor_baselines() lists them", a.String("metric"), a.String("skill"), a.String("target"))
				}
				return points, nil
			}),
		},
	}
}
