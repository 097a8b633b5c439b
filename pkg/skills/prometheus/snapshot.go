package prometheus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// snapshot fills in what can be read; the error joins the rest. A server that is down or
// hangs is a finding: that much is data.
func (w watch) snapshot(ctx context.Context) (skills.Data, error) {
	now := time.Now()
	b, err := w.server.Build(ctx)
	switch {
	case errors.Is(err, reach.ErrUnavailable):
		return skills.Unreachable(err), err
	case err != nil:
		return nil, err
	}
	d := fields{"reachable": 1.0, "config_ok": 0.0}
	if b.ReloadOK {
		d["config_ok"] = 1.0
	}
	d.text("server_version", b.Version)
	d.set("uptime_seconds", now.Sub(b.Start).Seconds(), 0)
	var errs []error
	for _, part := range []func(context.Context, *reach.Server, time.Time) error{d.targets, d.alerts, d.rules, d.head} {
		err := part(ctx, w.server, now)
		errs = append(errs, err)
		if errors.Is(err, reach.ErrUnavailable) {
			break // each further question would cost its deadline too
		}
	}
	return skills.Data(d), errors.Join(errs...)
}

type fields skills.Data

func (d fields) set(name string, v float64, decimals int) { skills.Data(d).Set(name, v, decimals) }
func (d fields) text(name, v string)                      { skills.Data(d).Text(name, v) }

func (d fields) targets(ctx context.Context, s *reach.Server, _ time.Time) error {
	list, err := s.Targets(ctx)
	if err != nil {
		return err
	}
	var down, slowest float64
	for _, t := range list {
		who := t.Job + " " + t.Instance
		if t.Health == "down" {
			if down++; down == 1 {
				d.text("target_down", who)
				d.text("target_down_error", t.Error)
			}
		}
		if t.Seconds > slowest {
			slowest = t.Seconds
			d.text("slowest_target", who)
		}
	}
	d.set("targets", float64(len(list)), 0)
	d.set("targets_down", down, 0)
	if len(list) > 0 {
		d.set("targets_down_pct", 100*down/float64(len(list)), 1)
		d.set("slowest_scrape_seconds", slowest, 4)
	}
	return nil
}

// quiet are severities of alerts that ask nobody to do anything.
var quiet = []string{"none", "info"}

func (d fields) alerts(ctx context.Context, s *reach.Server, now time.Time) error {
	list, err := s.Alerts(ctx)
	if err != nil {
		return err
	}
	var firing, pending float64
	var first *reach.Alert
	for i, a := range list {
		switch {
		case a.State == "pending":
			pending++
		case a.State == "firing" && !slices.Contains(quiet, a.Severity):
			firing++
			if first == nil || a.Since.Before(first.Since) {
				first = &list[i]
			}
		}
	}
	d.set("alerts_firing", firing, 0)
	d.set("alerts_pending", pending, 0)
	if first != nil {
		d.text("alert_first", first.Name+labels(first.Labels, "alertname"))
		d.set("alert_first_seconds", max(0, now.Sub(first.Since).Seconds()), 0)
	}
	return nil
}

func (d fields) rules(ctx context.Context, s *reach.Server, _ time.Time) error {
	failed, total, err := s.Rules(ctx)
	if err != nil {
		return err
	}
	d.set("rules", float64(total), 0)
	d.set("rules_failing", float64(len(failed)), 0)
	if len(failed) > 0 {
		r := failed[0]
		d.text("rule_failing", fmt.Sprintf("%s of %s: %s", r.Name, r.Group, r.Error))
	}
	return nil
}

func (d fields) head(ctx context.Context, s *reach.Server, _ time.Time) error {
	h, err := s.Head(ctx)
	if err != nil {
		return err
	}
	d.set("head_series", h.Series, 0)
	if len(h.Largest) > 0 {
		d.text("largest_metric", h.Largest[0].Name)
		d.set("largest_metric_series", h.Largest[0].Value, 0)
	}
	return nil
}
