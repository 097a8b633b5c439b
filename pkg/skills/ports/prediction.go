package ports

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	saturated    = 1 << 20         // bytes in a queue that count as full
	growthWindow = 5 * time.Minute // that a prediction takes the rate over
	furthest     = 1440            // minutes that a prediction looks ahead
)

type prediction struct {
	ID        uint64   `json:"id"`
	Queue     string   `json:"queue"` // socket or accept
	Name      string   `json:"name,omitempty"`
	PID       int32    `json:"pid,omitempty"`
	Local     string   `json:"local_addr"`
	Remote    string   `json:"remote_addr"`
	Bytes     *uint64  `json:"current_queue_bytes,omitempty"`
	Rate      *float64 `json:"growth_rate_bytes_per_sec,omitempty"`
	Threshold *uint64  `json:"saturation_threshold_bytes,omitempty"`
	Accept    *uint64  `json:"accept_queue,omitempty"`
	Joining   *float64 `json:"growth_rate_connections_per_sec,omitempty"`
	Room      *uint64  `json:"saturation_threshold_connections,omitempty"`
	Minutes   float64  `json:"minutes_until_saturation"`
	Risk      string   `json:"risk_level"`

	minutes float64
	socket  host.Socket
}

// risk says how near the moment is at which a queue is full.
func risk(minutes float64) string {
	switch {
	case minutes < 15:
		return "critical"
	case minutes < 60:
		return "high"
	case minutes < 240:
		return "medium"
	default:
		return "low"
	}
}

// predict says when a queue of a size is full if it goes on growing at a rate.
func predict(size, full uint64, rate float64) (minutes float64, ok bool) {
	if rate <= 0 {
		return 0, false
	}
	minutes = max(0, float64(full)-float64(size)) / rate / 60
	return minutes, minutes < furthest
}

// saturationPrediction says which queues will be full within so many minutes.
func (h *history) saturationPrediction(ctx context.Context, ahead int) (any, error) {
	now := time.Now()
	readings := h.queues.since(now, growthWindow)
	f, sockets, accepts, err := h.waiting(ctx)
	if err != nil {
		return nil, err
	}
	list := []prediction{}
	for _, s := range slices.Concat(sockets, accepts) {
		size, full := queue(&s), uint64(saturated)
		if s.State == host.Listen {
			if !s.Backlog.Known {
				continue
			}
			size, full = uint64(s.Recv), s.Backlog.N+1
		}
		rate, _, _, _ := growth(readings, now, &s)
		minutes, ok := predict(size, full, rate)
		if !ok || minutes > float64(ahead) {
			continue
		}
		p := prediction{ID: s.Inode, Queue: "socket", minutes: minutes, Minutes: skills.Round(minutes, 1), Risk: risk(minutes), socket: s}
		rounded := skills.Round(rate, 2)
		if s.State == host.Listen {
			p.Queue, p.Accept, p.Joining, p.Room = "accept", &size, &rounded, &full
		} else {
			p.Bytes, p.Rate, p.Threshold = &size, &rounded, &full
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b prediction) int {
		return cmp.Or(cmp.Compare(a.minutes, b.minutes), sameOrder(a.socket, b.socket))
	})
	a := struct {
		Predictions []prediction `json:"predictions"`
		Readings    int          `json:"readings"`
		Truncated   bool         `json:"truncated,omitempty"`
		Note        string       `json:"note,omitempty"`
	}{Readings: len(readings), Truncated: f.truncated || len(list) > mostGrowing}
	list = list[:min(mostGrowing, len(list))]
	top := make([]host.Socket, len(list))
	for i := range list {
		top[i] = list[i].socket
	}
	if err := f.attribute(ctx, h.host, top); err != nil {
		return nil, err
	}
	for i := range list {
		row := f.row(&top[i])
		list[i].Name, list[i].PID, list[i].Local, list[i].Remote = row.Name, row.PID, row.Local, row.Remote
	}
	a.Predictions = list
	if a.Note = f.note(); len(readings) == 0 {
		a.Note += noReadings
	}
	return a, nil
}
