package discover

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetlens/fleetlens/internal/reach/host"
)

// A listener is a socket that accepts connections, and whose it is.
type listener struct {
	addr  netip.AddrPort // of TCP
	path  string         // of a unix socket
	inode uint64
	pid   int32 // 0: not to be seen
	name  string
}

func (l listener) String() string { return cmp.Or(l.path, l.addr.String()) }

// listeners are those of one look.
type listeners struct {
	list  []listener // loopback first, then by port; unix sockets before TCP
	bound map[netip.AddrPort]bool
}

// postgresPort returns the port in the name of a unix socket of PostgreSQL.
func postgresPort(socket string) (int, bool) {
	digits, found := strings.CutPrefix(path.Base(socket), ".s.PGSQL.")
	port, err := strconv.ParseUint(digits, 10, 16)
	return int(port), found && err == nil
}

// listen lists the TCP listeners, and the unix sockets whose name is PostgreSQL's.
func (f *Finder) listen(ctx context.Context) (listeners, error) {
	seen := listeners{bound: map[netip.AddrPort]bool{}}
	_, errTCP := f.cfg.Host.Sockets(ctx, host.TCP, func(s *host.Socket) {
		if !seen.bound[s.Local] && len(seen.list) < mostListeners { // several processes may share an address
			seen.bound[s.Local] = true
			seen.list = append(seen.list, listener{addr: s.Local, inode: s.Inode})
		}
	}, host.Listen)
	errUnix := f.cfg.Host.UnixListeners(func(u host.UnixListener) bool {
		if _, ok := postgresPort(u.Path); ok {
			seen.list = append(seen.list, listener{path: u.Path, inode: u.Inode})
		}
		return len(seen.list) < mostListeners+mostAsked
	})
	slices.SortFunc(seen.list, func(a, b listener) int {
		return cmp.Or(
			cmp.Compare(b.path, a.path), // TCP has none
			cmp.Compare(distance(a.addr.Addr()), distance(b.addr.Addr())),
			cmp.Compare(a.addr.Port(), b.addr.Port()), a.addr.Compare(b.addr))
	})
	inodes := map[uint64]bool{}
	for _, l := range seen.list {
		inodes[l.inode] = true
	}
	delete(inodes, 0)
	owners, err := f.cfg.Host.SocketOwners(ctx, inodes)
	if err == nil {
		names := map[int32]string{0: ""}
		for i := range seen.list {
			l := &seen.list[i]
			l.pid = owners.PIDs[l.inode]
			if _, ok := names[l.pid]; !ok {
				names[l.pid] = f.cfg.Host.ProcessName(l.pid)
			}
			l.name = names[l.pid]
		}
	}
	return seen, errors.Join(errTCP, errUnix, err)
}

// distance puts what only this machine reaches first: debugging endpoints are there.
func distance(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 0
	case a.IsUnspecified():
		return 1
	default:
		return 2
	}
}

// reachable returns the addresses at which a listener, and no other one, answers.
func (l listener) reachable(bound map[netip.AddrPort]bool) []netip.AddrPort {
	if !l.addr.Addr().IsUnspecified() {
		return []netip.AddrPort{l.addr}
	}
	port := l.addr.Port()
	v4, v6 := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), netip.AddrPortFrom(netip.IPv6Loopback(), port)
	var out []netip.AddrPort
	switch all4 := netip.AddrPortFrom(netip.IPv4Unspecified(), port); {
	case bound[v4]:
	case l.addr.Addr().Is4(), !bound[all4]: // one of IPv6 takes IPv4 too, unless it was told not to
		out = append(out, v4)
	}
	if l.addr.Addr().Is6() && !bound[v6] {
		out = append(out, v6)
	}
	return out
}
