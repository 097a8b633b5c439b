package prometheus

import (
	"context"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

var (
	exprParam    = skills.Param{Name: "expr", Type: "string", Doc: "PromQL, at most 2000 characters"}
	minutesParam = skills.Param{Name: "minutes", Type: "integer", Doc: "how far back", Default: 60.0, Min: skills.Level(1), Max: skills.Level(10080)}
)

const more = " truncated. warnings."

func (w watch) calls() []skills.Call {
	return []skills.Call{
		{
			Name: "prom_query", Example: `prom_query("sum by (job) (up)")`,
			Doc:    "What an expression is now, at most 50 series. series: series (its labels), value." + more,
			Params: []skills.Param{exprParam},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.query(ctx, a.String("expr")) },
		},
		{
			Name: "prom_range", Example: `prom_range("up", 60, 60)`,
			Doc: "How an expression went, at most 10 series of 120 points, those that changed most first. series: series, first, last, min, max, min_at, max_at, points ([time, value], times without the day)." + more,
			Params: []skills.Param{
				exprParam, minutesParam,
				{Name: "step", Type: "integer", Doc: "seconds between points; 0: as many as fit", Default: 0.0, Min: skills.Level(0), Max: skills.Level(86400)},
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.ranged(ctx, a.String("expr"), a.Int("minutes"), a.Int("step"))
			},
		},
		{
			Name: "prom_top", Example: `prom_top("up", 5)`,
			Doc:    "The n largest series of an expression, the largest first. series: series, value." + more,
			Params: []skills.Param{exprParam, {Name: "n", Type: "integer", Doc: "how many", Default: 10.0, Min: skills.Level(1), Max: skills.Level(50)}},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.top(ctx, a.String("expr"), a.Int("n"))
			},
		},
		{
			Name: "prom_correlated", Example: `prom_correlated("sum(scrape_samples_scraped{job='prometheus'}) by (job)", 60)`,
			Doc: "What moved as an expression of one series did, of the same instance, or else job: at most 20, nearest first. of (the series), compared (how many); series: series, r (correlation, -1 to 1; counters by their increase), before, after (means of the first and last quarter)." + more,
			Params: []skills.Param{
				{Name: "metric", Type: "string", Doc: "PromQL of one series that keeps the label instance or job"}, minutesParam,
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.correlated(ctx, a.String("metric"), a.Int("minutes"))
			},
		},
		{
			Name: "prom_alerts", Example: "prom_alerts(5)",
			Doc:    "Alerts that fire or are pending, firing first, then the oldest. alerts: alert, state, severity, labels, annotations, since, value. failing_rules: group, rule, error." + more,
			Params: []skills.Param{skills.Limit(20, 100, "how many alerts")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.alerts(ctx, a.Int("limit")) },
		},
		{
			Name: "prom_targets", Example: "prom_targets(5)",
			Doc:    "What is scraped, what is down first, then the slowest. targets: job, instance, pool, health, error, last_scrape, scrape_seconds. total, down, and jobs: job, targets, down." + more,
			Params: []skills.Param{skills.Limit(20, 100, "how many targets")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.targets(ctx, a.Int("limit")) },
		},
	}
}
