package ports

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (w *beamWatch) info(ctx context.Context, id string) (any, error) {
	p, err := w.node.Port(ctx, id)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return notFound(id), nil
	}
	who, err := w.owners(ctx, ownersOf([]beam.Port{*p}))
	return fullRow(p, who), err
}

func notFound(id string) any { return map[string]any{"id": skills.Cut(id), "error": "port_not_found"} }

func (w *beamWatch) stats(ctx context.Context, id string) (any, error) {
	p, err := w.node.Port(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return notFound(id), nil
	case p.Stat == nil:
		return map[string]any{"id": p.Port.String(), "error": "port_info_unavailable", "note": "it is no socket of gen_tcp, gen_udp or gen_sctp (" + skills.Cut(p.Name) + "), or it was just closed"}, nil
	}
	return struct {
		ID string `json:"id"`
		*beam.InetStat
	}{p.Port.String(), p.Stat}, nil
}

// listInet lists the sockets, those of the module socket after the others.
func (w *beamWatch) listInet(ctx context.Context, limit int) (any, error) {
	a, err := w.top(ctx, beam.PortsByAge, true, limit, inetRow)
	if err != nil {
		return nil, err
	}
	nif, err := w.node.NIFSockets(ctx, max(1, limit-len(a.Ports)))
	if err != nil {
		a.Note = "sockets of the module socket are left out: " + err.Error()
		return a, nil
	}
	a.Total += nif.Total
	a.Truncated = a.Truncated || nif.Truncated
	var pids []etf.Pid
	for _, s := range nif.Sockets {
		if s.Owner != nil {
			pids = append(pids, *s.Owner)
		}
	}
	who, err := w.owners(ctx, pids)
	if err != nil {
		return nil, err
	}
	for i := range nif.Sockets[:min(len(nif.Sockets), limit-len(a.Ports))] {
		s := &nif.Sockets[i]
		in, out := int64(s.Input)/1024, int64(s.Output)/1024
		r := beamPort{ID: s.Socket.String(), Type: s.Protocol, Name: "socket", Local: s.LocalAddr(), Remote: s.RemoteAddr(), InputKB: &in, OutputKB: &out}
		if s.Owner != nil {
			r.PID, r.Process = s.Owner.String(), who[*s.Owner]
		}
		a.Ports = append(a.Ports, r)
	}
	return a, nil
}

// byBuffer lists sockets by what waits in them to be sent. What was received and not
// read waits in the kernel or in a process's mailbox.
func (w *beamWatch) byBuffer(ctx context.Context, limit int, direction string) (any, error) {
	type row struct {
		ID         string   `json:"id"`
		Type       string   `json:"type"`
		Process    string   `json:"process,omitempty"`
		PID        string   `json:"connected_pid"`
		Remote     string   `json:"remote_addr"`
		SendKB     float64  `json:"send_kb"`
		RecvKB     *float64 `json:"recv_kb"`
		ReceivedKB int64    `json:"received_kb"`
		SentKB     int64    `json:"sent_kb"`
	}
	by, note := beam.PortsByQueue, ""
	if direction == "recv" {
		by = beam.PortsByInput
		note = "recv_kb is null: a node keeps no received bytes in its sockets. What was not read waits in the kernel (ports_top_by_buffer of the host tells it) or in the owner's message queue; the list is by bytes received since the socket was opened."
	}
	list, err := w.node.TopPorts(ctx, by, true, limit)
	if err != nil {
		return nil, err
	}
	who, err := w.owners(ctx, ownersOf(list.Ports))
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for i := range list.Ports {
		p := &list.Ports[i]
		b := basicRow(p, who)
		rows = append(rows, row{
			ID: b.ID, Type: p.Type(), Process: b.Process, PID: b.PID, Remote: p.RemoteAddr(), SendKB: skills.Round(float64(p.Queue)/1024, 2),
			ReceivedKB: int64(p.Input) / 1024, SentKB: int64(p.Output-float64(p.Queue)) / 1024,
		})
	}
	a := map[string]any{"ports": rows, "total": list.Total}
	if list.Truncated || list.Total > len(rows) {
		a["truncated"] = true
	}
	if note != "" {
		a["note"] = note
	}
	return a, nil
}

