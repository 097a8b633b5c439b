package vmevents

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/kmsg"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	window = 5 * time.Minute // of the snapshot's counts
	kept   = 500             // events
	lines  = 200             // of the kernel's log, warnings and worse
)

// A watcher keeps what the kernel's log told. It is safe for concurrent use.
type watcher struct {
	host *host.Reader
	log  *kmsg.Log

	mu     sync.Mutex
	events ring[kmsg.Event]
	lines  ring[kmsg.Record]
	lost   uint64
}

// read takes in what is new. An error says that the log could not be read.
func (w *watcher) read(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	lost, err := w.log.Read(ctx, func(r kmsg.Record) {
		if e, ok := kmsg.Find(r); ok {
			w.events.add(e, kept)
		}
		if r.Severity <= 4 {
			w.lines.add(r, lines)
		}
	})
	w.lost += lost
	return err
}

// recent returns the events not older than age, newest first.
func (w *watcher) recent(now time.Time, age time.Duration) []kmsg.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []kmsg.Event
	for _, e := range w.events.newestFirst() {
		if now.Sub(e.At) <= age {
			out = append(out, e)
		}
	}
	return out
}

// fields are the snapshot's of each type: how many there were, and about whom.
var fields = map[kmsg.Type][2]string{
	kmsg.OOMKill: {"oom_kills_5m", "oom_kill_process"}, kmsg.HungTask: {"hung_tasks_5m", "hung_task_process"},
	kmsg.Lockup: {"lockups_5m", "lockup_subject"}, kmsg.IOError: {"io_errors_5m", "io_error_device"},
	kmsg.FSError: {"fs_errors_5m", "fs_error_device"}, kmsg.ReadOnly: {"fs_read_only_5m", "fs_read_only_device"},
	kmsg.Hardware: {"hardware_errors_5m", "hardware_error_subject"}, kmsg.Crash: {"crashes_5m", "crash_process"},
	kmsg.Throttled: {"throttled_5m", ""}, kmsg.LinkDown: {"link_downs_5m", "link_down_interface"},
	kmsg.NetDropped: {"net_drops_5m", "net_drop_subject"}, kmsg.Stalled: {"server_stalls_5m", "server_stall_subject"},
}

func (w *watcher) snapshot(ctx context.Context) (skills.Data, error) {
	err := w.read(ctx)
	d := skills.Data{}
	if err == nil {
		w.count(d)
	}
	arrays, raidErr := w.host.RAID()
	if len(arrays) > 0 {
		degraded := slices.DeleteFunc(arrays, func(a host.RAIDArray) bool { return !a.Degraded() })
		d.Set("raid_degraded_arrays", float64(len(degraded)), 0)
		if len(degraded) > 0 {
			d.Text("raid_degraded_array", degraded[0].Name)
		}
	}
	return d, errors.Join(err, raidErr)
}

// count fills in the counts of the window.
func (w *watcher) count(d skills.Data) {
	recent := w.recent(time.Now(), window)
	for _, names := range fields {
		d[names[0]] = 0.0
	}
	processes := map[string]bool{}
	for i, e := range recent {
		names := fields[e.Type]
		d[names[0]] = d[names[0]].(float64) + 1
		if _, has := d[names[1]]; !has && names[1] != "" {
			d.Text(names[1], e.Subject)
		}
		if e.Process {
			processes[e.Subject] = true
		}
		if i == 0 {
			d.Text("kernel_event_latest", string(e.Type)+": "+e.Subject)
		}
	}
	d.Set("kernel_events_5m", float64(len(recent)), 0)
	d.Set("affected_process_count", float64(len(processes)), 0)
	w.mu.Lock()
	d.Set("kernel_log_lost", float64(w.lost), 0)
	w.lost = 0
	w.mu.Unlock()
}

// A ring keeps the newest entries.
type ring[T any] struct {
	entries []T
	at      int // of the oldest, once full
}

func (r *ring[T]) add(v T, most int) {
	if len(r.entries) < most {
		r.entries = append(r.entries, v)
		return
	}
	r.entries[r.at] = v
	r.at = (r.at + 1) % most
}

func (r *ring[T]) newestFirst() []T {
	out := slices.Concat(r.entries[r.at:], r.entries[:r.at])
	slices.Reverse(out)
	return out
}
