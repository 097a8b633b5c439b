package health_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/health"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// stream is a row of the table that holds some of 1 GiB.
func stream(name string, percent uint64) health.State {
	row, _ := bus.StreamOf(name)
	return health.State{Streams: []health.Stream{{Row: row, Holds: bus.StreamState{Bytes: percent << 30 / 100, MaxBytes: 1 << 30}}}}
}

func queue(held, waiting, working, free int, err error) health.State {
	return health.State{Queues: []health.Queue{{
		Name: "skill ports", Start: "operator --skills ports", Held: held, ConsumerState: bus.ConsumerState{Waiting: waiting, Working: working, Free: free}, Err: err,
	}}}
}

func letter(ago time.Duration) health.State {
	return health.State{Dead: 3, Letters: []protocol.DeadLetter{{Stream: "FL_WORK", Reason: "no JSON", At: noon.Add(-ago)}}}
}

func TestJudge(t *testing.T) {
	silent := func(all int, names ...string) health.State { return health.State{Nodes: all, Silent: names} }
	sink := func(waiting, working, free int, ago time.Duration, letters ...protocol.DeadLetter) health.State {
		s := health.Sink{SinkState: bus.SinkState{Name: "team", ConsumerState: bus.ConsumerState{Waiting: waiting, Working: working, Free: free}}}
		if ago > 0 {
			s.Oldest = noon.Add(-ago)
		}
		return health.State{Sinks: []health.Sink{s}, Letters: letters}
	}
	refused := protocol.DeadLetter{Stream: bus.Insights, Reason: "sink team: POST https://hooks.example/…: 404 Not Found", At: noon.Add(-time.Hour)}
	const tooLate = "15m until it is sent"
	denied := fmt.Errorf("consumer: %w", &bus.DeniedError{})
	for _, tt := range []struct {
		name  string
		state health.State
		check string
		want  health.Check
	}{
		{"a stream with room", stream(bus.Snapshots, 71), bus.Snapshots, health.Check{Verdict: health.Healthy, Says: "71 % full", Limit: "1 GiB"}},
		{"what is dropped is the oldest, which is no catastrophe", stream(bus.Snapshots, 99), bus.Snapshots, health.Check{
			Verdict: health.Warning, Says: "99 % full: when it is full, the oldest goes before its time", Limit: "1 GiB", Fix: "fleetlens setup --max-bytes FL_SNAPSHOTS=2GiB",
		}},
		{"a stream that will take no more", stream(bus.Journal, 96), bus.Journal, health.Check{
			Verdict: health.Critical, Says: "96 % full: when it is full, nothing more is stored", Limit: "1 GiB", Fix: "fleetlens setup --max-bytes FL_JOURNAL=2GiB",
		}},
		{"one that will lose work", stream(bus.Work, 81), bus.Work, health.Check{
			Verdict: health.Warning, Says: "81 % full: when it is full, the oldest work is lost", Limit: "1 GiB", Fix: "fleetlens setup --max-bytes FL_WORK=2GiB",
		}},
		{"a stream that is not there", health.State{Streams: []health.Stream{{Row: bus.Stream{Name: bus.Nodes}, Err: errors.New("stream not found")}}}, bus.Nodes, health.Check{
			Verdict: health.Critical, Says: "stream not found", Fix: "fleetlens setup",
		}},
		{"what may not be read is not known", health.State{Unread: []health.Unread{{Name: "nodes", Err: denied}}}, "nodes", health.Check{
			Verdict: health.Unknown, Says: denied.Error(), Fix: "fleetlens creds mint viewer NAME",
		}},
		{"no work", health.State{}, "work", health.Check{Verdict: health.Healthy, Says: "nothing waits"}},
		{"work without a worker", queue(212, 212, 0, 0, nil), "skill ports", health.Check{
			Verdict: health.Critical, Says: "212 waiting, 0 workers", Limit: "100 waiting", Fix: "operator --skills ports",
		}},
		{"one task that nobody takes", queue(1, 1, 0, 0, nil), "skill ports", health.Check{
			Verdict: health.Critical, Says: "1 waiting, 0 workers", Limit: "100 waiting", Fix: "operator --skills ports",
		}},
		{"work in hand", queue(4, 0, 4, 1, nil), "skill ports", health.Check{Verdict: health.Healthy, Says: "0 waiting, 4 worked on", Limit: "100 waiting"}},
		{"more work than workers", queue(216, 212, 4, 0, nil), "skill ports", health.Check{
			Verdict: health.Warning, Says: "212 waiting, 4 worked on", Limit: "100 waiting", Fix: "one more: operator --skills ports",
		}},
		{"who may not ask about workers", queue(7, 0, 0, 0, denied), "skill ports", health.Check{
			Verdict: health.Unknown, Says: "7 waiting or worked on; who works is not told to this role", Limit: "100 waiting", Fix: "fleetlens creds mint viewer NAME",
		}},
		{"a sink that has everything", sink(0, 0, 1, 0), "sink team", health.Check{Verdict: health.Healthy, Says: "nothing waits", Limit: tooLate}},
		{"one that is being sent to", sink(0, 1, 0, 30*time.Second), "sink team", health.Check{Verdict: health.Healthy, Says: "1 to be sent, the oldest since a moment", Limit: tooLate}},
		{"one that nobody sends to", sink(3, 0, 0, 5*time.Minute), "sink team", health.Check{
			Verdict: health.Critical, Says: "3 to be sent, the oldest since 5m; no gateway sends", Limit: tooLate,
			Fix: "fleetlens gateway --config FILE, with this sink in it; or, if it is gone for good, nats consumer rm FL_INSIGHTS sink_team",
		}},
		{"one whose far side is away", sink(3, 1, 1, 20*time.Minute), "sink team", health.Check{
			Verdict: health.Warning, Says: "4 to be sent, the oldest since 20m", Limit: tooLate, Fix: "the gateway's log says what the far side answers; fleetlens gateway test team",
		}},
		{"one whose far side refuses", sink(0, 0, 1, 0, refused), "sink team", health.Check{
			Verdict: health.Warning, Says: "given up 1h0m ago: " + refused.Reason, Limit: tooLate, Fix: "mend what the reason says; fleetlens gateway test team",
		}},
		{"what another sink refused is not its own", sink(0, 0, 1, 0, protocol.DeadLetter{Stream: bus.Insights, Reason: "sink teams: no", At: noon}), "sink team", health.Check{
			Verdict: health.Healthy, Says: "nothing waits", Limit: tooLate,
		}},
		{"no dead letter", health.State{}, "dead letters", health.Check{Verdict: health.Healthy, Says: "everything could be handled", Limit: "none in a day"}},
		{"a dead letter of today", letter(75 * time.Minute), "dead letters", health.Check{
			Verdict: health.Warning, Says: "3, the newest 1h15m ago, of FL_WORK: no JSON", Limit: "none in a day", Fix: "its reason says what to mend; nats stream get FL_DEADLETTERS shows it whole",
		}},
		{"one of the day before", letter(25 * time.Hour), "dead letters", health.Check{Verdict: health.Healthy, Says: "3, the newest 25h0m ago, of FL_WORK: no JSON", Limit: "none in a day"}},
		{"nodes that report", silent(40), "nodes", health.Check{Verdict: health.Healthy, Says: "40 report", Limit: "3 missed beats"}},
		{"silent nodes", silent(40, "a", "b", "c", "d", "e", "f"), "nodes", health.Check{
			Verdict: health.Warning, Says: "6 of 40 silent: a, b, c, d, e and 1 more", Limit: "3 missed beats", Fix: "see whether the host is up, then its probe: systemctl status fleetlens-probe",
		}},
		{"silent nodes alone", silent(1, "a"), "nodes", health.Check{
			Verdict: health.Critical, Says: "1 of 1 silent: a", Limit: "3 missed beats", Fix: "see whether the host is up, then its probe: systemctl status fleetlens-probe",
		}},
		{"no node", health.State{}, "nodes", health.Check{Verdict: health.Warning, Says: "no probe reports", Limit: "3 missed beats", Fix: "probe --server nats://YOUR-SERVER:4222"}},
		{"a budget", health.State{Budget: []budget.Line{{Window: "2026-05-04", Tokens: 12000, USD: 0.04, HeldTokens: 300}}}, "budget of 2026-05-04", health.Check{
			Verdict: health.Healthy, Says: "12000 tokens and $0.0400 are used, 300 tokens are reserved",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Name = tt.check
			checks := health.Judge(tt.state, noon)
			at := slices.IndexFunc(checks, func(c health.Check) bool { return c.Name == tt.check })
			if at < 0 {
				t.Fatalf("there is no such check: %+v", checks)
			}
			if diff := cmp.Diff(tt.want, checks[at]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	s := queue(1, 1, 0, 0, nil)
	s.Nodes, s.Silent, s.Unread = 2, []string{"a"}, []health.Unread{{Name: "dead letters", Err: &bus.DeniedError{}}}
	var got []health.Verdict
	for _, c := range health.Judge(s, noon) {
		got = append(got, c.Verdict)
	}
	if diff := cmp.Diff([]health.Verdict{health.Critical, health.Warning, health.Unknown}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadOfRealStreams(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test", "os")
	publish := func(subject string, m protocol.Message) {
		t.Helper()
		if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: subject, Body: m}); err != nil {
			t.Fatal(err)
		}
	}
	for _, skill := range []string{"os", "os", "ports"} { // one of the first is worked on; of ports no worker ever was there
		publish(protocol.TaskSubject(skill), protocol.Task{RunID: protocol.NewID(), InvestigationID: "inv-1", Skill: skill, Reason: "why", Deadline: time.Now().Add(time.Hour), Targets: []protocol.TargetRef{{Node: "web-1", Target: "host", Kind: "host"}}})
	}
	for k := range health.MostLetters + 2 {
		publish(protocol.DeadLetterSubject(bus.Work), protocol.DeadLetter{Stream: bus.Work, Subject: "x", Reason: fmt.Sprint("reason ", k), At: time.Now(), Body: []byte("secret")})
	}
	publish(protocol.NodeSubject("web-1"), protocol.Heartbeat{Node: "web-1", MachineID: "m", SentAt: time.Now(), IntervalMS: 3_600_000})
	ctx, cancel := context.WithCancel(t.Context())
	taken, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- conn.Consume(ctx, 1, []bus.Consumer{bus.Tasks("os")}, func(ctx context.Context, _ *bus.Delivery) error {
			close(taken)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-taken
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if _, err := conn.Setup(t.Context(), bus.SetupOptions{Sinks: []string{"on-call"}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"c1", "c2"} {
		publish(protocol.InsightSubject("info", "temporal", id), protocol.Insight{
			ID: id, InvestigationID: id, CorrelationType: protocol.Temporal, Severity: protocol.SeverityInfo, Summary: "s", Grounding: "g", Confidence: protocol.Low, CreatedAt: time.Now(), Model: "m",
		})
	}
	s := health.Read(t.Context(), conn)
	if len(s.Sinks) != 1 || s.Sinks[0].Name != "on-call" || s.Sinks[0].Waiting != 2 || time.Since(s.Sinks[0].Oldest) > time.Minute {
		t.Errorf("%+v", s.Sinks)
	}
	if len(s.Streams) != len(bus.Streams()) || s.Streams[0].Holds.Messages != 1 || s.Streams[0].Holds.MaxBytes != s.Streams[0].Row.MaxBytes || s.Nodes != 1 || len(s.Silent)+len(s.Unread) > 0 {
		t.Errorf("streams %+v, %d nodes, silent %v, not read %v", s.Streams, s.Nodes, s.Silent, s.Unread)
	}
	if s.Dead != health.MostLetters+2 || len(s.Letters) != health.MostLetters || s.Letters[0].Reason != "reason 2" || s.Letters[0].Body != nil {
		t.Errorf("%d dead letters, the first kept is %+v", s.Dead, s.Letters[0])
	}
	want := []health.Queue{
		{Name: "skill os", Start: "operator --skills os", Held: 2, ConsumerState: bus.ConsumerState{Waiting: 1, Working: 1}},
		{Name: "skill ports", Start: "operator --skills ports", Held: 1, ConsumerState: bus.ConsumerState{Waiting: 1}},
	}
	if diff := cmp.Diff(want, s.Queues); diff != "" {
		t.Error(diff)
	}
}

func TestAServerWithoutStreamsIsCritical(t *testing.T) {
	conn := natstest.Dial(t, natstest.Run(t), "test")
	for _, c := range health.Judge(health.Read(t.Context(), conn), noon) {
		if strings.HasPrefix(c.Name, "FL_") && (c.Verdict != health.Critical || c.Fix != "fleetlens setup") {
			t.Errorf("%+v", c)
		}
	}
}
