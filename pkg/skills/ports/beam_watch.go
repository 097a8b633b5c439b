package ports

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A beamWatch keeps what waited in the ports of one node in the snapshots before. It is
// safe for concurrent use.
type beamWatch struct {
	node   *beam.Node
	queues queueHistory

	mu        sync.Mutex
	run       uint32 // of the node: another one has other ports of the same names
	taken     map[etf.Port]still
	suspended int // in the snapshot before
}

// still is a port's count of bytes taken, and since when it was so.
type still struct {
	bytes float64
	since time.Time
}

func (w *beamWatch) snapshot(ctx context.Context) (skills.Data, error) {
	p, err := w.node.Ports(ctx)
	if err != nil {
		return nil, err
	}
	d := skills.Data{}
	beamCounts(d, p)
	stuck, since, count := w.advance(p)
	d.Set("stuck_ports", float64(count), 0)
	d.Set("stuck_queue_bytes", 0, 0)
	err = w.owner(ctx, d, p)
	if len(p.Queues) > 0 {
		name, err2 := w.describe(ctx, p.Queues[0].Port)
		d.Text("max_queue_port", name)
		err = errors.Join(err, err2)
	}
	if count > 0 {
		d.Set("stuck_queue_bytes", float64(stuck.Bytes), 0)
		d.Set("stuck_for_seconds", p.At.Sub(since).Seconds(), 0)
		name, err2 := w.describe(ctx, stuck.Port)
		d.Text("stuck_port", name)
		err = errors.Join(err, err2)
	}
	return d, errors.Join(err, w.held(ctx, d, p))
}

func beamCounts(d skills.Data, p *beam.Ports) {
	d.Set("port_count", float64(p.Seen), 0)
	d.Set("port_limit", float64(p.Limit), 0)
	if p.Limit > 0 {
		d.Set("port_utilization_pct", 100*float64(p.Seen)/float64(p.Limit), 2)
	}
	d.Set("ports_tcp", float64(p.Kinds["tcp"]), 0)
	d.Set("ports_udp", float64(p.Kinds["udp"]), 0)
	d.Set("nif_sockets", float64(p.NIFSockets), 0)
	queued := int64(0)
	for _, q := range p.Queues {
		queued += q.Bytes
	}
	d.Set("queued_bytes", float64(queued), 0)
	d.Set("max_queue_bytes", 0, 0)
	if len(p.Queues) > 0 {
		d.Set("max_queue_bytes", float64(p.Queues[0].Bytes), 0)
	}
}

// owner names the process with most ports.
func (w *beamWatch) owner(ctx context.Context, d skills.Data, p *beam.Ports) error {
	if len(p.Owners) == 0 {
		return nil
	}
	d.Set("top_owner_ports", float64(p.Owners[0].Ports), 0)
	name, err := w.name(ctx, p.Owners[0].PID)
	d.Text("top_owner", name)
	return err
}

// name writes a process as name <pid>.
func (w *beamWatch) name(ctx context.Context, pid etf.Pid) (string, error) {
	list, err := w.node.Describe(ctx, []etf.Pid{pid})
	if err != nil || len(list) == 0 {
		return pid.String(), err
	}
	return label(&list[0]), nil
}

func label(p *beam.Process) string { return strings.TrimSpace(p.Name() + " " + p.PID.String()) }

// describe writes a port with its peer and its process; empty when it was closed meanwhile.
func (w *beamWatch) describe(ctx context.Context, id etf.Port) (string, error) {
	p, err := w.node.Port(ctx, id.String())
	if err != nil || p == nil {
		return "", err
	}
	text := fmt.Sprintf("%s (%s", id, p.Type())
	if p.IsInet() {
		text += " to " + p.RemoteAddr()
	}
	if p.Owner != nil {
		name, err := w.name(ctx, *p.Owner)
		return text + ", of " + name + ")", err
	}
	return text + ")", nil
}

// advance takes in a reading, and returns of the ports from which nothing was taken
// since the one before the one with most, since when, and how many there are.
func (w *beamWatch) advance(p *beam.Ports) (most beam.PortQueue, since time.Time, count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if run, _ := w.node.Run(); run != w.run {
		w.run, w.taken, w.suspended = run, nil, 0
		w.queues.clear()
	}
	reading := queueReading{at: p.At, socketsCut: p.QueuesTruncated}
	taken := make(map[etf.Port]still, len(p.Queues))
	for _, q := range p.Queues {
		reading.sockets = append(reading.sockets, queueSize{q.Port.ID, uint64(q.Bytes)})
		s := still{q.Taken(), p.At}
		if before, ok := w.taken[q.Port]; ok && before.bytes == s.bytes {
			s = before
			if p.At.After(before.since) {
				count++
				if q.Bytes > most.Bytes {
					most, since = q, s.since
				}
			}
		}
		taken[q.Port] = s
	}
	w.taken = taken
	w.queues.advance(reading)
	return most, since, count
}

// held tells of processes that ports hold up. Only while something waits in a port is
// anybody looked for.
func (w *beamWatch) held(ctx context.Context, d skills.Data, p *beam.Ports) error {
	var now *beam.Suspended
	var err error
	if len(p.Queues) > 0 {
		if now, err = w.node.Suspended(ctx, 1); err != nil {
			return err
		}
	}
	w.mu.Lock()
	before := w.suspended
	if w.suspended = 0; now != nil {
		w.suspended = now.Total
	}
	lasting := min(before, w.suspended)
	w.mu.Unlock()
	d.Set("suspended_processes", float64(lasting), 0)
	if now == nil || len(now.Processes) == 0 {
		return nil
	}
	list, err := w.node.Describe(ctx, []etf.Pid{now.Processes[0].PID})
	if err == nil && len(list) > 0 {
		d.Text("suspended_process", label(&list[0]))
		d.Text("suspended_function", list[0].Sits())
	}
	return err
}
