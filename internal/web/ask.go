package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

const (
	askPath = "/investigations/{id}/ask"
	// askWithin outlasts a coordinator's patience with its model.
	askWithin = 3*time.Minute + 10*time.Second
)

// ask asks something of an investigation that has ended, and answers when all is written.
func (s *Server) ask(ctx context.Context, q *query) (any, error) {
	id, in := q.id("id"), s.question(q, "text")
	if q.err() != nil {
		return nil, nil
	}
	raw, err := s.bus.Request(ctx, protocol.AskSubject, protocol.Ask{ID: id, Text: in.Text, By: by})
	return json.RawMessage(raw), err
}

// inParts answers who accepts server-sent events while the answer is being written, and
// leaves the others to whole.
func (s *Server) inParts(whole http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			whole(w, r)
			return
		}
		q := &query{Request: r}
		id, in := q.id("id"), s.question(q, "text")
		err := q.err()
		if err == nil && !s.bus.Connected() {
			err = errAway
		}
		if err != nil {
			s.answer(w, r, nil, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), askWithin)
		defer cancel()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		c := http.NewResponseController(w)
		_ = c.Flush()
		say := func(event string, body []byte) {
			_ = c.SetWriteDeadline(time.Now().Add(bodyWithin))
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, bytes.ReplaceAll(body, []byte("\n"), nil)) // it is JSON
			if c.Flush() != nil {
				cancel() // nobody reads it
			}
		}
		raw, err := s.bus.RequestParts(ctx, protocol.AskSubject, protocol.Ask{ID: id, Text: in.Text, By: by, Parts: true}, func(part []byte) { say("part", part) })
		if err != nil {
			_, p := statusOf(err)
			raw, _ = encode(p)
			say("problem", raw)
			return
		}
		say("answer", raw)
	}
}
