package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ name, kind, body, want string }{
		{"an empty body", "snapshot", "", "snapshot: the body is empty"},
		{"white space", "snapshot", " \n", "snapshot: the body is empty"},
		{"a list", "snapshot", "[]", "the body must be a JSON object (got: array)"},
		{"a string", "note", `"text"`, "the body must be a JSON object (got: string)"},
		{"null", "ack", "null", `"id" is required`},
		{"broken JSON", "ack", "{id:1}", "not JSON"},
		{"every missing field is named", "ack", "{}", "\"id\" is required\n\"by\" is required"},
		{"a field of the wrong type by its path", "notification", `{"figures":[{"value":"much"}]}`, `field "figures.value" must not be a JSON string`},
		{"a number for a time", "ack", `{"at":5}`, "JSON string"},
		{"a time that is none", "ack", `{"at":"noon"}`, `"noon" is no time`},
		{"bytes that are not base64", "deadletter", `{"body":"%%"}`, "base64"},
		{"an unknown severity", "insight", `{"severity":"fatal"}`, `"severity" must be one of ["info" "warning" "critical"], not "fatal"`},
		{"nested data of a snapshot", "snapshot", `{"data":{"disks":[1]}}`, `"data.disks" must be a number, a string or a boolean`},
		{"null in the data of a snapshot", "snapshot", `{"data":{"load":null}}`, `"data.load" must be a number, a string or a boolean`},
		{"arguments that are neither list nor object", "call", `{"args":5}`, `"args" must be a list or an object`},
		{"a call that may take an hour", "call", `{"deadline_ms":3600000}`, `"deadline_ms" must be from 0 to 60000`},
		{"a task without targets", "task", `{}`, `"targets" must be from 1 to 50, not 0`},
		{"a task for two kinds", "task", `{"targets":[{"kind":"go"},{"kind":"beam"}]}`, `"targets" are of the kinds "go" and "beam"; a task has one`},
		{"a heartbeat without an interval", "heartbeat", `{}`, `"interval_ms" must be from 1 to 3600000, not 0`},
		{"an unknown verdict", "feedback", `{"verdict":"meh"}`, `"verdict" must be one of ["right" "known" "not_quite" "wrong"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decoders[tt.kind]([]byte(tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), tt.kind+": ") {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	_, err := protocol.Encode(protocol.Ack{ID: "e5f6"})
	if err == nil || err.Error() != `ack: "by" is required` {
		t.Errorf("got %v", err)
	}
}

func TestTextIsReadableOnTheWire(t *testing.T) {
	b, err := protocol.Encode(protocol.Note{ID: "1", Text: "<b> & disk > 90 %", By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"text":"<b> & disk > 90 %"`; !strings.Contains(string(b), want) {
		t.Errorf("%s lacks %s", b, want)
	}
}

func TestSeverityRank(t *testing.T) {
	order := []protocol.Severity{"unknown", protocol.SeverityInfo, protocol.SeverityWarning, protocol.SeverityCritical}
	for i, s := range order {
		if s.Rank() != i-1 {
			t.Errorf("%s has rank %d, want %d", s, s.Rank(), i-1)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.kind, g.body)
	}
	for _, m := range protocol.Types() {
		f.Add(m.MessageType(), []byte("{}"))
		f.Add(m.MessageType(), []byte("null"))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		decode, ok := decoders[kind]
		if !ok {
			return
		}
		m, err := decode(body)
		if err != nil {
			return
		}
		b, err := protocol.Encode(m)
		if errors.Is(err, protocol.ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		again, err := decode(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if c, err := protocol.Encode(again); err != nil || string(c) != string(b) {
			t.Errorf("%s decodes to %s: %v", b, c, err)
		}
	})
}
