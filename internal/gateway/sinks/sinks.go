// Package sinks sends insights, and what becomes of them, to other systems, each in its own format. A sink makes one
// attempt and says how it went; who calls it remembers, waits and tries again.
package sinks

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Sink sends to one place. It is safe for concurrent use.
type Sink interface {
	// Send makes one attempt. The Ref is what is there now, also beside an error: a
	// sink that makes several calls goes on from it. An error that is no *Failure is
	// one that no repetition mends.
	Send(ctx context.Context, n Note) (Ref, error)
}

// A Note is one insight, or what became of it, on its way to a sink.
type Note struct {
	Insight  protocol.Insight
	Body     []byte            // what is sent as it lies in the stream
	Envelope protocol.Envelope // with which it lies there
	Message  message.Message
	At       time.Time // of this attempt
	// Again says that an attempt was made whose end nobody knows. Where the far side
	// drops repeats by a key that is no matter; elsewhere the message says so.
	Again bool
	Ref   Ref // what an earlier attempt of this insight reached; nil: nothing
	// Thread is the Ref of the first message of those that belong together; nil: this is it.
	Thread Ref
	// Turn is what became of the insights that were sent; nil: this is an insight. With a
	// Turn, Insight is the one that the first message shows, and Message says the turn.
	Turn *protocol.Resolution
	Told []protocol.Insight // with a Turn: the insights that were sent
	Now  message.Message    // with a Turn: Insight, and how it stands
}

// ID is that of what is sent.
func (n Note) ID() string {
	if n.Turn != nil {
		return n.Turn.ID
	}
	return n.Insight.ID
}

// over reports whether the note says that something is over.
func (n Note) over() bool { return n.Turn != nil && n.Turn.State == protocol.Resolved }

// A Ref names what a sink made: a message in a channel, an issue.
type Ref map[string]string

// repeated marks what may have arrived before.
const repeated = "↻ maybe a repeat"

// said returns the message, which says of itself that it may be a repeat.
func (n Note) said() message.Message {
	m := n.Message
	if n.Again {
		m.Mark = repeated + " · " + m.Mark
	}
	return m
}

// An Opened is a configured sink.
type Opened struct {
	Sink
	// Every is the least time between two messages that the far side wants; 0: any.
	Every time.Duration
}

// kinds is the one table of sinks.
func kinds() []kind {
	return []kind{
		{name: "webhook", follows: true, url: required, secrets: required, private: true, open: openWebhook},
		{name: "alertmanager", follows: true, url: required, token: optional, open: openAlertmanager},
		{name: "slack", url: optional, token: optional, channel: optional, open: openSlack, check: checkSlack, every: time.Second},
		{name: "pagerduty", follows: true, url: optional, token: required, open: openPagerDuty},
		{name: "teams", url: required, open: openTeams, every: 250 * time.Millisecond},
		{name: "discord", url: required, open: openDiscord, every: 500 * time.Millisecond},
		{name: "mattermost", url: required, channel: optional, open: openMattermost},
		{name: "email", follows: true, url: required, token: optional, mail: true, open: openEmail, check: checkEmail, every: time.Second},
		{name: "grafana", url: required, token: required, open: openGrafana},
		{name: "github", follows: true, url: optional, token: required, channel: required, open: openGitHub, every: time.Second},
		{name: "jira", follows: true, url: required, token: required, channel: required, open: openJira},
	}
}
