package ports

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A beamPort is a port as callbacks tell of it; each sets what it is about.
type beamPort struct {
	ID         string   `json:"id"`
	Type       string   `json:"type,omitempty"`
	Name       string   `json:"name"`
	PID        string   `json:"connected_pid"`
	Process    string   `json:"process,omitempty"`
	OSPID      *int64   `json:"os_pid,omitempty"`
	Local      string   `json:"local_addr,omitempty"`
	Remote     string   `json:"remote_addr,omitempty"`
	Input      *float64 `json:"input_bytes,omitempty"`
	Output     *float64 `json:"output_bytes,omitempty"`
	InputKB    *int64   `json:"input_kb,omitempty"`
	OutputKB   *int64   `json:"output_kb,omitempty"`
	Queue      *int64   `json:"queue_size,omitempty"`
	MemoryKB   *float64 `json:"memory_kb,omitempty"`
	BusyFrom   *int64   `json:"busy_from_bytes,omitempty"`
	Saturation *float64 `json:"saturation_pct,omitempty"`
}

// names are processes by pid.
type names map[etf.Pid]string

// owners names the processes of ports.
func (w *beamWatch) owners(ctx context.Context, pids []etf.Pid) (names, error) {
	var distinct []etf.Pid
	out := names{}
	for _, p := range pids {
		if _, seen := out[p]; !seen {
			out[p] = ""
			distinct = append(distinct, p)
		}
	}
	for len(distinct) > 0 {
		n := min(200, len(distinct))
		list, err := w.node.Describe(ctx, distinct[:n])
		if err != nil {
			return out, err
		}
		for i := range list {
			out[list[i].PID] = list[i].Name()
		}
		distinct = distinct[n:]
	}
	return out, nil
}

func ownersOf(list []beam.Port) (pids []etf.Pid) {
	for _, p := range list {
		if p.Owner != nil {
			pids = append(pids, *p.Owner)
		}
	}
	return pids
}

func basicRow(p *beam.Port, who names) beamPort {
	r := beamPort{ID: p.Port.String(), Name: p.Name, OSPID: p.OSPID}
	if p.Owner != nil {
		r.PID, r.Process = p.Owner.String(), who[*p.Owner]
	}
	return r
}

func trafficRow(p *beam.Port, who names) beamPort {
	r := basicRow(p, who)
	kb := skills.Round(float64(p.Memory)/1024, 2)
	r.Input, r.Output, r.MemoryKB, r.Queue = &p.Input, &p.Output, &kb, &p.Queue
	return r
}

func queueRow(p *beam.Port, who names) beamPort {
	r := basicRow(p, who)
	pct := saturation(uint64(max(0, p.Queue)))
	r.Queue, r.BusyFrom, r.Saturation = &p.Queue, p.BusyFrom, &pct
	if p.IsInet() {
		r.Type, r.Local, r.Remote = p.Type(), p.LocalAddr(), p.RemoteAddr()
	}
	return r
}

func inetRow(p *beam.Port, who names) beamPort {
	r := basicRow(p, who)
	in, out := int64(p.Input)/1024, int64(p.Output)/1024
	r.Type, r.Local, r.Remote, r.InputKB, r.OutputKB = p.Type(), p.LocalAddr(), p.RemoteAddr(), &in, &out
	return r
}

func fullRow(p *beam.Port, who names) beamPort {
	r, q := trafficRow(p, who), queueRow(p, who)
	r.Type, r.Local, r.Remote, r.BusyFrom, r.Saturation = q.Type, q.Local, q.Remote, q.BusyFrom, q.Saturation
	return r
}

// A beamPorts is a list of ports.
type beamPorts struct {
	Ports     []beamPort `json:"ports"`
	Total     int        `json:"total"`
	Truncated bool       `json:"truncated,omitempty"`
	Note      string     `json:"note,omitempty"`
}

// top lists the ports with most of something, each as a row.
func (w *beamWatch) top(ctx context.Context, by beam.PortOrder, inet bool, limit int, row func(*beam.Port, names) beamPort) (*beamPorts, error) {
	list, err := w.node.TopPorts(ctx, by, inet, limit)
	if err != nil {
		return nil, err
	}
	who, err := w.owners(ctx, ownersOf(list.Ports))
	if err != nil {
		return nil, err
	}
	a := &beamPorts{Ports: []beamPort{}, Total: list.Total, Truncated: list.Truncated || list.Total > len(list.Ports)}
	for i := range list.Ports {
		a.Ports = append(a.Ports, row(&list.Ports[i], who))
	}
	return a, nil
}
