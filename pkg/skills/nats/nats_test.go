package nats_test

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

func TestTheSkillKeepsThePromisesOfAll(t *testing.T) {
	t.Parallel()
	s := run(t, nil)
	_, js := dial(t, s)
	stream(t, js, jetstream.StreamConfig{Name: "ORDERS"}, 3)
	skilltest.RunTarget(t, skill(reach.New(address(s))), skills.Target{Name: "main", Kind: skills.NATS})
}

func TestAServerThatIsWell(t *testing.T) {
	t.Parallel()
	s := run(t, func(o *server.Options) { o.MaxConn = 10 })
	nc, js := dial(t, s, client.Name("checkout"))
	stream(t, js, jetstream.StreamConfig{Name: "ORDERS", MaxBytes: 1 << 20}, 5)
	tg := watch(t, s)
	d := tg.snapshot()
	for name, want := range map[string]any{
		"reachable": 1.0, "healthy": 1.0, "server_name": "hub", "connections": 1.0, "connections_max": 10.0, "connections_used_pct": 10.0,
		"streams": 1.0, "consumers": 0.0, "slow_consumers_total": 0.0, "full_streams": 0.0, "leaderless_streams": 0.0, "consumer_lag_max": 0.0,
		"cluster_name": nil, "routes": nil, "meta_leader_present": nil, "in_msgs_per_sec": nil, "fullest_stream": nil, "account_used_pct": nil,
	} {
		if d[name] != want {
			t.Errorf("%s is %v, want %v", name, d[name], want)
		}
	}
	x := tg.crossed(d)
	delete(x, "cpu_used_pct") // the server is in this process, which tests a lot at once
	if len(x) > 0 {
		t.Errorf("a server that is well crosses %v", x)
	}
	for range 100 {
		if err := nc.Publish("nobody.listens", []byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	d = tg.until("a window", func(d skills.Data) bool { return d["in_msgs_per_sec"] != nil })
	if d["in_msgs_per_sec"].(float64) < 10 || d["slow_consumers_recent"] != 0.0 {
		t.Errorf("a hundred messages are %v a second", d["in_msgs_per_sec"])
	}
	if c := rows(tg.ask(`nats_connections(5, "in_msgs")`), "connections"); len(c) != 1 || c[0]["name"] != "checkout" || c[0]["in_msgs"].(float64) < 100 {
		t.Errorf("the clients are %v", c)
	}
	if a := tg.ask("nats_server()"); a["name"] != "hub" || a["version"] != server.VERSION {
		t.Errorf("the server is %v", a)
	}
}

func TestAStreamAtItsLimit(t *testing.T) {
	t.Parallel()
	s := run(t, nil)
	_, js := dial(t, s)
	stream(t, js, jetstream.StreamConfig{Name: "JOBS", MaxMsgs: 10, Discard: jetstream.DiscardNew, Retention: jetstream.WorkQueuePolicy}, 10)
	stream(t, js, jetstream.StreamConfig{Name: "LOGS", MaxMsgs: 5}, 20) // drops its oldest, as it should
	if _, err := js.Publish(within(t), "jobs.more", nil); err == nil {
		t.Fatal("a full stream takes messages")
	}
	tg := watch(t, s)
	d := tg.snapshot()
	tg.says(d, "fullest_stream_used_pct", "JOBS (messages) is 100 % full; when it is full it refuses what is published")
	if d["full_streams"] != 1.0 {
		t.Errorf("%v streams are full", d["full_streams"])
	}
	if list := rows(tg.ask("nats_streams(5)"), "streams"); len(list) != 2 || list[0]["used_pct"] != 100.0 || list[0]["discard"] != "new" {
		t.Errorf("the streams are %v", list)
	}
	if list := rows(tg.ask("nats_limits()"), "limits"); list[0]["what"] != "messages of stream JOBS" || list[0]["used_pct"] != 100.0 {
		t.Errorf("the nearest limit is %v", list)
	}
	if a := tg.ask(`nats_stream("JOBS")`)["stream"].(map[string]any); a["retention"] != "workqueue" || a["messages"] != 10.0 || a["last_seq"] != 10.0 {
		t.Errorf("the stream is %v", a)
	}
	if _, err := skilltest.Call(t, tg.Source, `nats_stream("JOB")`); err == nil || !strings.Contains(err.Error(), "has JOBS, LOGS") {
		t.Errorf("a stream that is not there: %v", err)
	}
}

func TestAConsumerThatFallsBehind(t *testing.T) {
	t.Parallel()
	s := run(t, nil)
	_, js := dial(t, s)
	orders := stream(t, js, jetstream.StreamConfig{Name: "ORDERS", MaxMsgs: 40}, 40)
	consumer := func(c jetstream.ConsumerConfig) jetstream.Consumer {
		c.AckPolicy = jetstream.AckExplicitPolicy
		out, err := orders.CreateConsumer(within(t), c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	consumer(jetstream.ConsumerConfig{Durable: "idle"})
	stuck := consumer(jetstream.ConsumerConfig{Durable: "stuck", MaxAckPending: 10})
	if _, err := stuck.FetchNoWait(10); err != nil {
		t.Fatal(err)
	}
	tg := watch(t, s)
	d := tg.until("what is not acknowledged", func(d skills.Data) bool { return d["ack_pending_used_pct"] == 100.0 })
	tg.says(d, "ack_pending_used_pct", "ORDERS/stuck has 100 % of the messages unacknowledged that it may; at 100 it is given no more")
	if d["consumer_lag_max"] != 40.0 || d["consumer_lagging"] != "ORDERS/idle" {
		t.Errorf("farthest behind is %v with %v", d["consumer_lagging"], d["consumer_lag_max"])
	}
	tg.says(d, "outrun_consumers", "ORDERS/idle is behind by a whole stream that is full: the stream drops what it has not read")
	list := rows(tg.ask("nats_consumers(1)"), "consumers")
	if len(list) != 1 || list[0]["consumer"] != "idle" || list[0]["lag"] != 40.0 || list[0]["waiting_pulls"] != 0.0 {
		t.Errorf("the first consumer is %v", list)
	}
	if a := tg.ask(`nats_consumers(5, "ack_pending", "ORDERS")`); a["total"] != 2.0 || rows(a, "consumers")[0]["consumer"] != "stuck" {
		t.Errorf("by what is not acknowledged: %v", a)
	}
	if c := rows(tg.ask(`nats_stream("ORDERS")`), "consumers"); len(c) != 2 {
		t.Errorf("the stream has %v", c)
	}
}

func TestMessagesThatAreGivenAgain(t *testing.T) {
	t.Parallel()
	s := run(t, nil)
	_, js := dial(t, s)
	orders := stream(t, js, jetstream.StreamConfig{Name: "ORDERS"}, 3)
	c, err := orders.CreateConsumer(within(t), jetstream.ConsumerConfig{Durable: "fails", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for range 6 { // there are three messages: some come again
		if _, err := c.Next(jetstream.FetchMaxWait(patience)); err != nil {
			t.Fatal(err)
		}
	}
	tg := watch(t, s)
	d := tg.until("messages given again", func(d skills.Data) bool { v, _ := d["redelivered_max"].(float64); return v >= 1 })
	if d["redelivered_consumer"] != "ORDERS/fails" {
		t.Errorf("it is %v", d["redelivered_consumer"])
	}
}

func TestASlowConsumerIsEnded(t *testing.T) {
	t.Parallel()
	s := run(t, func(o *server.Options) { o.MaxPending = 1 << 20; o.WriteDeadline = 200 * time.Millisecond })
	tg := watch(t, s)
	tg.snapshot()
	deaf, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	if _, err := fmt.Fprintf(deaf, "CONNECT {\"verbose\":true,\"name\":\"deaf\"}\r\nSUB prices 1\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(deaf)
	for acknowledged := 0; acknowledged < 2; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "+OK") {
			acknowledged++
		}
	}
	nc, _ := dial(t, s)
	for range 200 { // 100 MB: more than the sockets take, and nobody reads
		if err := nc.Publish("prices", make([]byte, 512<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	d := tg.until("a slow consumer", func(d skills.Data) bool { return d["slow_consumers_recent"] == 1.0 })
	tg.says(d, "slow_consumers_recent", "1 connections were ended as slow consumers: what was on the way to them is lost")
	a := tg.ask("nats_slow_consumers(5)")
	if ended := rows(a, "ended"); len(ended) != 1 || ended[0]["name"] != "deaf" || !strings.HasPrefix(fmt.Sprint(ended[0]["reason"]), "Slow Consumer") {
		t.Errorf("those ended are %v", a)
	}
}

func TestLeafConnectionsThatAreMissing(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	hub := run(t, func(o *server.Options) { o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", port })
	to, err := url.Parse(fmt.Sprintf("nats-leaf://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	tg := watch(t, run(t, func(o *server.Options) {
		o.ServerName, o.JetStream = "edge", false
		o.LeafNode.ReconnectInterval = 50 * time.Millisecond
		o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{to}}}
	}))
	tg.until("the leaf connection", func(d skills.Data) bool { return d["leaf_remotes_missing"] == 0.0 && d["leaf_nodes"] == 1.0 })
	if l := rows(tg.ask("nats_cluster()"), "leafs"); len(l) != 1 || l[0]["name"] != "hub" || l[0]["connected_by_us"] != true {
		t.Errorf("the leaf nodes are %v", l)
	}
	stop(hub)
	d := tg.until("its end", func(d skills.Data) bool { return d["leaf_remotes_missing"] == 1.0 })
	tg.says(d, "leaf_remotes_missing", "1 of the leaf connections that edge should make are missing")
}
