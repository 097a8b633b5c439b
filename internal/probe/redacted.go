package probe

import (
	"errors"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/redact"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// leaving returns what a callback gave as it leaves the host: as plain JSON
// values, without secrets, and of a bounded size.
func (p *probe) leaving(v any) (out any, truncated bool, err error) {
	out, truncated, err = bound(v, maxAnswer)
	if err != nil || !p.cfg.Redact {
		return out, truncated, err
	}
	// A marker may be longer than its secret: what fitted may not fit any more.
	out, again, err := bound(redact.Value(out), maxAnswer)
	return out, truncated || again, err
}

// clean takes the secrets out of a snapshot's strings. Its ids and its address
// are what evidence is cited by: they stay. So do the names of metrics.
func (p *probe) clean(snap *protocol.Snapshot) {
	if !p.cfg.Redact {
		return
	}
	for name, v := range snap.Data {
		if s, ok := v.(string); ok {
			snap.Data[name] = redact.Text(s)
		}
	}
	for i, s := range snap.Errors {
		snap.Errors[i] = redact.Text(s)
	}
}

// cleanError takes the secrets out of the words of a refusal.
func (p *probe) cleanError(err error) error {
	if err == nil || !p.cfg.Redact {
		return err
	}
	text := err.Error()
	clean := redact.Text(text)
	if clean == text {
		return err
	}
	if r, ok := errors.AsType[bus.Refusal](err); ok {
		return bus.Refusal{Code: r.Code, Err: errors.New(redact.Text(r.Err.Error()))}
	}
	return errors.New(clean)
}
