package protocol_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestReadRequest(t *testing.T) {
	slow := protocol.Request{Reason: "checkout is slow"}
	for _, tt := range []struct {
		name, body string
		want       protocol.Request
	}{
		{"an object", `{"reason":"checkout is slow"}`, slow},
		{"an object with white space around it", " \n{\"reason\":\"checkout is slow\"}\n", slow},
		{"a JSON string", `"checkout is slow"`, slow},
		{"plain text", "checkout is slow", slow},
		{"plain text with white space around it", "  checkout is slow\r\n", slow},
		{"text of several lines", "checkout is slow\nsince noon", protocol.Request{Reason: "checkout is slow\nsince noon"}},
		{"text in another script", "チェックアウトが遅い", protocol.Request{Reason: "チェックアウトが遅い"}},
		{"text that begins with a number", "3 hosts are slow", protocol.Request{Reason: "3 hosts are slow"}},
		{"text with a brace inside", "slow {since noon}", protocol.Request{Reason: "slow {since noon}"}},
		{"unknown fields are ignored", `{"reason":"checkout is slow","urgency":"high"}`, slow},
		{"the longest deadline", `{"reason":"checkout is slow","deadline_ms":86400000}`, protocol.Request{Reason: "checkout is slow", DeadlineMS: 86_400_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := protocol.ReadRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Behaviour: defect 6.
func TestReadRequestRefusesAndSaysWhatToSend(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"empty", "", `the body is empty; send {"reason":"…"} or the reason as text`},
		{"white space", " \r\n\t", "the body is empty"},
		{"broken JSON", "{broken", "not JSON: invalid character 'b'"},
		{"JSON that ends too early", `{"reason":"x"`, "not JSON: it ends too early"},
		{"two values", `{"reason":"x"}{"reason":"y"}`, "more follows the JSON value"},
		{"900 KB of text", strings.Repeat("slow ", 180_000), "900000 bytes: too large (at most 262144)"},
		{"900 KB of JSON", `{"reason":"` + strings.Repeat("x", 900_000) + `"}`, "too large (at most 262144)"},
		{"text that is too long as JSON", "x" + strings.Repeat("\n", 140_000) + "x", "too large (at most 262144)"},
		{"a reason that is a number", `{"reason":5}`, `field "reason" must not be a JSON number`},
		{"nodes that are a string", `{"reason":"x","nodes":"web-1"}`, `field "nodes" must not be a JSON string`},
		{"a fraction of an iteration", `{"reason":"x","max_iterations":2.5}`, `field "max_iterations" must not be a JSON number 2.5`},
		{"a time that is none", `{"reason":"x","notifications":[{"detected_at":"yesterday"}]}`, `"yesterday" is no time; write it as`},
		{"a number", "123", `it must be an object with "reason" or a string, not "123"`},
		{"true", "true", `not "true"`},
		{"null", "null", `"reason" is required`},
		{"a list", "[]", `it must be an object with "reason" or a string, not "[]"`},
		{"a list of reasons", `["checkout is slow"]`, "it must be an object"},
		{"a broken list", "[checkout", `not JSON: "[checkout"`},
		{"a broken string", `"checkout`, "not JSON"},
		{"binary", "\x00\x01\xffELF", `send {"reason":"…"} or the reason as text`},
		{"control characters", "check\x07out", "not JSON"},
		{"text without a letter", "-- 12 !", "not JSON"},
		{"no reason", `{"nodes":["web-1"]}`, `"reason" is required`},
		{"a blank reason", `{"reason":"  "}`, `"reason" is required`},
		{"an empty string", `""`, `"reason" is required`},
		{"a deadline over 24 h", `{"reason":"x","deadline_ms":86400001}`, `"deadline_ms" must be from 0 to 86400000, not 86400001`},
		{"a deadline before now", `{"reason":"x","deadline_ms":-1}`, `"deadline_ms" must be from 0 to 86400000, not -1`},
		{"a cost below nothing", `{"reason":"x","max_cost":-0.01}`, `"max_cost" is -0.01; it must be from 0, for no limit, to 100000 US dollars`},
		{"a cost beyond reason", `{"reason":"x","max_cost":1e6}`, `"max_cost" is 1e+06`},
		{"iterations without end", `{"reason":"x","max_iterations":1001}`, `"max_iterations" must be from 0 to 1000`},
		{"an id that is too long for a subject", `{"reason":"x","id":"` + strings.Repeat("i", 129) + `"}`, `"id" must have at most 128 bytes`},
		{"two faults are both named", `{"deadline_ms":-1}`, "\"reason\" is required\n\"deadline_ms\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := protocol.ReadRequest([]byte(tt.body))
			if err == nil {
				t.Fatalf("read %+v, want an error with %q", got, tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "request: ") {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes: it repeats the body", len(err.Error()))
			}
			if diff := cmp.Diff(protocol.Request{}, got); strings.Contains(tt.want, "too large") && (diff != "" || !errors.Is(err, protocol.ErrTooLarge)) {
				t.Errorf("%v is not ErrTooLarge, or a request came with it:\n%s", err, diff)
			}
		})
	}
}

func TestRequestDeadline(t *testing.T) {
	for _, tt := range []struct {
		name string
		ms   int64
		want time.Duration
	}{
		{"five minutes when none is given", 0, 5 * time.Minute},
		{"as given", 1500, 1500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (protocol.Request{DeadlineMS: tt.ms}).Deadline(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzReadRequest(f *testing.F) {
	for _, s := range []string{"", "checkout is slow", `"slow"`, "{broken", "[]", "null", "123", `{"reason":5}`, "\x00\xff", `{"reason":"x","notifications":[{}]}`} {
		f.Add([]byte(s))
	}
	for _, g := range goldens(f) {
		f.Add(g.body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := protocol.ReadRequest(body)
		if err != nil {
			return
		}
		// What was read can be passed on, and reads as the same.
		b, err := protocol.Encode(r)
		if err != nil {
			t.Fatalf("read but not encoded: %v", err)
		}
		again, err := protocol.ReadRequest(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if c, err := protocol.Encode(again); err != nil || string(c) != string(b) {
			t.Errorf("%s reads as %s: %v", b, c, err)
		}
	})
}
