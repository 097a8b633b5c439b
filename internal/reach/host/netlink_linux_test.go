package host

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// local is the address of a listener or connection, without a zone.
func local(a net.Addr) netip.AddrPort {
	p := netip.MustParseAddrPort(a.String())
	return netip.AddrPortFrom(p.Addr().WithZone(""), p.Port())
}

func TestRealSocketsAreFoundBothWays(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		u, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = u.Close() }()

		r := New(Config{})
		for _, from := range []SocketsFrom{FromNetlink, FromProc} {
			t.Run(addr+" "+string(from), func(t *testing.T) {
				found := map[netip.AddrPort]Socket{}
				inodes := map[uint64]bool{}
				for _, p := range []Protocol{TCP, UDP} {
					keep := func(s *Socket) {
						if s.Inode != 0 { // the other end, which nobody has accepted, belongs to nobody
							found[s.Local] = *s
							inodes[s.Inode] = true
						}
					}
					if from == FromNetlink {
						if got, err := r.Sockets(t.Context(), p, keep); err != nil || got != from {
							t.Fatalf("read from %v, %v", got, err)
						}
						continue
					}
					for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
						if err := r.procSockets(t.Context(), family, p, 1<<13-1, keep); err != nil {
							t.Fatal(err)
						}
					}
				}
				owners, err := r.SocketOwners(t.Context(), inodes)
				if err != nil {
					t.Fatal(err)
				}
				want := func(a net.Addr, p Protocol, state SocketState) Socket {
					s, ok := found[local(a)]
					if !ok || s.Protocol != p || s.State != state || int(s.UID) != os.Getuid() || owners.PIDs[s.Inode] != int32(os.Getpid()) {
						t.Errorf("%v shows as %+v, held by %d", a, s, owners.PIDs[s.Inode])
					}
					return s
				}
				listener := want(l.Addr(), TCP, Listen)
				if listener.Recv != 1 || listener.Backlog.Known != (from == FromNetlink) {
					t.Errorf("one connection waits, and the listener shows %+v", listener)
				}
				if s := want(c.LocalAddr(), TCP, Established); s.Remote != local(l.Addr()) {
					t.Errorf("the connection leads to %v", s.Remote)
				}
				want(u.LocalAddr(), UDP, Close)
			})
		}
	}
}

func TestStatesCanBeChosen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := New(Config{}).Sockets(t.Context(), TCP, func(s *Socket) {
		if s.State != Listen {
			t.Errorf("asked for listeners, got %+v", s)
		}
	}, Listen); err != nil {
		t.Error(err)
	}
}

func TestALimitIsTheSameFromTheKernelAndFromTheFile(t *testing.T) {
	r := New(Config{})
	got := r.FileLimit(int32(os.Getpid()))
	b, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	if want := parseFileLimit(b); got != want || !got.Known {
		t.Errorf("got %v, the file has %v", got, want)
	}
}

func FuzzDiag(f *testing.F) {
	record := func(kind uint16, body []byte) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
		b = binary.NativeEndian.AppendUint16(b, kind)
		return append(append(b, make([]byte, 10)...), body...)
	}
	socket := make([]byte, diagAnswer)
	socket[0], socket[1] = unix.AF_INET6, byte(Listen)
	f.Add(record(diagByFamily, socket))
	f.Add(record(unix.NLMSG_DONE, nil))
	f.Add(record(unix.NLMSG_ERROR, []byte{0xfe, 0xff, 0xff, 0xff}))
	f.Add(append(record(diagByFamily, socket[:10]), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseDiag(b, TCP, func(s *Socket) {
			if s.State.String() == "unknown" {
				t.Errorf("%x gives %+v", b, s)
			}
		})
	})
}
