package protocol

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Header names. NATS header keys are case-sensitive.
const (
	HeaderSpecVersion = "ce-specversion"
	HeaderID          = "ce-id"
	HeaderType        = "ce-type"
	HeaderSource      = "ce-source"
	HeaderTime        = "ce-time"
	HeaderTraceParent = "traceparent"
	HeaderMsgID       = "Nats-Msg-Id"
	// HeaderReply on a request names the subject that the result is sent to.
	HeaderReply = "Fleetlens-Reply"
	// HeaderPart on an answer says that it is a part, and that more comes.
	HeaderPart = "Fleetlens-Part"
)

// TypePrefix is how every message's type begins.
const TypePrefix = "fleetlens.v1."

// An Envelope describes a body: CloudEvents 1.0 attributes and W3C trace context.
type Envelope struct {
	ID          string    // unique per effect; made by NewID or EffectID
	Type        string    // "fleetlens.v1.snapshot"
	Source      string    // who sent it: "probe/web-1", "operator/op-3"
	Time        time.Time // when it was made
	TraceParent string    // W3C traceparent; empty: none
}

// NewEnvelope returns the envelope of a message.
func NewEnvelope(m Message, id, source string, at time.Time) Envelope {
	return Envelope{ID: id, Type: TypePrefix + m.MessageType(), Source: source, Time: at}
}

// Header returns the envelope as message headers. With dedupe the server drops
// a second message of this id within the stream's duplicate window.
func (e Envelope) Header(dedupe bool) map[string][]string {
	h := map[string][]string{
		HeaderSpecVersion: {"1.0"},
		HeaderID:          {e.ID},
		HeaderType:        {e.Type},
		HeaderSource:      {e.Source},
		HeaderTime:        {e.Time.UTC().Format(time.RFC3339Nano)},
	}
	if e.TraceParent != "" {
		h[HeaderTraceParent] = []string{e.TraceParent}
	}
	if dedupe {
		h[HeaderMsgID] = []string{e.ID}
	}
	return h
}

// ParseEnvelope reads the headers of a message. A message without them, as
// `nats pub` sends, gives the zero envelope and no error.
func ParseEnvelope(h map[string][]string) (Envelope, error) {
	get := func(name string) string {
		if v := h[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	e := Envelope{ID: get(HeaderID), Type: get(HeaderType), Source: get(HeaderSource), TraceParent: get(HeaderTraceParent)}
	if e.Type != "" && !strings.HasPrefix(e.Type, TypePrefix) {
		return e, fmt.Errorf("type %q is not of %s*", e.Type, TypePrefix)
	}
	if s := get(HeaderTime); s != "" {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return e, fmt.Errorf("%s: %w", HeaderTime, err)
		}
		e.Time = t
	}
	return e, nil
}

// NewID returns a random id: 16 lower-case hex digits.
func NewID() string {
	var b [8]byte
	rand.Read(b[:]) // it never fails; it crashes the program instead
	return hex.EncodeToString(b[:])
}

// NewTraceID returns a random W3C trace id: 32 lower-case hex digits.
func NewTraceID() string { return NewID() + NewID() }

// EffectID returns the id of what a step of a run causes. The same parts give
// the same id, so a repeated effect is dropped by the server: 16 hex digits.
func EffectID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
