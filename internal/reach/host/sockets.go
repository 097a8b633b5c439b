package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// A SocketState is a state of a TCP socket, numbered as the kernel does. UDP
// sockets are established (connected) or closed (everything else).
type SocketState uint8

// The states.
const (
	Established SocketState = iota + 1
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Close
	CloseWait
	LastAck
	Listen
	Closing
	newSynRecv // a half-open connection, in newer kernels; it is shown as SynRecv
)

// States are the names of the states, in the order of their numbers.
var States = []string{
	"established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait",
	"close", "close_wait", "last_ack", "listen", "closing",
}

// String returns the name of the state.
func (s SocketState) String() string {
	if s < Established || int(s) > len(States) {
		return "unknown"
	}
	return States[s-1]
}

// A Protocol is a transport.
type Protocol uint8

// The transports whose sockets are read.
const (
	TCP Protocol = syscall.IPPROTO_TCP
	UDP Protocol = syscall.IPPROTO_UDP
)

// String returns "tcp" or "udp".
func (p Protocol) String() string {
	if p == UDP {
		return "udp"
	}
	return "tcp"
}

// A Socket is one TCP or UDP socket.
type Socket struct {
	Protocol Protocol
	State    SocketState
	Local    netip.AddrPort
	Remote   netip.AddrPort // of a listener: port 0
	// Recv and Send are bytes that the program has not read, and that the other
	// side has not confirmed. Of a listener, Recv is the number of connections
	// that the program has not accepted.
	Recv, Send uint32
	// Backlog is the most that may wait to be accepted; the kernel lets in one
	// more. It is known of listeners that were read through netlink.
	Backlog Count
	UID     uint32
	Inode   uint64 // names the socket; 0 when no process holds it (time_wait, syn_recv)
}

// AcceptUsedPct returns the use of a listener's accept queue. At 100 the kernel
// drops who tries to connect.
func (s *Socket) AcceptUsedPct() (float64, bool) {
	if s.State != Listen || !s.Backlog.Known {
		return 0, false
	}
	return 100 * float64(s.Recv) / float64(s.Backlog.N+1), true
}

// SocketsFrom says where sockets were read.
type SocketsFrom string

const (
	// FromNetlink is the kernel's sock_diag: it has everything.
	FromNetlink SocketsFrom = "sock_diag"
	// FromProc is /proc/net/tcp and its like: slower, and without the backlogs.
	FromProc SocketsFrom = "proc"
)

// errUnfit is why sock_diag was not asked: it would tell of another machine's
// (or container's) sockets.
var errUnfit = errors.New("the process is in another network namespace")

// Sockets calls fn with each socket of a protocol that is in one of the states,
// all of them when there is none. fn must not keep its argument. IPv4 and IPv6
// are both read.
func (r *Reader) Sockets(ctx context.Context, p Protocol, fn func(*Socket), states ...SocketState) (SocketsFrom, error) {
	mask := uint32(0)
	for _, s := range states {
		mask |= 1 << s
	}
	if mask == 0 {
		mask = 1<<(newSynRecv+1) - 1
	}
	from := FromNetlink
	for _, family := range []uint8{syscall.AF_INET, syscall.AF_INET6} {
		seen := false
		err := errUnfit
		if r.ownNetwork() {
			err = dumpSockets(ctx, family, p, mask, func(s *Socket) {
				seen = true
				fn(s)
			})
		}
		if err != nil && !seen && ctx.Err() == nil {
			from = FromProc
			err = r.procSockets(ctx, family, p, mask, fn)
		}
		if err != nil {
			return from, fmt.Errorf("list %s sockets: %w", p, err)
		}
	}
	return from, nil
}

// network is the folder that tells of the machine's network. Of a foreign proc
// filesystem it is that of process 1: "net" there leads to the reader's own.
func (r *Reader) network() string {
	r.detect()
	if r.isProcfs && !r.ownPIDs {
		if _, err := os.Stat(r.proc("1/net")); err == nil {
			return "1/net/"
		}
	}
	return "net/"
}

// ownNetwork reports whether this process is in the machine's network.
func (r *Reader) ownNetwork() bool {
	r.detect()
	if !r.isProcfs || r.ownPIDs {
		return r.isProcfs
	}
	theirs, err := os.Readlink(r.proc("1/ns/net"))
	ours, err2 := os.Readlink("/proc/self/ns/net")
	return err == nil && err2 == nil && theirs == ours
}

func (r *Reader) procSockets(ctx context.Context, family uint8, p Protocol, mask uint32, fn func(*Socket)) error {
	name := p.String()
	if family == syscall.AF_INET6 {
		name += "6"
	}
	b, err := r.readProc(r.network() + name)
	if err != nil {
		if absent(err) && family == syscall.AF_INET6 {
			return nil // a kernel without IPv6
		}
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	parseSockets(b, p, func(s *Socket) {
		if mask&(1<<s.State) != 0 {
			fn(s)
		}
	})
	return nil
}

// parseSockets parses /proc/net/tcp, udp, tcp6 or udp6. Lines of another form,
// the heading among them, are passed over.
func parseSockets(b []byte, p Protocol, fn func(*Socket)) {
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 10 {
			continue
		}
		s := Socket{Protocol: p}
		var ok bool
		if s.Local, ok = parseAddrPort(f[1]); !ok {
			continue
		}
		if s.Remote, ok = parseAddrPort(f[2]); !ok {
			continue
		}
		state, err := strconv.ParseUint(string(f[3]), 16, 8)
		if err != nil || state == 0 || state > uint64(newSynRecv) {
			continue
		}
		if s.State = SocketState(state); s.State == newSynRecv {
			s.State = SynRecv
		}
		tx, rx, _ := bytes.Cut(f[4], []byte(":"))
		send, err := strconv.ParseUint(string(tx), 16, 32)
		recv, err2 := strconv.ParseUint(string(rx), 16, 32)
		if err != nil || err2 != nil {
			continue
		}
		s.Send, s.Recv = uint32(send), uint32(recv)
		uid, ok := number(f[7])
		if !ok || uid > 1<<32-1 {
			continue
		}
		s.UID = uint32(uid)
		if s.Inode, ok = number(f[9]); !ok {
			continue
		}
		fn(&s)
	}
}

// parseAddrPort parses 0100007F:1F90: the address as the kernel keeps it, in
// words of 32 bits of the machine's own byte order, and the port.
func parseAddrPort(b []byte) (netip.AddrPort, bool) {
	addr, port, ok := bytes.Cut(b, []byte(":"))
	if !ok || len(addr) != 8 && len(addr) != 32 {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(string(port), 16, 16)
	var raw [16]byte
	size, err2 := hex.Decode(raw[:], addr)
	if err != nil || err2 != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < size; i += 4 { // the file has the number's digits, the address is its bytes in memory
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	return addrPort(raw[:size], uint16(n)), true
}

// addrPort shows IPv4 addresses as such on sockets that take both.
func addrPort(raw []byte, port uint16) netip.AddrPort {
	a, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), port)
}
