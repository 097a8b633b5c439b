package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
)

// slackURL is where Slack's Web API is.
const slackURL = "https://slack.com/api"

func checkSlack(c Config) error {
	switch {
	case c.TokenEnv == "" && c.URL == "" && c.URLEnv == "":
		return errors.New("a sink of type slack has url_env, an incoming webhook, or token_env and channel, a bot: only a bot can put what belongs together into one thread")
	case c.TokenEnv != "" && c.Channel == "":
		return errors.New("channel is required by a sink of type slack with a token: the id of a channel, such as C0123456789")
	case c.TokenEnv == "" && c.Channel != "":
		return errors.New("channel means nothing to an incoming webhook of slack: it has a channel of its own")
	}
	return nil
}

func openSlack(s settings) (Sink, error) {
	if s.token == "" {
		return slackWebhook{s}, nil
	}
	if s.url == "" {
		s.url = slackURL
	}
	return slackBot{s}, nil
}

// slackLimits keep each block within what Slack takes, 150 characters of a header and
// 3,000 of a section (docs.slack.dev/reference/block-kit/blocks): over any limit Slack
// refuses the whole message. Escapes count.
var slackLimits = message.Limits{
	Title: 150, More: 2900, Hypothesis: 700, Facts: 2400, Lines: 5, Context: 1900, Rest: 2900,
	Width: func(r rune) int { return len([]rune(slackEscape(string(r)))) },
}

var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackEscape takes text as it is: without links, mentions and entities.
func slackEscape(s string) string { return slackEscapes.Replace(s) }

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Verbatim keeps Slack from making links of what looks like one.
	Verbatim bool `json:"verbatim,omitempty"`
}

type slackBlock struct {
	Type     string     `json:"type"`
	Text     *slackText `json:"text,omitempty"`
	Elements []any      `json:"elements,omitempty"`
}

type slackButton struct {
	Type string    `json:"type"`
	Text slackText `json:"text"`
	URL  string    `json:"url"`
}

func slackMarkup(s string) slackText { return slackText{Type: "mrkdwn", Text: s, Verbatim: true} }

func slackSection(s string) slackBlock {
	text := slackMarkup(s)
	return slackBlock{Type: "section", Text: &text}
}

// slackBlocks is a message that slackLimits cut.
func slackBlocks(m message.Message) []slackBlock {
	blocks := []slackBlock{{Type: "header", Text: &slackText{Type: "plain_text", Text: slackEscape(m.Title())}}}
	if m.More != "" {
		blocks = append(blocks, slackSection(slackEscape(m.More)))
	}
	if text, ok := strings.CutPrefix(m.Hypothesis, message.Guess); ok {
		blocks = append(blocks, slackSection("_"+strings.TrimSpace(message.Guess)+"_ "+slackEscape(text)))
	}
	if lines := shown(m); len(lines) > 0 {
		blocks = append(blocks, slackSection(slackEscape(strings.Join(lines, "\n"))))
	}
	blocks = append(blocks, slackBlock{Type: "context", Elements: []any{slackMarkup(slackEscape(m.Context))}})
	buttons := m.Links
	if len(m.Replies) > 0 {
		buttons = append(m.Links[:1:1], m.Replies...)
	}
	if len(buttons) > 0 {
		links := slackBlock{Type: "actions"}
		for _, l := range buttons {
			links.Elements = append(links.Elements, slackButton{"button", slackText{Type: "plain_text", Text: l.Text}, l.URL})
		}
		blocks = append(blocks, links)
	}
	return blocks
}

// shown is the facts, and how many are missing.
func shown(m message.Message) []string {
	lines := slices.Clone(m.Facts)
	if more := m.Shown(); more != "" {
		lines = append(lines, more)
	}
	return lines
}

// slackDetails is what stands in the thread: a section a list.
func slackDetails(n Note, m message.Message) []slackBlock {
	var blocks []slackBlock
	for _, l := range rest(m) {
		blocks = append(blocks, slackSection("*"+l.Title+"*\n"+slackEscape(strings.Join(l.Lines, "\n"))))
	}
	if n.Again && len(blocks) > 0 {
		blocks = slices.Insert(blocks, 0, slackSection(repeated))
	}
	return blocks
}

