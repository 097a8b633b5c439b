package logger

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// written is what was logged, and how to have it brought up to date.
type written struct {
	*logs.Book
	poll func(context.Context) error
}

// hostLogs answers for one machine.
type hostLogs struct {
	written
	reader *logs.Reader
}

// burstFrom is from how many errors a minute on their growth says something.
const burstFrom = 20

// burstBase is the time before the last minute that it is compared with.
const burstBase = 10 * time.Minute

func (h hostLogs) snapshot(ctx context.Context) (skills.Data, error) {
	if err := h.poll(ctx); err != nil {
		return nil, err
	}
	d := skills.Data{}
	read, unreadable := h.reader.Sources()
	d.Set("sources_read", float64(len(read)), 0)
	d.Set("sources_unreadable", float64(len(unreadable)), 0)
	if len(unreadable) > 0 {
		d.Text("source_unreadable", unreadable[0].Source+": "+unreadable[0].Reason)
	}
	if len(read) == 0 && len(unreadable) > 0 {
		return d, nil // nothing is known of what is logged
	}
	h.entries(d)
	h.templates(d)
	cut, skipped := h.reader.Losses()
	d.Set("lines_cut", float64(cut), 0)
	d.Set("skipped_mb", float64(skipped)/(1<<20), 1)
	return d, nil
}

func (h written) entries(d skills.Data) {
	t := h.Totals(time.Minute)
	d.Set("total_logs_1m", float64(t.Total), 0)
	d.Set("error_count_1m", float64(t.Errors), 0)
	d.Set("warning_count_1m", float64(t.Warnings), 0)
	d.Set("error_rate_pct", pct(t.Errors, t.Total), 2)
	d.Set("unique_error_modules", float64(t.ErrorModules), 0)
	if t.Errors >= burstFrom && h.Now().Sub(h.Began()) >= burstBase {
		before := float64(h.Totals(burstBase+time.Minute).Errors-t.Errors) / burstBase.Minutes()
		d.Set("error_burst_ratio", float64(t.Errors)/max(1, before), 1)
	}
}

func pct(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(part) / float64(of)
}

func (h written) templates(d skills.Data) {
	total, list := h.Erring()
	d.Set("templates", float64(total), 0)
	var fresh []logs.Template
	for _, t := range list { // those that came most often first
		if _, there := d["top_error_template"]; !there {
			d.Text("top_error_template", who(t)+": "+t.Text)
			d.Set("top_error_template_per_min", perMinute(t), 1)
		}
		if t.New && len(fresh) < 50 && !slices.ContainsFunc(fresh, func(o logs.Template) bool { return alike(o.Text, t.Text) }) {
			fresh = append(fresh, t)
		}
	}
	if !h.settled() {
		return
	}
	d.Set("new_error_templates_5m", float64(len(fresh)), 0)
	if len(fresh) > 0 {
		d.Text("new_error_template", who(fresh[0])+": "+fresh[0].Text)
	}
}

// alike says whether two templates differ in one word only: they will be one when
// more of their kind are seen.
func alike(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) != len(y) || len(x) < 3 {
		return false
	}
	differ := 0
	for i := range x {
		if x[i] != y[i] {
			differ++
		}
	}
	return differ <= 1
}

// settled says whether the reader has seen enough for something to be new.
func (h written) settled() bool { return h.Now().Sub(h.Began()) >= logs.Window }

func perMinute(t logs.Template) float64 { return float64(t.Recent) / logs.Window.Minutes() }

// who names the program that wrote a message, or where it was written.
func who(t logs.Template) string { return cmp.Or(t.Module, t.Source) }
