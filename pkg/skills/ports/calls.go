package ports

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	socketDoc = "id (the socket's inode), type (tcp, udp), local_addr, remote_addr, state, name and pid of its process, " +
		"recv_queue (bytes that the program has not read) and send_queue (bytes that the peer has not confirmed). "
	peerDoc = "remote_address, port (remote for out, local for in), direction (in: the peer connected to a listener here), connections, states, " +
		"name and pid of the local process with most of them, recv_queue and send_queue (bytes). "
	noteDoc = "truncated: there are more. note: what could not be read and how to grant it."
)

func calls(h *history) []skills.Call {
	sockets := func(name, doc string) skills.Call {
		return skills.Call{
			Name: name, Doc: doc, Example: name + "(20)",
			Params: []skills.Param{skills.Limit(50, 200, "how many sockets")},
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.list(ctx, a.Int("limit"), byBothQueues)
			},
		}
	}
	return []skills.Call{
		{
			Name: "ports_summary",
			Doc: "The fields of the snapshot as they are now, rates since the last snapshot, and: tcp_states (sockets by state), ephemeral_first and ephemeral_last (the range of local ports of outgoing connections), " +
				"sockets_from (sock_diag or proc). note: what could not be read.",
			Example: "ports_summary()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return h.summary(ctx) },
		},
		{
			Name: "ports_top_fds",
			Doc: "The processes with most file descriptors. processes: pid, name, fds, limit (its own), used_pct, kinds (how many of its descriptors are file, deleted_file, device, socket, pipe, eventfd, eventpoll, timerfd, memfd, …). " +
				"kinds_partial: only the first 20000 were looked at. " + noteDoc,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many processes"),
				{Name: "sort_by", Type: "string", Doc: "nearest to the limit, or most open", Default: "used_pct", Enum: []string{"used_pct", "fds"}},
			},
			Example: `ports_top_fds(5, "used_pct")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.topFDs(ctx, a.Int("limit"), a.String("sort_by"))
			},
		},
		{
			Name: "ports_top_sockets",
			Doc: "The processes with most sockets in one state, or in all. processes: pid, name, sockets, states, top_peer (the remote address and port, or for a server the remote address, with most of them) and top_peer_sockets. " +
				"total: sockets in that state; no_process: those that no process holds (time_wait, syn_recv, not yet accepted) or whose process could not be read. " + noteDoc,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many processes"),
				{Name: "state", Type: "string", Doc: "TCP state; all includes UDP", Default: "all", Enum: append([]string{"all"}, host.States...)},
			},
			Example: `ports_top_sockets(5, "close_wait")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.topSockets(ctx, a.Int("limit"), a.String("state"))
			},
		},
		{
			Name: "ports_listeners",
			Doc: "TCP listeners, fullest accept queue first. listeners: address, name, pid, accept_queue (connections the program has not accepted), accept_queue_max (how many may wait), used_pct (100: the kernel drops new ones). " +
				"Without sock_diag the last two are absent. " + noteDoc,
			Params:  []skills.Param{skills.Limit(50, 200, "how many listeners")},
			Example: "ports_listeners()",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return h.listeners(ctx, a.Int("limit")) },
		},
		{
			Name: "ports_connections",
			Doc: "With whom a process, or all processes of a name, are connected over TCP; peers, most connections first: " + peerDoc +
				"connections: of the process. listens: the addresses it listens on. " + noteDoc,
			Params: []skills.Param{
				{Name: "process", Type: "string", Doc: "a name as the kernel has it (nginx), or a pid in quotes"},
				skills.Limit(20, 100, "how many peers"),
			},
			Example: `ports_connections("1", 10)`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.connections(ctx, a.String("process"), a.Int("limit"))
			},
		},
		{
			Name: "ports_peers",
			Doc:  "Who connects to whom over TCP, on the whole machine; peers, most connections first: " + peerDoc + "connections: all of them. " + noteDoc,
			Params: []skills.Param{
				skills.Limit(20, 100, "how many peers"),
				{Name: "direction", Type: "string", Doc: "who opened the connection: in is to a listener here", Default: "all", Enum: []string{"all", "in", "out"}},
			},
			Example: `ports_peers(10, "out")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.peers(ctx, a.Int("limit"), a.String("direction"))
			},
		},
		{
			Name: "ports_process",
			Doc: "The descriptors of one process: pid, name, fds, limit, used_pct, kinds (as in ports_top_fds), paths (the 20 files and devices it has open most often: path, kind, descriptors), " +
				"socket_states, sockets (longest queues first, at most 50): " + socketDoc + noteDoc,
			Params:  []skills.Param{{Name: "pid", Type: "integer", Doc: "which process", Min: skills.Level(1), Max: skills.Level(1 << 30)}},
			Example: "ports_process(1)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return h.process(ctx, int32(a.Int("pid"))) },
		},
		{
			Name: "ports_top_by_queue",
			Doc: "The sockets with most bytes waiting in both directions. sockets: " + socketDoc +
				"Also queue_size (their sum) and saturation_pct (100 from 1 MiB on, 75, 50, 25 from each half of it on, below in proportion). " + noteDoc,
			Params:  []skills.Param{skills.Limit(10, 50, "how many sockets")},
			Example: "ports_top_by_queue(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.topQueues(ctx, a.Int("limit"), byBothQueues)
			},
		},
		{
			Name: "ports_top_by_buffer",
			Doc:  "The same by one direction: send (the peer does not take it) or recv (the program does not read it). sockets: " + socketDoc + noteDoc,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many sockets"),
				{Name: "direction", Type: "string", Doc: "which buffer", Default: "send", Enum: []string{"send", "recv"}},
			},
			Example: `ports_top_by_buffer(5, "recv")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				if a.String("direction") == "recv" {
					return h.topQueues(ctx, a.Int("limit"), byRecvQueue)
				}
				return h.topQueues(ctx, a.Int("limit"), bySendQueue)
			},
		},
		{
			Name: "ports_queue_growth",
			Doc: "Which queues grow, now against the oldest snapshot of the last minutes. growing_ports, steepest first: id, type, local_addr, remote_addr, name, pid, current_queue (bytes), recv_queue, send_queue, " +
				"historical_queue, growth_rate_bytes_per_sec, trend, seconds (between the two). growing_listeners: address, name, pid, accept_queue, accept_queue_max, historical_accept_queue, growth_rate_connections_per_sec, trend, seconds. " +
				"trends: how many sockets are growing (above 1024 B/s), shrinking (below -1024), stable, unknown. current_queues: bytes by id, the 50 longest. readings: snapshots that were compared. " + noteDoc,
			Params:  []skills.Param{{Name: "minutes", Type: "integer", Doc: "how far back", Default: 5, Min: skills.Level(1), Max: skills.Level(furthest)}},
			Example: "ports_queue_growth(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.queueGrowth(ctx, time.Duration(a.Int("minutes"))*time.Minute)
			},
		},
		{
			Name: "ports_saturation_prediction",
			Doc: "Which queues will be full if they go on growing as in the last five minutes, soonest first. predictions: id, queue (socket, accept), name, pid, local_addr, remote_addr, minutes_until_saturation, " +
				"risk_level (critical below 15 minutes, high below 60, medium below 240, low); of a socket current_queue_bytes, growth_rate_bytes_per_sec, saturation_threshold_bytes (1 MiB); " +
				"of a listener accept_queue, growth_rate_connections_per_sec, saturation_threshold_connections. readings: snapshots that were compared. " + noteDoc,
			Params:  []skills.Param{{Name: "minutes_ahead", Type: "integer", Doc: "how far to look", Default: furthest, Min: skills.Level(1), Max: skills.Level(furthest)}},
			Example: "ports_saturation_prediction(240)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return h.saturationPrediction(ctx, a.Int("minutes_ahead"))
			},
		},
		{
			Name:    "ports_info",
			Doc:     "One socket by its id: " + socketDoc + "Also queue_size and saturation_pct as in ports_top_by_queue. error: port_not_found when there is none of that id (it was closed). " + noteDoc,
			Params:  []skills.Param{{Name: "id", Type: "integer", Doc: "the socket's id, as in ports_list", Min: skills.Level(1), Max: skills.Level(1 << 53)}},
			Example: "ports_info(4242)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return h.info(ctx, uint64(a.Int("id"))) },
		},
		sockets("ports_list", "TCP and UDP sockets, longest queues first. sockets: "+socketDoc+"total: how many there are. "+noteDoc),
		sockets("ports_list_inet", "The same as ports_list: a host's ports are its sockets. sockets: "+socketDoc+"total: how many there are. "+noteDoc),
	}
}
