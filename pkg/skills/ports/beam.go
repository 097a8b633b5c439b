package ports

import (
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets. The ports skill of a host has it beside its own.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		w := &beamWatch{node: n}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: beamCalls(w), Snapshot: w.snapshot,
		}
	})
}

var beamMetrics = []skills.Metric{
	skills.Gauge("port_count", protocol.Count, "Open ports: sockets of gen_tcp, gen_udp and gen_sctp, programs, drivers."),
	skills.Info("port_limit", protocol.Count, "How many there may be (erl +Q)."),
	skills.Gauge("port_utilization_pct", protocol.Percent, "Use of that limit."),
	skills.Gauge("ports_tcp", protocol.Count, "TCP sockets among them."),
	skills.Gauge("ports_udp", protocol.Count, "UDP sockets among them."),
	skills.Gauge("nif_sockets", protocol.Count, "Sockets of the module socket, which are no ports and have no queue of their own."),
	skills.Info("top_owner", protocol.Text, "The process with most ports, as name <pid>."),
	skills.Gauge("top_owner_ports", protocol.Count, "How many it has."),

	skills.Gauge("queued_bytes", protocol.Bytes, "Bytes that wait in ports to be taken by the other side, in the 64 ports with most."),
	skills.Gauge("max_queue_bytes", protocol.Bytes, "Bytes that wait in the port with most."),
	skills.Info("max_queue_port", protocol.Text, "That port: id, type, peer and the process it is connected to; absent when nothing waits."),
	skills.Gauge("stuck_queue_bytes", protocol.Bytes, "Bytes that wait in the port with most of those from which the other side took nothing since the snapshot before; 0 without one."),
	skills.Info("stuck_port", protocol.Text, "That port: id, type, peer and process."),
	skills.Gauge("stuck_for_seconds", protocol.Seconds, "For how long nothing was taken from it, as far as it was seen."),
	skills.Gauge("stuck_ports", protocol.Count, "How many such ports there are."),

	skills.Gauge("suspended_processes", protocol.Count, "Processes that a full port holds up, now and in the snapshot before: suspended, or waiting until what they wrote is sent. 0 while nothing waits in any port."),
	skills.Info("suspended_process", protocol.Text, "One of them, as name <pid>."),
	skills.Info("suspended_function", protocol.Text, "Where it stands: function and who called it."),
}

// Thresholds leave alone what a busy node has: thousands of sockets, a client that takes
// a large answer slowly, one that vanished.
var beamChecks = []skills.Check{
	skills.Above("port_utilization_pct", 70, 90, "ports",
		"{port_count} of {port_limit} ports are open ({value} %), {top_owner_ports} of them by {top_owner}",
		"ports_by_owner(5)",
		"At the limit no socket, file or program can be opened. If one process has ever more, it does not close what it opens; else raise the limit (erl +Q)."),
	skills.Above("stuck_queue_bytes", 1<<20, 64<<20, "port_queue",
		"{value} bytes wait in {stuck_port}, from which nothing was taken for {stuck_for_seconds} s: its peer does not read",
		"ports_top_by_queue(5)",
		"Look at the peer. Set send_timeout and send_timeout_close on the socket, so that who writes to a peer that does not read is told of it."),
	skills.Above("suspended_processes", 3, 50, "port_queue",
		"{value} processes are held up by a full port, {suspended_process} among them, at {suspended_function}; most waits in {max_queue_port}",
		"ports_suspended_processes()",
		"They stand still until the other side reads: let one process write to a slow peer (with nosuspend or a send_timeout), so that the others go on."),
}
