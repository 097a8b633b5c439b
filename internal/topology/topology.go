// Package topology tells which node depends on which: the peers that the nodes'
// sockets show, matched with the addresses that nodes have, and what was given by hand.
//
// It does arithmetic on what it is told, reads nothing and knows no clock.
package topology

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

const (
	// Stale is how old the links of a node may be, by their arrival. Probes say them
	// every ten minutes.
	Stale = 24 * time.Hour
	// MaxEdges is how many edges there are at most: those given by hand, then those
	// with the most connections.
	MaxEdges = 100_000
	// maxVia is how many ways one edge names.
	maxVia = 8
)

// External begins the name of a dependency outside of the fleet: external:192.0.2.7:5432.
const External = "external:"

// An Edge says that a node depends on another: it opens connections to it, or a person
// said so.
type Edge struct {
	From string `json:"from"`           // a node
	To   string `json:"to"`             // a node, or External with address and port
	Via  []Via  `json:"via,omitempty"`  // the most connections first
	Note string `json:"note,omitempty"` // of who gave it
	// Given says that it was given by hand; it may have been seen as well.
	Given bool `json:"given,omitempty"`
}

// Via is one way in which a node depends on another.
type Via struct {
	Process     string `json:"process,omitempty"` // that connects; empty: not known
	Port        int    `json:"port"`
	Service     string `json:"service,omitempty"` // that listens there; empty: not known, or nothing does
	Connections int    `json:"connections"`       // when it was seen last
}

// A Map is what the nodes said of their links. It is safe for concurrent use.
type Map struct {
	mu    sync.Mutex
	nodes map[string]*node
}

// node is what one node said, as short as it can be: there may be ten thousand.
type node struct {
	arrived   time.Time
	addresses []netip.Addr
	listens   map[int]string // process by port
	peers     []peer
}

type peer struct {
	at          netip.AddrPort
	process     string
	connections int
}

// New returns an empty map.
func New() *Map { return &Map{nodes: map[string]*node{}} }

