package dist

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Times and sizes of a connection.
const (
	// tickEvery is how often we show that we live; a node hangs up after 45 to 75 s.
	tickEvery = 10 * time.Second
	// silence is how long a node may send nothing. It ticks each 15 s unless its
	// net_ticktime was changed.
	silence = 2 * time.Minute
	// writeFor is how long the node may take to read.
	writeFor = 10 * time.Second
	// MaxFrame is how many bytes a message may have.
	MaxFrame = 64 << 20
)

// ErrClosed is of a connection that Close has ended.
var ErrClosed = errors.New("the connection was closed")

// A Conn is a connection with a node. It is safe for concurrent use.
type Conn struct {
	me       etf.Atom
	creation uint32
	peer     greeting
	net      net.Conn

	write sync.Mutex // frames go out whole

	mu      sync.Mutex
	next    uint64 // for pids and references of our own
	spawns  map[uint64]*Process
	inboxes map[uint32]*Inbox
	err     error         // why it ended
	ended   chan struct{} // closed then
}

func start(c net.Conn, me etf.Atom, creation uint32, g greeting) *Conn {
	conn := &Conn{
		me: me, creation: creation, peer: g, net: c, next: 1,
		spawns: map[uint64]*Process{}, inboxes: map[uint32]*Inbox{}, ended: make(chan struct{}),
	}
	go conn.tick()
	go conn.read()
	return conn
}

// Creation tells one run of the node from another.
func (c *Conn) Creation() uint32 { return c.peer.creation }

// Ended is closed when the connection is gone.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// Err says why it is gone; nil while it is not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection. The node kills nothing for it: processes that watch us see
// that we are gone.
func (c *Conn) Close() { c.end(ErrClosed) }

// end ends the connection for a reason; the first one counts.
func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = why
	_ = c.net.Close()
	close(c.ended)
	for _, p := range c.spawns {
		p.finish(nil, why)
	}
	clear(c.spawns)
}

func (c *Conn) tick() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-c.ended:
			return
		case <-t.C:
			_ = c.frame(nil)
		}
	}
}

// frame sends a message; an empty one is a tick.
func (c *Conn) frame(b []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.net.SetWriteDeadline(time.Now().Add(writeFor))
	out := append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...)
	if _, err := c.net.Write(out); err != nil {
		err = fmt.Errorf("the node reads nothing: %w", err)
		c.end(err)
		if cause := c.Err(); cause != nil {
			return cause
		}
		return err
	}
	return nil
}

// passThrough begins a frame of which the terms are plain.
const passThrough = 112

// control sends a control message, and what belongs to it.
func (c *Conn) control(control etf.Tuple, payload etf.Term) error {
	b, err := etf.Append([]byte{passThrough}, control)
	if err == nil && payload != nil {
		b, err = etf.Append(b, payload)
	}
	if err != nil {
		return err
	}
	if len(b) > MaxFrame {
		return fmt.Errorf("a message of %d bytes: %d is the most", len(b), MaxFrame)
	}
	return c.frame(b)
}

func (c *Conn) read() {
	in := bufio.NewReaderSize(c.net, 64<<10)
	for {
		_ = c.net.SetReadDeadline(time.Now().Add(silence))
		b, err := readFrame(in)
		if err == nil && len(b) == 0 {
			err = c.frame(nil) // a tick is answered
		} else if err == nil {
			err = c.handle(b)
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("the node hung up")
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

func readFrame(in io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxFrame {
		return nil, fmt.Errorf("the node sends a message of %d bytes: %d is the most", n, MaxFrame)
	}
	// It grows as the bytes come: who only announces many costs nothing.
	b, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// Control messages.
const (
	opSend         = 2
	opExit2        = 8
	opMonitor      = 19
	opMonitorExit  = 21
	opSpawn        = 29
	opSpawnReply   = 31
	opUnlink       = 35
	opUnlinkAck    = 36
	monitorReason  = 4 // where it stands in opMonitorExit
	spawnReplySize = 5
)

// handle takes a message in. What we did not ask for is left alone.
func (c *Conn) handle(b []byte) error {
	if b[0] != passThrough {
		return fmt.Errorf("the node sends a message of the kind %d, which we did not say to understand", b[0])
	}
	t, rest, err := etf.Decode(b[1:])
	if err != nil {
		return err
	}
	m, ok := t.(etf.Tuple)
	if !ok || len(m) == 0 {
		return errors.New("the node sends a message that is none of the protocol's")
	}
	switch op, _ := m[0].(int64); {
	case op == opSend && len(m) == 3:
		payload, _, err := etf.Decode(rest)
		if err != nil {
			return err
		}
		c.deliver(m[2], payload)
	case op == opSpawnReply && len(m) == spawnReplySize:
		c.spawned(m[1], m[4])
	case op == opMonitorExit && len(m) == 5:
		c.gone(m[3], m[monitorReason])
	case op == opMonitor && len(m) == 4:
		return c.watched(m)
	case op == opUnlink && len(m) == 4:
		return c.control(etf.Tuple{opUnlinkAck, m[1], m[3], m[2]}, nil)
	}
	return nil
}

// watched is of a process there that watches one of ours.
func (c *Conn) watched(m etf.Tuple) error {
	p, ok := m[2].(etf.Pid)
	c.mu.Lock()
	_, lives := c.inboxes[p.ID]
	c.mu.Unlock()
	if ok && lives {
		return nil // should it end with the connection, the node sees that itself
	}
	return c.control(etf.Tuple{opMonitorExit, m[2], m[1], m[3], etf.Atom("noproc")}, nil)
}