// byOwner lists the processes with most ports.
func (w *beamWatch) byOwner(ctx context.Context, limit int) (any, error) {
	p, err := w.node.Ports(ctx)
	if err != nil {
		return nil, err
	}
	var pids []etf.Pid
	for _, o := range p.Owners {
		pids = append(pids, o.PID)
	}
	list, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	type row struct {
		Name     string `json:"name"`
		PID      string `json:"pid"`
		Ports    int    `json:"ports"`
		Function string `json:"function"`
	}
	rows := []row{}
	for _, o := range p.Owners[:min(limit, len(p.Owners))] {
		i := slices.IndexFunc(list, func(q beam.Process) bool { return q.PID == o.PID })
		if i >= 0 {
			rows = append(rows, row{list[i].Name(), o.PID.String(), o.Ports, list[i].Sits()})
		}
	}
	return map[string]any{"processes": rows, "port_count": p.Seen, "port_limit": p.Limit, "kinds": p.Kinds}, nil
}

// suspendedNow lists the processes that are held up, and the ports that may do it: those
// they are linked to, else all that are fuller than they may be.
func (w *beamWatch) suspendedNow(ctx context.Context) (any, error) {
	s, err := w.node.Suspended(ctx, 50)
	if err != nil {
		return nil, err
	}
	var pids []etf.Pid
	for _, p := range s.Processes {
		pids = append(pids, p.PID)
	}
	list, err := w.node.Describe(ctx, pids)
	if err != nil {
		return nil, err
	}
	type row struct {
		Name       string   `json:"name"`
		PID        string   `json:"pid"`
		Registered string   `json:"registered_name,omitempty"`
		Function   string   `json:"current_function"`
		Sits       string   `json:"function"`
		Queue      int64    `json:"message_queue_len"`
		Status     string   `json:"status"`
		Ports      []string `json:"ports,omitempty"`
		BusyPort   string   `json:"busy_port,omitempty"`
	}
	note := "busy_port is the port that a busy_port event told of"
	events, err := w.node.Events(ctx)
	if err != nil {
		note = "which port holds up a process is told by busy_port events alone, and there are none: " + err.Error() + ". ports are those it is linked to; full_ports those with most waiting"
	}
	by := busySince(events, time.Now())
	rows := []row{}
	for i := range list {
		p := &list[i]
		r := row{p.Name(), p.PID.String(), beam.Label(p.Registered), p.Function(), p.Sits(), p.QueueLen, p.Status, nil, by[p.PID.String()]}
		for _, port := range s.Processes[slices.Index(pids, p.PID)].Ports {
			r.Ports = append(r.Ports, port.String())
		}
		rows = append(rows, r)
	}
	full, err := w.top(ctx, beam.PortsByQueue, false, 5, queueRow)
	if err != nil {
		return nil, err
	}
	full.Ports = slices.DeleteFunc(full.Ports, func(p beamPort) bool { return *p.Queue == 0 })
	return map[string]any{
		"processes": rows, "total": s.Total, "truncated": s.Truncated || s.Total > len(rows), "full_ports": full.Ports,
		"note": note,
	}, nil
}

type beamGrowing struct {
	ID      string  `json:"id"`
	Type    string  `json:"type,omitempty"`
	Name    string  `json:"name"`
	PID     string  `json:"connected_pid"`
	Process string  `json:"process,omitempty"`
	Remote  string  `json:"remote_addr,omitempty"`
	Current int64   `json:"current_queue"`
	Was     uint64  `json:"historical_queue"`
	Rate    float64 `json:"growth_rate_bytes_per_sec"`
	Trend   string  `json:"trend"`
	Seconds float64 `json:"seconds"`
}

