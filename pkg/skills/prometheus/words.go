package prometheus

import (
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

var metrics = []skills.Metric{
	skills.Gauge("reachable", protocol.Count, "1 when the server answers, 0 when it is down or does not answer; then nothing else is there."),
	skills.Info("unreachable_reason", protocol.Text, "Why it does not."),
	skills.Info("server_version", protocol.Text, "Of the server."),
	skills.Gauge("uptime_seconds", protocol.Seconds, "Since the server was started."),
	skills.Gauge("config_ok", protocol.Count, "1 when its configuration could be read the last time, else 0: then it runs with the one before."),
	skills.Gauge("targets", protocol.Count, "What it scrapes."),
	skills.Gauge("targets_down", protocol.Count, "How many of those it could not scrape the last time."),
	skills.Gauge("targets_down_pct", protocol.Percent, "Their share."),
	skills.Info("target_down", protocol.Text, "One of them, as job instance."),
	skills.Info("target_down_error", protocol.Text, "Why it could not."),
	skills.Gauge("slowest_scrape_seconds", protocol.Seconds, "How long the slowest scrape took."),
	skills.Info("slowest_target", protocol.Text, "Of which target, as job instance."),
	skills.Gauge("alerts_firing", protocol.Count, "Alerts that fire, without those of the severities none and info: a watchdog always fires."),
	skills.Gauge("alerts_pending", protocol.Count, "Alerts that will fire if it goes on."),
	skills.Info("alert_first", protocol.Text, "The one that has fired longest, as name and labels."),
	skills.Gauge("alert_first_seconds", protocol.Seconds, "Since when."),
	skills.Gauge("rules", protocol.Count, "Rules of recording and alerting."),
	skills.Gauge("rules_failing", protocol.Count, "Rules whose last evaluation failed: they raise no alert and record nothing."),
	skills.Info("rule_failing", protocol.Text, "One of them, with its group and why."),
	skills.Gauge("head_series", protocol.Count, "Series in memory."),
	skills.Info("largest_metric", protocol.Text, "The metric with most of them; the server counts them seldom."),
	skills.Gauge("largest_metric_series", protocol.Count, "How many."),
}

var checks = []skills.Check{
	{
		Metric: "reachable", Op: protocol.Below, Critical: skills.Level(0), Resource: "server",
		Says:   "{unreachable_reason}",
		Advice: "See whether the server runs and what its log says; it is killed for want of memory when it has too many series.",
	},
	{
		Metric: "config_ok", Op: protocol.Below, Warn: skills.Level(0), Resource: "configuration",
		Says:   "the server runs with an older configuration: the last one could not be read",
		Advice: "promtool check config names the line.",
	},
	skills.Above("targets_down_pct", 10, 50, "scrapes",
		"{targets_down} of {targets} targets ({value} %) cannot be scraped, among them {target_down}: {target_down_error}",
		"prom_targets(5)",
		"Many at once: the network, DNS or the discovery. One: the service is down, or its port moved. Nothing newer is known of them."),
	skills.Above("slowest_scrape_seconds", 8, 30, "scrapes",
		"a scrape of {slowest_target} takes {value} s",
		"prom_targets(5)",
		"It exposes too many series, or is overloaded. What takes longer than scrape_timeout is dropped."),
	{
		Metric: "alerts_firing", Op: protocol.Above, Warn: skills.Level(1), Resource: "alerts",
		Says:   "{value} alerts fire, first, for {alert_first_seconds} s, {alert_first}",
		Ask:    "prom_alerts(5)",
		Advice: "Those that began together have one cause: begin with the earliest.",
	},
	{
		Metric: "rules_failing", Op: protocol.Above, Warn: skills.Level(1), Resource: "rules",
		Says:   "{value} of {rules} rules fail: {rule_failing}",
		Ask:    "prom_alerts(5)",
		Advice: "A rule that fails raises no alert. Often two series match where one should (many-to-many): add a label to on() or by().",
	},
	skills.Above("head_series", 5e6, 2e7, "series",
		"{value} series are in memory, most of {largest_metric} ({largest_metric_series})",
		`prom_top("count by (__name__) ({__name__=~'.+'})", 5)`,
		"A label has a value for each user or request: drop it with metric_relabel_configs."),
}
