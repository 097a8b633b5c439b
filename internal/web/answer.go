package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// prefix is before every path of the API.
const prefix = "/api/v1"

// A failure is an error with the status that says it.
type failure struct {
	status int
	text   string
}

// Error implements error.
func (f failure) Error() string { return f.text }

// errAway is what is said while NATS is.
var errAway = failure{http.StatusServiceUnavailable, "not connected with NATS: what was read before is all there is until it is back"}

// Problem is the body of every answer that is an error.
type Problem struct {
	Error string `json:"error"`
	// Role is what would be allowed to do it, where the server's NATS user is not.
	Role string `json:"role,omitempty"`
}

// statusOf returns how an error is said.
func statusOf(err error) (int, Problem) {
	p := Problem{Error: err.Error()}
	var refusal bus.Refusal
	switch {
	case errors.As(err, new(failure)):
		f, _ := errors.AsType[failure](err)
		return f.status, p
	case errors.As(err, new(*reading.AmbiguousError)):
		return http.StatusConflict, p
	case errors.As(err, new(*bus.DeniedError)):
		denied, _ := errors.AsType[*bus.DeniedError](err)
		p.Role = denied.Role()
		return http.StatusForbidden, p
	case errors.As(err, &refusal) && refusal.Code >= 400 && refusal.Code < 600:
		return refusal.Code, p
	case errors.Is(err, bus.ErrNotFound):
		return http.StatusNotFound, p
	case errors.Is(err, bus.ErrNobody):
		return http.StatusServiceUnavailable, p
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, p
	case errors.As(err, new(*http.MaxBytesError)):
		p.Error = fmt.Sprintf("the body is larger than %d bytes", maxBody)
		return http.StatusRequestEntityTooLarge, p
	}
	return http.StatusBadGateway, p // NATS, or what it holds
}

// answer writes a value, or an error.
func (f *front) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	status := http.StatusOK
	if err != nil {
		status, v = statusOf(err)
		if status >= 500 && r.Context().Err() == nil { // else nobody waits for it any more
			f.log.Warn("a question of the API failed", "path", r.URL.Path, "status", status, "err", err)
		}
	} else if a, ok := v.(accepted); ok {
		status, v = http.StatusAccepted, a.value
	}
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, wrong := encode(v)
	if wrong != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
		f.log.Error("an answer of the API cannot be written", "path", r.URL.Path, "err", wrong)
	}
	write(w, r, status, "application/json", body)
}

// accepted is a value of something that goes on.
type accepted struct{ value any }

// encode writes JSON that keeps <, > and & as they are: it is never put into a page.
func encode(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// leastToCompress is from how many bytes on a body is worth compressing.
const leastToCompress = 1 << 10

// write sends a body, or that it is the one that the client has.
func write(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	if status == http.StatusOK && r.Method == http.MethodGet {
		sum := sha256.Sum256(body)
		etag := `W/"` + hex.EncodeToString(sum[:8]) + `"`
		h.Set("ETag", etag)
		h.Set("Cache-Control", "no-cache") // ask again, and be told that nothing is new
		if matches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if len(body) >= leastToCompress && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // it is a level that there is
		_, _ = z.Write(body)
		_ = z.Close()
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == etag || one == "*" {
			return true
		}
	}
	return false
}

// A query is a request as handlers read it: what is wrong with it is kept until the end,
// so that all of it is said at once.
type query struct {
	*http.Request
	wrong []error
}

// text returns a value of the query string.
func (q *query) text(name string) string { return q.URL.Query().Get(name) }

// number returns a whole number of the query string, within bounds.
func (q *query) number(name string, def, least, most int) int {
	text := q.text(name)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		q.wrong = append(q.wrong, fmt.Errorf("%s=%.40q: it is a number from %d to %d", name, text, least, most))
		return def
	}
	return n
}

// since returns the moment from which on something is asked for: an age (24h) or a time
// (RFC 3339).
func (q *query) since(def time.Duration) time.Time {
	text := q.text("since")
	if text == "" {
		return time.Now().Add(-def)
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(-d)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.wrong = append(q.wrong, fmt.Errorf("since=%.40q: it is an age, as 24h, or a time, as 2026-05-04T12:00:00Z", text))
	}
	return at
}

// cursor returns where a list goes on: the sequence in its stream; 0: at its beginning.
func (q *query) cursor() uint64 {
	text := q.text("cursor")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		q.wrong = append(q.wrong, fmt.Errorf("cursor=%.40q: take it from the next of an answer before", text))
	}
	return n
}

// id returns a part of the path, which must be a token as ids are.
func (q *query) id(name string) string {
	id := q.PathValue(name)
	if id == "" || len(id) > protocol.MaxToken || id == protocol.Any || id == ">" {
		q.wrong = append(q.wrong, fmt.Errorf("%.40q is no %s", id, name))
	}
	return id
}

// body reads the JSON of a request.
func (q *query) body(v any) {
	dec := json.NewDecoder(q.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		q.wrong = append(q.wrong, fmt.Errorf("the body: %w", err))
	}
}

// err is what was wrong; nil: nothing.
func (q *query) err() error {
	if len(q.wrong) == 0 {
		return nil
	}
	err := errors.Join(q.wrong...)
	if errors.As(err, new(*http.MaxBytesError)) {
		return err
	}
	return failure{http.StatusBadRequest, err.Error()}
}
