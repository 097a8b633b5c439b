package beam

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Ports are what the ports of a node come to. A port is what Erlang talks to the world
// with: a socket, a file, a program, a driver.
type Ports struct {
	Seen      int            `erl:"seen"`
	Truncated bool           `erl:"truncated"` // there are more than were seen
	Limit     int            `erl:"limit"`
	Kinds     map[string]int `erl:"kinds"`  // tcp, udp, sctp and other
	Owners    []PortOwner    `erl:"owners"` // the processes with most, at most 5
	// Queues are the ports in which bytes wait to be taken by the other side, the most
	// first, at most 64.
	Queues          []PortQueue `erl:"queues"`
	QueuesTruncated bool        `erl:"queues_truncated"`
	NIFSockets      int         `erl:"nif_sockets"` // sockets of the module socket, which are no ports
	At              time.Time
}

// A PortOwner is a process that ports are connected to.
type PortOwner struct {
	PID   etf.Pid `erl:"pid"`
	Ports int     `erl:"ports"`
}

// A PortQueue is how much waits in a port.
type PortQueue struct {
	Port   etf.Port `erl:"port"`
	Bytes  int64    `erl:"queue"`
	Output float64  `erl:"output"` // bytes written to it since it was opened, those that wait included
}

// Taken is how many bytes left the port since it was opened.
func (q PortQueue) Taken() float64 { return q.Output - float64(q.Bytes) }

// Ports asks what the ports come to, or returns what was told a moment ago.
func (n *Node) Ports(ctx context.Context) (*Ports, error) {
	return shared(ctx, n, "ports_summary", n.cfg.Cache, func(ctx context.Context) (*Ports, error) {
		p, err := ask[Ports](ctx, n, "ports_summary", nil)
		if err != nil {
			return nil, err
		}
		p.At = time.Now()
		return p, nil
	})
}

// A Port is one port. What is of sockets is nil for others.
type Port struct {
	Port   etf.Port  `erl:"port"`
	Name   string    `erl:"name"` // of its driver or program, without arguments
	Input  float64   `erl:"input"`
	Output float64   `erl:"output"`
	Queue  int64     `erl:"queue"`  // bytes that wait in the port
	Memory int64     `erl:"memory"` // bytes the runtime holds for it, the queue not among them
	OSPID  *int64    `erl:"os_pid"`
	Owner  *etf.Pid  `erl:"owner"`
	Local  etf.Term  `erl:"local"`
	Remote etf.Term  `erl:"remote"`
	Stat   *InetStat `erl:"stat"`
	// BusyFrom is how many bytes may wait before who writes is suspended.
	BusyFrom *int64 `erl:"busy_from"`
}

// An InetStat is what a socket's driver counts: bytes, packets, and of packets the
// largest, the mean and the mean deviation in bytes.
type InetStat struct {
	RecvCnt  float64 `erl:"recv_cnt" json:"recv_cnt"`
	RecvOct  float64 `erl:"recv_oct" json:"recv_oct"`
	RecvMax  float64 `erl:"recv_max" json:"recv_max"`
	RecvAvg  float64 `erl:"recv_avg" json:"recv_avg"`
	RecvDvi  float64 `erl:"recv_dvi" json:"recv_dvi"`
	SendCnt  float64 `erl:"send_cnt" json:"send_cnt"`
	SendOct  float64 `erl:"send_oct" json:"send_oct"`
	SendMax  float64 `erl:"send_max" json:"send_max"`
	SendAvg  float64 `erl:"send_avg" json:"send_avg"`
	SendPend float64 `erl:"send_pend" json:"send_pend"` // bytes that wait in the driver
}

// Type is tcp, udp or sctp for a socket, else the driver or program.
func (p *Port) Type() string {
	switch p.Name {
	case "tcp_inet":
		return "tcp"
	case "udp_inet":
		return "udp"
	case "sctp_inet":
		return "sctp"
	}
	return p.Name
}

// IsInet reports whether it is a socket of gen_tcp, gen_udp or gen_sctp.
func (p *Port) IsInet() bool { return p.Name != p.Type() }

// LocalAddr is where the socket is bound to, as 10.0.0.1:80 or [::1]:80; "unknown" where
// that cannot be told, "local" for a socket that is a file.
func (p *Port) LocalAddr() string { return orElse(address(p.Local), "unknown") }

