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

// mostSockets bounds what one question holds in memory: some 15 MB.
const mostSockets = 100_000

// found are sockets with the processes that hold them.
type found struct {
	sockets   []host.Socket
	from      host.SocketsFrom
	truncated bool
	owners    *host.Owners
	names     map[int32]string
}

// gather reads the sockets that keep wants.
func (h *history) gather(ctx context.Context, protocols []host.Protocol, keep func(*host.Socket) bool, states ...host.SocketState) (*found, error) {
	f := &found{owners: &host.Owners{}, names: map[int32]string{}, sockets: []host.Socket{}}
	for _, p := range protocols {
		from, err := h.host.Sockets(ctx, p, func(s *host.Socket) {
			switch {
			case keep != nil && !keep(s):
			case len(f.sockets) == mostSockets:
				f.truncated = true
			default:
				f.sockets = append(f.sockets, *s)
			}
		}, states...)
		if err != nil {
			return nil, err
		}
		if f.from == "" || from == host.FromProc {
			f.from = from
		}
	}
	return f, nil
}

// find reads the sockets that have one of the inodes.
func (h *history) find(ctx context.Context, inodes map[uint64]bool) (*found, error) {
	return h.gather(ctx, both, func(s *host.Socket) bool { return inodes[s.Inode] })
}

var (
	both    = []host.Protocol{host.TCP, host.UDP}
	onlyTCP = []host.Protocol{host.TCP}
)

// attribute finds the processes of the sockets.
func (f *found) attribute(ctx context.Context, r *host.Reader, sockets []host.Socket) error {
	inodes := make(map[uint64]bool, len(sockets))
	for i := range sockets {
		if n := sockets[i].Inode; n != 0 {
			inodes[n] = true
		}
	}
	owners, err := r.SocketOwners(ctx, inodes)
	if err != nil {
		return err
	}
	f.owners = owners
	for _, pid := range owners.PIDs {
		if _, ok := f.names[pid]; !ok {
			f.names[pid] = skills.Cut(r.ProcessName(pid))
		}
	}
	return nil
}

// note says what the answer lacks, and what would give it.
func (f *found) note() string {
	note := ""
	if f.from == host.FromProc {
		note = "read from /proc/net, because sock_diag (netlink) cannot be asked: the sizes of accept queues are unknown; run the probe in the host's network namespace and with the module inet_diag. "
	}
	if f.owners.Unreadable > 0 {
		note += strconv.Itoa(f.owners.Unreadable) + " processes do not show which sockets they hold: " + grant
	}
	if f.owners.Truncated {
		note += "there are too many descriptors to look at all: some sockets are without their process. "
	}
	if f.truncated {
		note += "only the first " + strconv.Itoa(mostSockets) + " sockets were looked at. "
	}
	return note
}

type socketAnswer struct {
	ID      uint64   `json:"id"`
	Type    string   `json:"type"`
	Local   string   `json:"local_addr"`
	Remote  string   `json:"remote_addr"`
	State   string   `json:"state"`
	Name    string   `json:"name,omitempty"`
	PID     int32    `json:"pid,omitempty"`
	Recv    uint32   `json:"recv_queue"`
	Send    uint32   `json:"send_queue"`
	Queue   *uint64  `json:"queue_size,omitempty"`
	Percent *float64 `json:"saturation_pct,omitempty"`
}

func rowOf(s *host.Socket) socketAnswer {
	a := socketAnswer{
		ID: s.Inode, Type: s.Protocol.String(), Local: s.Local.String(), Remote: "not_connected", State: s.State.String(),
		Recv: s.Recv, Send: s.Send,
	}
	if s.Remote.Port() != 0 {
		a.Remote = s.Remote.String()
	}
	if s.State == host.Listen {
		a.Recv = 0 // connections, not bytes
	}
	return a
}

// row is rowOf with the process.
func (f *found) row(s *host.Socket) socketAnswer {
	a := rowOf(s)
	a.PID = f.owners.PIDs[s.Inode]
	a.Name = f.names[a.PID]
	return a
}

func queue(s *host.Socket) uint64 {
	if s.State == host.Listen {
		return 0
	}
	return uint64(s.Recv) + uint64(s.Send)
}

type order func(a, b host.Socket) int

func byBothQueues(a, b host.Socket) int {
	return cmp.Or(cmp.Compare(queue(&b), queue(&a)), sameOrder(a, b))
}

func bySendQueue(a, b host.Socket) int { return cmp.Or(cmp.Compare(b.Send, a.Send), sameOrder(a, b)) }

func byRecvQueue(a, b host.Socket) int { return cmp.Or(cmp.Compare(b.Recv, a.Recv), sameOrder(a, b)) }

// sameOrder makes two answers list the same sockets the same way.
func sameOrder(a, b host.Socket) int {
	return cmp.Or(a.Local.Compare(b.Local), a.Remote.Compare(b.Remote), cmp.Compare(a.Inode, b.Inode))
}

type listAnswer struct {
	Sockets   []socketAnswer `json:"sockets"`
	Total     int            `json:"total"`
	Truncated bool           `json:"truncated,omitempty"`
	Note      string         `json:"note,omitempty"`
}

