package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// probes asks hosts over NATS, and the stream where a host does not answer.
type probes struct {
	conn    *bus.Conn
	timeout time.Duration
	tells   tells
}

var _ agent.Probes = (*probes)(nil)

// NewProbes returns what asks hosts on a connection; a question to one may take timeout.
func NewProbes(conn *bus.Conn, timeout time.Duration) agent.Probes {
	return &probes{conn: conn, timeout: timeout}
}

// Snapshot implements agent.Probes.
func (p *probes) Snapshot(ctx context.Context, t protocol.TargetRef, skill string) (protocol.Snapshot, error) {
	fresh, err := p.ask(ctx, t, "snapshot", protocol.Call{Target: t.Target, Skill: skill, DeadlineMS: p.timeout.Milliseconds()})
	if err == nil {
		return protocol.Decode[protocol.Snapshot](fresh)
	}
	if ctx.Err() != nil {
		return protocol.Snapshot{}, context.Cause(ctx)
	}
	last, lastErr := p.last(ctx, t, skill)
	if lastErr != nil {
		return protocol.Snapshot{}, fmt.Errorf("%w, and %w", err, lastErr)
	}
	return last, nil
}

// Call implements agent.Probes.
func (p *probes) Call(ctx context.Context, t protocol.TargetRef, callback string, args []any) (protocol.CallReply, error) {
	call := protocol.Call{Target: t.Target, Callback: callback, DeadlineMS: p.timeout.Milliseconds()}
	if len(args) > 0 {
		call.Args = args
	}
	raw, err := p.ask(ctx, t, "call", call)
	if err != nil {
		return protocol.CallReply{}, err
	}
	return protocol.Decode[protocol.CallReply](raw)
}

// answerGrace is how much longer than the probe's own deadline an answer may take.
const answerGrace = 150 * time.Millisecond

func (p *probes) ask(ctx context.Context, t protocol.TargetRef, verb string, call protocol.Call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout+answerGrace)
	defer cancel()
	asked := time.Now()
	raw, err := p.patiently(ctx, protocol.ProbeSubject(t.Node, verb), call)
	p.tells.asked(ctx, verb, asked, err)
	switch {
	case errors.Is(err, bus.ErrNobody):
		return nil, silent{fmt.Errorf("the probe of %s does not answer: it is not connected", t.Node)}
	case errors.Is(err, context.DeadlineExceeded):
		return nil, silent{fmt.Errorf("the probe of %s did not answer within %s", t.Node, p.timeout)}
	}
	return raw, err
}

// busy is what a probe refuses with while it answers as many questions as it may.
const busy = 429

// patiently asks again while the probe is busy: the operators of all skills ask a
// host at the same moment, and who comes late must not take it for healthy.
func (p *probes) patiently(ctx context.Context, subject string, call protocol.Call) ([]byte, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		raw, err := p.conn.Request(ctx, subject, call)
		if r, ok := errors.AsType[bus.Refusal](err); !ok || r.Code != busy {
			return raw, err
		}
		pause := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		case <-pause.C:
		}
	}
}

// silent is an error of a probe that does not answer.
type silent struct{ error }

// Is marks it as agent.ErrNoAnswer.
func (silent) Is(target error) bool { return target == agent.ErrNoAnswer }

// last returns the latest snapshot that the target's probe published.
func (p *probes) last(ctx context.Context, t protocol.TargetRef, skill string) (protocol.Snapshot, error) {
	m, err := p.conn.LastDirect(ctx, bus.Snapshots, protocol.SnapshotSubject(t.Node, t.Target, skill))
	if errors.Is(err, bus.ErrNotFound) {
		return protocol.Snapshot{}, errors.New("it published no snapshot in the last day")
	}
	if err != nil {
		return protocol.Snapshot{}, err
	}
	return protocol.Decode[protocol.Snapshot](m.Data)
}

// latest returns the latest published snapshot of each target that has one.
func (p *probes) latest(ctx context.Context, task protocol.Task) []protocol.Snapshot {
	found := make([]*protocol.Snapshot, len(task.Targets))
	var wg sync.WaitGroup
	for i, t := range task.Targets {
		wg.Go(func() {
			if s, err := p.last(ctx, t, task.Skill); err == nil {
				found[i] = &s
			}
		})
	}
	wg.Wait()
	out := []protocol.Snapshot{}
	for _, s := range found {
		if s != nil {
			out = append(out, *s)
		}
	}
	return out
}

// findings publishes what operators find.
type findings struct{ conn *bus.Conn }

var _ agent.Findings = findings{}

// Notify implements agent.Findings.
func (f findings) Notify(ctx context.Context, n protocol.Notification) error {
	_, err := f.conn.PublishOnce(ctx, bus.Findings, bus.Outgoing{
		Subject: protocol.NotificationSubject(n.Operator, n.Node, n.InvestigationID), Body: n, ID: n.ID, At: n.DetectedAt,
	})
	return err
}

// StateChanged implements agent.Findings.
func (f findings) StateChanged(ctx context.Context, s protocol.State) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = f.conn.PublishOnce(ctx, bus.Findings, bus.Outgoing{
		Subject: protocol.StateSubject(s.Skill, s.InvestigationID), Body: s, ID: protocol.EffectID(s.RunID, "state", string(raw)), At: s.At,
	})
	return err
}
