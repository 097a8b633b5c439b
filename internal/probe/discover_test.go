package probe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// looking runs a probe that finds what look finds, until the test ends, and returns
// what its heartbeats propose once wanted says so.
func looking(t *testing.T, cfg probe.Config, targets []skills.Target, look func(context.Context) ([]protocol.Proposal, error), wanted func(protocol.Heartbeat) bool) []protocol.Proposal {
	t.Helper()
	conn := natstest.Setup(t, natstest.Run(t), "test")
	beats := make(chan protocol.Heartbeat, 1000)
	stop, err := conn.Subscribe(protocol.NodeSubject("web 1"), func(m bus.Msg) {
		if h, err := protocol.Decode[protocol.Heartbeat](m.Data); err == nil {
			beats <- h
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := skill("pantry", one)
	s.Sources = append(s.Sources, skills.Source{Kind: skills.Go, Prompt: "Read it.", Snapshot: one, Metrics: s.Sources[0].Metrics})
	go func() {
		ended <- probe.Run(ctx, cfg, probe.Deps{Log: natstest.Log(t), Bus: conn, Skills: []skills.Skill{s}, Targets: targets, Identity: machine, Look: look})
	}()
	defer func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the probe does not end")
		}
	}()
	for {
		select {
		case h := <-beats:
			if wanted(h) {
				return h.Proposals
			}
		case err := <-ended:
			ended <- err
			t.Fatalf("the probe ended: %v", err)
		case <-time.After(patience):
			t.Fatal("no heartbeat says so")
		}
	}
}

func some(h protocol.Heartbeat) bool { return len(h.Proposals) > 0 }

// third is true of the third heartbeat.
func third() func(protocol.Heartbeat) bool {
	n := 0
	return func(protocol.Heartbeat) bool { n++; return n == 3 }
}

var checkout = protocol.Proposal{Kind: "go", Process: "checkout", PID: 4711, Address: "127.0.0.1:6060", Why: "password=hunter2-s3cret", Config: "go: {}"}

func TestHeartbeatsProposeWhatWasFoundWithoutItsSecrets(t *testing.T) {
	got := looking(t, config(), nil, func(context.Context) ([]protocol.Proposal, error) {
		return []protocol.Proposal{checkout}, errors.New("some could not be read")
	}, some)
	want := checkout
	want.Why = "password=[redacted:password]"
	if diff := cmp.Diff([]protocol.Proposal{want}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAProbeThatIsToldNotToLookDoesNot(t *testing.T) {
	cfg := config()
	cfg.Discover = false
	got := looking(t, cfg, nil, func(context.Context) ([]protocol.Proposal, error) {
		t.Error("it looks")
		return nil, nil
	}, third())
	if len(got) != 0 {
		t.Errorf("it proposes %+v", got)
	}
}

func TestALookThatHangsOrPanicsHoldsNoHeartbeat(t *testing.T) {
	t.Run("hangs", func(t *testing.T) {
		never := make(chan struct{})
		t.Cleanup(func() { close(never) })
		looking(t, config(), nil, func(context.Context) ([]protocol.Proposal, error) { <-never; return nil, nil }, third())
	})
	t.Run("panics", func(t *testing.T) {
		looking(t, config(), nil, func(context.Context) ([]protocol.Proposal, error) { panic("no") }, third())
	})
}

func TestANodeOfManyTargetsBeatsWithoutProposalsRatherThanNotAtAll(t *testing.T) {
	var targets []skills.Target
	for i := range 600 {
		targets = append(targets, skills.Target{Name: fmt.Sprintf("%s-%d", strings.Repeat("x", 50), i), Kind: skills.Go})
	}
	long := checkout
	long.Config = strings.Repeat("x", protocol.MaxProposalText)
	many := make([]protocol.Proposal, protocol.MaxProposals)
	for i := range many {
		many[i] = long
	}
	var looked atomic.Bool
	after := third()
	got := looking(t, config(), targets, func(context.Context) ([]protocol.Proposal, error) {
		looked.Store(true)
		return many, nil
	}, func(h protocol.Heartbeat) bool { return looked.Load() && after(h) })
	if len(got) != 0 {
		t.Errorf("%d proposals fitted: the test shows nothing", len(got))
	}
}
