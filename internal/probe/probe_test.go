package probe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/probe"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// patience is how long these tests wait for what must happen.
const patience = time.Minute

// skill is a small skill with one metric and the callbacks.
func skill(name string, snapshot func(ctx context.Context) (skills.Data, error), calls ...skills.Call) skills.Skill {
	return skills.Skill{
		Name: name, Title: "Title of " + name, Summary: "Summary of " + name + ".", Prefix: name + "_",
		Sources: []skills.Source{{
			Kind: skills.Host, Prompt: "Read it.", Calls: calls, Snapshot: snapshot,
			Metrics: []skills.Metric{{Name: "n", Unit: protocol.Count, Kind: protocol.Counter, Doc: "Snapshots so far."}},
		}},
	}
}

func callback(name string, run func(ctx context.Context, a skills.Args) (any, error), params ...skills.Param) skills.Call {
	return skills.Call{Name: name, Doc: "Does it.", Example: name + "()", Params: params, Run: run}
}

// counting is a source whose n-th snapshot is n; each is told on the channel.
func counting() (func(context.Context) (skills.Data, error), chan int) {
	var n atomic.Int64
	taken := make(chan int, 10_000)
	return func(context.Context) (skills.Data, error) {
		v := int(n.Add(1))
		taken <- v
		return skills.Data{"n": float64(v)}, nil
	}, taken
}

func one(context.Context) (skills.Data, error) { return skills.Data{"n": 1.0}, nil }

func config() probe.Config {
	c := probe.DefaultConfig()
	c.Node, c.Labels = "web 1", map[string]string{"role": "web"}
	c.Interval, c.Heartbeat, c.CallTimeout = time.Hour, 50*time.Millisecond, 5*time.Second
	return c
}

var machine = probe.Identity{MachineID: "machine-a", BootID: "boot-1"}

// start runs a probe until the test ends and returns when it is ready.
func start(t *testing.T, conn *bus.Conn, cfg probe.Config, list ...skills.Skill) (stop func() error) {
	t.Helper()
	return startWith(t, conn, cfg, nil, list...)
}

