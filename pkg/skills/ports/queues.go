package ports

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// What is kept of queues: some 20 KB.
const (
	queueReadings = 20 // snapshots
	queueSockets  = 48 // of each, the longest queues
	queueAccepts  = 16 // of each, the fullest accept queues
)

// A queueSize is how much waited in one socket: bytes, or of a listener connections.
type queueSize struct {
	id   uint64 // the socket's inode
	size uint64
}

// A queueReading is the longest queues at one moment. Of a kind that is not cut,
// a socket that is not in it had nothing waiting.
type queueReading struct {
	at                     time.Time
	sockets, accepts       []queueSize
	socketsCut, acceptsCut bool
}

// of returns what waited in a socket; ok is false when the reading cannot tell.
func (q *queueReading) of(id uint64, listener bool) (size uint64, ok bool) {
	list, wasCut := q.sockets, q.socketsCut
	if listener {
		list, wasCut = q.accepts, q.acceptsCut
	}
	for _, s := range list {
		if s.id == id {
			return s.size, true
		}
	}
	return 0, !wasCut
}

// longest collects the longest of many queues.
type longest struct {
	most int
	list []queueSize
	cut  bool
}

func (l *longest) add(s queueSize) {
	if s.size == 0 || s.id == 0 {
		return
	}
	if l.list = append(l.list, s); len(l.list) == 4*l.most {
		l.trim()
	}
}

func (l *longest) trim() {
	slices.SortFunc(l.list, func(a, b queueSize) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.id, b.id))
	})
	l.cut = l.cut || len(l.list) > l.most
	l.list = l.list[:min(l.most, len(l.list))]
}

// A queueWatch reads queues as the sockets of a snapshot pass by.
type queueWatch struct{ sockets, accepts longest }

func newQueueWatch() *queueWatch {
	return &queueWatch{sockets: longest{most: queueSockets}, accepts: longest{most: queueAccepts}}
}

func (w *queueWatch) see(s *host.Socket) {
	if s.State == host.Listen {
		w.accepts.add(queueSize{s.Inode, uint64(s.Recv)})
		return
	}
	w.sockets.add(queueSize{s.Inode, queue(s)})
}

func (w *queueWatch) reading(at time.Time) queueReading {
	w.sockets.trim()
	w.accepts.trim()
	return queueReading{at, slices.Clone(w.sockets.list), slices.Clone(w.accepts.list), w.sockets.cut, w.accepts.cut}
}

// A queueHistory is the readings of the last snapshots, oldest first. It is safe
// for concurrent use.
type queueHistory struct {
	mu   sync.Mutex
	list []queueReading
}

// advance adds a reading, unless the newest is as good as new.
func (h *queueHistory) advance(r queueReading) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.list); n > 0 && r.at.Sub(h.list[n-1].at) < skills.ShortestRate {
		return
	}
	if len(h.list) == queueReadings {
		h.list = slices.Delete(h.list, 0, 1)
	}
	h.list = append(h.list, r)
}

// since returns the readings to compare with: those of the last so long, oldest
// first; when none is so young, the newest.
func (h *queueHistory) since(now time.Time, window time.Duration) []queueReading {
	h.mu.Lock()
	defer h.mu.Unlock()
	var old []queueReading
	for _, r := range h.list {
		if now.Sub(r.at) >= skills.ShortestRate {
			old = append(old, r)
		}
	}
	for i, r := range old {
		if now.Sub(r.at) <= window {
			return old[i:]
		}
	}
	return old[max(0, len(old)-1):]
}

// growth returns by how much a queue grew a second, and since when: the oldest
// reading that tells of it. ok is false when none does.
func growth(readings []queueReading, now time.Time, s *host.Socket) (rate float64, was uint64, over time.Duration, ok bool) {
	if s.State == host.Listen {
		return growthOf(readings, now, s.Inode, true, uint64(s.Recv))
	}
	return growthOf(readings, now, s.Inode, false, queue(s))
}

func growthOf(readings []queueReading, now time.Time, id uint64, listener bool, size uint64) (rate float64, was uint64, over time.Duration, ok bool) {
	for i := range readings {
		if was, ok = readings[i].of(id, listener); ok {
			over = now.Sub(readings[i].at)
			return (float64(size) - float64(was)) / over.Seconds(), was, over, true
		}
	}
	return 0, 0, 0, false
}

// waiting reads the sockets in which something waits, longest queue first, and
// the listeners with somebody in their accept queue, the fullest first.
func (h *history) waiting(ctx context.Context) (f *found, sockets, accepts []host.Socket, err error) {
	f, err = h.gather(ctx, both, func(s *host.Socket) bool {
		return s.Inode != 0 && (s.State == host.Listen && s.Recv > 0 || queue(s) > 0)
	})
	if err != nil {
		return nil, nil, nil, err
	}
	for _, s := range f.sockets {
		if s.State == host.Listen {
			accepts = append(accepts, s)
		} else {
			sockets = append(sockets, s)
		}
	}
	slices.SortFunc(sockets, byBothQueues)
	slices.SortFunc(accepts, func(a, b host.Socket) int {
		return cmp.Or(cmp.Compare(b.Recv, a.Recv), sameOrder(a, b))
	})
	return f, sockets, accepts, nil
}

// clear forgets all readings.
func (h *queueHistory) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = nil
}
