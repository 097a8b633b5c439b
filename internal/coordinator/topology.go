package coordinator

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	dependencies "github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Edge says that a node depends on another one, or on something outside of the fleet.
type Edge = dependencies.Edge

// topology is who depends on whom: what the probes say of their links, kept in memory
// and made again from the stream at every start, and what was given by hand.
type topology struct {
	log   *slog.Logger
	fleet *fleet
	said  *follower
	given []dependencies.Given
	links *dependencies.Map

	mu   sync.Mutex
	last []Edge
	next map[string][]string // the nodes next to each node, by last
	at   time.Time           // when last was made
	took time.Duration       // to make it
}

// newTopology returns one that knows what stands in a file; without a name, nothing.
func newTopology(conn *bus.Conn, log *slog.Logger, f *fleet, file string) (*topology, error) {
	t := &topology{log: log, fleet: f, links: dependencies.New()}
	t.said = &follower{conn: conn, log: log, what: "the links of nodes", filter: protocol.LinksSubject(protocol.Any), hear: t.observe}
	if file == "" {
		return t, nil
	}
	var err error
	t.given, err = dependencies.Load(file)
	return t, err
}

func (t *topology) observe(m bus.Msg) {
	l, err := protocol.Decode[protocol.Links](m.Data)
	if err != nil || protocol.LinksSubject(l.Node) != m.Subject { // a probe speaks for its own node only
		t.log.Warn("the links of a node cannot be read", "subject", m.Subject, "err", err)
		return
	}
	t.links.Observe(l, m.Time)
}

// edges returns who depends on whom, sorted, at most dependencies.MaxEdges. It may be
// called by many at a time; what it returns is not to be changed. In a large fleet it
// is a few seconds old: making it takes a twentieth of a processor at most.
func (t *topology) edges(now time.Time) []Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil && now.Sub(t.at) < 20*t.took {
		return t.last
	}
	began := time.Now()
	t.last = t.links.Edges(now, t.given, t.fleet.labels())
	t.next = map[string][]string{}
	for _, e := range t.last {
		t.next[e.From] = append(t.next[e.From], e.To)
		t.next[e.To] = append(t.next[e.To], e.From)
	}
	t.at, t.took = now, time.Since(began)
	return t.last
}

// near returns the nodes that a node depends on, or that depend on it.
func (t *topology) near(name string) []string {
	t.edges(time.Now())
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next[name]
}

// needs returns the nodes that the named ones depend on, by themselves or through
// others, the nearest first and at most so many.
func (t *topology) needs(names []string, most int) []string {
	callees := map[string][]string{}
	for _, e := range t.edges(time.Now()) {
		callees[e.From] = append(callees[e.From], e.To)
	}
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = true
	}
	var out []string
	for queue := slices.Clone(names); len(queue) > 0 && len(out) < most; queue = queue[1:] {
		for _, to := range callees[queue[0]] {
			if !seen[to] && len(out) < most {
				seen[to] = true
				out, queue = append(out, to), append(queue, to)
			}
		}
	}
	return out
}

// labels returns the labels of the nodes, by name.
func (f *fleet) labels() map[string]map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]map[string]string, len(f.nodes))
	for name, n := range f.nodes {
		out[name] = n.beat.Labels
	}
	return out
}
