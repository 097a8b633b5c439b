package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// fault begins one fault, or ordinary load.
func fault(name string, n int, base string, s *shop) error {
	switch name {
	case "load":
		for range n {
			go customer(base)
		}
	case "goroutines": // n a second, for ever
		go every(time.Second/10, func() {
			for range n / 10 {
				go waitForReply(make(chan int))
			}
		})
	case "lock": // n wait for one that does not let go
		go s.stock.audit()
		for range n {
			go s.stock.reserve("anvil")
		}
	case "contention": // as lock, but it is let go again and again, and recorded
		runtime.SetMutexProfileFraction(1)
		runtime.SetBlockProfileRate(1)
		for range n {
			go every(time.Millisecond, func() { s.stock.count("anvil") })
		}
	case "queue": // n wait behind one call to a service that does not answer
		return queueBehind(n)
	case "heap": // n MiB a second are never let go
		go every(time.Second/10, func() { rememberOrder(n << 20 / 10) })
	case "gc": // a collection after the other
		debug.SetGCPercent(2)
		rememberOrder(64 << 20)
		for range n {
			go every(0, func() { renderInvoice(64 << 10) })
		}
	case "forcedgc": // n collections a second
		go every(time.Second/time.Duration(n), runtime.GC)
	case "pause": // collections wait for a copy of n MiB that cannot be interrupted
		go every(0, func() { copyArchive(n << 20) })
		go every(50*time.Millisecond, runtime.GC)
	case "parked": // no fault: n workers have nothing to do
		for range n {
			go waitForReply(make(chan int))
		}
	case "cache": // no fault: n MiB are held, and no more
		rememberOrder(n << 20)
	case "fds":
		return leakConnections(n)
	case "cpu":
		for range n {
			go every(0, func() { runtime.KeepAlive(burn(1e6)) })
		}
	case "panic": // n requests panic and are recovered
		for range n {
			recovered(func() { placeOrder(nil) })
		}
	case "panichang": // n panic, and what is deferred does not end
		for range n {
			go func() {
				defer reportPanic()
				placeOrder(nil)
			}()
		}
	default:
		return fmt.Errorf("unknown fault %q", name)
	}
	return nil
}

func every(d time.Duration, do func()) {
	for {
		do()
		if d > 0 {
			time.Sleep(d)
		}
	}
}

// customer orders again and again, as the ordinary load of a service does.
func customer(base string) {
	for {
		if r, err := http.Get(base + "/order"); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

//go:noinline
func waitForReply(c chan int) { <-c }

var orders [][]byte

//go:noinline
func rememberOrder(size int) { orders = append(orders, make([]byte, size)) }

//go:noinline
func renderInvoice(size int) { runtime.KeepAlive(make([]byte, size)) }

var archive, archived []byte

//go:noinline
func copyArchive(size int) {
	if len(archive) != size {
		archive, archived = make([]byte, size), make([]byte, size)
	}
	copy(archived, archive)
}

//go:noinline
func burn(n int) float64 {
	x := 1.0
	for i := range n {
		x += float64(i) / (x + 1)
	}
	return x
}

// leakConnections takes the limit of descriptors down and opens connections that
// nobody closes.
func leakConnections(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = uint64(2*n + 60)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		other, err := l.Accept()
		if err != nil {
			return err
		}
		go awaitMessage(c)
		go awaitMessage(other)
	}
	return nil
}

//go:noinline
func awaitMessage(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }

// silent is a listener that nobody accepts on; one that nobody holds is closed.
var silent net.Listener

// queueBehind has n callers wait for the one that talks to a service which does
// not answer.
func queueBehind(n int) (err error) {
	if silent, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	p := &payment{one: make(chan struct{}, 1), at: silent.Addr().String()}
	for range n {
		go p.charge()
	}
	return nil
}

type payment struct {
	one chan struct{}
	at  string
}

//go:noinline
func (p *payment) charge() {
	p.one <- struct{}{}
	c, err := net.Dial("tcp", p.at)
	if err == nil {
		_, _ = c.Read(make([]byte, 1))
	}
	<-p.one
}