// startWith runs a probe that has targets besides its host.
func startWith(t *testing.T, conn *bus.Conn, cfg probe.Config, targets []skills.Target, list ...skills.Skill) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- probe.Run(ctx, cfg, probe.Deps{
			Log: natstest.Log(t), Bus: conn, Skills: list, Targets: targets, Identity: machine, Version: "v1.2.3",
			Node: func(context.Context) (skills.Node, error) {
				return skills.Node{OSType: "unix", OSName: "linux", UptimeSeconds: 7}, nil
			},
			Ready: func() { close(ready) },
		})
	}()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return errors.New("the probe did not stop")
		}
	}
	t.Cleanup(func() {
		if err := stop(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the probe ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		stopped = true
		t.Fatalf("the probe ended with %v", err)
	case <-time.After(patience):
		t.Fatal("the probe is not ready")
	}
	return stop
}

// answer is a service's answer, or its refusal.
func ask[M protocol.Message](t *testing.T, conn *bus.Conn, verb string, c protocol.Call) (M, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	raw, err := conn.Request(ctx, protocol.ProbeSubject("web 1", verb), c)
	if err != nil {
		var none M
		return none, err
	}
	m, err := protocol.Decode[M](raw)
	if err != nil {
		t.Fatalf("answer %s: %v", raw, err)
	}
	return m, nil
}

func refused(t *testing.T, err error, code int, says ...string) {
	t.Helper()
	var r bus.Refusal
	if !errors.As(err, &r) || r.Code != code {
		t.Fatalf("error %v, want a refusal with the code %d", err, code)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q is not in %v", s, err)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	a, b := skill("pantry", one), skill("cellar", one)
	before := time.Now()
	start(t, conn, config(), a, b)
	m, err := conn.Last(t.Context(), bus.Nodes, protocol.NodeSubject("web 1"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		t.Fatal(err)
	}
	if h.SentAt.Before(before) || h.SentAt.After(time.Now()) || len(h.InstanceID) != 16 {
		t.Errorf("heartbeat %+v", h)
	}
	h.SentAt, h.InstanceID, h.Buffered = time.Time{}, "", 0
	want := protocol.Heartbeat{
		Node: "web 1", Version: "v1.2.3", MachineID: "machine-a", BootID: "boot-1", Labels: map[string]string{"role": "web"}, IntervalMS: 50,
		Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: []string{"pantry", "cellar"}}},
		Skills: []protocol.HeartbeatSkill{
			{Skill: "pantry", Kind: "host", Hash: a.Words(a.Sources[0]).Hash()}, {Skill: "cellar", Kind: "host", Hash: b.Words(b.Sources[0]).Hash()},
		},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("heartbeat (-want +got):\n%s", diff)
	}
	if _, dedupe := m.Header[protocol.HeaderMsgID]; dedupe {
		t.Error("a heartbeat has no message id: the server would remember each")
	}
	// The beats go on.
	beats := make(chan struct{}, 100)
	stop, err := conn.Subscribe(protocol.NodeSubject("web 1"), func(bus.Msg) { beats <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 3 {
		select {
		case <-beats:
		case <-time.After(patience):
			t.Fatal("no further heartbeat")
		}
	}
}

func beatOf(t *testing.T, conn *bus.Conn, machine string, interval time.Duration) {
	t.Helper()
	_, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.NodeSubject("web 1"), Body: protocol.Heartbeat{
		Node: "web 1", MachineID: machine, SentAt: time.Now().UTC(), IntervalMS: interval.Milliseconds(),
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnotherMachineOfTheSameNameIsRefused(t *testing.T) {
	says := func(t *testing.T, err error) {
		t.Helper()
		for _, s := range []string{`node "web 1" is taken by another machine`, "machine-b", "--node"} {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%q is not in %v", s, err)
			}
		}
	}
	run := func(t *testing.T, conn *bus.Conn) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return probe.Run(ctx, config(), probe.Deps{Log: natstest.Log(t), Bus: conn, Skills: []skills.Skill{skill("pantry", one)}, Identity: machine})
	}
	t.Run("when it starts while the other lives", func(t *testing.T) {
		conn := natstest.Setup(t, natstest.Run(t), "test")
		beatOf(t, conn, "machine-b", time.Hour)
		says(t, run(t, conn))
	})
	t.Run("when the other appears while it lives", func(t *testing.T) {
		server := natstest.Run(t)
		conn := natstest.Setup(t, server, "test")
		first := make(chan struct{}, 100)
		stop, err := conn.Subscribe(protocol.NodeSubject("web 1"), func(bus.Msg) { first <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- run(t, natstest.Dial(t, server, "probe")) }()
		<-first
		beatOf(t, conn, "machine-b", time.Hour)
		says(t, <-ended)
	})
	t.Run("but one that has fallen silent is no hindrance", func(t *testing.T) {
		conn := natstest.Setup(t, natstest.Run(t), "test")
		beatOf(t, conn, "machine-b", time.Millisecond)
		for sent := time.Now(); time.Since(sent) < 10*time.Millisecond; { // it misses its beats
			if err := conn.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start(t, conn, config(), skill("pantry", one))
	})
	t.Run("nor is the same machine, restarted", func(t *testing.T) {
		conn := natstest.Setup(t, natstest.Run(t), "test")
		beatOf(t, conn, machine.MachineID, time.Hour)
		start(t, conn, config(), skill("pantry", one))
	})
}

func TestCall(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	limit := skills.Param{Name: "limit", Type: "integer", Default: 10.0, Min: skills.Level(1), Max: skills.Level(50)}
	trace := callback("pantry_trace", func(context.Context, skills.Args) (any, error) { return "x", nil })
	trace.Level = "trace"
	events := callback("pantry_events", func(context.Context, skills.Args) (any, error) { return "seen", nil })
	events.Level = "events"
	conn := natstest.Setup(t, natstest.Run(t), "test")
	cfg := config()
	cfg.Level = "events"
	start(t, conn, cfg, skill("pantry", one,
		callback("pantry_top", func(_ context.Context, a skills.Args) (any, error) { return a.Int("limit"), nil }, limit),
		callback("pantry_panic", func(context.Context, skills.Args) (any, error) { panic("boom") }),
		callback("pantry_fail", func(context.Context, skills.Args) (any, error) { return nil, errors.New("the shelf is locked") }),
		callback("pantry_hang", func(context.Context, skills.Args) (any, error) { <-hang; return 1, nil }),
		callback("pantry_patient", func(ctx context.Context, _ skills.Args) (any, error) { <-ctx.Done(); return nil, ctx.Err() }),
		callback("pantry_many", func(context.Context, skills.Args) (any, error) {
			return map[string]any{"rows": slices.Repeat([]string{"a jar of pickles"}, 100_000), "total": 100_000}, nil
		}),
		callback("pantry_blob", func(context.Context, skills.Args) (any, error) { return strings.Repeat("x", 300<<10), nil }),
		callback("pantry_func", func(context.Context, skills.Args) (any, error) { return func() {}, nil }),
		trace, events,
	))
	for _, tt := range []struct {
		name string
		call protocol.Call
		want any
	}{
		{"by its default", protocol.Call{Callback: "pantry_top"}, 10.0},
		{"by position", protocol.Call{Callback: "pantry_top", Args: []any{3}}, 3.0},
		{"by name", protocol.Call{Callback: "pantry_top", Args: map[string]any{"limit": 4}}, 4.0},
		{"of a target that is named", protocol.Call{Callback: "pantry_top", Target: "host"}, 10.0},
		{"of a level that is granted", protocol.Call{Callback: "pantry_events"}, "seen"},
		{"that exists under every skill", protocol.Call{Callback: "get_node_info"}, map[string]any{"node": "web 1", "os_type": "unix", "os_name": "linux", "uptime_seconds": 7.0}},
	} {
		t.Run("a callback "+tt.name, func(t *testing.T) {
			r, err := ask[protocol.CallReply](t, conn, "call", tt.call)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.Value); diff != "" || r.Node != "web 1" || r.Target != "host" || r.Callback != tt.call.Callback || r.Truncated || r.At.IsZero() {
				t.Errorf("reply %+v: %s", r, diff)
			}
		})
	}
	for _, tt := range []struct {
		name string
		call protocol.Call
		code int
		says []string
	}{
		{"an unknown callback", protocol.Call{Callback: "pantry_rob"}, 404, []string{`unknown callback "pantry_rob"`, "pantry_top", "get_current_time"}},
		{"no callback", protocol.Call{}, 404, []string{"pantry_top"}},
		{"an unknown target", protocol.Call{Callback: "pantry_top", Target: "db"}, 404, []string{`unknown target "db" (have host)`}},
		{"too many arguments", protocol.Call{Callback: "pantry_top", Args: []any{1, 2}}, 400, []string{"takes 1 argument, got 2"}},
		{"an argument out of its bounds", protocol.Call{Callback: "pantry_top", Args: []any{51}}, 400, []string{"limit must be a whole number from 1 to 50, got 51"}},
		{"an argument that does not exist", protocol.Call{Callback: "pantry_top", Args: map[string]any{"depth": 1}}, 400, []string{`no argument "depth"`}},
		{"a level that is not granted", protocol.Call{Callback: "pantry_trace"}, 403, []string{`needs the level "trace"`, `grants "events"`, "--level trace"}},
		{"a panic", protocol.Call{Callback: "pantry_panic"}, 500, []string{"pantry_panic", "panicked", "boom"}},
		{"a failure", protocol.Call{Callback: "pantry_fail"}, 500, []string{"pantry_fail: the shelf is locked"}},
		{"a result that is too large and has no list", protocol.Call{Callback: "pantry_blob"}, 500, []string{"no list to cut"}},
		{"a result that JSON cannot express", protocol.Call{Callback: "pantry_func"}, 500, []string{"cannot be expressed in JSON"}},
		{"a callback that hangs", protocol.Call{Callback: "pantry_hang", DeadlineMS: 100}, 500, []string{"pantry_hang: it took longer than 100ms"}},
		{"a callback that heeds its time", protocol.Call{Callback: "pantry_patient", DeadlineMS: 100}, 500, []string{"pantry_patient"}},
	} {
		t.Run(tt.name+" is refused", func(t *testing.T) {
			began := time.Now()
			_, err := ask[protocol.CallReply](t, conn, "call", tt.call)
			refused(t, err, tt.code, tt.says...)
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	t.Run("a body that is no question is refused", func(t *testing.T) {
		_, err := conn.Request(t.Context(), protocol.ProbeSubject("web 1", "call"), "what?")
		refused(t, err, 400, "JSON object")
	})
	t.Run("a result that is too large is cut at its longest list", func(t *testing.T) {
		r, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: "pantry_many"})
		if err != nil {
			t.Fatal(err)
		}
		v := r.Value.(map[string]any)
		if rows := v["rows"].([]any); !r.Truncated || len(rows) == 0 || len(rows) >= 100_000 || v["total"] != 100_000.0 {
			t.Errorf("truncated %v, %d rows of %v", r.Truncated, len(rows), v["total"])
		}
	})
	t.Run("hanging callbacks leave room for others", func(t *testing.T) {
		ended := make(chan error, 10)
		for range 10 {
			go func() {
				_, err := conn.Request(t.Context(), protocol.ProbeSubject("web 1", "call"), protocol.Call{Callback: "pantry_hang", DeadlineMS: 200})
				ended <- err
			}()
		}
		if _, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Callback: "pantry_top"}); err != nil {
			t.Error(err)
		}
		for range 10 {
			if err := <-ended; err == nil {
				t.Error("a callback that hangs was answered")
			}
		}
	})
}

func TestSnapshotAndWords(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	partial := func(context.Context) (skills.Data, error) {
		return skills.Data{"n": 2.0}, errors.New("/proc/1/io: permission denied: grant CAP_SYS_PTRACE")
	}
	a, b := skill("pantry", one), skill("cellar", partial)
	start(t, conn, config(), a, b)
	// Behaviour: 2, 4.
	t.Run("a snapshot is fresh, and on the stream", func(t *testing.T) {
		before := time.Now()
		stored := make(chan protocol.Snapshot, 10)
		stop, err := conn.Subscribe(protocol.SnapshotSubject("web 1", "host", "pantry"), func(m bus.Msg) {
			if s, err := protocol.Decode[protocol.Snapshot](m.Data); err == nil {
				stored <- s
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		s, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: "pantry"})
		if err != nil {
			t.Fatal(err)
		}
		if s.Node != "web 1" || s.Target != "host" || s.Kind != "host" || s.Skill != "pantry" || len(s.Data) != 1 || s.Data["n"] != 1.0 ||
			s.CapturedAt.Before(before) || s.CapturedAt.After(time.Now()) || len(s.ID) != 16 {
			t.Errorf("snapshot %+v", s)
		}
		for {
			select {
			case got := <-stored:
				if got.ID == s.ID {
					return
				}
			case <-time.After(patience):
				t.Fatal("it is not published")
			}
		}
	})
	t.Run("what could not be read is said beside what was", func(t *testing.T) {
		s, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: "cellar", Target: "host"})
		if err != nil || s.Data["n"] != 2.0 || len(s.Errors) != 1 || !strings.Contains(s.Errors[0], "grant CAP_SYS_PTRACE") {
			t.Errorf("snapshot %+v, %v", s, err)
		}
	})
	t.Run("words are those of the heartbeat", func(t *testing.T) {
		w, err := ask[protocol.Words](t, conn, "words", protocol.Call{Skill: "pantry"})
		if err != nil || w.Hash() != a.Words(a.Sources[0]).Hash() || w.Title != "Title of pantry" {
			t.Errorf("words %+v, %v", w, err)
		}
	})
	for _, verb := range []string{"snapshot", "words"} {
		_, err := ask[protocol.Words](t, conn, verb, protocol.Call{Skill: "attic"})
		refused(t, err, 404, `unknown skill "attic"`, "pantry", "cellar")
	}
	_, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: "pantry", Target: "db"})
	refused(t, err, 404, "unknown target")
}

