package probe

import (
	"context"
	"time"
)

// surveyEvery is how often the probe looks for changes and for whom the host talks to.
const surveyEvery = time.Minute

// survey looks for changes and links at once and then every minute, until ctx ends:
// one waking for both.
func (p *probe) survey(ctx context.Context) {
	if p.Links == nil && p.Changes == nil {
		return
	}
	links, changes := linksOf{probe: p}, changesOf{probe: p, keep: p.keeper()}
	for {
		if p.Links != nil {
			links.look(ctx)
		}
		if p.Changes != nil {
			changes.look(ctx)
		}
		if !sleep(ctx, surveyEvery) {
			return
		}
	}
}

// A failure is logged when it begins, when it turns into another, and when it ends.
type failure struct{ text string }

func (f *failure) note(p *probe, what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == f.text:
	case text == "":
		p.Log.Info(what + " can be read again")
	default:
		p.Log.Warn(what+" cannot be read in full", "err", p.cleanError(err))
	}
	f.text = text
}
