package nats_test

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody connected
	return l.Addr().(*net.TCPAddr).Port
}

// cluster starts servers that know of each other.
func cluster(t *testing.T, names ...string) map[string]*server.Server {
	t.Helper()
	ports := map[string]int{}
	var routes []*url.URL
	for _, name := range names {
		ports[name] = freePort(t)
		u, err := url.Parse(fmt.Sprintf("nats-route://127.0.0.1:%d", ports[name]))
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, u)
	}
	out := map[string]*server.Server{}
	for _, name := range names {
		out[name] = run(t, func(o *server.Options) {
			o.ServerName, o.Routes = name, routes
			o.Cluster = server.ClusterOpts{Name: "shop", Host: "127.0.0.1", Port: ports[name]}
		})
	}
	return out
}

func TestAClusterThatLosesItsServers(t *testing.T) {
	t.Parallel() // a cluster takes ten seconds to know that it has lost its quorum
	servers := cluster(t, "n1", "n2", "n3")
	for name := range servers {
		watch(t, servers[name]).until("a leader for "+name, func(d skills.Data) bool {
			return d["meta_leader_present"] == 1.0 && d["meta_size"] == 3.0 && d["peers_offline"] == 0.0 && d["routes"] == 2.0 && d["healthy"] == 1.0
		})
	}
	tg := watch(t, servers["n1"])
	d := tg.snapshot()
	if d["cluster_name"] != "shop" || d["meta_quorum"] != 2.0 {
		t.Errorf("the cluster is %v", d)
	}
	_, js := dial(t, servers["n1"])
	orders := stream(t, js, jetstream.StreamConfig{Name: "ORDERS", Replicas: 3}, 10)
	if _, err := orders.CreateConsumer(within(t), jetstream.ConsumerConfig{Durable: "pack", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	told := 0
	for name := range servers {
		tg := watch(t, servers[name])
		tg.until("a copy on "+name, func(d skills.Data) bool {
			return d["streams"] == 1.0 && d["lagging_replicas"] == 0.0 && d["consumers"] == 1.0
		})
		if tg.snapshot()["consumer_lag_max"] == 10.0 {
			told++
		}
		if s := rows(tg.ask("nats_streams(5)"), "streams"); len(s) != 1 || s[0]["replicas"] != 3.0 {
			t.Errorf("%s tells %v", name, s)
		}
	}
	if told != 1 {
		t.Errorf("the consumer's lag is told by %d servers: only its leader is to", told)
	}
	if r := rows(tg.ask("nats_cluster()"), "routes"); len(r) != 2 || r[0]["name"] != "n2" || r[1]["name"] != "n3" {
		t.Errorf("the routes are %v", r)
	}

	// One of three: all goes on, and who is gone is named.
	stop(servers["n3"])
	d = tg.until("one that is offline", func(d skills.Data) bool {
		return d["peers_offline"] == 1.0 && d["meta_leader_present"] == 1.0 && d["leaderless_streams"] == 0.0
	})
	tg.says(d, "peers_offline", "1 of the cluster's 3 servers are offline: n3")
	leader := watch(t, servers[leads(t, tg, "n1", "n2")])
	d = leader.until("a copy that is behind", func(d skills.Data) bool { return d["lagging_replicas"] == 1.0 })
	if !strings.HasPrefix(fmt.Sprint(d["lagging_replica"]), "ORDERS on n3") {
		t.Errorf("behind is %v", d["lagging_replica"])
	}

	// Two of three: nothing can be stored.
	stop(servers["n2"])
	d = tg.until("no leader", func(d skills.Data) bool { return d["meta_leader_present"] == 0.0 && d["leaderless_streams"] == 1.0 })
	tg.says(d, "meta_leader_present", "JetStream's cluster has no leader; 2 of its 3 servers are offline (n2, n3)")
	tg.says(d, "leaderless_streams", "1 streams have no leader, among them ORDERS: nothing can be stored in them")
	if d["healthy"] != 0.0 || d["health_problem"] == nil {
		t.Errorf("its health is %v: %v", d["healthy"], d["health_problem"])
	}
	if a := tg.ask("nats_health()"); a["ok"] != false || len(rows(a, "problems")) == 0 {
		t.Errorf("its health is %v", a)
	}
	a := tg.ask("nats_cluster()")
	if s := rows(a, "streams"); len(s) != 1 || s[0]["stream"] != "ORDERS" || s[0]["leader"] != nil {
		t.Errorf("what is ill is %v", a)
	}
}

// leads returns which of the servers leads the stream, once one does.
func leads(t *testing.T, tg *target, names ...string) string {
	t.Helper()
	var leader string
	tg.until("a leader of the stream", func(skills.Data) bool {
		for _, s := range rows(tg.ask("nats_streams(5)"), "streams") {
			leader = fmt.Sprint(s["leader"])
		}
		return slices.Contains(names, leader)
	})
	return leader
}
