package dist

import (
	"context"
	"fmt"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// A Spawn is a process to be made on the node.
type Spawn struct {
	Module, Function etf.Atom
	Args             etf.List
	Priority         etf.Atom // low or normal
	// Heap is how many words its heap may have; when it has more it is killed.
	Heap int
}

// A Process is one that we made on the node and watch.
type Process struct {
	conn *Conn
	ref  etf.Ref
	pid  etf.Pid       // zero until the node has made it; under the connection's mu
	kill bool          // it is to be killed as soon as it is there
	done chan struct{} // closed when it has ended
	end  etf.Term      // why: the reason of its exit
	err  error         // why that is not known
	made chan struct{} // closed when it is there, or done is
}

// Spawn makes a process. It runs when Spawn returns without an error, or soon after.
func (c *Conn) Spawn(s Spawn) (*Process, error) {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, c.err
	}
	id := c.next
	c.next++
	p := &Process{conn: c, ref: c.refOf(id), done: make(chan struct{}), made: make(chan struct{})}
	c.spawns[id] = p
	c.mu.Unlock()
	me := c.pid(0)
	options := etf.List{
		etf.Atom("monitor"),
		etf.Tuple{etf.Atom("priority"), s.Priority},
		etf.Tuple{etf.Atom("max_heap_size"), etf.Map{
			{Key: etf.Atom("size"), Value: s.Heap}, {Key: etf.Atom("kill"), Value: true}, {Key: etf.Atom("error_logger"), Value: false},
		}},
	}
	// Our own process as its group leader: what it would print does not appear there.
	request := etf.Tuple{opSpawn, p.ref, me, me, etf.Tuple{s.Module, s.Function, len(s.Args)}, options}
	if err := c.control(request, s.Args); err != nil {
		c.forget(id)
		return nil, err
	}
	return p, nil
}

// Wait returns the reason of the process's exit. When ctx ends first the process is
// killed, and the error is the cause.
func (p *Process) Wait(ctx context.Context) (etf.Term, error) {
	select {
	case <-p.done:
		return p.end, p.err
	case <-ctx.Done():
		p.Kill()
		return nil, context.Cause(ctx)
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill kills the process, now or as soon as the node has made it.
func (p *Process) Kill() {
	p.conn.mu.Lock()
	p.kill = true
	pid := p.pid
	p.conn.mu.Unlock()
	if pid.Node != "" {
		_ = p.conn.control(etf.Tuple{opExit2, p.conn.pid(0), pid, etf.Atom("kill")}, nil)
	}
}

// Send sends the process a message, once the node has made it.
func (p *Process) Send(ctx context.Context, message etf.Term) error {
	select {
	case <-p.made:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.conn.mu.Lock()
	pid := p.pid
	p.conn.mu.Unlock()
	if pid.Node == "" {
		return fmt.Errorf("the process has ended: %w", p.err)
	}
	return p.conn.control(etf.Tuple{opSend, etf.Atom(""), pid}, message)
}

// finish is called once, under the connection's mu.
func (p *Process) finish(end etf.Term, err error) {
	p.end, p.err = end, err
	close(p.done)
	select {
	case <-p.made:
	default:
		close(p.made)
	}
}

func (c *Conn) refOf(id uint64) etf.Ref {
	return etf.Ref{Node: c.me, Creation: c.creation, Len: 3, ID: [5]uint32{uint32(id) & 0x3ffff, uint32(id >> 18), 0}}
}

// idOf returns which of our references a term is; 0: none.
func (c *Conn) idOf(t etf.Term) uint64 {
	r, ok := t.(etf.Ref)
	if !ok || r.Node != c.me || r.Creation != c.creation || r.Len < 2 {
		return 0
	}
	return uint64(r.ID[1])<<18 | uint64(r.ID[0])
}

// pid returns a process of ours: 0 is the one that asks.
func (c *Conn) pid(id uint32) etf.Pid {
	return etf.Pid{Node: c.me, ID: id + 1, Creation: c.creation}
}

func (c *Conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.spawns, id)
}

// spawned is the node's answer: the process, or why there is none.
func (c *Conn) spawned(ref, result etf.Term) {
	id := c.idOf(ref)
	c.mu.Lock()
	p := c.spawns[id]
	if p == nil {
		c.mu.Unlock()
		return
	}
	pid, ok := result.(etf.Pid)
	if !ok {
		delete(c.spawns, id)
		why, _ := etf.Text(result)
		p.finish(nil, fmt.Errorf("the node makes no process: %s", why))
		c.mu.Unlock()
		return
	}
	p.pid = pid
	close(p.made)
	kill := p.kill
	c.mu.Unlock()
	if kill {
		p.Kill()
	}
}

// gone is the end of a process.
func (c *Conn) gone(ref, reason etf.Term) {
	id := c.idOf(ref)
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.spawns[id]; p != nil {
		delete(c.spawns, id)
		p.finish(reason, nil)
	}
}

// An Inbox is a process of ours that others may send messages to.
type Inbox struct {
	conn    *Conn
	id      uint32
	letters chan etf.Term
	lost    int // for want of room, under the connection's mu
}

// roomFor is how many messages wait to be read; more are lost, and counted.
const roomFor = 4096

// Inbox opens one. Close it.
func (c *Conn) Inbox() *Inbox {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := &Inbox{conn: c, id: uint32(c.next) & 0xfffffff, letters: make(chan etf.Term, roomFor)}
	c.next++
	c.inboxes[i.id+1] = i
	return i
}

// Pid is how the node knows it.
func (i *Inbox) Pid() etf.Pid { return i.conn.pid(i.id) }

// Letters are the messages that came. The channel is never closed: see Conn.Ended.
func (i *Inbox) Letters() <-chan etf.Term { return i.letters }

// Lost is how many messages had no room.
func (i *Inbox) Lost() int {
	i.conn.mu.Lock()
	defer i.conn.mu.Unlock()
	return i.lost
}

// Close forgets it: what is sent to it is dropped.
func (i *Inbox) Close() {
	i.conn.mu.Lock()
	defer i.conn.mu.Unlock()
	delete(i.conn.inboxes, i.id+1)
}

// deliver puts a message where it belongs.
func (c *Conn) deliver(to, message etf.Term) {
	p, _ := to.(etf.Pid)
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.inboxes[p.ID]
	if i == nil {
		return
	}
	select {
	case i.letters <- message:
	default:
		i.lost++
	}
}