// A slackMessage is the body of an incoming webhook, and of chat.postMessage.
type slackMessage struct {
	Channel     string       `json:"channel,omitempty"`
	TS          string       `json:"ts,omitempty"`
	ThreadTS    string       `json:"thread_ts,omitempty"`
	Text        string       `json:"text"` // of notifications
	Blocks      []slackBlock `json:"blocks"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

// slackWebhook posts to an incoming webhook (docs.slack.dev, "Sending messages using
// incoming webhooks"). It answers "ok" and no more: there are no threads.
type slackWebhook struct{ settings }

// Send implements Sink.
func (s slackWebhook) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(slackLimits)
	_, err := s.client.postJSON(ctx, s.url, nil, slackMessage{Text: slackEscape(m.Title()), Blocks: append(slackBlocks(m), slackDetails(Note{}, m)...)})
	return nil, err
}

// slackBot posts as a bot: the first insight of those that belong together is a message with
// its details in a thread, others go into that thread, and one that supersedes changes the
// first message to itself. What becomes of them goes into the thread, and into the headline
// of the first message.
type slackBot struct{ settings }

// Keys of a slackBot's Ref. The ts is Slack's id of a message in a channel.
const (
	slackChannel = "channel"
	slackTS      = "ts"
	slackTold    = "details" // ts of the details
	slackReply   = "reply"   // ts of an insight in another's thread
	slackChanged = "changed" // ts of the message that it changed
)

// Send implements Sink.
func (s slackBot) Send(ctx context.Context, n Note) (Ref, error) {
	m := n.said().Cut(slackLimits)
	ref := Ref{}
	maps.Copy(ref, n.Ref)
	post := func(key, method string, to slackMessage) error {
		if ref[key] != "" {
			return nil
		}
		channel, ts, err := s.call(ctx, method, to)
		if err == nil {
			ref[key], ref[slackChannel] = ts, channel
		}
		return err
	}
	text := slackEscape(m.Title())
	if n.Thread == nil && n.Turn != nil {
		return nil, nil // what it could follow is gone
	}
	if n.Thread == nil {
		if err := post(slackTS, "chat.postMessage", slackMessage{Channel: s.channel, Text: text, Blocks: slackBlocks(m)}); err != nil {
			return ref, err
		}
		if details := slackDetails(n, m); len(details) > 0 {
			return ref, post(slackTold, "chat.postMessage", slackMessage{Channel: ref[slackChannel], ThreadTS: ref[slackTS], Text: text, Blocks: details})
		}
		return ref, nil
	}
	channel, root := n.Thread[slackChannel], n.Thread[slackTS]
	if n.Insight.Supersedes != "" || n.Turn != nil {
		now := n.Message.Cut(slackLimits) // a change that is repeated changes nothing
		if n.Turn != nil {
			now = n.Now.Cut(slackLimits)
		}
		err := post(slackChanged, "chat.update", slackMessage{Channel: channel, TS: root, Text: slackEscape(now.Title()), Blocks: slackBlocks(now)})
		if _, again := errors.AsType[*Failure](err); again || ctx.Err() != nil {
			return ref, err
		} // for good: somebody deleted it; what is new is told all the same
	}
	blocks := append(slackBlocks(m), slackDetails(Note{}, m)...)
	return ref, post(slackReply, "chat.postMessage", slackMessage{Channel: channel, ThreadTS: root, Text: text, Blocks: blocks})
}

// What Slack says when it is its own fault: the call may have worked.
var slackTroubles = []string{"internal_error", "fatal_error", "request_timeout", "service_unavailable"}

// call calls a method of the Web API, which answers most faults with 200 and ok:false.
func (s slackBot) call(ctx context.Context, method string, m slackMessage) (channel, ts string, err error) {
	header := bearer(s.token)
	header.Set("Content-Type", "application/json; charset=utf-8")
	raw, err := s.client.postJSON(ctx, s.url+"/"+method, header, m)
	if err != nil {
		return "", "", err
	}
	var answer struct {
		OK      bool   `json:"ok"`
		Error   string `json:"error"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return "", "", &Failure{Err: fmt.Errorf("%s: the answer is no JSON", method), Unknown: true}
	}
	if answer.OK && answer.TS != "" {
		return answer.Channel, answer.TS, nil
	}
	told := fmt.Errorf("%s: %s", method, message.Cut(message.Clean(answer.Error), maxQuote, nil))
	switch {
	case answer.OK:
		return "", "", fmt.Errorf("%s: the answer has no ts", method)
	case answer.Error == "ratelimited":
		return "", "", &Failure{Err: told}
	case slices.Contains(slackTroubles, answer.Error):
		return "", "", &Failure{Err: told, Unknown: true}
	}
	return "", "", told
}
