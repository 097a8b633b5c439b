package protocol_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func heartbeat(proposals int, text string) protocol.Heartbeat {
	h := protocol.Heartbeat{Node: "web-1", MachineID: "m", SentAt: time.Unix(1, 0).UTC(), IntervalMS: 1}
	word, long := text[:min(len(text), protocol.MaxProposalWord)], text[:min(len(text), protocol.MaxProposalText)]
	for range proposals {
		h.Proposals = append(h.Proposals, protocol.Proposal{Kind: word, Process: word, PID: 1 << 22, Address: word, Why: long, Config: long})
	}
	return h
}

func TestTheLongestProposalsLeaveAHeartbeatRoomForItsTargets(t *testing.T) {
	for _, fill := range []string{"x", `"`, "é"} {
		body, err := protocol.Encode(heartbeat(protocol.MaxProposals, strings.Repeat(fill, protocol.MaxProposalText/len(fill))))
		if err != nil {
			t.Errorf("of %q: %v", fill, err)
		}
		if half := protocol.Limit("heartbeat") * 3 / 4; len(body) > half {
			t.Errorf("of %q they are %d bytes, want at most %d", fill, len(body), half)
		}
	}
}

func TestProposalsAreLimited(t *testing.T) {
	for _, tt := range []struct {
		name string
		beat protocol.Heartbeat
		want string
	}{
		{"one too many", heartbeat(protocol.MaxProposals+1, "x"), `"proposals" are 17, at most 16`},
		{"without an address", protocol.Heartbeat{Proposals: []protocol.Proposal{{Kind: "go"}}}, `"proposals.address" is required`},
		{"a long reason", protocol.Heartbeat{Proposals: []protocol.Proposal{{Kind: "go", Address: "a", Why: strings.Repeat("x", 513)}}}, `"proposals.why" has 513 bytes, at most 512`},
		{"a long name", protocol.Heartbeat{Proposals: []protocol.Proposal{{Kind: "go", Address: "a", Process: strings.Repeat("x", 129)}}}, `"proposals.process" has 129 bytes, at most 128`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.beat.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
