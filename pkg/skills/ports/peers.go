package ports

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A peer is who is at the other end of some connections.
type peer struct {
	addr netip.Addr
	port uint16 // remote of those that were opened here, local of the others
	in   bool
}

type peerAnswer struct {
	Remote      string         `json:"remote_address"`
	Port        uint16         `json:"port"`
	Direction   string         `json:"direction"`
	Connections int            `json:"connections"`
	States      map[string]int `json:"states"`
	Name        string         `json:"name,omitempty"`
	PID         int32          `json:"pid,omitempty"`
	Recv        uint64         `json:"recv_queue"`
	Send        uint64         `json:"send_queue"`

	pids map[int32]int
}

// served returns the local ports with a TCP listener: a connection to one of
// them was opened by the other side.
func (h *history) served(ctx context.Context) (map[uint16]bool, error) {
	ports := map[uint16]bool{}
	_, err := h.host.Sockets(ctx, host.TCP, func(s *host.Socket) { ports[s.Local.Port()] = true }, host.Listen)
	return ports, err
}

func peerOf(s *host.Socket, served map[uint16]bool) peer {
	if served[s.Local.Port()] {
		return peer{s.Remote.Addr(), s.Local.Port(), true}
	}
	return peer{s.Remote.Addr(), s.Remote.Port(), false}
}

// byPeer groups the connections, most first.
func (f *found) byPeer(served map[uint16]bool) []*peerAnswer {
	groups := map[peer]*peerAnswer{}
	out := []*peerAnswer{}
	for i := range f.sockets {
		s := &f.sockets[i]
		p := peerOf(s, served)
		g := groups[p]
		if g == nil {
			g = &peerAnswer{Remote: p.addr.String(), Port: p.port, Direction: "out", States: map[string]int{}, pids: map[int32]int{}}
			if p.in {
				g.Direction = "in"
			}
			groups[p] = g
			out = append(out, g)
		}
		g.Connections++
		g.States[s.State.String()]++
		g.Recv += uint64(s.Recv)
		g.Send += uint64(s.Send)
		if pid := f.owners.PIDs[s.Inode]; pid != 0 {
			g.pids[pid]++
		}
	}
	slices.SortFunc(out, func(x, y *peerAnswer) int {
		return cmp.Or(cmp.Compare(y.Connections, x.Connections), cmp.Compare(x.Remote, y.Remote), cmp.Compare(x.Port, y.Port), cmp.Compare(x.Direction, y.Direction))
	})
	for _, g := range out {
		g.PID, _ = most(g.pids)
		g.Name = f.names[g.PID]
	}
	return out
}

// most returns the key with the highest count, the least of several.
func most[K cmp.Ordered](counts map[K]int) (top K, n int) {
	for k, c := range counts {
		if c > n || c == n && k < top {
			top, n = k, c
		}
	}
	return top, n
}

type peersAnswer struct {
	Peers       []*peerAnswer `json:"peers"`
	Connections int           `json:"connections"`
	Listens     []string      `json:"listens,omitempty"`
	Truncated   bool          `json:"truncated,omitempty"`
	Note        string        `json:"note,omitempty"`
}

func (h *history) peers(ctx context.Context, limit int, direction string) (any, error) {
	served, err := h.served(ctx)
	if err != nil {
		return nil, err
	}
	f, err := h.gather(ctx, onlyTCP, func(s *host.Socket) bool {
		return s.Remote.Port() != 0 && (direction == "all" || served[s.Local.Port()] == (direction == "in"))
	}, connected...)
	if err != nil {
		return nil, err
	}
	if err := f.attribute(ctx, h.host, f.sockets); err != nil {
		return nil, err
	}
	all := f.byPeer(served)
	return peersAnswer{
		Peers: all[:min(limit, len(all))], Connections: len(f.sockets), Truncated: f.truncated || len(all) > limit, Note: f.note(),
	}, nil
}

