package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// lives says that a node lives, and that it does so again within an hour.
func (s *site) lives(node string, labels map[string]string) {
	s.t.Helper()
	s.publish(protocol.NodeSubject(node), protocol.Heartbeat{Node: node, MachineID: node, SentAt: now, IntervalMS: 3_600_000, Labels: labels})
}

// talks says that a node has an address and opened connections to others' port 5432.
func (s *site) talks(node, address string, to ...string) {
	s.t.Helper()
	l := protocol.Links{Node: node, Addresses: []string{address}, Listens: []protocol.Listener{{Port: 5432}}, Peers: []protocol.LinkPeer{}, At: now}
	for _, a := range to {
		l.Peers = append(l.Peers, protocol.LinkPeer{Address: a, Port: 5432, Connections: 2})
	}
	s.publish(protocol.LinksSubject(node), l)
}

func on(nodes ...string) func(*protocol.Insight) {
	return func(i *protocol.Insight) { i.Nodes = nodes }
}

func TestTheRadiusTellsWhatAnInsightHits(t *testing.T) {
	s := newSite(t)
	hit := []string{"db-1", "gone-1"}
	for k := range 40 {
		node, version := fmt.Sprintf("web-%02d", k), "2"
		if k < 4 {
			hit, version = append(hit, node), "3"
		}
		s.lives(node, map[string]string{"app": "checkout", "version": version})
		s.talks(node, fmt.Sprint("10.0.1.", k), "10.0.0.1")
	}
	s.publish(protocol.NodeSubject("db-1"), protocol.Heartbeat{Node: "db-1", MachineID: "db-1", SentAt: now, IntervalMS: 1, Labels: map[string]string{"app": "db"}})
	s.talks("db-1", "10.0.0.1", "10.0.0.2")
	s.lives("disk-1", nil)
	s.talks("disk-1", "10.0.0.2")
	s.lives("far-1", nil)
	s.talks("far-1", "10.0.0.3", "10.0.0.2")
	s.conclude(insight("i-1", "inv-1", "critical", on(hit...)))
	for state := ""; state != "silent"; { // it will be within milliseconds
		state = get[web.NodeView](s, "/nodes/db-1").State
	}
	want := web.Radius{
		Nodes: 43, Affected: web.Names{Count: 6, First: []string{"db-1", "gone-1", "web-00", "web-01", "web-02", "web-03"}},
		Silent: web.Names{Count: 1, First: []string{"db-1"}}, Unknown: web.Names{Count: 1, First: []string{"gone-1"}},
		Groups: []web.RadiusGroup{{Label: "version=3", Affected: 4, Total: 4}}, Rest: web.RadiusGroup{Affected: 1, Total: 39},
		Boxes: []web.RadiusBox{
			{ID: "a0", Name: "version=3", Nodes: 4, Affected: true}, {ID: "a1", Name: "db-1", Nodes: 1, Affected: true}, {ID: "a2", Name: "gone-1", Nodes: 1, Affected: true},
			{ID: "n0", Name: "version=2", Nodes: 36}, {ID: "n1", Name: "disk-1", Nodes: 1},
		},
		Edges: []web.RadiusEdge{{From: "n0", To: "a1", Connections: 72}, {From: "a0", To: "a1", Connections: 8}, {From: "a1", To: "n1", Connections: 2}},
	}
	if diff := cmp.Diff(want, get[web.Radius](s, "/insights/i-1/radius")); diff != "" {
		t.Error(diff)
	}
	b := get[web.Bundle](s, "/insights/i-1/bundle")
	if diff := cmp.Diff(&want, b.Radius); diff != "" {
		t.Errorf("in the bundle: %s", diff)
	}
	for path, lines := range map[string][]string{
		"report.html":   {"<li>4 of 4 nodes with version=3</li>", "<li>1 of 39 others</li>", "<li>1 of them silent: db-1</li>", "<p>db-1, gone-1, web-00"},
		"postmortem.md": {"\n- 4 of 4 nodes with version=3\n- 1 of 39 others\n- 1 of them silent: db-1\n- 1 of them, of which no probe reports: gone-1\n- affected: db-1, gone-1, web-00"},
	} {
		_, text := s.do("GET", "/insights/i-1/"+path, nil)
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s has no %q: %s", path, line, text)
			}
		}
	}
	if resp, _ := s.do("GET", "/insights/none/radius", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("of an insight that is not there: %s", resp.Status)
	}
}

func TestOneNodeHasNoGroupAndWhatIsWellHitsNothing(t *testing.T) {
	s := newSite(t)
	s.lives("db-1", map[string]string{"role": "db"})
	s.lives("web-1", nil)
	s.conclude(insight("i-1", "inv-1", "critical"))
	s.conclude(insight("i-2", "inv-2", "info", func(i *protocol.Insight) { i.CorrelationType = protocol.None }))
	one := get[web.Radius](s, "/insights/i-1/radius")
	if diff := cmp.Diff(web.Radius{
		Nodes: 2, Affected: web.Names{Count: 1, First: []string{"db-1"}}, Silent: web.Names{First: []string{}}, Unknown: web.Names{First: []string{}},
		Groups: []web.RadiusGroup{}, Rest: web.RadiusGroup{Affected: 1, Total: 2}, Boxes: []web.RadiusBox{{ID: "a0", Name: "db-1", Nodes: 1, Affected: true}}, Edges: []web.RadiusEdge{},
	}, one); diff != "" {
		t.Error(diff)
	}
	if r := get[web.Radius](s, "/insights/i-2/radius"); r.Nodes != 2 || r.Affected.Count != 0 || len(r.Boxes) != 0 {
		t.Errorf("%+v", r)
	}
	if _, md := s.do("GET", "/insights/i-2/postmortem.md", nil); strings.Contains(string(md), "Blast radius") {
		t.Errorf("%s", md)
	}
}

func TestARadiusOfManyNodesIsBounded(t *testing.T) {
	s := newSite(t)
	var hit []string
	for k := range 120 {
		node := fmt.Sprintf("web-%03d", k)
		s.lives(node, map[string]string{"rack": fmt.Sprint("r-", k/6)})
		s.talks(node, fmt.Sprint("10.0.1.", k), "10.0.2.1", fmt.Sprint("10.0.1.", (k+60)%120))
		if k < 90 {
			hit = append(hit, node)
		}
	}
	s.conclude(insight("i-1", "inv-1", "critical", on(hit...)))
	r := get[web.Radius](s, "/insights/i-1/radius")
	if r.Affected.Count != 90 || len(r.Affected.First) != 50 || len(r.Groups) > 10 || len(r.Boxes) > 30 {
		t.Errorf("%+v", r)
	}
	nodes, known := 0, map[string]bool{}
	for _, b := range r.Boxes {
		known[b.ID] = true
		if b.Affected {
			nodes += b.Nodes
		}
	}
	if nodes != 90 {
		t.Errorf("%d affected nodes are in boxes: %+v", nodes, r.Boxes)
	}
	for _, e := range r.Edges {
		if !known[e.From] || !known[e.To] || e.From == e.To || e.Connections == 0 {
			t.Errorf("%+v", e)
		}
	}
}
