package ports

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// beamEventWindow is for how long busy ports are told of.
const beamEventWindow = 5 * time.Minute

type beamBusy struct {
	At       string  `json:"datetime"`
	Age      float64 `json:"age_seconds"`
	Type     string  `json:"type"`
	Name     string  `json:"name,omitempty"`
	PID      string  `json:"pid"`
	Function string  `json:"function,omitempty"`
	Port     string  `json:"port,omitempty"`
	PortName string  `json:"port_name,omitempty"`
}

// busy lists the times that processes were suspended because a port, or the connection
// to another node, was full.
func (w *beamWatch) busy(ctx context.Context, kind string) (any, error) {
	list, err := w.node.Events(ctx)
	if err != nil {
		return nil, err
	}
	rows, all, now := []beamBusy{}, 0, time.Now()
	for _, e := range list {
		age := now.Sub(e.At)
		if e.Type != kind || age > beamEventWindow {
			continue
		}
		if all++; len(rows) < mostGrowing {
			rows = append(rows, beamBusy{e.At.UTC().Format(time.RFC3339Nano), skills.Round(age.Seconds(), 1), e.Type, e.Process, e.PID, e.Function, e.Port, e.PortName})
		}
	}
	return map[string]any{"events": rows, "total": all, "truncated": all > len(rows)}, nil
}

// busySince returns the ports that processes were last held up by, by process.
func busySince(list []beam.Event, now time.Time) map[string]string {
	out := map[string]string{}
	for _, e := range list { // the newest first
		if _, told := out[e.PID]; !told && e.Type == beam.BusyPort && now.Sub(e.At) <= beamEventWindow {
			out[e.PID] = e.Port
		}
	}
	return out
}

func beamEventCalls(w *beamWatch) []skills.Call {
	call := func(name, what, kind string) skills.Call {
		return skills.Call{
			Name: name, Level: "events", Example: name + "()",
			Doc: what + " in the last five minutes, since somebody first asked; newest first, at most 50. events: datetime (UTC), age_seconds, type, name and pid of the process, function (where it stood), " +
				"port and port_name. total. truncated: there were more.",
			Run: func(ctx context.Context, _ skills.Args) (any, error) { return w.busy(ctx, kind) },
		}
	}
	return []skills.Call{
		call("ports_busy_events", "Times that a process was suspended because a port was full,", beam.BusyPort),
		call("ports_busy_dist_events", "Times that a process was suspended because the connection to another node was full,", beam.BusyDistPort),
	}
}