func TestASourceRunsWhereItsSkillIsListed(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	listed, taken := counting()
	cfg := config()
	cfg.Interval = 20 * time.Millisecond
	start(t, conn, cfg, skill("pantry", listed))
	for range 5 {
		select {
		case <-taken:
		case <-time.After(patience):
			t.Fatal("the source of a listed skill does not run")
		}
	}
	for m, err := range conn.Range(t.Context(), bus.Snapshots, protocol.SnapshotSubject("web 1", protocol.Any, protocol.Any), 0) {
		if err != nil || m.Subject != protocol.SnapshotSubject("web 1", "host", "pantry") {
			t.Errorf("a snapshot of %s, %v", m.Subject, err)
		}
	}
	_, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: "cellar"})
	refused(t, err, 404, "cellar")
}

func TestASourceThatFailsDoesNotStopTheOthers(t *testing.T) {
	conn := natstest.Setup(t, natstest.Run(t), "test")
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	good, taken := counting()
	cfg := config()
	cfg.Interval, cfg.CallTimeout = 20*time.Millisecond, 50*time.Millisecond
	start(t, conn, cfg,
		skill("panics", func(context.Context) (skills.Data, error) { panic("boom") }),
		skill("hangs", func(context.Context) (skills.Data, error) { <-hang; return skills.Data{"n": 1.0}, nil }),
		skill("empty", func(context.Context) (skills.Data, error) { return nil, nil }),
		skill("good", good))
	for range 10 {
		select {
		case <-taken:
		case <-time.After(patience):
			t.Fatal("the good source is not asked any more")
		}
	}
	for name, says := range map[string]string{"panics": "panicked: boom", "hangs": "hangs", "empty": "gave nothing"} {
		_, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: name})
		refused(t, err, 503, name+": ", says)
	}
	if s, err := ask[protocol.Snapshot](t, conn, "snapshot", protocol.Call{Skill: "good"}); err != nil || s.Data["n"] == nil {
		t.Errorf("snapshot %+v, %v", s, err)
	}
}

