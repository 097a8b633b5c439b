package luasandbox

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A pool starts children, and keeps some ahead that are ready for a script.
//
// All are started on one thread of the pool's own: the kernel kills a child when
// the thread that started it ends, which is what ends them with the program, and
// a thread of the Go runtime's may end at any time.
type pool struct {
	limits Limits
	ahead  int
	thread func()             // starts the thread, once
	starts chan chan<- result // asks the thread for a child
	closed chan struct{}

	mu       sync.Mutex
	over     bool // closed
	idle     []*idler
	starting int            // children under way to idle
	behind   sync.WaitGroup // what is done behind a Run's back
	alive    sync.WaitGroup // children that need the thread: those starting, and those that a Run has
}

// A result is what came of a start.
type result struct {
	p   *process
	err error
}

func newPool(limits Limits, ahead int) *pool {
	p := &pool{limits: limits, ahead: ahead, starts: make(chan chan<- result), closed: make(chan struct{})}
	p.thread = sync.OnceFunc(func() { go p.startThem() })
	return p
}

// startThem starts children until the pool is closed and the last of them is gone.
func (p *pool) startThem() {
	runtime.LockOSThread() // and never unlocked, so that the thread ends here
	closed, gone := p.closed, make(chan struct{})
	for {
		select {
		case reply := <-p.starts:
			child, err := start()
			reply <- result{child, err}
		case <-closed:
			closed = nil
			go func() {
				p.alive.Wait()
				close(gone)
			}()
		case <-gone:
			return
		}
	}
}

// start starts a child and returns it ready. The caller has counted it as alive.
func (p *pool) start(ctx context.Context, ahead bool) (*process, error) {
	p.thread()
	reply := make(chan result, 1)
	p.starts <- reply
	r := <-reply
	if r.err != nil {
		return nil, r.err
	}
	defer r.p.killWith(ctx)()
	if err := r.p.handshake(p.limits, ahead); err != nil {
		r.p.close()
		if ctx.Err() != nil {
			err = ended(ctx)
		}
		return nil, err
	}
	return r.p, nil
}

// take returns a ready child: one that has waited, or else a fresh one. It is to
// be given back when it has run its script.
func (p *pool) take(ctx context.Context) (child *process, waited bool, err error) {
	p.mu.Lock()
	for len(p.idle) > 0 {
		i := p.idle[0]
		p.idle = p.idle[1:]
		if child = i.wake(); child != nil {
			p.alive.Add(1)
			p.mu.Unlock()
			return child, true, nil
		}
	}
	p.mu.Unlock()
	return p.fresh(ctx)
}

// fresh starts a child, which is to be given back too.
func (p *pool) fresh(ctx context.Context) (child *process, waited bool, err error) {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return nil, false, ErrClosed
	}
	p.alive.Add(1)
	p.mu.Unlock()
	if child, err = p.start(ctx, false); err != nil {
		p.alive.Done()
	}
	return child, false, err
}

// giveBack kills a child and, in the background, reaps it and starts another
// ahead in its place: now and not when it was taken, so that the one doesn't slow
// the other down.
func (p *pool) giveBack(child *process) {
	child.kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over { // nobody waits for what is behind any more
		child.close()
		p.alive.Done()
		return
	}
	missing := max(0, p.ahead-len(p.idle)-p.starting)
	p.starting += missing
	p.alive.Add(missing)
	p.behind.Go(func() {
		child.close()
		p.alive.Done()
		for range missing {
			p.refill()
		}
	})
}

// refill starts one child ahead. Where that fails it is left at that: the next
// Run starts its own, and says why it cannot.
func (p *pool) refill() {
	defer p.alive.Done()
	child, err := p.start(context.Background(), true)
	if err == nil {
		// The handshake's deadline ends here, and not in the watch, which may begin after it was called off.
		_ = child.said.SetReadDeadline(time.Time{})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if err != nil {
		return
	}
	if p.over {
		child.close()
		return
	}
	i := &idler{process: child, watched: make(chan struct{})}
	p.idle = append(p.idle, i)
	go i.watch(p)
}

// close ends the idle children, and returns when all that were given back are
// gone and none will wait again.
func (p *pool) close() {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	p.over = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, i := range idle {
		if child := i.wake(); child != nil {
			child.close()
		}
	}
	p.behind.Wait()
	close(p.closed)
}

// An idler is a ready child that waits for a script, and a watch over it: one
// that dies is reaped at once.
type idler struct {
	*process
	watched chan struct{} // closed when the watch is over
	dead    bool          // to be read after that
}

func (i *idler) watch(p *pool) {
	var b [1]byte
	n, err := i.said.Read(b[:]) // a child that waits says nothing
	i.dead = n > 0 || !isTimeout(err)
	if i.dead {
		i.close()
	}
	close(i.watched)
	if i.dead {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.idle = slices.DeleteFunc(p.idle, func(other *idler) bool { return other == i })
	}
}

// wake ends the watch and returns the child, or nil where it has died.
func (i *idler) wake() *process {
	_ = i.said.SetReadDeadline(time.Unix(1, 0)) // that it is closed already, the watch tells
	<-i.watched
	if i.dead {
		return nil
	}
	return i.process
}
