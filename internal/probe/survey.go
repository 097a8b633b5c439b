package probe

import (
	"context"
	"time"
)

// surveyTimeout is how long changes, and links, may take.
const surveyTimeout = 30 * time.Second

// survey looks for changes and for whom the host talks to, at once and then at every
// Config.Survey, until ctx ends: one waking for both. A look that hangs is left behind,
// and none comes after it.
func (p *probe) survey(ctx context.Context) {
	if p.Links == nil && p.Changes == nil {
		return
	}
	links, changes := linksOf{probe: p}, changesOf{probe: p, keep: p.keeper()}
	for {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if p.Links != nil {
				links.look(ctx)
			}
			if p.Changes != nil {
				changes.look(ctx)
			}
		}()
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, p.cfg.Survey) {
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
	if text == f.text {
		return
	}
	if f.text = text; text == "" {
		p.Log.Info("a survey works again", "of", what)
		return
	}
	p.Log.Warn("a survey is not whole", "of", what, "err", p.cleanError(err))
}
