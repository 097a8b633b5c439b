package vmevents

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const eventDoc = "events, newest first: datetime (UTC), age_seconds, type, subject (a process as name (pid), a device, an interface), message (the kernel's own line). "

func (w *watcher) calls() []skills.Call {
	types := []string{""}
	for _, t := range kmsg.Types() {
		types = append(types, string(t))
	}
	return []skills.Call{
		{
			Name: "sysmon_stats",
			Doc: "by_type (events of the last five minutes, of each type that occurred), total_5m, affected_process_count, kept (events that can still be listed), " +
				"oldest (the time of the oldest, UTC), raid (software arrays: name, disks, working, degraded).",
			Example: "sysmon_stats()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.stats(ctx) },
		},
		{
			Name: "sysmon_events",
			Doc:  eventDoc + "Those that the kernel still had when the probe started are among them.",
			Params: []skills.Param{
				{Name: "type", Type: "string", Doc: "which type; empty: all", Default: "", Enum: types},
				skills.Limit(20, 100, "how many events"),
			},
			Example: `sysmon_events("oom_kill", 10)`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.list(ctx, kmsg.Type(a.String("type")), a.Int("limit"))
			},
		},
		{
			Name:    "sysmon_kernel_log",
			Doc:     "lines of the kernel's log that are warnings or worse, newest first: datetime (UTC), severity (0 emergency to 4 warning), message.",
			Params:  []skills.Param{skills.Limit(20, 100, "how many lines")},
			Example: "sysmon_kernel_log(20)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.kernelLog(ctx, a.Int("limit")) },
		},
	}
}

type statsAnswer struct {
	ByType    map[kmsg.Type]int `json:"by_type"`
	Total     int               `json:"total_5m"`
	Processes int               `json:"affected_process_count"`
	Kept      int               `json:"kept"`
	Oldest    string            `json:"oldest,omitempty"`
	RAID      []raidAnswer      `json:"raid,omitempty"`
}

type raidAnswer struct {
	Name     string `json:"name"`
	Disks    int    `json:"disks"`
	Working  int    `json:"working"`
	Degraded bool   `json:"degraded"`
}

func (w *watcher) stats(ctx context.Context) (any, error) {
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	a := statsAnswer{ByType: map[kmsg.Type]int{}}
	processes := map[string]bool{}
	for _, e := range w.recent(time.Now(), window) {
		a.ByType[e.Type]++
		a.Total++
		if e.Process {
			processes[e.Subject] = true
		}
	}
	a.Processes = len(processes)
	w.mu.Lock()
	all := w.events.newestFirst()
	w.mu.Unlock()
	if a.Kept = len(all); a.Kept > 0 {
		a.Oldest = all[a.Kept-1].At.UTC().Format(time.RFC3339)
	}
	arrays, err := w.host.RAID()
	for _, r := range arrays {
		a.RAID = append(a.RAID, raidOf(r))
	}
	return a, err
}

func raidOf(r host.RAIDArray) raidAnswer {
	return raidAnswer{r.Name, r.Disks, r.Working, r.Degraded()}
}

type eventAnswer struct {
	At      string  `json:"datetime"`
	Age     float64 `json:"age_seconds"`
	Type    string  `json:"type,omitempty"`
	Subject string  `json:"subject,omitempty"`
	Message string  `json:"message"`
}

func (w *watcher) list(ctx context.Context, of kmsg.Type, limit int) (any, error) {
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	all := w.events.newestFirst()
	w.mu.Unlock()
	now, out := time.Now(), []eventAnswer{}
	for _, e := range all {
		if len(out) == limit {
			break
		}
		if of == "" || e.Type == of {
			out = append(out, eventAnswer{
				e.At.UTC().Format(time.RFC3339Nano), skills.Round(now.Sub(e.At).Seconds(), 0), string(e.Type), skills.Cut(e.Subject), skills.Cut(e.Text),
			})
		}
	}
	return map[string]any{"events": out}, nil
}

type lineAnswer struct {
	At       string `json:"datetime"`
	Severity int    `json:"severity"`
	Message  string `json:"message"`
}

func (w *watcher) kernelLog(ctx context.Context, limit int) (any, error) {
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	all := w.lines.newestFirst()
	w.mu.Unlock()
	out := []lineAnswer{}
	for _, r := range all[:min(limit, len(all))] {
		out = append(out, lineAnswer{r.At.UTC().Format(time.RFC3339Nano), r.Severity, skills.Cut(r.Text)})
	}
	return map[string]any{"lines": out}, nil
}