// Observe takes what a node says of its links. What arrived before what is known of
// the node is left out.
func (m *Map) Observe(l protocol.Links, arrived time.Time) {
	n := &node{arrived: arrived, listens: make(map[int]string, len(l.Listens))}
	for _, text := range l.Addresses {
		if a, ok := address(text); ok {
			n.addresses = append(n.addresses, a)
		}
	}
	for _, x := range l.Listens {
		n.listens[x.Port] = strings.Clone(x.Process)
	}
	for _, p := range l.Peers {
		if a, ok := address(p.Address); ok && p.Port > 0 && p.Port < 1<<16 {
			n.peers = append(n.peers, peer{netip.AddrPortFrom(a, uint16(p.Port)), strings.Clone(p.Process), p.Connections})
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if before := m.nodes[l.Node]; before == nil || !arrived.Before(before.arrived) {
		m.nodes[l.Node] = n
	}
}

// NodeAt returns the node that has an address; empty when none has, or several have.
func (m *Map) NodeAt(text string) string {
	a, ok := address(text)
	if !ok {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := ""
	for name, n := range m.nodes {
		if slices.Contains(n.addresses, a) {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// address reads an address that other hosts can have.
func address(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	a = a.Unmap().WithZone("")
	return a, err == nil && a.IsGlobalUnicast()
}

// Edges returns who depends on whom, sorted by From and To, with what was given by
// hand. labels are those of the nodes there are, by name; what is stale at now is
// forgotten.
//
// A peer whose address one node has is that node. Where several have it (those of
// bridges, and of sites behind NAT), it is the one that listens on the port, if just
// one does, else nobody knows. The caller's own addresses are itself. Addresses that
// no node has are dependencies outside of the fleet where at least two nodes share
// them, unless they lie in a network of which every host may have its own.
func (m *Map) Edges(now time.Time, given []Given, labels map[string]map[string]string) []Edge {
	m.mu.Lock()
	for name, n := range m.nodes {
		if now.Sub(n.arrived) > Stale {
			delete(m.nodes, name)
		}
	}
	nodes := maps.Clone(m.nodes) // what it holds does not change
	m.mu.Unlock()

	f := &finder{nodes: nodes, has: map[netip.Addr][]string{}, edges: map[[2]string]*Edge{}, outside: map[netip.AddrPort]map[string][]peer{}}
	names := slices.Sorted(maps.Keys(nodes))
	for _, name := range names {
		for _, a := range nodes[name].addresses {
			f.has[a] = append(f.has[a], name)
		}
	}
	for _, name := range names {
		f.match(name)
	}
	f.shared()
	for _, g := range given {
		f.give(g, labels)
	}
	return f.list()
}

// A finder makes the edges of one moment.
type finder struct {
	nodes   map[string]*node
	has     map[netip.Addr][]string // nodes by address, sorted
	edges   map[[2]string]*Edge
	outside map[netip.AddrPort]map[string][]peer // by what no node has, who connects there
}

// match finds the nodes that one connects to.
func (f *finder) match(name string) {
	n := f.nodes[name]
	bridges := f.bridges(n)
	for _, p := range n.peers {
		to, known := f.nodeAt(name, p.at)
		switch {
		case to != "":
			f.add(name, to, Via{Process: p.process, Port: int(p.at.Port()), Service: f.nodes[to].listens[int(p.at.Port())], Connections: p.connections})
		case !known && !bridges[network(p.at.Addr())]:
			if f.outside[p.at] == nil {
				f.outside[p.at] = map[string][]peer{}
			}
			f.outside[p.at][name] = append(f.outside[p.at][name], p)
		}
	}
}

// nodeAt returns the node that a caller means by an address and port. known: some
// node has the address, also when nobody can tell which is meant.
func (f *finder) nodeAt(caller string, at netip.AddrPort) (to string, known bool) {
	owners := f.has[at.Addr()]
	if slices.Contains(owners, caller) {
		return "", true
	}
	if len(owners) == 1 {
		return owners[0], true
	}
	for _, o := range owners {
		if _, listens := f.nodes[o].listens[int(at.Port())]; listens {
			if to != "" {
				return "", true
			}
			to = o
		}
	}
	return to, len(owners) > 0
}

// bridges returns the networks of a node's addresses that other nodes have as well:
// those of 172.17.0.1 and the like, behind which each host has other containers.
func (f *finder) bridges(n *node) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for _, a := range n.addresses {
		if len(f.has[a]) > 1 {
			out[network(a)] = true
		}
	}
	return out
}

// network returns what lies around an address: the size that container networks have
// by default.
func network(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // never fails: the address has more bits
	return p
}

// shared adds what several nodes use outside of the fleet.
func (f *finder) shared() {
	for at, users := range f.outside {
		if len(users) < 2 {
			continue
		}
		for name, peers := range users {
			for _, p := range peers {
				f.add(name, External+at.String(), Via{Process: p.process, Port: int(at.Port()), Connections: p.connections})
			}
		}
	}
}

func (f *finder) edge(from, to string) *Edge {
	k := [2]string{from, to}
	if f.edges[k] == nil {
		f.edges[k] = &Edge{From: from, To: to}
	}
	return f.edges[k]
}

func (f *finder) add(from, to string, via Via) {
	e := f.edge(from, to)
	for i, v := range e.Via {
		if v.Process == via.Process && v.Port == via.Port { // at several addresses of the node
			e.Via[i].Connections += via.Connections
			return
		}
	}
	e.Via = append(e.Via, via)
}

// give adds an edge that a person gave.
func (f *finder) give(g Given, labels map[string]map[string]string) {
	for _, from := range g.From.nodes(labels) {
		for _, to := range g.To.nodes(labels) {
			if from == to || len(f.edges) > 4*MaxEdges {
				continue
			}
			e := f.edge(from, to)
			e.Given, e.Note = true, cmp.Or(e.Note, g.Note)
		}
	}
}

func (f *finder) list() []Edge {
	out := make([]Edge, 0, len(f.edges))
	for _, e := range f.edges {
		slices.SortFunc(e.Via, func(a, b Via) int {
			return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Process, b.Process))
		})
		e.Via = e.Via[:min(len(e.Via), maxVia)]
		out = append(out, *e)
	}
	byName := func(a, b Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) }
	if len(out) > MaxEdges {
		slices.SortFunc(out, func(a, b Edge) int {
			if a.Given != b.Given {
				if a.Given {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(connections(b), connections(a)), byName(a, b))
		})
		out = slices.Clip(out[:MaxEdges])
	}
	slices.SortFunc(out, byName)
	return out
}

func connections(e Edge) int {
	n := 0
	for _, v := range e.Via {
		n += v.Connections
	}
	return n
}
