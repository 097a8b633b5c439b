package probe

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/redact"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Keeper keeps what must outlast a restart of the probe, by name. Read returns nil
// for what was never written.
type Keeper interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// A ChangeFinder returns what changed on the host since it looked last, by what keep
// holds. done keeps what it saw; the probe calls it when the changes are on their way.
// The error says what could not be read; the changes are those of the rest.
type ChangeFinder func(ctx context.Context, keep Keeper) (found []protocol.Change, done func() error, err error)

const (
	// maxChangeText is how long the text of a change may be, in bytes.
	maxChangeText = 2 << 10
	maxChangeWord = 256 // of what it was before and is now
)

// changesOf publishes the changes of one probe.
type changesOf struct {
	*probe
	keep    Keeper
	failing failure
}

// look publishes what changed since the last look.
func (c *changesOf) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	err := safely(func() error { return c.publish(ctx) })
	if ctx.Err() == nil {
		c.failing.note(c.probe, "changes", err)
	}
}

func (c *changesOf) publish(ctx context.Context) error {
	found, done, err := c.Changes(ctx, c.keep)
	if ctx.Err() != nil {
		return err
	}
	list := make([]bus.Outgoing, len(found))
	for i, f := range found {
		f = c.cleanChange(f)
		list[i] = bus.Outgoing{Subject: protocol.ChangeSubject(f.Node, f.Source), Body: f, ID: f.ID, Dedupe: true, At: f.At}
	}
	c.outbox.add(list...)
	if done == nil {
		return err
	}
	if kept := done(); kept != nil && err == nil {
		err = kept
	}
	return err
}

// cleanChange returns a change as it leaves the host.
func (p *probe) cleanChange(c protocol.Change) protocol.Change {
	if p.cfg.Redact {
		c.Text, c.From, c.To = redact.Text(c.Text), redact.Text(c.From), redact.Text(c.To)
	}
	c.Text, c.From, c.To = short(c.Text, maxChangeText), short(c.From, maxChangeWord), short(c.To, maxChangeWord)
	return c
}

// keeper returns the probe's state folder; without one what is kept lasts as long as
// the probe runs.
func (p *probe) keeper() Keeper {
	if p.state == "" {
		return memory{}
	}
	return onDisk{p.state}
}

type onDisk struct{ state }

func (d onDisk) Read(name string) ([]byte, error)     { return d.read(name) }
func (d onDisk) Write(name string, data []byte) error { return d.write(name, data) }

type memory map[string][]byte

func (m memory) Read(name string) ([]byte, error)     { return m[name], nil }
func (m memory) Write(name string, data []byte) error { m[name] = data; return nil }
