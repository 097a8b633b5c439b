package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A SkillView says what the fields of a target's snapshots mean.
type SkillView struct {
	// Words are the skill's own, as the node's probe says them; missing: Unknown says why.
	Words   *protocol.Words `json:"words,omitempty"`
	Unknown string          `json:"unknown,omitempty"`
	// Rates are how fast its counters grew between the last two snapshots, by name, a
	// second. One that its source began anew has none.
	Rates map[string]float64 `json:"rates"`
}

// wordsWithin is how long a probe has to say its words.
const wordsWithin = 3 * time.Second

func (s *Server) skill(ctx context.Context, q *query) (any, error) {
	node, target, skill := q.id("node"), q.id("target"), q.id("skill")
	if q.err() != nil {
		return nil, nil
	}
	v := SkillView{Rates: map[string]float64{}}
	words, err := s.wordsOf(ctx, node, target, skill)
	if err != nil {
		v.Unknown = err.Error()
		return v, nil
	}
	v.Words = words
	now, before, err := s.lastTwo(ctx, protocol.SnapshotSubject(node, target, skill))
	if err != nil {
		return nil, err
	}
	seconds := now.CapturedAt.Sub(before.CapturedAt).Seconds()
	for _, m := range words.Metrics {
		a, had := before.Data[m.Name].(float64)
		b, has := now.Data[m.Name].(float64)
		if m.Kind == protocol.Counter && had && has && b >= a && seconds > 0 {
			v.Rates[m.Name] = (b - a) / seconds
		}
	}
	return v, nil
}

// wordsOf asks a probe for the words of a skill. The error is for people.
func (s *Server) wordsOf(ctx context.Context, node, target, skill string) (*protocol.Words, error) {
	ctx, cancel := context.WithTimeout(ctx, wordsWithin)
	defer cancel()
	raw, err := s.bus.Request(ctx, protocol.ProbeSubject(node, "words"), protocol.Call{Target: target, Skill: skill})
	switch {
	case errors.As(err, new(*bus.DeniedError)):
		return nil, errors.New("the NATS user of this server may not ask probes what their fields mean")
	case errors.Is(err, bus.ErrNobody), errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("the probe of %s does not answer what its fields mean", node)
	case err != nil:
		return nil, err
	}
	w, err := protocol.Decode[protocol.Words](raw)
	return &w, err
}

// lastTwo returns the newest snapshot of a subject and the one before it; that is empty
// where there is none.
func (s *Server) lastTwo(ctx context.Context, subject string) (newest, before protocol.Snapshot, err error) {
	m, err := s.bus.LastDirect(ctx, bus.Snapshots, subject)
	if gone(err) {
		return newest, before, failure{http.StatusNotFound, "no snapshot was published in the last day"}
	}
	if err != nil {
		return newest, before, err
	}
	if newest, err = protocol.Decode[protocol.Snapshot](m.Data); err != nil {
		return newest, before, err
	}
	m, err = s.bus.Before(ctx, bus.Snapshots, subject, m.Sequence)
	if gone(err) {
		return newest, before, nil
	}
	if err != nil {
		return newest, before, err
	}
	before, err = protocol.Decode[protocol.Snapshot](m.Data)
	return newest, before, err
}
