package topology_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// links reads "address+address | port process, … | address port process connections, …".
func links(t testing.TB, node, text string) protocol.Links {
	t.Helper()
	parts := strings.Split(text, "|")
	l := protocol.Links{Node: node, At: now, Addresses: strings.Fields(parts[0])}
	each := func(list string, read func(item string) error) {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			if err := read(item); err != nil {
				t.Fatal(err)
			}
		}
	}
	each(parts[1], func(item string) error {
		var x protocol.Listener
		_, err := fmt.Sscan(item, &x.Port, &x.Process)
		l.Listens = append(l.Listens, x)
		return err
	})
	each(parts[2], func(item string) error {
		var p protocol.LinkPeer
		_, err := fmt.Sscan(item, &p.Address, &p.Port, &p.Process, &p.Connections)
		l.Peers = append(l.Peers, p)
		return err
	})
	return l
}

func says(edges []topology.Edge) []string {
	out := []string{}
	for _, e := range edges {
		text := e.From + " -> " + e.To
		for _, v := range e.Via {
			text += fmt.Sprintf(" [%s to %s:%d %d]", v.Process, v.Service, v.Port, v.Connections)
		}
		if e.Given {
			text += " given " + e.Note
		}
		out = append(out, strings.TrimSpace(text))
	}
	return out
}

