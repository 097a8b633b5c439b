package dist_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/dist"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

const (
	cookie   = "biscuit"
	peerName = "shop@127.0.0.1"
	// allFlags is what OTP 25 announces, as far as we look at it.
	allFlags = 0x00000007_0fdffffd
)

// A peer is a node of our own making, that may misbehave.
type peer struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// listen waits for one connection and has it handled.
func listen(t *testing.T, handle func(p *peer)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		handle(&peer{t, c, bufio.NewReader(c)})
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func dial(t *testing.T, address string) (*dist.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := dist.Dial(ctx, dist.Options{Me: "fleetlens_probe@here", Node: peerName, Address: address, Cookie: cookie})
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

// message reads one of the handshake.
func (p *peer) message() []byte {
	var head [2]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return nil
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(p.in, b); err != nil {
		return nil
	}
	return b
}

func (p *peer) say(b ...byte) {
	_, _ = p.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
}

// challenge says who the peer is.
func (p *peer) challenge(name string, flags uint64) {
	b := binary.BigEndian.AppendUint64([]byte{'N'}, flags)
	b = binary.BigEndian.AppendUint32(b, 4711)
	b = binary.BigEndian.AppendUint32(b, 99)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	p.say(append(b, name...)...)
}

func digest(challenge uint32) []byte {
	sum := md5.Sum([]byte(cookie + strconv.FormatUint(uint64(challenge), 10)))
	return sum[:]
}

// greet does the whole handshake as a node does; false when the other side failed.
func (p *peer) greet() bool {
	hello := p.message()
	if len(hello) < 15 || hello[0] != 'N' {
		p.t.Errorf("the greeting is %q", hello)
		return false
	}
	p.say([]byte("sok")...)
	p.challenge(peerName, allFlags)
	reply := p.message()
	if len(reply) != 21 || string(reply[5:]) != string(digest(4711)) {
		p.t.Errorf("the digest is wrong: %q", reply)
		return false
	}
	p.say(append([]byte{'a'}, digest(binary.BigEndian.Uint32(reply[1:]))...)...)
	return true
}

// frame reads one after the handshake; empty: a tick. ok is false at the end.
func (p *peer) frame() (b []byte, ok bool) {
	var head [4]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return nil, false
	}
	b = make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(p.in, b)
	return b, err == nil
}

func (p *peer) send(b []byte) {
	_, _ = p.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
}

func (p *peer) control(terms ...etf.Term) {
	b := []byte{112}
	for _, t := range terms {
		var err error
		if b, err = etf.Append(b, t); err != nil {
			p.t.Error(err)
		}
	}
	p.send(b)
}

// request reads a control message and what belongs to it, ticks left out.
func (p *peer) request() (control etf.Tuple, payload etf.Term) {
	for {
		b, ok := p.frame()
		if !ok {
			return nil, nil
		}
		if len(b) == 0 {
			continue
		}
		t, rest, err := etf.Decode(b[1:])
		if err != nil {
			p.t.Error(err)
			return nil, nil
		}
		if len(rest) > 0 {
			if payload, _, err = etf.Decode(rest); err != nil {
				p.t.Error(err)
			}
		}
		return t.(etf.Tuple), payload
	}
}

// answer makes the process that a request asks for, and lets it end with its arguments.
func (p *peer) answer(control etf.Tuple, payload etf.Term) {
	pid := etf.Pid{Node: peerName, ID: 200, Creation: 99}
	p.control(etf.Tuple{31, control[1], control[2], 2, pid})
	p.control(etf.Tuple{21, pid, control[2], control[1], payload})
}

// drain reads until the other side hangs up.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.in) }
