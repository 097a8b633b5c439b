package protocol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestOfEachPersonTheNewestWordCounts(t *testing.T) {
	say := func(id, by, verdict string) protocol.Feedback {
		return protocol.Feedback{ID: id, By: by, Verdict: verdict}
	}
	got := protocol.Judged([]protocol.Feedback{say("i", "a", "wrong"), say("i", "b", "not_quite"), say("i", "a", "right"), say("j", "b", "right")})
	want := []protocol.Feedback{say("i", "b", "not_quite"), say("i", "a", "right"), say("j", "b", "right")}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
