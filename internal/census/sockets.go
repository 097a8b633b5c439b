package census

import (
	"context"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
)

const (
	// remember is how long a port or a peer counts after it was seen last.
	remember = 10 * time.Minute
	// mostPeers bounds the peers of one look.
	mostPeers = 1024
	// mostListeners bounds the listeners of one look.
	mostListeners = 1024
	// searchEvery is how many looks lie between two searches for who opened
	// connections: a search reads the descriptors of all processes.
	searchEvery = 5
)

// sockets is what is known of the sockets between two looks.
type sockets struct {
	listeners []listener
	owners    map[uint64]process // of listeners, by inode; the zero process: nobody that could be seen
	ports     map[netip.AddrPort]time.Time
	peers     map[netip.AddrPort]*peer
	looks     int
}

func newSockets() sockets {
	return sockets{owners: map[uint64]process{}, ports: map[netip.AddrPort]time.Time{}, peers: map[netip.AddrPort]*peer{}}
}

// A listener is a TCP socket that accepts connections.
type listener struct {
	addr  netip.AddrPort
	inode uint64
	owner process // zero: not to be seen
}

// A peer is an address and port that this machine opens connections to.
type peer struct {
	connections int // now
	inode       uint64
	name        string // of the process; empty: not known
	asked       bool   // whether it was searched for
	seen        time.Time
}

// look reads the sockets. The caller holds the lock.
func (c *Census) look(ctx context.Context, scan *host.Scan) error {
	s := &c.sockets
	s.looks++
	s.listeners = s.listeners[:0]
	taken := map[netip.AddrPort]bool{}
	_, err := c.cfg.Host.Sockets(ctx, host.TCP, func(x *host.Socket) {
		if len(s.listeners) < mostListeners && !taken[x.Local] { // several sockets may share an address
			taken[x.Local] = true
			s.listeners = append(s.listeners, listener{addr: x.Local, inode: x.Inode})
			s.ports[x.Local] = scan.At
		}
	}, host.Listen)
	if err != nil {
		return err
	}
	if err := c.connections(ctx, scan.At); err != nil {
		return err
	}
	return c.search(ctx, scan)
}

// opened are the states of connections that one side opened and the other took.
// Those that nobody answers yet are among them: who depends on a dead host matters.
var opened = []host.SocketState{host.Established, host.SynSent, host.FinWait1, host.FinWait2, host.TimeWait, host.CloseWait, host.LastAck, host.Closing}

// connections counts the connections that this machine opened, by where they go.
func (c *Census) connections(ctx context.Context, now time.Time) error {
	s := &c.sockets
	for at, seen := range s.ports {
		if now.Sub(seen) > remember {
			delete(s.ports, at)
		}
	}
	for at, p := range s.peers {
		if p.connections, p.inode = 0, 0; now.Sub(p.seen) > remember {
			delete(s.peers, at)
		}
	}
	mine := map[uint64]bool{}
	if !c.cfg.Host.Plain() {
		mine = ownSockets()
	}
	_, err := c.cfg.Host.Sockets(ctx, host.TCP, func(x *host.Socket) {
		local, remote := x.Local.Addr(), x.Remote.Addr()
		if local.IsLoopback() || remote.IsLoopback() || remote.IsUnspecified() || local == remote || mine[x.Inode] || s.accepted(x.Local) {
			return
		}
		p := s.peers[x.Remote]
		if p == nil {
			if len(s.peers) >= mostPeers {
				return
			}
			p = &peer{}
			s.peers[x.Remote] = p
		}
		p.connections++
		p.seen = now
		if x.Inode != 0 {
			p.inode = x.Inode
		}
	}, opened...)
	return err
}

// accepted reports whether a connection's own end is one that a listener has, or had
// a while ago: then somebody else opened it.
func (s *sockets) accepted(local netip.AddrPort) bool {
	for _, a := range []netip.Addr{local.Addr(), netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if _, ok := s.ports[netip.AddrPortFrom(a, local.Port())]; ok {
			return true
		}
	}
	return false
}

// ownSockets returns the sockets of this process. That every probe talks to NATS is
// no dependency of the machine's work.
func ownSockets() map[uint64]bool {
	mine := map[uint64]bool{}
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return mine
	}
	for _, n := range names {
		target, _ := os.Readlink("/proc/self/fd/" + n.Name())
		if digits, ok := strings.CutPrefix(target, "socket:["); ok {
			if inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64); err == nil {
				mine[inode] = true
			}
		}
	}
	return mine
}

// search finds whose the sockets are. What was found once is not searched again: a
// listener while its process lives, a peer while it is remembered. Peers alone cause
// a search only now and then.
func (c *Census) search(ctx context.Context, scan *host.Scan) error {
	s := &c.sockets
	want, owners := map[uint64]bool{}, map[uint64]process{}
	for _, l := range s.listeners {
		if l.inode == 0 {
			continue
		}
		owner, known := s.owners[l.inode]
		if p, lives := scan.ByPID(owner.pid); known && (owner.pid == 0 || lives && p.Start == owner.start) {
			owners[l.inode] = owner
		} else {
			want[l.inode] = true
		}
	}
	s.owners = owners
	var asked []*peer
	if len(want) > 0 || s.looks%searchEvery == 1 {
		for _, p := range s.peers {
			if !p.asked && p.inode != 0 {
				want[p.inode] = true
				asked = append(asked, p)
			}
		}
	}
	found, err := c.cfg.Host.SocketOwners(ctx, want)
	if err != nil {
		return err
	}
	for _, p := range asked {
		p.asked = true
		if of, ok := scan.ByPID(found.PIDs[p.inode]); ok {
			p.name = of.Name()
		}
	}
	for i := range s.listeners {
		l := &s.listeners[i]
		if want[l.inode] {
			var owner process
			if of, ok := scan.ByPID(found.PIDs[l.inode]); ok {
				owner = process{of.PID, of.Start}
			}
			s.owners[l.inode] = owner
		}
		l.owner = s.owners[l.inode]
	}
	return nil
}
