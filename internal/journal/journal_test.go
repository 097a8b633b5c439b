package journal_test

import (
	"errors"
	"testing"

	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/journal"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestTheLastClaimerOwnsTheRun(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	first, err := journal.Claim(t.Context(), conn, "operator", "r1", "op-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Append(t.Context(), protocol.RecordStart, protocol.Start{}); err != nil {
		t.Fatal(err)
	}
	second, err := journal.Claim(t.Context(), conn, "operator", "r1", "op-2")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(second.Records()); n != 3 {
		t.Errorf("the second worker sees %d records, want claim, start, claim", n)
	}
	if _, err := first.Append(t.Context(), protocol.RecordAnswer, protocol.Answer{}); !errors.Is(err, agent.ErrSuperseded) {
		t.Errorf("the first worker appends: %v, want ErrSuperseded", err)
	}
	if _, err := second.Append(t.Context(), protocol.RecordAnswer, protocol.Answer{Step: 1}); err != nil {
		t.Errorf("the second worker appends: %v", err)
	}
}

func TestACancelIsToldOnceAndThenTheOwnerMayFinish(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	j, err := journal.Claim(t.Context(), conn, "operator", "r1", "op-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Cancel(t.Context(), conn, "operator", "r1", "somebody", "enough"); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), protocol.RecordAnswer, protocol.Answer{}); !errors.Is(err, agent.ErrCancelled) {
		t.Fatalf("append after a cancel: %v, want ErrCancelled", err)
	}
	if _, err := j.Append(t.Context(), protocol.RecordFinish, protocol.Finish{Outcome: protocol.OutcomeCancelled}); err != nil {
		t.Fatalf("the end: %v", err)
	}
	records, err := journal.Read(t.Context(), conn, "operator", "r1")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, r := range records {
		kinds = append(kinds, string(r.Kind))
	}
	if f, ok := journal.Finished(records); !ok || f.Outcome != protocol.OutcomeCancelled || len(records) != 3 {
		t.Errorf("the journal holds %v, finish %+v", kinds, f)
	}
}

func TestACancelBeforeTheFirstClaimIsSeen(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	if err := journal.Cancel(t.Context(), conn, "operator", "r1", "somebody", ""); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Claim(t.Context(), conn, "operator", "r1", "op-1")
	if err != nil {
		t.Fatal(err)
	}
	if r := j.Records(); len(r) != 2 || r[0].Kind != protocol.RecordCancel {
		t.Errorf("records: %+v", r)
	}
}

func TestStalledCountsClaimsWithoutProgress(t *testing.T) {
	kinds := func(ks ...protocol.RecordKind) (out []protocol.Record) {
		for _, k := range ks {
			out = append(out, protocol.Record{Kind: k})
		}
		return out
	}
	for _, tt := range []struct {
		name string
		in   []protocol.Record
		want int
	}{
		{"nothing", nil, 0},
		{"a fresh claim", kinds("claim"), 1},
		{"progress since", kinds("claim", "claim", "answer"), 0},
		{"three without progress", kinds("start", "claim", "claim", "claim"), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := journal.Stalled(tt.in); got != tt.want {
				t.Errorf("Stalled = %d, want %d", got, tt.want)
			}
		})
	}
}