// connections answers for one process, or for all processes of one name.
func (h *history) connections(ctx context.Context, process string, limit int) (any, error) {
	var pids []int32
	if pid, err := strconv.ParseInt(process, 10, 32); err == nil && pid > 0 {
		if h.host.ProcessName(int32(pid)) == "" {
			return nil, fmt.Errorf("there is no process %d", pid)
		}
		pids = []int32{int32(pid)}
	} else if pids, err = h.host.ProcessesNamed(ctx, process); err != nil {
		return nil, err
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("no process is named %.40q: ports_top_sockets(50) lists those that have sockets", process)
	}
	owners := &host.Owners{PIDs: map[uint64]int32{}}
	inodes, names := map[uint64]bool{}, map[int32]string{}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names[pid] = skills.Cut(h.host.ProcessName(pid))
		err := h.host.EachDescriptor(pid, func(d host.Descriptor) bool {
			if d.Inode != 0 && !inodes[d.Inode] {
				inodes[d.Inode] = true
				owners.PIDs[d.Inode] = pid
			}
			owners.Truncated = len(inodes) >= mostSockets
			return !owners.Truncated
		})
		if err != nil {
			owners.Unreadable++
		}
	}
	served, err := h.served(ctx)
	if err != nil {
		return nil, err
	}
	a := peersAnswer{}
	f, err := h.gather(ctx, onlyTCP, func(s *host.Socket) bool {
		if !inodes[s.Inode] {
			return false
		}
		if s.State == host.Listen && len(a.Listens) < 50 {
			a.Listens = append(a.Listens, s.Local.String())
		}
		return s.Remote.Port() != 0
	})
	if err != nil {
		return nil, err
	}
	f.owners, f.names = owners, names
	all := f.byPeer(served)
	a.Peers, a.Connections, a.Note = all[:min(limit, len(all))], len(f.sockets), f.note()
	a.Truncated = f.truncated || owners.Truncated || len(all) > limit
	return a, nil
}

type holderAnswer struct {
	PID     int32          `json:"pid"`
	Name    string         `json:"name"`
	Sockets int            `json:"sockets"`
	States  map[string]int `json:"states"`
	Peer    string         `json:"top_peer,omitempty"`
	OfPeer  int            `json:"top_peer_sockets,omitempty"`

	peers map[string]int
}

func (h *history) topSockets(ctx context.Context, limit int, state string) (any, error) {
	protocols, states := both, []host.SocketState(nil)
	if i := slices.Index(host.States, state); i >= 0 {
		protocols, states = onlyTCP, []host.SocketState{host.Established + host.SocketState(i)}
	}
	served, err := h.served(ctx)
	if err != nil {
		return nil, err
	}
	f, err := h.gather(ctx, protocols, nil, states...)
	if err != nil {
		return nil, err
	}
	if err := f.attribute(ctx, h.host, f.sockets); err != nil {
		return nil, err
	}
	a := struct {
		Processes []*holderAnswer `json:"processes"`
		Total     int             `json:"total"`
		Nobodys   int             `json:"no_process"`
		Truncated bool            `json:"truncated,omitempty"`
		Note      string          `json:"note,omitempty"`
	}{Processes: []*holderAnswer{}, Total: len(f.sockets)}
	holders := map[int32]*holderAnswer{}
	for i := range f.sockets {
		s := &f.sockets[i]
		pid := f.owners.PIDs[s.Inode]
		if pid == 0 {
			a.Nobodys++
			continue
		}
		g := holders[pid]
		if g == nil {
			g = &holderAnswer{PID: pid, Name: f.names[pid], States: map[string]int{}, peers: map[string]int{}}
			holders[pid] = g
			a.Processes = append(a.Processes, g)
		}
		g.Sockets++
		g.States[s.State.String()]++
		if s.Remote.Port() != 0 {
			if p := peerOf(s, served); p.in {
				g.peers[p.addr.String()]++
			} else {
				g.peers[s.Remote.String()]++
			}
		}
	}
	slices.SortFunc(a.Processes, func(x, y *holderAnswer) int {
		return cmp.Or(cmp.Compare(y.Sockets, x.Sockets), cmp.Compare(x.PID, y.PID))
	})
	a.Truncated, a.Note = f.truncated || len(a.Processes) > limit, f.note()
	a.Processes = a.Processes[:min(limit, len(a.Processes))]
	for _, g := range a.Processes {
		g.Peer, g.OfPeer = most(g.peers)
	}
	return a, nil
}
