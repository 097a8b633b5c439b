package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// note reads what a message has for the sink; nil: nothing.
func (o *outlet) note(ctx context.Context, d *bus.Delivery) (*sinks.Note, error) {
	var n *sinks.Note
	var err error
	if strings.HasPrefix(d.Subject, strings.TrimSuffix(protocol.ResolutionSubject(protocol.Any), protocol.Any)) {
		n, err = o.noteOfTurn(ctx, d)
	} else {
		n, err = o.noteOfInsight(ctx, d)
	}
	if n != nil {
		n.Body = d.Data
	}
	return n, err
}

func (o *outlet) noteOfInsight(ctx context.Context, d *bus.Delivery) (*sinks.Note, error) {
	i, err := protocol.Decode[protocol.Insight](d.Data)
	if err != nil {
		return nil, bus.Permanent(fmt.Errorf("sink %s: %w", o.name, err))
	}
	wanted, err := o.cfg.Wants(i, func(node string) (map[string]string, error) { return o.labels(ctx, node) })
	if err != nil || !wanted {
		return nil, err
	}
	return &sinks.Note{Insight: i, Envelope: envelope(d.Msg, i, i.ID, i.CreatedAt), Message: message.Of(i, o.ui)}, nil
}

var errBefore = errors.New("an insight of the group is still to be sent")

// noteOfTurn reads what became of insights, where the sink was sent some of them. It waits
// for those that are still on their way.
func (o *outlet) noteOfTurn(ctx context.Context, d *bus.Delivery) (*sinks.Note, error) {
	r, err := protocol.Decode[protocol.Resolution](d.Data)
	if err != nil {
		return nil, bus.Permanent(fmt.Errorf("sink %s: %w", o.name, err))
	}
	if !o.cfg.Follows() {
		return nil, nil
	}
	last, err := o.conn.Last(ctx, bus.Insights, d.Subject)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return nil, err
	}
	if last.Sequence > d.Sequence { // it is no longer so
		return nil, nil
	}
	n := &sinks.Note{Turn: &r, Envelope: envelope(d.Msg, r, r.ID, r.At)}
	for _, id := range r.Insights {
		i, err := o.told(ctx, id)
		if errors.Is(err, errBefore) {
			return nil, bus.Later(err, min(max(o.now().Sub(d.Time), firstDelay), mostDelay))
		}
		if err != nil {
			return nil, err
		}
		if i == nil {
			continue
		}
		n.Told = append(n.Told, *i)
		if len(n.Told) == 1 || i.Supersedes != "" {
			n.Insight = *i
		}
	}
	if len(n.Told) == 0 {
		return nil, nil
	}
	n.Message, n.Now = message.Turn(r, n.Insight, o.ui), message.Turned(r, n.Insight, o.ui)
	return n, nil
}

// told returns an insight that the sink was sent; nil: it was not, or is gone.
func (o *outlet) told(ctx context.Context, id string) (*protocol.Insight, error) {
	var done delivery
	if _, err := o.conn.ReadKey(ctx, bus.SentBucket, o.deliveryKey(id), &done); err != nil {
		return nil, err
	}
	switch done.State {
	case stateSending, stateWaiting:
		return nil, errBefore
	case stateSent:
	default:
		return nil, nil
	}
	m, err := o.conn.Get(ctx, bus.Insights, done.Sequence)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	i, err := protocol.Decode[protocol.Insight](m.Data)
	if err != nil || i.ID != id { // the stream was made anew
		return nil, nil
	}
	return &i, nil
}

// labels returns the labels that a node has now; none of one that is not known.
func (o *outlet) labels(ctx context.Context, node string) (map[string]string, error) {
	m, err := o.conn.LastDirect(ctx, bus.Nodes, protocol.NodeSubject(node))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	beat, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		o.log.Warn("a heartbeat cannot be read", "node", node, "err", err)
	}
	return beat.Labels, nil
}

// envelope returns that of the message, or one that stands for it: whoever published
// with `nats pub` gave none.
func envelope(m bus.Msg, body protocol.Message, id string, at time.Time) protocol.Envelope {
	e, err := protocol.ParseEnvelope(m.Header)
	if err != nil || e.ID == "" {
		return protocol.NewEnvelope(body, id, "gateway", at)
	}
	return e
}