// RemoteAddr is its peer; "not_connected" without one.
func (p *Port) RemoteAddr() string { return orElse(address(p.Remote), "not_connected") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// address writes {{127,0,0,1},80}, or with eight numbers an address of IPv6, as people do.
func address(t etf.Term) string {
	if t == etf.Term(etf.Atom("local")) {
		return "local"
	}
	pair, ok := t.(etf.Tuple)
	if !ok || len(pair) != 2 {
		return ""
	}
	parts, ok := pair[0].(etf.Tuple)
	port, ok2 := pair[1].(int64)
	if !ok || !ok2 || port < 0 || port > 0xffff {
		return ""
	}
	var raw []byte
	for _, e := range parts {
		n, ok := e.(int64)
		switch {
		case !ok || n < 0 || n > 0xffff || len(parts) == 4 && n > 0xff:
			return ""
		case len(parts) == 8:
			raw = append(raw, byte(n>>8))
		}
		raw = append(raw, byte(n))
	}
	ip, ok := netip.AddrFromSlice(raw)
	if !ok {
		return ""
	}
	return netip.AddrPortFrom(ip, uint16(port)).String()
}

// A PortOrder is what a list of ports begins with most of.
type PortOrder string

// Orders of ports.
const (
	PortsByQueue  PortOrder = "queue_size"
	PortsByMemory PortOrder = "memory"
	PortsByInput  PortOrder = "input"
	PortsByOutput PortOrder = "output"
	PortsByAge    PortOrder = "id" // the newest first
)

// A PortList is some ports of a node.
type PortList struct {
	Seen      int    `erl:"seen"`
	Total     int    `erl:"total"` // of the ones that were seen those that were asked for
	Truncated bool   `erl:"truncated"`
	Ports     []Port `erl:"ports"`
}

// TopPorts returns the ports, or the sockets among them, with most of something.
func (n *Node) TopPorts(ctx context.Context, by PortOrder, inet bool, limit int) (*PortList, error) {
	return ask[PortList](ctx, n, "ports_top", args{"By": etf.Atom(by), "Inet": inet, "Limit": limit})
}

// Port returns one port by its text, #Port<0.5> or 0.5; nil when it is not open.
func (n *Node) Port(ctx context.Context, text string) (*Port, error) {
	if len(text) > 64 {
		return nil, nil
	}
	if len(text) > 0 && text[0] != '#' {
		text = fmt.Sprintf("#Port<%s>", text)
	}
	a, err := ask[struct {
		Found bool `erl:"found"`
		Port  Port `erl:"port"`
	}](ctx, n, "port", args{"Port": text})
	if err != nil || !a.Found {
		return nil, err
	}
	return &a.Port, nil
}

// A NIFSocket is a socket of the module socket. The kernel's queues are all it has.
type NIFSocket struct {
	Socket   etf.Ref  `erl:"socket"`
	Protocol string   `erl:"protocol"`
	Owner    *etf.Pid `erl:"owner"`
	Input    float64  `erl:"input"`
	Output   float64  `erl:"output"`
	Local    etf.Term `erl:"local"`
	Remote   etf.Term `erl:"remote"`
}

// LocalAddr is as that of a [Port].
func (s *NIFSocket) LocalAddr() string { return orElse(address(s.Local), "unknown") }

// RemoteAddr is as that of a [Port].
func (s *NIFSocket) RemoteAddr() string { return orElse(address(s.Remote), "not_connected") }

// NIFSockets are some sockets of the module socket.
type NIFSockets struct {
	Total     int         `erl:"total"`
	Truncated bool        `erl:"truncated"`
	Sockets   []NIFSocket `erl:"sockets"`
}

// NIFSockets lists sockets of the module socket, if the node has loaded it.
func (n *Node) NIFSockets(ctx context.Context, limit int) (*NIFSockets, error) {
	return ask[NIFSockets](ctx, n, "nif_sockets", args{"Limit": limit})
}

// Suspended are processes that a full port holds up.
type Suspended struct {
	Total     int             `erl:"total"`
	Truncated bool            `erl:"truncated"`
	Processes []SuspendedProc `erl:"processes"`
}

// A SuspendedProc is one of them, with the ports it is linked to.
type SuspendedProc struct {
	PID   etf.Pid    `erl:"pid"`
	Ports []etf.Port `erl:"ports"`
}

// Suspended looks for processes that are suspended, or wait until what they wrote to a
// socket is sent.
func (n *Node) Suspended(ctx context.Context, limit int) (*Suspended, error) {
	return ask[Suspended](ctx, n, "suspended", args{"Limit": limit})
}
