package nats

import (
	"context"
	"maps"
	"slices"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	streamDoc   = "account, stream, leader (absent: none), led_here, messages, mb, used_pct (of the nearest limit), limit (messages or bytes), max_messages, max_mb, max_age_seconds, discard (new: refuses when full; old: drops), retention, storage, replicas, consumers, subjects, last_message, followers: server, current, offline, lag, seen_seconds_ago. "
	consumerDoc = "account, stream, consumer, leader, led_here, lag (messages not given to it), ack_pending, max_ack_pending, ack_pending_used_pct, redelivered, waiting_pulls, push, bound (somebody takes what is pushed), paused, ack_wait_seconds, max_deliver, idle_seconds (since it was given one), why (messages wait and: nobody asks for messages, or too many messages are not acknowledged). "
	clientDoc   = "cid, kind, name, account, ip, port, lang, version, pending_mb (waits to be sent), pending_pct (of max_pending), rtt_ms, in_msgs, out_msgs, in_mb, out_mb, subscriptions, stalls, connected_seconds, idle_seconds"
	linkDoc     = "name, ip, account, connections, connected_by_us, pending_mb, rtt_ms, in_msgs, out_msgs, in_mb, out_mb, subscriptions. "
)

// by returns the parameter "sort_by".
func by(def string, orders ...string) skills.Param {
	return skills.Param{Name: "sort_by", Type: "string", Doc: "most of this first", Default: def, Enum: orders}
}

func calls(w *watch) []skills.Call {
	return []skills.Call{
		{
			Name: "nats_server", Example: "nats_server()",
			Doc: "The server: name, version, cluster, domain, cores, cpu_pct (of one core), memory_mb, uptime_seconds, connections, connections_total, subscriptions, slow_consumers, stale_connections, stalled_clients, routes, leaf_nodes; " +
				"jetstream: storage_mb, memory_mb, reserved_storage_mb, api_requests, api_errors, api_inflight, replicated_assets. Counters are since its start.",
			Run: func(ctx context.Context, _ skills.Args) (any, error) { return w.describe(ctx) },
		},
		{
			Name: "nats_health", Example: "nats_health()",
			Doc: "Whether the server is well: ok, problems: type, account, stream, consumer, error. truncated.",
			Run: func(ctx context.Context, _ skills.Args) (any, error) { return w.health(ctx) },
		},
		{
			Name: "nats_limits", Example: "nats_limits()",
			Doc: "What there may be at most, the fullest first. limits: what, used, max, used_pct; of the server, its accounts and the ten fullest streams. Also max_payload_mb, max_pending_mb (that may wait for one client), write_deadline_seconds. partial.",
			Run: func(ctx context.Context, _ skills.Args) (any, error) { return w.limits(ctx) },
		},
		{
			Name: "nats_streams", Example: `nats_streams(5, "used")`,
			Doc: "Streams, sorted. streams: " + streamDoc + "total. truncated. partial.",
			Params: []skills.Param{
				skills.Limit(10, 50, "how many streams"),
				by("used", "used", "bytes", "messages", "lag", "consumers"),
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.streams(ctx, a.Int("limit"), a.String("sort_by"))
			},
		},
		{
			Name: "nats_stream", Example: `nats_stream("ORDERS")`,
			Doc: "One stream, as in nats_streams, and deleted_messages, lost_messages, first_seq, last_seq, copied_from (mirror or sources: stream, lag, seen_seconds_ago, error); consumers: the 50 farthest behind, as in nats_consumers.",
			Params: []skills.Param{
				{Name: "stream", Type: "string", Doc: "its name"},
				{Name: "account", Type: "string", Doc: "where several accounts have one of that name", Default: ""},
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.stream(ctx, a.String("stream"), a.String("account"))
			},
		},
		{
			Name: "nats_consumers", Example: `nats_consumers(5, "lag")`,
			Doc: "Consumers, sorted. consumers: " + consumerDoc + "total. truncated. partial.",
			Params: []skills.Param{
				skills.Limit(10, 50, "how many consumers"),
				by("lag", "lag", "ack_pending", "redelivered", "stalled"),
				{Name: "stream", Type: "string", Doc: "of this stream only", Default: ""},
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.consumers(ctx, a.Int("limit"), a.String("sort_by"), a.String("stream"))
			},
		},
		{
			Name: "nats_connections", Example: `nats_connections(5, "pending")`,
			Doc: "Clients, sorted. connections: " + clientDoc + ". total. truncated.",
			Params: []skills.Param{
				skills.Limit(10, 100, "how many clients"),
				by("pending", slices.Sorted(maps.Keys(reach.Orders))...),
			},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.connections(ctx, a.Int("limit"), a.String("sort_by"))
			},
		},
		{
			Name: "nats_slow_consumers", Example: "nats_slow_consumers(5)",
			Doc:    "Connections that the server ended because they did not take what was sent, the last first, of the 10,000 that it remembers. ended: as in nats_connections, and reason, ended. waiting: the five with most that waits for them now.",
			Params: []skills.Param{skills.Limit(10, 100, "how many connections")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.slow(ctx, a.Int("limit")) },
		},
		{
			Name: "nats_cluster", Example: "nats_cluster()",
			Doc: "Other servers. meta (JetStream's cluster): name, leader, size, quorum, peers: server, current, offline, lag, seen_seconds_ago. routes and leafs: " + linkDoc +
				"streams without a leader, or with a copy that is behind (at most 20), as in nats_streams. truncated. partial.",
			Run: func(ctx context.Context, _ skills.Args) (any, error) { return w.cluster(ctx) },
		},
		{
			Name: "nats_accounts", Example: "nats_accounts(5)",
			Doc:    "Accounts that use JetStream, nearest to their limit first. accounts: account, streams, storage_mb, max_storage_mb, storage_used_pct, memory_mb, max_memory_mb, memory_used_pct, api_requests, api_errors. truncated. partial.",
			Params: []skills.Param{skills.Limit(10, 100, "how many accounts")},
			Run:    func(ctx context.Context, a skills.Args) (any, error) { return w.accounts(ctx, a.Int("limit")) },
		},
	}
}