func TestEdges(t *testing.T) {
	for _, tt := range []struct {
		name  string
		nodes map[string]string
		want  []string
	}{
		{
			"a peer's address is another node's",
			map[string]string{"web": "10.0.0.1 | 80 nginx | 10.0.0.2 5432 checkout 3", "db": "10.0.0.2 | 5432 postgres |"},
			[]string{"web -> db [checkout to postgres:5432 3]"},
		},
		{
			"several addresses of one node are one edge",
			map[string]string{"web": "10.0.0.1 | | 10.0.0.2 5432 checkout 3, 2001:db8::2 5432 checkout 1, 10.0.0.2 22 ansible 1", "db": "10.0.0.2 2001:db8::2 | 5432 postgres |"},
			[]string{"web -> db [checkout to postgres:5432 4] [ansible to :22 1]"},
		},
		{
			"an address of IPv4 within IPv6 is that of IPv4",
			map[string]string{"web": "10.0.0.1 | | ::ffff:10.0.0.2 5432 checkout 1", "db": "10.0.0.2 | 5432 postgres |"},
			[]string{"web -> db [checkout to postgres:5432 1]"},
		},
		{
			"a service that is down is still depended on",
			map[string]string{"web": "10.0.0.1 | | 10.0.0.2 5432 checkout 1", "db": "10.0.0.2 | |"},
			[]string{"web -> db [checkout to :5432 1]"},
		},
		{
			"a bridge's address is the caller's own",
			map[string]string{"a": "10.0.0.1 172.17.0.1 | | 172.17.0.1 5432 app 1", "b": "10.0.0.2 172.17.0.1 | 5432 postgres |"},
			[]string{},
		},
		{
			"of several with an address the one that listens is meant",
			map[string]string{"web": "10.0.0.1 | | 10.0.0.100 5432 app 1", "db1": "10.0.0.2 10.0.0.100 | 5432 postgres |", "db2": "10.0.0.3 10.0.0.100 | |"},
			[]string{"web -> db1 [app to postgres:5432 1]"},
		},
		{
			"where all of them listen nobody knows",
			map[string]string{"web": "10.0.0.1 | | 10.0.0.100 5432 app 1", "web2": "10.0.0.4 | | 10.0.0.100 5432 app 1", "db1": "10.0.0.100 | 5432 postgres |", "db2": "10.0.0.100 | 5432 postgres |"},
			[]string{},
		},
		{
			"what two nodes share outside of the fleet",
			map[string]string{"a": "10.0.0.1 | | 192.0.2.7 443 app 2, 192.0.2.8 443 app 1", "b": "10.0.0.2 | | 192.0.2.7 443 app 1, 192.0.2.9 443 app 1, 2001:db8::9 443 app 1", "c": "10.0.0.3 | | 2001:db8::9 443 app 1"},
			[]string{
				"a -> external:192.0.2.7:443 [app to :443 2]", "b -> external:192.0.2.7:443 [app to :443 1]",
				"b -> external:[2001:db8::9]:443 [app to :443 1]", "c -> external:[2001:db8::9]:443 [app to :443 1]",
			},
		},
		{
			"containers behind each host's own bridge are not shared",
			map[string]string{"a": "10.0.0.1 172.17.0.1 | | 172.17.0.2 5432 app 1", "b": "10.0.0.2 172.17.0.1 | | 172.17.0.2 5432 app 1"},
			[]string{},
		},
		{
			"what is no address of a host does not count",
			map[string]string{"a": "10.0.0.1 127.0.0.1 | | 127.0.0.1 80 app 1, nonsense 80 app 1, 169.254.169.254 80 app 1, 10.0.0.2 0 app 1", "b": "127.0.0.1 10.0.0.2 | 80 nginx | 169.254.169.254 80 app 1"},
			[]string{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := topology.New()
			for node, text := range tt.nodes {
				m.Observe(links(t, node, text), now)
			}
			for range 3 { // it is the same each time
				if diff := cmp.Diff(tt.want, says(m.Edges(now, nil, nil))); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatIsOldIsForgotten(t *testing.T) {
	m := topology.New()
	m.Observe(links(t, "web", "10.0.0.1 | | 10.0.0.2 5432 checkout 3"), now)
	m.Observe(links(t, "db", "10.0.0.2 | 5432 postgres |"), now)
	m.Observe(links(t, "web", "10.0.0.1 | | 10.0.0.3 80 late 1"), now.Add(-time.Minute)) // it came before
	if got := says(m.Edges(now.Add(23*time.Hour), nil, nil)); len(got) != 1 {
		t.Errorf("after 23 hours: %q", got)
	}
	if got := says(m.Edges(now.Add(25*time.Hour), nil, nil)); len(got) != 0 {
		t.Errorf("after 25 hours: %q", got)
	}
}

func TestWhatIsGivenByHandIsAdded(t *testing.T) {
	given, err := topology.Parse("fleet.yaml", []byte(`
- {from: role=web, to: db, note: orders}
- {from: "role=web, zone=a", to: "external:payments"}
- {from: web-1, to: web-1}
- {from: cache, to: role=none}
`))
	if err != nil {
		t.Fatal(err)
	}
	m := topology.New()
	m.Observe(links(t, "web-1", "10.0.0.1 | | 10.0.0.2 5432 checkout 3"), now)
	m.Observe(links(t, "db", "10.0.0.2 | 5432 postgres |"), now)
	got := says(m.Edges(now, given, map[string]map[string]string{"web-1": {"role": "web", "zone": "a"}, "web-2": {"role": "web"}, "db": {}}))
	want := []string{"web-1 -> db [checkout to postgres:5432 3] given orders", "web-1 -> external:payments given", "web-2 -> db given orders"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseSaysWhereAndWhatWouldBeRight(t *testing.T) {
	for name, tt := range map[string]struct{ text, says string }{
		"an empty file":        {"", ""},
		"a map":                {"from: a\nto: b\n", "x.yaml:1: it is no list: write a list of entries such as {from: role=web"},
		"an unknown key":       {"- from: a\n  too: b\n", `x.yaml:2: topology[0].too: unknown key; the nearest is "to"`},
		"no to":                {"- {from: a, to: b}\n- from: a\n", "x.yaml:2: to: it is missing: a node's name, or labels (role=web)"},
		"labels that are none": {"- {from: role=, to: b}\n", `x.yaml:1: from: "role=" are no labels: write role=web`},
		"a name as an entry":   {"- web-1\n", "x.yaml:1: it is no entry"},
		"from outside":         {"- {from: 'external:x', to: b}\n", "only to may be"},
		"a long note":          {"- {from: a, to: b, note: " + strings.Repeat("x", 300) + "}\n", "x.yaml:1: note: it has 300 bytes"},
		"no YAML":              {"- [", "x.yaml"},
		"two faults":           {"- {from: a}\n- {to: a}\n", "x.yaml:2: from"},
	} {
		_, err := topology.Parse("x.yaml", []byte(tt.text))
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := topology.Load("/nowhere.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// fleet is links of so many nodes, each with so many peers among them.
func fleet(m *topology.Map, nodes, peers int) {
	r := rand.New(rand.NewPCG(1, 2))
	at := func(i int) string { return fmt.Sprintf("10.%d.%d.1", i/250, i%250) }
	for i := range nodes {
		l := protocol.Links{Node: fmt.Sprintf("node-%05d", i), Addresses: []string{at(i), "172.17.0.1"}, Listens: []protocol.Listener{{Port: 80, Process: "app"}}}
		for range peers {
			l.Peers = append(l.Peers, protocol.LinkPeer{Address: at(r.IntN(nodes)), Port: 80, Process: "app", Connections: 1 + r.IntN(9)})
		}
		m.Observe(l, now)
	}
}

func TestEdgesAreBounded(t *testing.T) {
	m := topology.New()
	fleet(m, 2000, 80)
	given := []topology.Given{{From: topology.Selector{Name: "zz"}, To: topology.Selector{Name: "a"}}}
	edges := m.Edges(now, given, nil)
	if len(edges) != topology.MaxEdges || !edges[len(edges)-1].Given {
		t.Errorf("%d edges, the last is %+v", len(edges), edges[len(edges)-1])
	}
	if !slices.IsSortedFunc(edges, func(a, b topology.Edge) int { return strings.Compare(a.From+"\x00"+a.To, b.From+"\x00"+b.To) }) {
		t.Error("they are not sorted")
	}
}

func TestTheMapMayBeUsedByMany(t *testing.T) {
	m, alone := topology.New(), topology.New()
	fleet(alone, 50, 5)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { fleet(m, 50, 5) })
		wg.Go(func() { m.Edges(now, nil, nil) })
	}
	wg.Wait()
	if diff := cmp.Diff(alone.Edges(now, nil, nil), m.Edges(now, nil, nil)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("- {from: role=web, to: db, note: orders}\n"))
	f.Add([]byte("- from: a\n  to: &x b\n- *x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		given, err := topology.Parse("x.yaml", b)
		if err != nil {
			return
		}
		for _, g := range given {
			if g.From.String() == "" || g.To.String() == "" {
				t.Errorf("%+v names nothing", g)
			}
		}
		topology.New().Edges(now, given, map[string]map[string]string{"web-1": {"role": "web"}})
	})
}

// BenchmarkEdges is a fleet of 10,000 nodes with 20 peers each.
func BenchmarkEdges(b *testing.B) {
	heap := func() float64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return float64(s.HeapAlloc)
	}
	before := heap()
	m := topology.New()
	fleet(m, 10_000, 20)
	held := heap() - before
	for b.Loop() {
		m.Edges(now, nil, nil)
	}
	b.ReportMetric(held/1e6, "MB-held")
}
