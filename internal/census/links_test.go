package census

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func (m *machine) links() protocol.Links {
	m.Helper()
	l, err := m.census.Links(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	if err := l.Validate(); err != nil {
		m.Error(err)
	}
	l.At = time.Time{}
	return l
}

const ownAddress = "|-- 10.0.0.5\n   /32 host LOCAL\n|-- 10.0.0.6\n   /32 host LOCAL\n"

func TestLinks(t *testing.T) {
	m := newMachine(t)
	m.write("proc/net/fib_trie", ownAddress)
	m.write("proc/net/tcp6", "  0: "+address("[::ffff:10.0.0.5]:50009")+" "+address("[::ffff:10.0.0.8]:6379")+" 01 0:0 0:0 0 0 0 905 1 0\n")
	m.process(100, 1, "checkout", 500, "checkout.service", "")
	m.process(200, 1, "redis", 500, "redis.service", "")
	m.sockets(
		"listen 0.0.0.0:8080 0.0.0.0:0 801",
		"listen 127.0.0.1:6060 0.0.0.0:0 802",
		"established 10.0.0.5:8080 10.0.0.99:40000 901", // somebody's connection to this host
		"established 10.0.0.5:50001 10.0.0.7:5432 902",
		"established 10.0.0.5:50002 10.0.0.7:5432 903",
		"time_wait 10.0.0.5:50003 10.0.0.9:80 0",
		"syn_sent 10.0.0.5:50004 10.0.0.10:80 904",
		"established 127.0.0.1:50005 127.0.0.1:6060 906",
		"established 10.0.0.5:50006 10.0.0.5:8080 907",
		"established 10.0.0.5:50007 10.0.0.6:8080 908",
		"established 10.0.0.5:50008 169.254.169.254:80 909",
	)
	m.holds(100, 801)
	m.holds(100, 902)
	m.holds(100, 903)
	m.holds(100, 904)
	m.holds(100, 905)
	want := protocol.Links{
		Node: "web-1", Addresses: []string{"10.0.0.5", "10.0.0.6"},
		Listens: []protocol.Listener{{Port: 8080, Process: "checkout"}},
		Peers: []protocol.LinkPeer{
			{Address: "10.0.0.7", Port: 5432, Process: "checkout", Connections: 2},
			{Address: "10.0.0.8", Port: 6379, Process: "checkout", Connections: 1},
			{Address: "10.0.0.9", Port: 80, Connections: 1},
			{Address: "10.0.0.10", Port: 80, Process: "checkout", Connections: 1},
		},
	}
	first := m.links()
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.write("proc/net/tcp6", "")
	m.sockets("established 10.0.0.5:8080 10.0.0.99:40000 901")
	again := m.links()
	for i := range want.Peers {
		want.Peers[i].Connections = 0
	}
	want.Listens = []protocol.Listener{}
	// A connection to a port that had a listener a moment ago is still somebody else's.
	if diff := cmp.Diff(peerSet(want), peerSet(again)); diff != "" {
		t.Errorf("peers are remembered for a while (-want +got):\n%s", diff)
	}
	if m.census.Same(first, again) {
		t.Error("the listener that went is no change")
	}
	again.Listens = first.Listens
	if !m.census.Same(first, again) {
		t.Error("fewer connections to the same peers are a change")
	}
}

func peerSet(l protocol.Links) map[string]string {
	out := map[string]string{}
	for _, p := range l.Peers {
		out[fmt.Sprintf("%s:%d", p.Address, p.Port)] = fmt.Sprint(p.Process, p.Connections)
	}
	return out
}

func TestOfManyPeersThoseWithTheMostConnectionsCount(t *testing.T) {
	m := newMachine(t)
	var list []string
	for i := range 2000 {
		list = append(list, fmt.Sprintf("established 10.0.0.5:%d 10.9.%d.%d:80 0", 10000+i, i/250, i%250))
	}
	for i := range 3 {
		list = append(list, fmt.Sprintf("established 10.0.0.5:%d 10.9.0.7:80 0", 40000+i))
	}
	m.sockets(list...)
	l := m.links()
	if len(l.Peers) != protocol.MaxLinkPeers || l.Peers[0] != (protocol.LinkPeer{Address: "10.9.0.7", Port: 80, Connections: 4}) {
		t.Errorf("%d peers, the first is %+v", len(l.Peers), l.Peers[0])
	}
}
