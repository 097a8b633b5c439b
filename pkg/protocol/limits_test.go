package protocol_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// padding names a text field of each type that may be of any length.
var padding = map[string]string{
	"accepted": "Coordinator", "ack": "By", "alert": "Name", "anomaly": "Metric", "call": "Callback", "call_reply": "Error", "change": "Text",
	"completion": "Error", "deadletter": "Reason", "feedback": "Comment", "heartbeat": "Version", "insight": "Summary", "links": "Node", "note": "Text",
	"notification": "Observation", "operator_state": "Reason", "progress": "Text", "record": "Worker", "request": "Reason", "resolution": "Why", "result": "Error",
	"silence": "Reason", "snapshot": "Kind", "ask": "Text", "ask_part": "Summary", "ask_reply": "Summary", "task": "Reason", "told": "Text", "words": "Prompt",
}

// sized returns a golden message whose body has exactly size bytes.
func sized(t *testing.T, g golden, size int) protocol.Message {
	t.Helper()
	m, err := decoders[g.kind](g.body)
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.New(reflect.TypeOf(m)).Elem()
	v.Set(reflect.ValueOf(m))
	f := v.FieldByName(padding[g.kind])
	f.SetString("x")
	b, err := protocol.Encode(v.Interface().(protocol.Message))
	if err != nil {
		t.Fatal(err)
	}
	f.SetString(strings.Repeat("x", 1+size-len(b)))
	return v.Interface().(protocol.Message)
}

func TestLimitIsTheLargestBody(t *testing.T) {
	for _, g := range goldens(t) {
		if g.name != g.kind {
			continue
		}
		t.Run(g.kind, func(t *testing.T) {
			limit := protocol.Limit(g.kind)
			body, err := protocol.Encode(sized(t, g, limit))
			if err != nil {
				t.Fatalf("Encode at the limit: %v", err)
			}
			if len(body) != limit {
				t.Fatalf("the body has %d bytes, want %d", len(body), limit)
			}
			if _, err := decoders[g.kind](body); err != nil {
				t.Errorf("Decode at the limit: %v", err)
			}
			if _, err := protocol.Encode(sized(t, g, limit+1)); !errors.Is(err, protocol.ErrTooLarge) {
				t.Errorf("Encode of one byte more: %v, want ErrTooLarge", err)
			}
			if _, err := decoders[g.kind](append(body, ' ')); !errors.Is(err, protocol.ErrTooLarge) {
				t.Errorf("Decode of one byte more: %v, want ErrTooLarge", err)
			}
		})
	}
}

func TestLimitsLeaveRoomForHeaders(t *testing.T) {
	for _, m := range protocol.Types() {
		if n := protocol.Limit(m.MessageType()) + protocol.HeaderReserve; n > protocol.MaxMessage {
			t.Errorf("%s: limit and headers are %d bytes, more than a message may have (%d)", m.MessageType(), n, protocol.MaxMessage)
		}
	}
}

func TestMessagesThatHoldOthersHaveRoomForThem(t *testing.T) {
	for holder, held := range map[string]string{"accepted": "request", "result": "insight", "task": "request"} {
		if protocol.Limit(holder) <= protocol.Limit(held) {
			t.Errorf("a %s may have %d bytes, no more than the %s in it (%d)", holder, protocol.Limit(holder), held, protocol.Limit(held))
		}
	}
}

func TestADeadLetterHasRoomForItsBodyInBase64(t *testing.T) {
	d := protocol.DeadLetter{
		Stream: "FL_WORK", Subject: protocol.RequestSubject, Reason: strings.Repeat("x", 4096), Body: make([]byte, protocol.MaxDeadLetterBody),
	}
	if _, err := protocol.Encode(d); err != nil {
		t.Error(err)
	}
}

func TestSnapshotsOfANotificationAreLimited(t *testing.T) {
	of := func(size int) protocol.Notification {
		for _, g := range goldens(t) {
			if g.name == "notification" {
				n, err := protocol.Decode[protocol.Notification](g.body)
				if err != nil {
					t.Fatal(err)
				}
				n.Snapshots[0].Data = map[string]any{"text": strings.Repeat("x", size-len("text")-4)}
				return n
			}
		}
		t.Fatal("no golden notification")
		return protocol.Notification{}
	}
	if _, err := protocol.Encode(of(protocol.MaxNotificationSnapshots)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := protocol.Encode(of(protocol.MaxNotificationSnapshots + 1)); err == nil || !strings.Contains(err.Error(), `"snapshots" hold about 32769 bytes, at most 32768`) {
		t.Errorf("one byte more: %v", err)
	}
}
