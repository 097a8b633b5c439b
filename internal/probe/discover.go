package probe

import (
	"context"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/redact"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

const (
	lookEvery   = 10 * time.Minute
	lookTimeout = 30 * time.Second
)

// discover looks for what could be targets, at once and then rarely, until ctx
// ends. A look that hangs is left behind, and none comes after it.
func (p *probe) discover(ctx context.Context) {
	for {
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.look(ctx)
		}()
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, lookEvery) {
			return
		}
	}
}

// look finds what the next heartbeats propose.
func (p *probe) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var list []protocol.Proposal
	err := safely(func() (err error) { list, err = p.Look(ctx); return err })
	if err != nil && ctx.Err() == nil {
		p.Log.Warn("not all could be looked at that could be a target", "err", err)
	}
	list = list[:min(len(list), protocol.MaxProposals)]
	if p.cfg.Redact {
		for i := range list {
			f := &list[i]
			f.Process = short(redact.Text(f.Process), protocol.MaxProposalWord) // a marker may be longer than its secret
			f.Why = short(redact.Text(f.Why), protocol.MaxProposalText)
		}
	}
	p.found.Store(&list)
}

func short(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// proposals returns what the last look found, if it fits into the heartbeat. That
// the probe lives is said in any case.
func (p *probe) proposals(h protocol.Heartbeat) []protocol.Proposal {
	list := p.found.Load()
	if list == nil || len(*list) == 0 {
		return nil
	}
	h.Proposals = *list
	if _, err := protocol.Encode(h); err != nil {
		return nil
	}
	return h.Proposals
}
