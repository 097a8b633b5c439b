// Package ports is the skill that watches sockets and file descriptors: who
// holds them, which of their limits and queues run full, and who talks to whom.
//
// It tells which program is responsible. Why the program does so is for the
// skills of that program.
package ports

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed host.md
var hostPrompt string

// Skill returns the ports skill; r reads the machine. The skill keeps the reading
// of the snapshot before, for rates: make one for each machine and process.
func Skill(r *host.Reader) skills.Skill {
	h := &history{host: r}
	return skills.Skill{
		Name:    "ports",
		Title:   "Ports and descriptors",
		Summary: "Sockets by state, listeners and their backlogs, peers, ephemeral ports, and open file descriptors by process, on one Linux host.",
		Prefix:  "ports_",
		Sources: []skills.Source{{
			Kind:     skills.Host,
			Prompt:   hostPrompt,
			Metrics:  metrics,
			Checks:   checks,
			Calls:    calls(h),
			Snapshot: h.snapshot,
		}},
	}
}

// Rates are over the time since the snapshot before; the first snapshot of a
// probe lacks them.
var metrics = []skills.Metric{
	skills.Gauge("tcp_established", protocol.Count, "Open TCP connections."),
	skills.Gauge("tcp_time_wait", protocol.Count, "TCP connections this machine closed less than a minute ago; no process holds them."),
	skills.Gauge("tcp_close_wait", protocol.Count, "TCP connections that the other side closed and the local program has not."),
	skills.Gauge("tcp_syn_recv", protocol.Count, "TCP connections whose client has not finished the handshake."),
	skills.Gauge("tcp_listen", protocol.Count, "TCP listeners."),
	skills.Gauge("udp_sockets", protocol.Count, "UDP sockets in use."),

	skills.Gauge("fds_open", protocol.Count, "Open file descriptors of all processes that can be read."),
	skills.Gauge("fd_max_used_pct", protocol.Percent, "Use of its own limit by the process that is nearest to it."),
	skills.Info("fd_max_process", protocol.Text, "That process, as name (pid)."),
	skills.Gauge("fd_max_open", protocol.Count, "The descriptors it has open."),
	skills.Info("fd_max_limit", protocol.Count, "Its limit."),
	skills.Gauge("fds_unreadable_processes", protocol.Count, "Processes whose descriptors could not be counted for want of privilege; absent when there is none."),

	skills.Gauge("accept_queue_max_used_pct", protocol.Percent, "Use of the fullest accept queue: connections its program has not accepted, of how many may wait. Absent where sock_diag cannot be asked."),
	skills.Info("accept_queue_listener", protocol.Text, "The address of that listener; absent when all queues are empty."),
	skills.Gauge("listen_overflows_per_sec", protocol.PerSecond, "Connections dropped because an accept queue was full."),
	skills.Gauge("listen_drops_per_sec", protocol.PerSecond, "Connections that listeners dropped for any reason, a full accept queue among them."),

	skills.Gauge("ephemeral_max_used_pct", protocol.Percent, "Ports for outgoing connections in use towards the destination with most of them (from one local address to one address and port), of the range there is."),
	skills.Info("ephemeral_destination", protocol.Text, "That destination; absent when nothing is connected."),
	skills.Gauge("tcp_retransmitted_pct", protocol.Percent, "TCP segments sent again, of all sent; absent below 100 segments a second, where one loss is many percent."),
	skills.Gauge("tcp_resets_sent_per_sec", protocol.PerSecond, "TCP resets sent: somebody connects to a closed port, or a program closes with data unread."),
	skills.Gauge("tcp_failed_connects_per_sec", protocol.PerSecond, "TCP connections, in either direction, that ended before they were open."),
	skills.Gauge("tcp_memory_used_pct", protocol.Percent, "Memory that TCP buffers hold, of what they may before the kernel drops."),
	skills.Gauge("udp_drops_per_sec", protocol.PerSecond, "UDP datagrams dropped because their program's receive buffer was full."),
	skills.Gauge("conntrack_used_pct", protocol.Percent, "Use of the firewall's table of connections; absent where it tracks none."),
}

// Thresholds leave alone what a busy machine does all day: thousands of
// time_wait, some resets, a queue that is used. They speak of what is about to
// be refused, was dropped, or never goes away by itself.
var checks = []skills.Check{
	skills.Above("fd_max_used_pct", 80, 95, "file_descriptors",
		"{fd_max_process} has {fd_max_open} file descriptors open, {value} % of its limit of {fd_max_limit}",
		"ports_top_fds(5)",
		"If the count only grows, the program does not close what it opens: see which kind. If it is steady, raise the limit (LimitNOFILE of the service)."),
	skills.Above("accept_queue_max_used_pct", 70, 95, "accept_queue",
		"the accept queue of {accept_queue_listener} is {value} % full: its program does not accept fast enough",
		"ports_listeners()",
		"See what the program is busy with, and whether it is out of descriptors; a queue of a few entries only is a backlog (or net.core.somaxconn) set too small."),
	skills.Above("listen_drops_per_sec", 1, 50, "accept_queue",
		"listeners drop {value} connections a second, {listen_overflows_per_sec} of them because an accept queue is full",
		"ports_listeners()",
		"Clients see these as time-outs. The listener with the fullest queue, or the highest count of waiting connections, is too slow."),
	skills.Above("tcp_close_wait", 500, 5000, "sockets",
		"{value} connections were closed by the other side and not by the local program",
		`ports_top_sockets(5, "close_wait")`,
		"The program leaks connections: it does not close them after an end of file or an error. A restart frees them until then."),
	skills.Above("tcp_syn_recv", 1000, 10000, "half_open_connections",
		"{value} connections wait for their client to finish the handshake",
		`ports_peers(5, "in")`,
		"A flood of half-open connections, or answers that get lost on the way to the clients. SYN cookies (net.ipv4.tcp_syncookies) keep a server reachable."),
	skills.Above("ephemeral_max_used_pct", 70, 90, "ephemeral_ports",
		"{value} % of the ports for outgoing connections are in use towards {ephemeral_destination}",
		`ports_peers(5, "out")`,
		"Keep connections open and use them again (a pool, keep-alive); more local addresses or a wider net.ipv4.ip_local_port_range give room meanwhile."),
	skills.Above("tcp_memory_used_pct", 70, 90, "tcp_memory",
		"TCP buffers hold {value} % of the memory they may have",
		"ports_top_by_queue(5)",
		"Somebody does not read what was sent to him: the sockets with the longest queues tell who."),
	skills.Above("tcp_retransmitted_pct", 5, 20, "network",
		"{value} % of TCP segments are sent again",
		"ports_top_by_queue(5)",
		"Packets get lost: look at the interfaces, at the path, and at peers that are overloaded."),
	skills.Above("tcp_failed_connects_per_sec", 50, 500, "connects",
		"{value} connections a second fail before they are open",
		`ports_top_sockets(5, "syn_sent")`,
		"A peer refuses or does not answer, or clients give up here: see who waits for whom."),
	skills.Above("udp_drops_per_sec", 10, 1000, "udp_buffers",
		"{value} UDP datagrams a second are dropped because their program does not read them in time",
		`ports_top_by_buffer(5, "recv")`,
		"The program with the longest receive queue is too slow, or its buffer (net.core.rmem_max) too small for bursts."),
	skills.Above("conntrack_used_pct", 80, 95, "conntrack",
		"the firewall's table of connections is {value} % full: beyond it new connections are dropped",
		"ports_peers(10)",
		"See which peers hold most connections; raise net.netfilter.nf_conntrack_max, or do not track what needs no tracking."),
}
