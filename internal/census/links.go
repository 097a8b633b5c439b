package census

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Links returns whom the machine talks to: its own addresses, where other hosts can
// reach it, and where the connections go that it opened within the last ten minutes,
// those with the most connections first. Only TCP is looked at. A peer with no
// connections had some a while ago. The order is the same each time.
func (c *Census) Links(ctx context.Context) (protocol.Links, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	scan, err := c.read(ctx)
	if err != nil {
		return protocol.Links{}, err
	}
	own, err := c.cfg.Host.Addresses()
	if err != nil {
		return protocol.Links{}, err
	}
	l := protocol.Links{Node: c.cfg.Node, Addresses: []string{}, Listens: []protocol.Listener{}, Peers: []protocol.LinkPeer{}, At: scan.At.UTC()}
	mine := map[netip.Addr]bool{}
	for _, a := range own {
		mine[a] = true
		if len(l.Addresses) < protocol.MaxLinkAddresses {
			l.Addresses = append(l.Addresses, a.String())
		}
	}
	ports := map[int]string{}
	for _, x := range c.sockets.listeners {
		if x.addr.Addr().IsLoopback() {
			continue
		}
		port := int(x.addr.Port())
		name := ""
		if p, ok := scan.ByPID(x.owner.pid); ok {
			name = p.Name()
		}
		ports[port] = cmp.Or(ports[port], name)
	}
	for _, port := range slices.Sorted(maps.Keys(ports))[:min(len(ports), protocol.MaxLinkAddresses)] {
		l.Listens = append(l.Listens, protocol.Listener{Port: port, Process: ports[port]})
	}
	l.Peers = peers(c.sockets.peers, mine)
	return l, nil
}

// peers lists those that are not the machine itself, the most connections first.
func peers(of map[netip.AddrPort]*peer, mine map[netip.Addr]bool) []protocol.LinkPeer {
	list := make([]netip.AddrPort, 0, len(of))
	for at := range of {
		if !mine[at.Addr()] && !at.Addr().IsLinkLocalUnicast() {
			list = append(list, at)
		}
	}
	slices.SortFunc(list, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(of[b].connections, of[a].connections), a.Compare(b))
	})
	out := make([]protocol.LinkPeer, 0, min(len(list), protocol.MaxLinkPeers))
	for _, at := range list[:cap(out)] {
		p := of[at]
		out = append(out, protocol.LinkPeer{Address: at.Addr().WithZone("").String(), Port: int(at.Port()), Process: p.name, Connections: p.connections})
	}
	return out
}

// Same reports whether two lists say the same but for the numbers of connections and
// the time.
func (*Census) Same(a, b protocol.Links) bool {
	plain := func(list []protocol.LinkPeer) []protocol.LinkPeer {
		out := slices.Clone(list)
		for i := range out {
			out[i].Connections = 0
		}
		slices.SortFunc(out, func(a, b protocol.LinkPeer) int {
			return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Process, b.Process))
		})
		return out
	}
	return a.Node == b.Node && slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Listens, b.Listens) && slices.Equal(plain(a.Peers), plain(b.Peers))
}
