package ports

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	steadyBytes  = 1024.0 // a second, either way, that are no trend
	steadyAccept = 0.1    // connections a second, likewise
	mostGrowing  = 50
)

// trend says where a queue goes at a rate, of which steady is none.
func trend(rate, steady float64) string {
	switch {
	case rate > steady:
		return "growing"
	case rate < -steady:
		return "shrinking"
	default:
		return "stable"
	}
}

type growingSocket struct {
	ID      uint64  `json:"id"`
	Type    string  `json:"type"`
	Local   string  `json:"local_addr"`
	Remote  string  `json:"remote_addr"`
	Name    string  `json:"name,omitempty"`
	PID     int32   `json:"pid,omitempty"`
	Current uint64  `json:"current_queue"`
	Recv    uint32  `json:"recv_queue"`
	Send    uint32  `json:"send_queue"`
	Was     uint64  `json:"historical_queue"`
	Rate    float64 `json:"growth_rate_bytes_per_sec"`
	Trend   string  `json:"trend"`
	Seconds float64 `json:"seconds"`
}

type growingListener struct {
	Address string  `json:"address"`
	Name    string  `json:"name,omitempty"`
	PID     int32   `json:"pid,omitempty"`
	Current uint32  `json:"accept_queue"`
	Max     *uint64 `json:"accept_queue_max,omitempty"`
	Was     uint64  `json:"historical_accept_queue"`
	Rate    float64 `json:"growth_rate_connections_per_sec"`
	Trend   string  `json:"trend"`
	Seconds float64 `json:"seconds"`
}

type growthAnswer struct {
	Growing   []growingSocket   `json:"growing_ports"`
	Listeners []growingListener `json:"growing_listeners"`
	Trends    map[string]int    `json:"trends"`
	Queues    map[string]uint64 `json:"current_queues"`
	Readings  int               `json:"readings"`
	Truncated bool              `json:"truncated,omitempty"`
	Note      string            `json:"note,omitempty"`
}

const noReadings = "growth needs a snapshot of at least a second ago, and there is none yet. "

// queueGrowth says which queues grow, against snapshots of the last so long.
func (h *history) queueGrowth(ctx context.Context, window time.Duration) (any, error) {
	now := time.Now()
	readings := h.queues.since(now, window)
	f, sockets, accepts, err := h.waiting(ctx)
	if err != nil {
		return nil, err
	}
	a := &growthAnswer{
		Growing: []growingSocket{}, Listeners: []growingListener{}, Queues: map[string]uint64{}, Readings: len(readings),
		Trends: map[string]int{"growing": 0, "shrinking": 0, "stable": 0, "unknown": 0},
	}
	var grow []host.Socket
	rates := map[uint64]float64{}
	for i := range sockets {
		s := &sockets[i]
		if i < mostGrowing {
			a.Queues[strconv.FormatUint(s.Inode, 10)] = queue(s)
		}
		rate, _, _, ok := growth(readings, now, s)
		if !ok {
			a.Trends["unknown"]++
			continue
		}
		where := trend(rate, steadyBytes)
		a.Trends[where]++
		if where == "growing" {
			rates[s.Inode] = rate
			grow = append(grow, *s)
		}
	}
	for i := range accepts {
		if rate, _, _, ok := growth(readings, now, &accepts[i]); ok && trend(rate, steadyAccept) == "growing" {
			rates[accepts[i].Inode] = rate
		}
	}
	accepts = slices.DeleteFunc(accepts, func(s host.Socket) bool { return rates[s.Inode] == 0 })
	steepest := func(x, y host.Socket) int {
		return cmp.Or(cmp.Compare(rates[y.Inode], rates[x.Inode]), sameOrder(x, y))
	}
	slices.SortFunc(grow, steepest)
	slices.SortFunc(accepts, steepest)
	a.Truncated = f.truncated || len(grow) > mostGrowing || len(accepts) > mostGrowing || len(sockets) > mostGrowing
	grow, accepts = grow[:min(mostGrowing, len(grow))], accepts[:min(mostGrowing, len(accepts))]
	if err := f.attribute(ctx, h.host, slices.Concat(grow, accepts)); err != nil {
		return nil, err
	}
	for i := range grow {
		a.Growing = append(a.Growing, f.growing(&grow[i], readings, now))
	}
	for i := range accepts {
		a.Listeners = append(a.Listeners, f.filling(&accepts[i], readings, now))
	}
	if a.Note = f.note(); len(readings) == 0 {
		a.Note += noReadings
	}
	return a, nil
}

func (f *found) growing(s *host.Socket, readings []queueReading, now time.Time) growingSocket {
	rate, was, over, _ := growth(readings, now, s)
	row := f.row(s)
	return growingSocket{
		ID: row.ID, Type: row.Type, Local: row.Local, Remote: row.Remote, Name: row.Name, PID: row.PID, Current: queue(s), Recv: row.Recv, Send: row.Send,
		Was: was, Rate: skills.Round(rate, 1), Trend: trend(rate, steadyBytes), Seconds: skills.Round(over.Seconds(), 1),
	}
}

func (f *found) filling(s *host.Socket, readings []queueReading, now time.Time) growingListener {
	rate, was, over, _ := growth(readings, now, s)
	l := growingListener{
		Address: s.Local.String(), PID: f.owners.PIDs[s.Inode], Current: s.Recv,
		Was: was, Rate: skills.Round(rate, 2), Trend: trend(rate, steadyAccept), Seconds: skills.Round(over.Seconds(), 1),
	}
	l.Name = f.names[l.PID]
	if s.Backlog.Known {
		l.Max = &s.Backlog.N
	}
	return l
}
