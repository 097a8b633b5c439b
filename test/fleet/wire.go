package fleet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Wire is a node's way to NATS. It can be cut, and it can change when messages of the
// node arrive, how often and in which order. It also stands in for the node's clock:
// what a host writes of times, it reads from its clock.
type Wire struct {
	addr  string        // of the server
	clock time.Duration // by how much the node's clock is ahead

	mu   sync.Mutex
	cut  bool
	open map[*wired]bool
	dice *rand.Rand
	late delivery
}

// delivery is how messages travel.
type delivery struct {
	late, doubled, reordered float64 // shares
	by                       time.Duration
}

var errCut = errors.New("the wire is cut")

// InProcessConn connects to the server. It has the name by which the client of NATS
// takes connections from elsewhere than its own dialler.
func (w *Wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut {
		return nil, errCut
	}
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		return nil, err
	}
	x := &wired{Conn: c, wire: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errors.Join(errCut, c.Close())
	}
	w.open[x] = true
	return x, nil
}

// Cut ends the connections and lets none be made until it is mended.
func (w *Wire) Cut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for x := range w.open {
			_ = x.Conn.Close() // whoever uses it sees that
		}
	}
}

// set changes how messages travel from now on.
func (w *Wire) set(d delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = d
}

// wired is one connection: it takes the client's bytes apart into frames.
type wired struct {
	net.Conn
	wire *Wire

	mu   sync.Mutex // of what follows, and of writing
	rest []byte     // of a frame that is not whole
	held []byte     // a frame that the next one overtakes
}

// Close implements net.Conn.
func (x *wired) Close() error {
	x.wire.mu.Lock()
	delete(x.wire.open, x)
	x.wire.mu.Unlock()
	return x.Conn.Close()
}

// Write implements net.Conn. What is held back or late is said to be written: the
// client learns from acknowledgements that do not come.
func (x *wired) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rest = append(x.rest, b...)
	var out []byte
	for {
		frame, body := cutFrame(x.rest)
		if frame == nil {
			break
		}
		x.rest = x.rest[len(frame):]
		if body < 0 {
			out = append(out, frame...)
			continue
		}
		out = append(out, x.send(x.wire.shift(bytes.Clone(frame)))...)
	}
	if len(out) > 0 {
		if _, err := x.Conn.Write(out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// send returns what of a message goes out now. The caller holds the lock.
func (x *wired) send(frame []byte) []byte {
	w := x.wire
	w.mu.Lock()
	d := w.late
	late, doubled, reordered := w.dice.Float64() < d.late, w.dice.Float64() < d.doubled, w.dice.Float64() < d.reordered
	w.mu.Unlock()
	if doubled {
		x.later(frame, d.by)
	}
	switch {
	case late:
		x.later(frame, d.by)
		return nil
	case x.held != nil:
		frame = append(frame, x.held...)
		x.held = nil
	case reordered:
		x.held = frame
		return nil
	}
	return frame
}

// later writes a frame after a while; on a connection that ended meanwhile it is lost.
func (x *wired) later(frame []byte, by time.Duration) {
	time.AfterFunc(by, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		_, _ = x.Conn.Write(frame)
	})
}

// told are the subjects under which a node tells of itself.
var told = []string{"snapshots.", "anomalies.", "changes.", "nodes."}

// cutFrame returns the first whole frame of what a client sends. body is where the
// headers and the body of a message of the node begin, -1 of anything else.
func cutFrame(b []byte) (frame []byte, body int) {
	end := bytes.Index(b, []byte("\r\n"))
	if end < 0 {
		return nil, -1
	}
	words := strings.Fields(string(b[:end]))
	if len(words) < 3 || words[0] != "PUB" && words[0] != "HPUB" {
		return b[:end+2], -1
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		return b[:end+2], -1
	}
	whole := end + 2 + size + 2
	if len(b) < whole {
		return nil, -1
	}
	for _, prefix := range told {
		if strings.HasPrefix(words[1], prefix) {
			return b[:whole], end + 2
		}
	}
	return b[:whole], -1
}

// stamp is a time as messages write it.
var stamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z`)

// shift puts the times of a message by the node's clock. The frame keeps its length:
// a time is written with as many digits as it had.
func (w *Wire) shift(frame []byte) []byte {
	if w.clock == 0 {
		return frame
	}
	return stamp.ReplaceAllFunc(frame, func(text []byte) []byte {
		t, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return text
		}
		layout := "2006-01-02T15:04:05Z"
		if dot := bytes.IndexByte(text, '.'); dot > 0 {
			layout = "2006-01-02T15:04:05." + strings.Repeat("0", len(text)-dot-2) + "Z"
		}
		return []byte(t.Add(w.clock).UTC().Format(layout))
	})
}
