package host

import (
	"errors"
	"fmt"
	"strings"
)

// A NetStack is what the kernel counts of its TCP and UDP: counters since boot,
// and how full its tables are. What this kernel does not have is not Known.
type NetStack struct {
	ListenOverflows Count // connections dropped because an accept queue was full
	ListenDrops     Count // connections a listener dropped for any reason, those included
	Retransmitted   Count // TCP segments sent again
	SegmentsOut     Count // TCP segments sent
	ResetsOut       Count // TCP resets sent
	EstabResets     Count // connections that ended in a reset
	AttemptFails    Count // connections that were refused or gave up before they were open
	UDPOverflows    Count // datagrams dropped because a receive buffer was full

	TCPMemory    Count // pages that TCP holds
	TCPMemoryMax Count // pages from which on it drops
	Conntrack    Count // connections that the firewall tracks
	ConntrackMax Count
	UDPSockets   Count
}

// TCPMemoryUsedPct returns how much of the memory that TCP may have it holds.
func (n *NetStack) TCPMemoryUsedPct() (float64, bool) { return share(n.TCPMemory, n.TCPMemoryMax) }

// ConntrackUsedPct returns the use of the table of tracked connections, and
// false where nothing is tracked.
func (n *NetStack) ConntrackUsedPct() (float64, bool) { return share(n.Conntrack, n.ConntrackMax) }

// NetStack reads the counters. Files that this kernel does not have are passed over.
func (r *Reader) NetStack() (*NetStack, error) {
	n := &NetStack{}
	net := r.network()
	var faults []error
	read := func(name string, fn func(b []byte)) {
		b, err := r.readProc(name)
		switch {
		case err == nil:
			fn(b)
		case !absent(err):
			faults = append(faults, fmt.Errorf("read %s: %w", name, err))
		}
	}
	table := func(to map[string]*Count) func([]byte) {
		return func(b []byte) {
			parseTable(b, func(key string, c Count) {
				if p := to[key]; p != nil {
					*p = c
				}
			})
		}
	}
	read(net+"netstat", table(map[string]*Count{"TcpExt.ListenOverflows": &n.ListenOverflows, "TcpExt.ListenDrops": &n.ListenDrops}))
	read(net+"snmp", table(map[string]*Count{
		"Tcp.RetransSegs": &n.Retransmitted, "Tcp.OutSegs": &n.SegmentsOut, "Tcp.OutRsts": &n.ResetsOut,
		"Tcp.EstabResets": &n.EstabResets, "Tcp.AttemptFails": &n.AttemptFails, "Udp.RcvbufErrors": &n.UDPOverflows,
	}))
	read(net+"snmp6", func(b []byte) {
		keyed(b, func(key string, v uint64) {
			if key == "Udp6RcvbufErrors" && n.UDPOverflows.Known {
				n.UDPOverflows.N += v
			}
		})
	})
	sockstat := func(b []byte) {
		parseSockstat(b, func(key string, v uint64) {
			switch key {
			case "TCP.mem":
				n.TCPMemory = known(v)
			case "UDP.inuse", "UDP6.inuse":
				n.UDPSockets = known(n.UDPSockets.N + v)
			}
		})
	}
	read(net+"sockstat", sockstat)
	read(net+"sockstat6", sockstat)
	read("sys/net/ipv4/tcp_mem", func(b []byte) {
		if v, err := uints(string(b), 3); err == nil {
			n.TCPMemoryMax = Count{N: v[2], Known: v[2] > 0}
		}
	})
	read("sys/net/netfilter/nf_conntrack_count", func(b []byte) { n.Conntrack = count(string(b)) })
	read("sys/net/netfilter/nf_conntrack_max", func(b []byte) { n.ConntrackMax = count(string(b)) })
	return n, errors.Join(faults...)
}

// A PortRange is the ports that the kernel gives to outgoing connections.
type PortRange struct{ First, Last uint16 }

// Size returns how many ports there are.
func (p PortRange) Size() int { return int(p.Last) - int(p.First) + 1 }

// Has reports whether the port is one of them.
func (p PortRange) Has(port uint16) bool { return port >= p.First && port <= p.Last }

// EphemeralPorts reads the range.
func (r *Reader) EphemeralPorts() (PortRange, error) {
	b, err := r.readProc("sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return PortRange{}, fmt.Errorf("read the range of ephemeral ports: %w", err)
	}
	return parsePortRange(b)
}

func parsePortRange(b []byte) (PortRange, error) {
	v, err := uints(string(b), 2)
	if err != nil || v[0] == 0 || v[1] > 65535 || v[0] > v[1] {
		return PortRange{}, fmt.Errorf("the range of ephemeral ports: %.60q: want two ports", b)
	}
	return PortRange{First: uint16(v[0]), Last: uint16(v[1])}, nil
}

// parseTable parses pairs of lines, names and values, as netstat and snmp have
// them: "Tcp: InSegs OutSegs" and "Tcp: 1 2" give Tcp.InSegs and Tcp.OutSegs.
func parseTable(b []byte, fn func(key string, c Count)) {
	heading := ""
	for line := range strings.Lines(string(b)) {
		prefix, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		if before, names, ok := strings.Cut(heading, ":"); ok && before == prefix {
			keys, values := strings.Fields(names), strings.Fields(rest)
			for i := range min(len(keys), len(values)) {
				fn(prefix+"."+keys[i], count(values[i]))
			}
			heading = ""
			continue
		}
		heading = strings.TrimSpace(line)
	}
}

// parseSockstat parses lines of "TCP: inuse 1 orphan 0".
func parseSockstat(b []byte, fn func(key string, n uint64)) {
	for line := range strings.Lines(string(b)) {
		prefix, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		f := strings.Fields(rest)
		for i := 0; i+1 < len(f); i += 2 {
			if c := count(f[i+1]); c.Known && c.N < 1<<62 {
				fn(prefix+"."+f[i], c.N)
			}
		}
	}
}