func (h *history) list(ctx context.Context, limit int, by order) (*listAnswer, error) {
	return h.sorted(ctx, limit, by, nil)
}

func (h *history) sorted(ctx context.Context, limit int, by order, keep func(*host.Socket) bool) (*listAnswer, error) {
	f, err := h.gather(ctx, both, keep)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(f.sockets, by)
	top := f.sockets[:min(limit, len(f.sockets))]
	if err := f.attribute(ctx, h.host, top); err != nil {
		return nil, err
	}
	a := &listAnswer{Sockets: []socketAnswer{}, Total: len(f.sockets), Truncated: f.truncated || len(f.sockets) > limit, Note: f.note()}
	for i := range top {
		a.Sockets = append(a.Sockets, f.row(&top[i]))
	}
	return a, nil
}

// topQueues lists sockets in which something waits; those without are no answer.
func (h *history) topQueues(ctx context.Context, limit int, by order) (any, error) {
	a, err := h.sorted(ctx, limit, by, func(s *host.Socket) bool { return queue(s) > 0 })
	if err != nil {
		return nil, err
	}
	for i := range a.Sockets {
		s := &a.Sockets[i]
		n := uint64(s.Recv) + uint64(s.Send)
		pct := saturation(n)
		s.Queue, s.Percent = &n, &pct
	}
	return a, nil
}

// info returns one socket.
func (h *history) info(ctx context.Context, id uint64) (any, error) {
	f, err := h.find(ctx, map[uint64]bool{id: true})
	if err != nil {
		return nil, err
	}
	if len(f.sockets) == 0 {
		return map[string]any{"id": id, "error": "port_not_found"}, nil
	}
	if err := f.attribute(ctx, h.host, f.sockets); err != nil {
		return nil, err
	}
	a := f.row(&f.sockets[0])
	n := queue(&f.sockets[0])
	pct := saturation(n)
	a.Queue, a.Percent = &n, &pct
	return struct {
		socketAnswer
		Note string `json:"note,omitempty"`
	}{a, f.note()}, nil
}

// saturation is how full a queue of n bytes counts as.
func saturation(n uint64) float64 {
	for _, step := range []struct {
		from uint64
		pct  float64
	}{{1 << 20, 100}, {512 << 10, 75}, {256 << 10, 50}, {128 << 10, 25}} {
		if n >= step.from {
			return step.pct
		}
	}
	return skills.Round(25*float64(n)/(128<<10), 2)
}

type listenerAnswer struct {
	Address string   `json:"address"`
	Name    string   `json:"name,omitempty"`
	PID     int32    `json:"pid,omitempty"`
	Waiting uint32   `json:"accept_queue"`
	Max     *uint64  `json:"accept_queue_max,omitempty"`
	UsedPct *float64 `json:"used_pct,omitempty"`
}

func (h *history) listeners(ctx context.Context, limit int) (any, error) {
	f, err := h.gather(ctx, onlyTCP, nil, host.Listen)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(f.sockets, func(x, y host.Socket) int {
		px, _ := x.AcceptUsedPct()
		py, _ := y.AcceptUsedPct()
		return cmp.Or(cmp.Compare(py, px), cmp.Compare(y.Recv, x.Recv), cmp.Compare(x.Local.Port(), y.Local.Port()), sameOrder(x, y))
	})
	top := f.sockets[:min(limit, len(f.sockets))]
	if err := f.attribute(ctx, h.host, top); err != nil {
		return nil, err
	}
	a := struct {
		Listeners []listenerAnswer `json:"listeners"`
		Truncated bool             `json:"truncated,omitempty"`
		Note      string           `json:"note,omitempty"`
	}{Listeners: []listenerAnswer{}, Truncated: f.truncated || len(f.sockets) > limit, Note: f.note()}
	for i := range top {
		s := &top[i]
		row := listenerAnswer{Address: s.Local.String(), PID: f.owners.PIDs[s.Inode], Waiting: s.Recv}
		row.Name = f.names[row.PID]
		if pct, ok := s.AcceptUsedPct(); ok {
			pct = skills.Round(pct, 1)
			row.Max, row.UsedPct = &s.Backlog.N, &pct
		}
		a.Listeners = append(a.Listeners, row)
	}
	return a, nil
}

func (h *history) summary(ctx context.Context) (any, error) {
	now := time.Now()
	d, _, err := h.read(ctx, now, newQueueWatch())
	note := ""
	if err != nil {
		note = err.Error() + ". "
	}
	if base := h.Base(now); base != nil {
		d.set("interval_seconds", now.Sub(base.At).Seconds(), 1)
	} else {
		note += "rates need a snapshot before. "
	}
	if p, err := h.host.EphemeralPorts(); err == nil {
		d["ephemeral_first"], d["ephemeral_last"] = p.First, p.Last
	}
	states := map[string]int{}
	from, err := h.host.Sockets(ctx, host.TCP, func(s *host.Socket) { states[s.State.String()]++ })
	if err == nil {
		d["tcp_states"], d["sockets_from"] = states, from
	}
	if n, ok := d["fds_unreadable_processes"].(float64); ok {
		note += "the descriptors of " + strconv.Itoa(int(n)) + " processes could not be counted: " + grant
	}
	if note != "" {
		d["note"] = note
	}
	return d, nil
}
