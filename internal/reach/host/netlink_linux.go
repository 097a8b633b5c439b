package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	diagByFamily = 20 // SOCK_DIAG_BY_FAMILY
	diagRequest  = 56 // bytes of struct inet_diag_req_v2
	diagAnswer   = 72 // bytes of struct inet_diag_msg
)

// dumpSockets asks the kernel for the sockets of one family and protocol in the
// states of mask, through sock_diag. Anybody may ask.
func dumpSockets(ctx context.Context, family uint8, p Protocol, mask uint32, fn func(*Socket)) error {
	fd, err := retry(func() (int, error) {
		return unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	})
	if err != nil {
		return fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	// The kernel answers at once; the limit is for one that does not.
	wait := unix.NsecToTimeval(int64(2 * time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return fmt.Errorf("limit the wait for sock_diag: %w", err)
	}
	var req [unix.NLMSG_HDRLEN + diagRequest]byte
	ne := binary.NativeEndian
	ne.PutUint32(req[0:], uint32(len(req)))
	ne.PutUint16(req[4:], diagByFamily)
	ne.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	ne.PutUint32(req[8:], 1)
	req[16], req[17] = family, uint8(p)
	ne.PutUint32(req[20:], mask)
	if err := unix.Sendto(fd, req[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask sock_diag: %w", err)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, buf) })
		if err != nil {
			return fmt.Errorf("read from sock_diag: %w", err)
		}
		done, err := parseDiag(buf[:n], p, fn)
		if done || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// parseDiag parses one message of the answer. done says that it was the last.
func parseDiag(b []byte, p Protocol, fn func(*Socket)) (done bool, err error) {
	ne := binary.NativeEndian
	for len(b) >= unix.NLMSG_HDRLEN {
		length := int(ne.Uint32(b))
		if length < unix.NLMSG_HDRLEN || length > len(b) {
			return true, fmt.Errorf("sock_diag: a record of %d bytes in %d", length, len(b))
		}
		body := b[unix.NLMSG_HDRLEN:length]
		switch ne.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return true, errors.New("sock_diag: an error without a number")
			}
			return true, fmt.Errorf("sock_diag: %w", syscall.Errno(-int32(ne.Uint32(body))))
		case diagByFamily:
			if s, ok := parseDiagSocket(body, p); ok {
				fn(&s)
			}
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return false, nil
}

func parseDiagSocket(b []byte, p Protocol) (Socket, bool) {
	if len(b) < diagAnswer {
		return Socket{}, false
	}
	size := 4
	if b[0] == unix.AF_INET6 {
		size = 16
	}
	ne := binary.NativeEndian
	s := Socket{
		Protocol: p, State: SocketState(b[1]),
		Local:  addrPort(b[8:8+size], binary.BigEndian.Uint16(b[4:])),
		Remote: addrPort(b[24:24+size], binary.BigEndian.Uint16(b[6:])),
		Recv:   ne.Uint32(b[56:]), Send: ne.Uint32(b[60:]),
		UID: ne.Uint32(b[64:]), Inode: uint64(ne.Uint32(b[68:])),
	}
	if s.State == newSynRecv {
		s.State = SynRecv
	}
	if s.State == Listen { // the two fields have another meaning there
		s.Backlog, s.Send = known(uint64(s.Send)), 0
	}
	return s, s.State >= Established && s.State <= Closing
}

// fileLimit returns how many files a process of this pid namespace may open.
func fileLimit(pid int32) (uint64, error) {
	var l unix.Rlimit
	err := unix.Prlimit(int(pid), unix.RLIMIT_NOFILE, nil, &l)
	return l.Cur, err
}
