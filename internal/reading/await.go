package reading

import (
	"context"
	"errors"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// lookAgain is after how long the end of an investigation is looked for anew: its message
// is lost when it comes while NATS is away.
const lookAgain = 5 * time.Second

// storedSoon is how often it is looked for once its message was seen, which subscribers
// are sent before the stream has it.
const storedSoon = 20 * time.Millisecond

// Await waits for the end of an investigation, and returns it. progress, when it is not
// nil, is told what is done meanwhile, one line at a time; lines may be lost. An
// investigation that nobody knows is waited for too, until ctx ends.
func Await(ctx context.Context, conn *bus.Conn, id string, progress func(protocol.Progress)) (protocol.Result, error) {
	ended := make(chan struct{}, 1)
	subject := protocol.InvestigationSubject(id, protocol.PhaseFinished)
	stop, err := conn.Subscribe(subject, func(bus.Msg) {
		select {
		case ended <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return protocol.Result{}, err
	}
	defer stop()
	if progress != nil {
		stop, err := conn.Subscribe(protocol.InvestigationSubject(id, protocol.PhaseProgress), func(m bus.Msg) {
			if p, err := protocol.Decode[protocol.Progress](m.Data); err == nil {
				progress(p)
			}
		})
		if err != nil {
			return protocol.Result{}, err
		}
		defer stop()
	}
	if err := conn.Flush(ctx); err != nil { // from here on no end is missed
		return protocol.Result{}, err
	}
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		m, err := conn.LastDirect(ctx, bus.Findings, subject)
		if err == nil {
			return protocol.Decode[protocol.Result](m.Data)
		}
		if !errors.Is(err, bus.ErrNotFound) {
			return protocol.Result{}, err
		}
		select {
		case <-ctx.Done():
			return protocol.Result{}, context.Cause(ctx)
		case <-ended:
			again.Reset(storedSoon)
		case <-again.C:
		}
	}
}
