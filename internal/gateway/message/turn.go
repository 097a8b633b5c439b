package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Turn says in one line that what an insight is about is over, or goes on again.
func Turn(r protocol.Resolution, i protocol.Insight, ui string) Message {
	m := Of(i, ui)
	return Message{Mark: turned(r), Headline: m.Headline, Context: Clean(strings.Join([]string{r.Why, "it was " + m.Mark, "insight " + i.ID}, " · ")), Links: m.Links}
}

// Turned is an insight whose headline says how it stands now.
func Turned(r protocol.Resolution, i protocol.Insight, ui string) Message {
	m := Of(i, ui)
	m.Mark = turned(r) + " · " + m.Mark
	return m
}

func turned(r protocol.Resolution) string {
	if r.State == protocol.Resolved {
		return "✔ resolved after " + span(r.At.Sub(r.Since))
	}
	return "↺ goes on again"
}

// span says a duration in its two largest units.
func span(d time.Duration) string {
	minutes := int(d.Round(time.Minute).Minutes())
	switch h := minutes / 60; {
	case minutes < 1:
		return "less than a minute"
	case h == 0:
		return fmt.Sprintf("%d min", minutes)
	case h < 24:
		return fmt.Sprintf("%d h %d min", h, minutes%60)
	default:
		return fmt.Sprintf("%d d %d h", h/24, h%24)
	}
}
