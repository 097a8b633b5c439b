package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func stateOf(r agent.Ranking) *agent.CoordinatorState { return &agent.CoordinatorState{Ranking: &r} }

func TestGroupsWithOneCauseAreToldOnce(t *testing.T) {
	group := func(cause string, nodes ...string) agent.FindingGroup {
		return agent.FindingGroup{NotificationIDs: []string{cause}, Cause: cause, Nodes: nodes, Affected: len(nodes), Relation: protocol.Symptomatic}
	}
	for _, tt := range []struct {
		name   string
		causes []string // nodes, best first
		in     []agent.FindingGroup
		want   []string
	}{
		{"what is short on some and slow on others", []string{"a"}, []agent.FindingGroup{group("cpu", "a", "b"), group("requests", "a", "b", "c")}, []string{"cpu,requests on a b c"}},
		{"each has its own", []string{"a", "c"}, []agent.FindingGroup{group("cpu", "a", "b"), group("requests", "c", "d")}, []string{"cpu on a b", "requests on c d"}},
		{"one without a cause on nodes that were told of", []string{"a"}, []agent.FindingGroup{group("silent", "a", "b", "c"), group("requests", "b", "c")}, []string{"silent,requests on a b c"}},
		{"two things short on one node", []string{"a"}, []agent.FindingGroup{group("cpu", "a"), group("disk", "a")}, []string{"cpu on a", "disk on a"}},
		{"no cause is known", nil, []agent.FindingGroup{group("cpu", "a", "b"), group("requests", "a", "b")}, []string{"cpu on a b", "requests on a b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := agent.Ranking{Groups: tt.in}
			for _, n := range tt.causes {
				r.Causes = append(r.Causes, agent.RankedCause{Node: n})
			}
			var got []string
			for _, g := range oneCause(stateOf(r), tt.in) {
				got = append(got, strings.Join(g.NotificationIDs, ",")+" on "+strings.Join(g.Nodes, " "))
				if g.Affected != len(g.Nodes) {
					t.Errorf("%d affected of %v", g.Affected, g.Nodes)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestACauseThatSeveralNodesHaveIsNamedAsTheirs(t *testing.T) {
	many := strings.Fields("a b c d e f g h i j k l")
	for _, tt := range []struct {
		name string
		r    agent.Ranking
		want string
	}{
		{"of one", agent.Ranking{Together: []string{"a"}}, "a"},
		{"by their label", agent.Ranking{Together: many, Described: "role=db"}, "12 nodes at once, those with role=db"},
		{"by their names", agent.Ranking{Together: many[:2]}, "2 nodes at once (a, b)"},
		{"by some of many names", agent.Ranking{Together: many}, "12 nodes at once (a, b, c, d, e, f, g, h, i, j and 2 more)"},
		{"those of another cause", agent.Ranking{Together: []string{"x", "y"}}, "a"},
	} {
		cause := &agent.RankedCause{Node: "a", Onset: time.Time{}}
		if got := beginsAt(stateOf(tt.r), cause); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWhoIsAtTheEndOfAChainOfWaitingIsTheCulprit(t *testing.T) {
	note := func(node, hypothesis string) protocol.Notification {
		return protocol.Notification{Node: node, Target: "shop", Hypothesis: hypothesis}
	}
	orders, payments := "shop_orders <0.9.0> comes first in beam_queue_processes()", "shop_payments <0.10.0>"+holding
	for _, tt := range []struct {
		name  string
		cause *agent.RankedCause
		notes []protocol.Notification
		want  string
	}{
		{"who holds, whoever tells it first", nil, []protocol.Notification{note("a", orders), note("a", payments)}, payments + " on a/shop"},
		{"and last", nil, []protocol.Notification{note("a", payments), note("a", orders)}, payments + " on a/shop"},
		{"also on the node of a cause", &agent.RankedCause{Node: "a"}, []protocol.Notification{note("a", payments), note("a", orders)}, payments + " on a/shop"},
		{"but not on another node than the cause's", &agent.RankedCause{Node: "a"}, []protocol.Notification{note("b", payments), note("a", orders)}, orders + " on a/shop"},
		{"nobody holds anybody up", nil, []protocol.Notification{note("a", orders), note("b", orders)}, orders + " on a/shop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hypothesis(tt.notes, tt.cause, "a"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestARowNamesAProcessOfTheSystemOrOfAnErlangNode(t *testing.T) {
	for want, row := range map[string]object{
		"nginx (17)":            {"name": "nginx", "pid": 17.0, "function": "main"},
		"Shop.Cart <0.17.0>":    {"name": "Shop.Cart", "pid": "<0.17.0>", "function": "Shop.Cart.get/2"},
		"main.wait (main.go:3)": {"function": "main.wait", "line": "main.go:3"},
		"shop_cart:loop/1":      {"function": "shop_cart:loop/1"},
		"":                      {"name": "sda", "pid": ""},
	} {
		if got := whoIs(row); got != want {
			t.Errorf("%v is %q, want %q", row, got, want)
		}
	}
}