// away is a server that can be stopped, and started again where it was.
type away struct {
	*natsd.Server
	options natsd.Options
}

func newAway(t *testing.T) *away {
	t.Helper()
	a := &away{options: natsd.Options{StoreDir: t.TempDir(), Host: "127.0.0.1"}}
	a.start(t)
	u, err := url.Parse(a.URL())
	if err != nil {
		t.Fatal(err)
	}
	if a.options.Port, err = strconv.Atoi(u.Port()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop() })
	return a
}

func (a *away) start(t *testing.T) {
	t.Helper()
	s, err := natsd.Start(a.options)
	if err != nil {
		t.Fatal(err)
	}
	a.Server = s
}

func (a *away) dial(t *testing.T, source string) *bus.Conn {
	t.Helper()
	conn, err := bus.Dial(t.Context(), bus.Config{Server: a.URL()}, source, natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// stored returns which snapshots are on the stream, in its order.
func stored(ctx context.Context, conn *bus.Conn) (list []int) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for m, err := range conn.Range(ctx, bus.Snapshots, protocol.SnapshotSubject("web 1", "host", "pantry"), 0) {
		if err != nil {
			return list
		}
		var s struct{ Data struct{ N int } }
		if json.Unmarshal(m.Data, &s) == nil {
			list = append(list, s.Data.N)
		}
	}
	return list
}

// outage runs a probe through an outage of NATS that lasts for some snapshots, and
// returns what is on the stream once one from after it is there, and enough is.
func outage(t *testing.T, cfg probe.Config, during int, enough func(on []int) bool) (on []int, beat protocol.Heartbeat) {
	t.Helper()
	server := newAway(t)
	admin := server.dial(t, "test")
	if _, err := admin.Setup(t.Context(), bus.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
	source, taken := counting()
	start(t, server.dial(t, "probe"), cfg, skill("pantry", source))
	for len(stored(t.Context(), admin)) < 3 {
		<-taken
	}
	server.Stop()
	last := 0
	for range during {
		last = <-taken
	}
	server.start(t)
	deadline := time.After(patience)
	for {
		select {
		case <-taken:
		case <-deadline:
			t.Fatalf("what was taken during the outage (up to %d) never came: %v", last, stored(t.Context(), admin))
		}
		on = stored(t.Context(), admin)
		if len(on) == 0 || slices.Max(on) <= last+2 || !enough(on) {
			continue
		}
		m, err := admin.Last(t.Context(), bus.Nodes, protocol.NodeSubject("web 1"))
		if err != nil {
			continue
		}
		if beat, err = protocol.Decode[protocol.Heartbeat](m.Data); err == nil && beat.SentAt.After(time.Now().Add(-time.Second)) {
			return on, beat
		}
	}
}

func TestSnapshotsAreKeptWhileNATSIsAway(t *testing.T) {
	cfg := config()
	cfg.Interval = 50 * time.Millisecond
	on, beat := outage(t, cfg, 10, func(on []int) bool { return len(missing(on)) == 0 })
	if beat.Dropped != 0 || beat.Validate() != nil {
		t.Errorf("stored %v, heartbeat %+v", on, beat)
	}
}

// missing returns which snapshots before the last stored one are not stored.
func missing(on []int) (lost []int) {
	for n := 1; n <= slices.Max(on); n++ {
		if !slices.Contains(on, n) {
			lost = append(lost, n)
		}
	}
	return lost
}

func TestTheOldestSnapshotsAreDroppedBeyondTheBuffer(t *testing.T) {
	cfg := config()
	cfg.Interval, cfg.Buffer = 20*time.Millisecond, 2000
	on, beat := outage(t, cfg, 40, func([]int) bool { return true })
	lost := missing(on)
	if len(lost) < 20 || beat.Dropped == 0 || uint64(len(lost)) > beat.Dropped+2 {
		t.Errorf("%d snapshots are lost (%v), %d were counted: %v", len(lost), lost, beat.Dropped, on)
	}
	if len(lost) > 0 && lost[len(lost)-1]-lost[0] > len(lost)+15 {
		t.Errorf("not the oldest were dropped: %v", lost)
	}
}

func TestConfigFaultsAreNamed(t *testing.T) {
	c := probe.Config{Node: "x", Interval: time.Millisecond, Heartbeat: 0, CallTimeout: -1, Buffer: 1, Level: "root"}
	err := c.Validate()
	for _, s := range []string{"--interval 1ms", "--heartbeat 0s", "--call-timeout", "--buffer 1", `--level "root": it is observe, events or trace`} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%q is not in %v", s, err)
		}
	}
	ok := probe.DefaultConfig()
	if err := ok.Validate(); err != nil || ok.Node == "" {
		t.Errorf("the defaults: %v, node %q", err, ok.Node)
	}
}

