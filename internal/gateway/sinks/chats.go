package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// discord posts to a webhook (discord.com/developers/docs/resources/webhook, "Execute
// Webhook").
type discord struct{ settings }

func openDiscord(s settings) (Sink, error) { return discord{s}, nil }

// An embed has 256 characters of a title, 4,096 of a description and 2,048 of a footer,
// 6,000 in all. What the lists of a description add is left free.
var discordLimits = message.Limits{Title: 256, More: 900, Hypothesis: 700, Facts: 1200, Lines: 10, Context: 1000, Width: markdownWidth}

var colours = map[string]int{string(protocol.SeverityCritical): 0xd93025, string(protocol.SeverityWarning): 0xf29900, string(protocol.SeverityInfo): 0x1a73e8}

// over is the colour of what is over.
const over = 0x1e8e3e

// since is when what the note says happened.
func (n Note) since() time.Time {
	if n.Turn != nil {
		return n.Turn.At
	}
	return n.Insight.CreatedAt
}

// colour is that of the severity.
func (n Note) colour() int {
	if n.over() {
		return over
	}
	return colours[string(n.Insight.Severity)]
}

// Send implements Sink.
func (d discord) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(discordLimits)
	embed := map[string]any{
		"title": markdownEscape(m.Title()), "description": markdown(m), "color": n.colour(),
		"timestamp": n.since().UTC().Format(time.RFC3339),
	}
	if len(m.Links) > 0 {
		embed["url"] = m.Links[0].URL
	}
	u, err := url.Parse(d.url)
	if err != nil {
		return nil, errors.New("the url is none") // the cause quotes it
	}
	q := u.Query()
	q.Set("wait", "true") // else the answer comes before Discord has looked
	u.RawQuery = q.Encode()
	raw, err := d.client.postJSON(ctx, u.String(), nil, map[string]any{
		"embeds": []any{embed}, "allowed_mentions": map[string]any{"parse": []string{}},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.ID == "" {
		return nil, nil
	}
	return Ref{"message": answer.ID}, nil
}

// mattermost posts to an incoming webhook (developers.mattermost.com, "Incoming
// webhooks"). It answers "ok": there are no threads.
type mattermost struct{ settings }

func openMattermost(s settings) (Sink, error) { return mattermost{s}, nil }

// A post has 16,383 characters.
var mattermostLimits = message.Limits{Title: 300, More: 2000, Hypothesis: 2000, Facts: 4000, Lines: 20, Context: 1000, Rest: 1200, Width: markdownWidth}

// Send implements Sink.
func (t mattermost) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(mattermostLimits)
	body := map[string]any{"text": "#### " + markdownEscape(m.Title()) + "\n\n" + markdown(m)}
	if t.channel != "" {
		body["channel"] = t.channel
	}
	_, err := t.client.postJSON(ctx, t.url, nil, body)
	return nil, err
}

// teams posts an Adaptive Card to a workflow (learn.microsoft.com, "Create incoming
// webhooks with Workflows").
type teams struct{ settings }

func openTeams(s settings) (Sink, error) { return teams{s}, nil }

// A message has about 28 KB; 21 KB are known to be safe. The limits count bytes.
var teamsLimits = message.Limits{Title: 500, More: 2000, Hypothesis: 3000, Facts: 6000, Lines: 15, Context: 1500, Rest: 1500, Width: teamsWidth}

// teamsWidth is how many bytes a rune takes as Markdown in JSON, at most.
func teamsWidth(r rune) int {
	if r == ':' || r == '.' {
		return 1 + len("\u200b")
	}
	s := markdownEscape(string(r))
	return len(s) + strings.Count(s, `\`) + strings.Count(s, `"`)
}

type card struct {
	Type    string `json:"type"`
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Body    []any  `json:"body"`
	Actions []any  `json:"actions,omitempty"`
}

// Send implements Sink.
func (t teams) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(teamsLimits)
	c := card{Type: "AdaptiveCard", Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Version: "1.2"}
	text := func(s string, more map[string]any) {
		block := map[string]any{"type": "TextBlock", "text": s, "wrap": true}
		maps.Copy(block, more)
		c.Body = append(c.Body, block)
	}
	text(markdownEscape(m.Title()), map[string]any{"weight": "Bolder", "size": "Medium"})
	if m.More != "" {
		text(markdownEscape(m.More), nil)
	}
	if m.Hypothesis != "" {
		text(markdownEscape(m.Hypothesis), map[string]any{"color": "Accent"})
	}
	for _, l := range append([]list{{"", shown(m)}}, rest(m)...) {
		if len(l.Lines) == 0 {
			continue
		}
		body := "- " + strings.Join(escaped(l.Lines), "\n- ")
		if l.Title != "" {
			body = "**" + l.Title + "**\n\n" + body
		}
		text(body, nil)
	}
	text(markdownEscape(m.Context), map[string]any{"isSubtle": true, "size": "Small"})
	for _, l := range m.Links {
		c.Actions = append(c.Actions, map[string]any{"type": "Action.OpenUrl", "title": l.Text, "url": l.URL})
	}
	_, err := t.client.postJSON(ctx, t.url, nil, map[string]any{
		"type":        "message",
		"attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": c}},
	})
	return nil, err
}

func escaped(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, markdownEscape(l))
	}
	return out
}
