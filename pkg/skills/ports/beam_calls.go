package ports

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

const (
	beamBasicDoc = "id (#Port<0.5>), name (driver or program: tcp_inet), connected_pid and process (who it belongs to: pid and name), os_pid (of a program). "
	beamQueueDoc = "queue_size (bytes that the other side has not taken), busy_from_bytes (from which on who writes is suspended; sockets only), " +
		"saturation_pct (100 from 1 MiB on, 75, 50, 25 from each half of it on, below in proportion), and of sockets type (tcp, udp, sctp), local_addr, remote_addr (not_connected without a peer). "
	beamEndDoc = "total: how many there are. truncated: there are more than are listed or looked at."
)

func beamCalls(w *beamWatch) []skills.Call {
	id := skills.Param{Name: "port_id", Type: "string", Doc: "the port, as #Port<0.5>"}
	return append([]skills.Call{
		{
			Name: "ports_list", Doc: "The ports, the newest first. ports: " + beamBasicDoc + beamEndDoc,
			Params:  []skills.Param{skills.Limit(100, 500, "how many ports")},
			Example: "ports_list(20)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.top(ctx, beam.PortsByAge, false, a.Int("limit"), basicRow)
			},
		},
		{
			Name: "ports_info",
			Doc: "One port: " + beamBasicDoc + "input_bytes and output_bytes (since it was opened), memory_kb (what the runtime holds for it), " + beamQueueDoc +
				"error: port_not_found when none of that id is open.",
			Params:  []skills.Param{id},
			Example: `ports_info("#Port<0.5>")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.info(ctx, a.String("port_id")) },
		},
		{
			Name: "ports_top",
			Doc:  "The ports with most of something. ports: " + beamBasicDoc + "input_bytes and output_bytes (since they were opened), memory_kb, queue_size (bytes). " + beamEndDoc,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many ports"),
				{Name: "sort_by", Type: "string", Doc: "by what", Default: "memory", Enum: []string{"input", "output", "memory"}},
			},
			Example: `ports_top(5, "output")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.top(ctx, beam.PortOrder(a.String("sort_by")), false, a.Int("limit"), trafficRow)
			},
		},
		{
			Name: "ports_list_inet",
			Doc: "The sockets: those of gen_tcp, gen_udp and gen_sctp, the newest first, then those of the module socket (name socket). ports: " + beamBasicDoc +
				"type, local_addr, remote_addr (unknown, not_connected, local for a socket that is a file), input_kb, output_kb (since it was opened, 1024 B). " + beamEndDoc + " note: what is left out.",
			Params:  []skills.Param{skills.Limit(50, 200, "how many sockets")},
			Example: "ports_list_inet(20)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.listInet(ctx, a.Int("limit")) },
		},
		{
			Name: "ports_top_by_buffer",
			Doc: "The sockets with most waiting in one direction. ports: id, type, process, connected_pid, remote_addr, send_kb (waits to be sent, 1024 B), recv_kb (null: a node keeps nothing received in its sockets), " +
				"sent_kb and received_kb (since it was opened). For recv the list is by received_kb. note: why. " + beamEndDoc,
			Params: []skills.Param{
				skills.Limit(10, 50, "how many sockets"),
				{Name: "direction", Type: "string", Doc: "which buffer", Default: "send", Enum: []string{"send", "recv"}},
			},
			Example: `ports_top_by_buffer(5, "send")`,
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.byBuffer(ctx, a.Int("limit"), a.String("direction"))
			},
		},
		{
			Name: "ports_inet_stats",
			Doc: "What the driver of one socket counts: id, recv_cnt and send_cnt (packets), recv_oct and send_oct (bytes), recv_max, recv_avg, send_max, send_avg (size of a packet in bytes), " +
				"recv_dvi (mean deviation of it), send_pend (bytes that wait). error: port_not_found, or port_info_unavailable for what is no such socket.",
			Params:  []skills.Param{id},
			Example: `ports_inet_stats("#Port<0.5>")`,
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.stats(ctx, a.String("port_id")) },
		},
		{
			Name: "ports_top_by_queue", Doc: "The ports with most bytes waiting. ports: " + beamBasicDoc + beamQueueDoc + beamEndDoc,
			Params:  []skills.Param{skills.Limit(10, 50, "how many ports")},
			Example: "ports_top_by_queue(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.top(ctx, beam.PortsByQueue, false, a.Int("limit"), queueRow)
			},
		},
		{
			Name: "ports_by_owner",
			Doc: "The processes with most ports, at most 5. processes: name, pid, ports (how many), function (where it is now). port_count, port_limit, " +
				"kinds (how many are tcp, udp, sctp, other).",
			Params:  []skills.Param{skills.Limit(5, 5, "how many processes")},
			Example: "ports_by_owner(5)",
			Run:     func(ctx context.Context, a skills.Args) (any, error) { return w.byOwner(ctx, a.Int("limit")) },
		},
		{
			Name: "ports_queue_growth",
			Doc: "Which queues grow, now against the oldest snapshot of the last minutes. growing_ports, steepest first: id, type, name, connected_pid, process, remote_addr, current_queue and historical_queue (bytes), " +
				"growth_rate_bytes_per_sec, trend, seconds (between the two). trends: how many are growing (above 1024 B/s), shrinking (below -1024), stable, unknown. " +
				"current_queues: bytes by id, the 50 longest. readings: snapshots that were compared. note: why there are none.",
			Params:  []skills.Param{{Name: "minutes_back", Type: "integer", Doc: "how far back", Default: 5, Min: skills.Level(1), Max: skills.Level(furthest)}},
			Example: "ports_queue_growth(5)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.queueGrowth(ctx, time.Duration(a.Int("minutes_back"))*time.Minute)
			},
		},
		{
			Name: "ports_suspended_processes",
			Doc: "Processes that a full port holds up now, at most 50. processes: name, pid, registered_name, current_function, function (that, and who called it), message_queue_len, status, ports (that it is linked to). total, truncated. " +
				"full_ports: the ports with most waiting, as in ports_top_by_queue. note: how to know which port it is.",
			Example: "ports_suspended_processes()",
			Run:     func(ctx context.Context, _ skills.Args) (any, error) { return w.suspendedNow(ctx) },
		},
		{
			Name: "ports_saturation_prediction",
			Doc: "Which ports will have 1 MiB waiting if they go on growing as in the last five minutes, soonest first. predictions: id, name, type, connected_pid, process, remote_addr, current_queue_bytes, growth_rate_bytes_per_sec, " +
				"saturation_threshold_bytes, minutes_until_saturation, risk_level (critical below 15 minutes, high below 60, medium below 240, low). readings: snapshots that were compared. note: why there are none.",
			Params:  []skills.Param{{Name: "minutes_ahead", Type: "integer", Doc: "how far to look", Default: furthest, Min: skills.Level(1), Max: skills.Level(furthest)}},
			Example: "ports_saturation_prediction(240)",
			Run: func(ctx context.Context, a skills.Args) (any, error) {
				return w.saturationPrediction(ctx, a.Int("minutes_ahead"))
			},
		},
	}, beamEventCalls(w)...)
}
