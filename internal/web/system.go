package web

import (
	"context"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/health"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Me is what the server itself may do.
type Me struct {
	URL       string `json:"url"` // of the NATS server
	Connected bool   `json:"connected"`
	CanWrite  bool   `json:"can_write"`      // whether requests and what people say are taken
	Role      string `json:"role,omitempty"` // that could, when it cannot
	Why       string `json:"why,omitempty"`
	// Opened is whether the server has no fleet, and shows an exported insight instead.
	Opened bool `json:"opened,omitempty"`
}

func (s *Server) me(ctx context.Context, _ *query) (any, error) {
	m := Me{URL: s.bus.URL(), Connected: s.bus.Connected(), CanWrite: true}
	if !m.Connected {
		m.CanWrite, m.Why = false, "not connected with NATS"
		return m, nil
	}
	if err := s.rights.Write(ctx, s.bus); err != nil {
		m.CanWrite, m.Role, m.Why = false, bus.ClientRole, err.Error()
	}
	return m, nil
}

// System says whether the tool itself can be trusted.
type System struct {
	Me          Me                    `json:"me"`
	Checks      []health.Check        `json:"checks"` // the worst first, as `fleetlens doctor` prints them
	Streams     []Stream              `json:"streams"`
	DeadLetters []protocol.DeadLetter `json:"dead_letters"` // the newest 20, without their bodies
	Dead        int                   `json:"dead"`         // how many there are
	Listeners   int                   `json:"listeners"`    // live connections of this server: one a browser
}

// A Stream is one against its limit.
type Stream struct {
	Name     string  `json:"name"`
	Doc      string  `json:"doc"`
	Messages uint64  `json:"messages"`
	Bytes    uint64  `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`
	UsedPct  float64 `json:"used_pct"`
	Error    string  `json:"error,omitempty"` // why it cannot be read
}

func (s *Server) system(ctx context.Context, q *query) (any, error) {
	me, err := s.me(ctx, q)
	if err != nil {
		return nil, err
	}
	state := health.Read(ctx, s.bus)
	out := System{Me: me.(Me), Checks: health.Judge(state, time.Now()), DeadLetters: []protocol.DeadLetter{}, Dead: state.Dead, Listeners: s.events.count()}
	for _, of := range state.Streams {
		st := Stream{Name: of.Row.Name, Doc: of.Row.Doc, Messages: of.Holds.Messages, Bytes: of.Holds.Bytes, MaxBytes: of.Holds.MaxBytes}
		if of.Err != nil {
			st.Error = of.Err.Error()
		} else if st.MaxBytes > 0 {
			st.UsedPct = float64(int(1000*float64(st.Bytes)/float64(st.MaxBytes))) / 10
		}
		out.Streams = append(out.Streams, st)
	}
	out.DeadLetters = append(out.DeadLetters, state.Letters...)
	slices.Reverse(out.DeadLetters)
	return out, nil
}
