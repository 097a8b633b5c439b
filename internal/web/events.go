package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// topics are what a client may listen to, and the subjects of each.
var topics = map[string][]string{
	"insights":       {protocol.InsightSubject(protocol.Any, protocol.Any, protocol.Any)},
	"investigations": {protocol.InvestigationSubject(protocol.Any, protocol.Any)},
	"findings": {
		protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), protocol.CompletionSubject(protocol.Any, protocol.Any),
		protocol.StateSubject(protocol.Any, protocol.Any),
	},
	"anomalies": {protocol.AnomalySubject(protocol.Any, protocol.Any, protocol.Any)},
	"changes":   {protocol.ChangeSubject(protocol.Any, protocol.Any)},
	"nodes":     {protocol.NodeSubject(protocol.Any)},
	"people":    {protocol.PeopleSubject(protocol.Any, protocol.Any)},
}

const (
	// kept is how many events a client that comes back may have missed.
	kept = 10_000
	// keepAlive is how often a silent connection says that it lives.
	keepAlive = 15 * time.Second
	// mostListeners is how many clients may listen at a time.
	mostListeners = 1000
)

// An event is one message, numbered by this server.
type event struct {
	n     uint64
	topic string
	data  []byte // an Event as JSON
}

// An Event is what a listener is sent.
type Event struct {
	Topic   string          `json:"topic"`
	Subject string          `json:"subject"`
	At      time.Time       `json:"at"`
	Message json.RawMessage `json:"message"`
}

// A hub passes on what happens to all who listen, and keeps the last of it for those who
// come back.
type hub struct {
	run string // of this server: numbers of another one mean nothing here

	mu        sync.Mutex
	last      uint64
	ring      []event
	changed   chan struct{} // closed when there is more
	listeners int
}

func newHub() *hub {
	return &hub{run: newToken()[:8], changed: make(chan struct{})}
}

// follow subscribes to all topics. Core subscriptions, no consumers: a listener costs the
// streams nothing. What was published while the server did not follow, or was cut off
// from NATS, it cannot have: listeners are told to read anew.
func (h *hub) follow(conn *bus.Conn) (stop func(), err error) {
	h.skip()
	stops := []func(){conn.OnReconnect(h.skip)}
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for topic, subjects := range topics {
		for _, subject := range subjects {
			end, err := conn.Subscribe(subject, func(m bus.Msg) { h.add(topic, m) })
			if err != nil {
				stop()
				return nil, fmt.Errorf("listen to %s: %w", subject, err)
			}
			stops = append(stops, end)
		}
	}
	return stop, nil
}

func (h *hub) add(topic string, m bus.Msg) {
	if !json.Valid(m.Data) {
		return
	}
	var compact bytes.Buffer // an event is one line
	if json.Compact(&compact, m.Data) != nil {
		return
	}
	data, err := encode(Event{topic, m.Subject, m.Time.UTC(), compact.Bytes()})
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	h.ring = append(h.ring, event{h.last, topic, bytes.TrimSpace(data)})
	if len(h.ring) > kept {
		h.ring = slices.Delete(h.ring, 0, len(h.ring)-kept)
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// skip forgets what was kept: whoever comes back, and whoever listens, must read anew.
func (h *hub) skip() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	h.ring = nil
	close(h.changed)
	h.changed = make(chan struct{})
}

// count is how many listen.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listeners
}

// after returns the events after a number, and what to wait for when there are none.
// whole is false when some of them are not kept any more.
func (h *hub) after(n uint64) (list []event, changed chan struct{}, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.last - uint64(len(h.ring)) + 1
	if n+1 < first || n > h.last {
		return nil, h.changed, false
	}
	return slices.Clone(h.ring[n+1-first:]), h.changed, true
}

// now is the number of the newest event.
func (h *hub) now() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// enter counts a listener; false: there are too many.
func (h *hub) enter(by int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if by > 0 && h.listeners >= mostListeners {
		return false
	}
	h.listeners += by
	return true
}

// streamEvents serves server-sent events. A client that comes back with Last-Event-ID has
// what it missed, or is told by the event reset to read anew.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	wanted, err := wantedTopics(r.URL.Query().Get("topics"))
	if err != nil {
		s.answer(w, r, nil, err)
		return
	}
	if !s.events.enter(1) {
		s.answer(w, r, nil, failure{http.StatusServiceUnavailable, fmt.Sprintf("%d clients listen already", mostListeners)})
		return
	}
	defer s.events.enter(-1)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c := http.NewResponseController(w)
	at, known := s.resume(r.Header.Get("Last-Event-ID"))
	// Who comes back before it heard anything must say where it began.
	_, _ = fmt.Fprintf(w, "retry: 2000\nid: %s-%d\n\n", s.events.run, at)
	if !known {
		_, _ = fmt.Fprintf(w, "id: %s-%d\nevent: reset\ndata: {}\n\n", s.events.run, at)
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		list, changed, whole := s.events.after(at)
		if !whole {
			at = s.events.now()
			_, _ = fmt.Fprintf(w, "id: %s-%d\nevent: reset\ndata: {}\n\n", s.events.run, at)
		}
		for _, e := range list {
			if at = e.n; slices.Contains(wanted, e.topic) {
				_, _ = fmt.Fprintf(w, "id: %s-%d\nevent: %s\ndata: %s\n\n", s.events.run, e.n, e.topic, e.data)
			}
		}
		_ = c.SetWriteDeadline(time.Now().Add(bodyWithin))
		if c.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-alive.C:
			_, _ = fmt.Fprint(w, ": alive\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// resume returns after which event a client goes on. known is false when what it says is
// of another run of the server; one that says nothing begins now.
func (s *Server) resume(id string) (at uint64, known bool) {
	if id == "" {
		return s.events.now(), true
	}
	run, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if run != s.events.run || err != nil {
		return s.events.now(), false
	}
	return n, true
}

func wantedTopics(text string) ([]string, error) {
	var have []string
	for t := range topics {
		have = append(have, t)
	}
	slices.Sort(have)
	if text == "" {
		return have, nil
	}
	wanted := strings.Split(text, ",")
	for _, t := range wanted {
		if !slices.Contains(have, t) {
			return nil, failure{http.StatusBadRequest, fmt.Sprintf("topics=%.60q: there are %s", text, strings.Join(have, ", "))}
		}
	}
	return wanted, nil
}
