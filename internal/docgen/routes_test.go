package docgen

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestPublishedSubjectsAreOfExactlyOneStream(t *testing.T) {
	for _, r := range routes {
		var in []string
		for _, s := range bus.Streams() {
			for _, pattern := range s.Subjects {
				if matches(pattern, r.subject) {
					in = append(in, s.Name+" ("+pattern+")")
				}
			}
		}
		want := 1
		if r.answer != nil || bus.IsInbox(r.subject) { // a stream would answer a request with its acknowledgement
			want = 0
		}
		if len(in) != want {
			t.Errorf("%s is a subject of %d streams %q, want %d", r.subject, len(in), in, want)
		}
	}
}

func TestEachSubjectOfAStreamHasAMessage(t *testing.T) {
	for _, s := range bus.Streams() {
		if s.Name == bus.State || s.Name == bus.Sent { // keys and values, no messages
			continue
		}
		for _, pattern := range s.Subjects {
			used := pattern == "schedule.>" // the server turns these into requests
			for _, r := range routes {
				used = used || matches(pattern, r.subject)
			}
			if !used {
				t.Errorf("no message is published to %s of %s", pattern, s.Name)
			}
		}
	}
}

func TestEachMessageIsSentSomewhere(t *testing.T) {
	sent := map[string]bool{}
	for _, r := range routes {
		sent[r.sent.MessageType()] = true
		if r.answer != nil {
			sent[r.answer.MessageType()] = true
		}
	}
	for _, m := range protocol.Types() {
		if !sent[m.MessageType()] {
			t.Errorf("no route has %s", m.MessageType())
		}
	}
}

// matches says whether a subject is of a NATS pattern.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		if token == ">" {
			return len(s) > i
		}
		if i >= len(s) || token != "*" && token != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

func TestRulesAreWhatValidateAsks(t *testing.T) {
	got := rulesOf(protocol.Alert{})
	want := rules{
		required: []string{"id", "source", "name", "state", "starts_at"},
		enums:    map[string][]any{"state": {"firing", "resolved"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
