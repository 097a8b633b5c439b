package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// MaxMessage is the server's default limit of one message, headers included, in bytes.
const MaxMessage = 1 << 20

// HeaderReserve is what the limits of bodies leave for headers, in bytes.
const HeaderReserve = 16 << 10

// A Message is a body with a type of its own.
type Message interface {
	// MessageType returns the last part of the type: "snapshot" of "fleetlens.v1.snapshot".
	MessageType() string
	// Validate names every field that is missing or wrong, joined.
	Validate() error
}

// limits is the size limit of each type's body in bytes.
var limits = map[string]int{
	"accepted":       288 << 10,
	"ack":            8 << 10,
	"alert":          64 << 10,
	"anomaly":        16 << 10,
	"ask":            16 << 10,
	"ask_part":       64 << 10,
	"ask_reply":      64 << 10,
	"call":           64 << 10,
	"call_reply":     256 << 10,
	"change":         64 << 10,
	"completion":     128 << 10,
	"deadletter":     128 << 10,
	"feedback":       16 << 10,
	"heartbeat":      64 << 10,
	"insight":        256 << 10,
	"links":          64 << 10,
	"note":           16 << 10,
	"notification":   128 << 10,
	"operator_state": 16 << 10,
	"progress":       16 << 10,
	"record":         768 << 10,
	"request":        256 << 10,
	"resolution":     16 << 10,
	"result":         768 << 10,
	"silence":        16 << 10,
	"snapshot":       64 << 10,
	"task":           320 << 10,
	"told":           16 << 10,
	"words":          512 << 10,
}

// Limit returns the largest body of the message type in bytes.
func Limit(messageType string) int { return limits[messageType] }

// Types returns one zero value of every message, for schemas and tests.
func Types() []Message {
	return []Message{
		Accepted{}, Ack{}, Alert{}, Anomaly{}, Ask{}, AskPart{}, AskReply{}, Call{}, CallReply{}, Change{}, Completion{}, DeadLetter{}, Feedback{},
		Heartbeat{}, Insight{}, Links{}, Note{}, Notification{}, State{}, Progress{}, Record{}, Request{}, Resolution{}, Result{}, Silence{},
		Snapshot{}, Task{}, Told{}, Words{},
	}
}

// ErrTooLarge is wrapped by the errors of Encode and Decode for a body over its limit.
var ErrTooLarge = errors.New("too large")

// Encode returns the body of a message. It refuses one that is not valid or over its limit.
func Encode(m Message) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", m.MessageType(), err)
	}
	// Not json.Marshal: it writes <, > and & as six bytes each, which people cannot
	// read and which makes a body grow each time it is passed on.
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", m.MessageType(), err)
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if len(b) > Limit(m.MessageType()) {
		return nil, fmt.Errorf("%s: %d bytes: %w (at most %d)", m.MessageType(), len(b), ErrTooLarge, Limit(m.MessageType()))
	}
	return b, nil
}

// Decode reads a body. Unknown fields are ignored; a body that is over its
// limit, not one JSON value, of wrong types or not valid is an error that says so.
func Decode[M Message](body []byte) (M, error) {
	var m M
	kind := m.MessageType()
	if len(body) > Limit(kind) {
		return m, fmt.Errorf("%s: %d bytes: %w (at most %d)", kind, len(body), ErrTooLarge, Limit(kind))
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return m, fmt.Errorf("%s: the body is empty", kind)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w", kind, plain(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%s: more follows the JSON value", kind)
	}
	if err := m.Validate(); err != nil {
		return m, fmt.Errorf("%s: %w", kind, err)
	}
	return m, nil
}

// plain says a JSON error in the words of the sender, who knows no Go types.
func plain(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return fmt.Errorf("the body must be a JSON object (got: %s)", wrong.Value)
		}
		return fmt.Errorf("field %q must not be a JSON %s", wrong.Field, wrong.Value)
	}
	if moment, ok := errors.AsType[*time.ParseError](err); ok {
		return fmt.Errorf(`%q is no time; write it as "2026-03-14T09:26:53Z"`, moment.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("not JSON: it ends too early")
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON: %w", err)
	}
	return err
}

func problems(errs ...error) error { return errors.Join(errs...) }

func required(field, value string) error {
	if value == "" {
		return fmt.Errorf("%q is required", field)
	}
	return nil
}

func oneOf[T ~string](field string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%q must be one of %q, not %q", field, allowed, value)
}

func requiredTime(field string, t time.Time) error {
	if t.IsZero() {
		return fmt.Errorf("%q is required", field)
	}
	return nil
}

func within[N int | int64](field string, v, low, high N) error {
	if v < low || v > high {
		return fmt.Errorf("%q must be from %d to %d, not %d", field, low, high, v)
	}
	return nil
}
