package agentproto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A chunk is one message of an answer.
type chunk struct {
	Type string `json:"type"` // status or response
	Data string `json:"data"`
}

// ack says that a prompt was taken, and then again and again that it is worked on: who
// hears nothing for 60 s gives up.
var ack = chunk{"status", "ack"}

// prompt has a prompt investigated.
func (a *agent) prompt(ctx context.Context, r bus.Req, say func([]byte) error) error {
	text, err := readPrompt(r.Data)
	if err != nil {
		return bus.Refuse(400, "%w", err)
	}
	req := protocol.Request{ID: protocol.NewID(), Reason: text}
	if _, err := protocol.Encode(req); err != nil {
		return bus.Refuse(400, "%w", err)
	}
	if err := send(say, ack); err != nil {
		return err
	}
	result, err := a.investigate(ctx, req, func(c chunk) error { return send(say, c) })
	if err != nil {
		return err
	}
	for part := range split(conclusion(result), int(a.conn.MaxPayload())) {
		if err := send(say, chunk{"response", part}); err != nil {
			return err
		}
	}
	return nil
}

func send(say func([]byte) error, c chunk) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return say(body)
}

// readPrompt reads a request: an object with a prompt, or the prompt itself.
func readPrompt(data []byte) (string, error) {
	if len(data) == 0 {
		return "", errors.New(`the prompt is empty: send text, or {"prompt":"…"}`)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, "\t\n\r "), []byte("{")) {
		if !utf8.Valid(data) {
			return "", errors.New("the prompt is no UTF-8")
		}
		return string(data), nil
	}
	var envelope struct {
		Prompt      *string           `json:"prompt"`
		Attachments []json.RawMessage `json:"attachments"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return "", fmt.Errorf(`what begins with { must be {"prompt":"…"}: %w`, err)
	}
	switch {
	case envelope.Prompt == nil || *envelope.Prompt == "":
		return "", errors.New(`"prompt" is missing or empty`)
	case len(envelope.Attachments) > 0:
		return "", errors.New(`"attachments" are not taken: attachments_ok is false`)
	}
	return *envelope.Prompt, nil
}

// mostWaiting is how many lines of progress wait to be said; more are left out.
const mostWaiting = 64

// investigate asks, says what is done, and returns how it ended.
func (a *agent) investigate(ctx context.Context, req protocol.Request, say func(chunk) error) (protocol.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		result protocol.Result
		err    error
	}
	ended, steps := make(chan end, 1), make(chan string, mostWaiting)
	if _, err := a.conn.Publish(ctx, bus.Outgoing{Subject: protocol.RequestSubject, Body: req, ID: req.ID, Dedupe: true}); err != nil {
		return protocol.Result{}, err
	}
	go func() {
		result, err := reading.Await(ctx, a.conn, req.ID, func(p protocol.Progress) {
			select {
			case steps <- p.Agent + ": " + p.Text:
			default:
			}
		})
		ended <- end{result, err}
	}()
	alive := time.NewTicker(a.every)
	defer alive.Stop()
	for {
		var err error
		select {
		case e := <-ended:
			if e.err != nil {
				return e.result, fmt.Errorf("the investigation %s goes on, its end was not heard of: %w", req.ID, e.err)
			}
			if e.result.State != protocol.ResultDone {
				return e.result, fmt.Errorf("the investigation %s ended as %s: %s", req.ID, e.result.State, e.result.Error)
			}
			return e.result, nil
		case step := <-steps:
			err = say(chunk{"status", step})
		case <-alive.C:
			err = say(ack)
		}
		if err != nil {
			return protocol.Result{}, err
		}
	}
}

// conclusion says what was concluded, facts apart from guesses.
func conclusion(r protocol.Result) string {
	var b strings.Builder
	for _, i := range r.Insights {
		fmt.Fprintf(&b, "%s (%s, confidence %s)\n", i.Summary, i.Severity, i.Confidence)
		switch {
		case i.RootCauseHypothesis == "":
		case i.HypothesisGrounded:
			fmt.Fprintf(&b, "Hypothesis, grounded (%s): %s\n", i.Grounding, i.RootCauseHypothesis)
		default:
			fmt.Fprintf(&b, "Hypothesis, not grounded (%s): %s\n", i.Grounding, i.RootCauseHypothesis)
		}
		list(&b, "Ruled out", i.RuledOut)
		list(&b, "Not looked at", i.NotChecked)
		list(&b, "Suggested", i.SuggestedActions)
		fmt.Fprintf(&b, "Insight %s, decided by %s.\n\n", i.ID, i.Model)
	}
	if len(r.Insights) == 0 {
		b.WriteString("Nothing was concluded.\n\n")
	}
	fmt.Fprintf(&b, "Investigation %s.", r.InvestigationID)
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

func list(b *strings.Builder, title string, items []string) {
	if len(items) > 0 {
		fmt.Fprintf(b, "%s: %s\n", title, strings.Join(items, "; "))
	}
}

// split cuts a text into parts of which each, as a chunk, is within a payload.
func split(text string, payload int) iter.Seq[string] {
	const (
		around = 64 // the rest of a chunk
		grows  = 6  // bytes in JSON for one of the text, at most
	)
	most := max((payload-around)/grows, utf8.UTFMax)
	return func(yield func(string) bool) {
		for len(text) > most {
			n := most
			for n > 0 && !utf8.RuneStart(text[n]) {
				n--
			}
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
		yield(text)
	}
}
