package probe

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/redact"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A LinkReader tells whom the host talks to, and whether two of its answers say the
// same to whoever matches addresses.
type LinkReader interface {
	Links(ctx context.Context) (protocol.Links, error)
	Same(a, b protocol.Links) bool
}

// linksAgain is how often links are said that did not change.
const linksAgain = 10 * time.Minute

// linksOf publishes the links of one probe.
type linksOf struct {
	*probe
	said    protocol.Links
	at      time.Time // when it was said
	failing failure
}

// look publishes the links if they changed, or were said long ago.
func (l *linksOf) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	var links protocol.Links
	err := safely(func() (err error) { links, err = l.Links.Links(ctx); return err })
	if ctx.Err() != nil {
		return
	}
	l.failing.note(l.probe, "links", err)
	if err != nil || l.Links.Same(links, l.said) && time.Since(l.at) < linksAgain {
		return
	}
	l.said, l.at = links, time.Now()
	l.outbox.add(bus.Outgoing{Subject: protocol.LinksSubject(links.Node), Body: l.cleanLinks(links), At: links.At})
}

// cleanLinks returns links as they leave the host: a process may call itself anything.
func (p *probe) cleanLinks(l protocol.Links) protocol.Links {
	if !p.cfg.Redact {
		return l
	}
	listens, peers := make([]protocol.Listener, len(l.Listens)), make([]protocol.LinkPeer, len(l.Peers))
	for i, x := range l.Listens {
		x.Process = redact.Text(x.Process)
		listens[i] = x
	}
	for i, x := range l.Peers {
		x.Process = redact.Text(x.Process)
		peers[i] = x
	}
	l.Listens, l.Peers = listens, peers
	return l
}