// queueGrowth says which queues grow, against snapshots of the last so long.
func (w *beamWatch) queueGrowth(ctx context.Context, window time.Duration) (any, error) {
	readings, list, who, now, err := w.compared(ctx, window)
	if err != nil {
		return nil, err
	}
	growing, trends, queues := []beamGrowing{}, map[string]int{"growing": 0, "shrinking": 0, "stable": 0, "unknown": 0}, map[string]int64{}
	for i := range list.Ports {
		p := &list.Ports[i]
		queues[p.Port.String()] = p.Queue
		rate, was, over, ok := growthOf(readings, now, p.Port.ID, false, uint64(p.Queue))
		if !ok {
			trends["unknown"]++
			continue
		}
		where := trend(rate, steadyBytes)
		trends[where]++
		if where == "growing" {
			q := queueRow(p, who)
			growing = append(growing, beamGrowing{
				q.ID, q.Type, q.Name, q.PID, q.Process, q.Remote, p.Queue, was, skills.Round(rate, 1), where, skills.Round(over.Seconds(), 1),
			})
		}
	}
	slices.SortStableFunc(growing, func(a, b beamGrowing) int { return cmp.Compare(b.Rate, a.Rate) })
	a := map[string]any{"growing_ports": growing, "trends": trends, "current_queues": queues, "readings": len(readings)}
	if len(readings) == 0 {
		a["note"] = noReadings
	}
	return a, nil
}

// compared returns the readings to compare with, and the ports in which something
// waits now.
func (w *beamWatch) compared(ctx context.Context, window time.Duration) (readings []queueReading, list *beam.PortList, who names, now time.Time, err error) {
	now = time.Now()
	if list, err = w.node.TopPorts(ctx, beam.PortsByQueue, false, mostGrowing); err != nil {
		return nil, nil, nil, now, err
	}
	list.Ports = slices.DeleteFunc(list.Ports, func(p beam.Port) bool { return p.Queue <= 0 })
	w.mu.Lock()
	run, _ := w.node.Run()
	same := run == w.run
	w.mu.Unlock()
	if same {
		readings = w.queues.since(now, window)
	}
	who, err = w.owners(ctx, ownersOf(list.Ports))
	return readings, list, who, now, err
}

type beamPrediction struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Type      string  `json:"type,omitempty"`
	PID       string  `json:"connected_pid"`
	Process   string  `json:"process,omitempty"`
	Remote    string  `json:"remote_addr,omitempty"`
	Bytes     int64   `json:"current_queue_bytes"`
	Rate      float64 `json:"growth_rate_bytes_per_sec"`
	Threshold int64   `json:"saturation_threshold_bytes"`
	Minutes   float64 `json:"minutes_until_saturation"`
	Risk      string  `json:"risk_level"`

	minutes float64
}

// saturationPrediction says which ports will be full within so many minutes.
func (w *beamWatch) saturationPrediction(ctx context.Context, ahead int) (any, error) {
	readings, list, who, now, err := w.compared(ctx, growthWindow)
	if err != nil {
		return nil, err
	}
	predictions := []beamPrediction{}
	for i := range list.Ports {
		p := &list.Ports[i]
		rate, _, _, _ := growthOf(readings, now, p.Port.ID, false, uint64(p.Queue))
		minutes, ok := predict(uint64(p.Queue), saturated, rate)
		if !ok || minutes > float64(ahead) {
			continue
		}
		q := queueRow(p, who)
		predictions = append(predictions, beamPrediction{
			q.ID, q.Name, q.Type, q.PID, q.Process, q.Remote, p.Queue, skills.Round(rate, 2), saturated, skills.Round(minutes, 1), risk(minutes), minutes,
		})
	}
	slices.SortStableFunc(predictions, func(a, b beamPrediction) int { return cmp.Compare(a.minutes, b.minutes) })
	a := map[string]any{"predictions": predictions, "readings": len(readings)}
	if len(readings) == 0 {
		a["note"] = noReadings
	}
	return a, nil
}
