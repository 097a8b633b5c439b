package ports

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A history reads the machine and keeps what its counters were.
type history struct {
	host *host.Reader
	skills.History[*host.NetStack]
	queues queueHistory
}

func (h *history) snapshot(ctx context.Context) (skills.Data, error) {
	now := time.Now()
	queues := newQueueWatch()
	d, stack, err := h.read(ctx, now, queues)
	if stack != nil {
		h.Advance(now, stack)
	}
	if _, ok := d["tcp_established"]; ok { // else nobody knows what waits
		// Datagrams that wait are no field of the snapshot: without them the rest is as good.
		_, _ = h.host.Sockets(ctx, host.UDP, queues.see)
		h.queues.advance(queues.reading(now))
	}
	return skills.Data(d), err
}

// read fills a snapshot with what can be read, and shows the sockets to queues; the
// error joins the rest.
func (h *history) read(ctx context.Context, now time.Time, queues *queueWatch) (fields, *host.NetStack, error) {
	d := fields{}
	stack, err := h.host.NetStack()
	if stack != nil {
		d.stack(stack)
		if base := h.Base(now); base != nil {
			d.rates(base.Value, stack, now.Sub(base.At))
		}
	}
	return d, stack, errors.Join(err, d.sockets(ctx, h.host, queues), d.descriptors(ctx, h.host))
}

// fields is a snapshot being filled. Each of its methods sets what it knows.
type fields skills.Data

func (d fields) set(name string, v float64, decimals int) { skills.Data(d).Set(name, v, decimals) }

func (d fields) stack(n *host.NetStack) {
	if n.UDPSockets.Known {
		d.set("udp_sockets", float64(n.UDPSockets.N), 0)
	}
	if pct, ok := n.TCPMemoryUsedPct(); ok {
		d.set("tcp_memory_used_pct", pct, 1)
	}
	if pct, ok := n.ConntrackUsedPct(); ok {
		d.set("conntrack_used_pct", pct, 1)
	}
}

func (d fields) rates(prev, cur *host.NetStack, elapsed time.Duration) {
	for name, c := range map[string][2]host.Count{
		"listen_overflows_per_sec":    {prev.ListenOverflows, cur.ListenOverflows},
		"listen_drops_per_sec":        {prev.ListenDrops, cur.ListenDrops},
		"tcp_resets_sent_per_sec":     {prev.ResetsOut, cur.ResetsOut},
		"tcp_failed_connects_per_sec": {prev.AttemptFails, cur.AttemptFails},
		"udp_drops_per_sec":           {prev.UDPOverflows, cur.UDPOverflows},
	} {
		if v, ok := host.PerSecond(c[0], c[1], elapsed); ok {
			d.set(name, v, 1)
		}
	}
	again, ok := host.PerSecond(prev.Retransmitted, cur.Retransmitted, elapsed)
	sent, ok2 := host.PerSecond(prev.SegmentsOut, cur.SegmentsOut, elapsed)
	if ok && ok2 && sent+again >= 100 { // the kernel does not count those sent again among those sent
		d.set("tcp_retransmitted_pct", 100*again/(sent+again), 2)
	}
}

// A destination is where ephemeral ports run out: the kernel may use a port
// again for another one.
type destination struct {
	from netip.Addr
	to   netip.AddrPort
}

func (d fields) sockets(ctx context.Context, r *host.Reader, queues *queueWatch) error {
	serves := map[uint16]bool{}
	listeners := 0
	most, worst := -1.0, netip.AddrPort{}
	_, err := r.Sockets(ctx, host.TCP, func(s *host.Socket) {
		listeners++
		queues.see(s)
		serves[s.Local.Port()] = true
		if pct, ok := s.AcceptUsedPct(); ok && pct > most {
			most, worst = pct, s.Local
		}
	}, host.Listen)
	if err != nil {
		return err
	}
	d.set("tcp_listen", float64(listeners), 0)
	if most >= 0 {
		d.set("accept_queue_max_used_pct", most, 1)
	}
	if most > 0 {
		d["accept_queue_listener"] = worst.String()
	}

	ports, err := r.EphemeralPorts()
	if err != nil {
		return err
	}
	var states [16]int
	used := map[destination]int{}
	_, err = r.Sockets(ctx, host.TCP, func(s *host.Socket) {
		states[s.State&15]++
		queues.see(s)
		if s.Remote.Port() != 0 && ports.Has(s.Local.Port()) && !serves[s.Local.Port()] {
			used[destination{s.Local.Addr(), s.Remote}]++
		}
	}, connected...)
	if err != nil {
		return err
	}
	for name, state := range map[string]host.SocketState{
		"tcp_established": host.Established, "tcp_time_wait": host.TimeWait,
		"tcp_close_wait": host.CloseWait, "tcp_syn_recv": host.SynRecv,
	} {
		d.set(name, float64(states[state]), 0)
	}
	count, top := 0, destination{}
	for to, n := range used {
		if n > count || n == count && to.to.Compare(top.to) < 0 { // the same one each time
			count, top = n, to
		}
	}
	d.set("ephemeral_max_used_pct", 100*float64(count)/float64(ports.Size()), 1)
	if count > 0 {
		d["ephemeral_destination"] = top.to.String()
	}
	return nil
}

// connected are the states of sockets that have a peer.
var connected = []host.SocketState{
	host.Established, host.SynSent, host.SynRecv, host.FinWait1, host.FinWait2,
	host.TimeWait, host.CloseWait, host.LastAck, host.Closing,
}

func (d fields) descriptors(ctx context.Context, r *host.Reader) error {
	all, err := r.Descriptors(ctx)
	if err != nil {
		return err
	}
	open, most := 0, -1.0
	var worst host.DescriptorUse
	for _, p := range all.Processes {
		open += p.Open
		if pct, ok := p.UsedPct(); ok && pct > most {
			most, worst = pct, p
		}
	}
	d.set("fds_open", float64(open), 0)
	if all.Unreadable > 0 {
		d.set("fds_unreadable_processes", float64(all.Unreadable), 0)
	}
	if most >= 0 {
		d.set("fd_max_used_pct", most, 1)
		d.set("fd_max_open", float64(worst.Open), 0)
		d.set("fd_max_limit", float64(worst.Limit.N), 0)
		d["fd_max_process"] = fmt.Sprintf("%s (%d)", skills.Cut(r.ProcessName(worst.PID)), worst.PID)
	}
	return nil
}