func TestATargetWithALevelOfItsOwnGoesByThatAlone(t *testing.T) {
	seen := func(level string) skills.Call {
		c := callback("pantry_"+level, func(context.Context, skills.Args) (any, error) { return "seen", nil })
		c.Level = level
		return c
	}
	s := skill("pantry", one)
	s.Sources = append(s.Sources, skills.Source{Kind: skills.Beam, Prompt: "Nodes.", Metrics: s.Sources[0].Metrics, Snapshot: s.Sources[0].Snapshot, Calls: []skills.Call{seen("events"), seen("trace")}})
	for name, tt := range map[string]struct {
		probe, target string
		events, trace bool
	}{
		"less than the probe's": {"trace", "observe", false, false},
		"more than the probe's": {"observe", "events", true, false},
		"all":                   {"observe", "trace", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn := natstest.Setup(t, natstest.Run(t), "test")
			cfg := config()
			cfg.Level = tt.probe
			startWith(t, conn, cfg, []skills.Target{{Name: "shop", Kind: skills.Beam, Level: tt.target}}, s)
			for level, granted := range map[string]bool{"events": tt.events, "trace": tt.trace} {
				_, err := ask[protocol.CallReply](t, conn, "call", protocol.Call{Target: "shop", Callback: "pantry_" + level})
				if (err == nil) != granted {
					t.Errorf("%s: %v", level, err)
				}
				if want := fmt.Sprintf("set `level: %s` at targets.beam.shop", level); err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}
