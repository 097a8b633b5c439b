package triage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var t0 = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// signal is "kind key node", a moment after t0.
func signal(kind, key, node string) triage.Signal {
	return triage.Signal{Kind: kind, Key: key, Node: node, At: t0, Strength: 1, Note: protocol.Notification{
		ID: kind + key + node, Operator: strings.Split(key, ".")[0], Node: node, AnomalyType: key, Severity: protocol.SeverityWarning, Observation: key + " is high",
	}}
}

func found(key, node, by string) triage.Signal {
	s := signal(triage.Finding, key, node)
	s.From, s.Note.ID = by, s.Note.ID+by
	return s
}

func quiet(s triage.Signal) triage.Signal { s.Quiet = true; return s }

// neighbours is a fleet by who is near whom. The label of a node is its first letter.
type neighbours map[string][]string

func (n neighbours) Near(node string) []string { return n[node] }

func (neighbours) Labels(node string) map[string]string {
	if !strings.Contains(node, "-") {
		return nil
	}
	return map[string]string{"role": node[:1]}
}

// at is a signal that comes some time after t0.
type at struct {
	after time.Duration
	triage.Signal
}

func TestSignalsAreGrouped(t *testing.T) {
	const cpu, mem, disk = "os.cpu", "os.memory", "os.disk"
	w := func(key, node string) triage.Signal { return signal(triage.Watch, key, node) }
	near := neighbours{"app": {"db"}, "db": {"app"}}
	for _, tt := range []struct {
		name  string
		in    []at
		want  string // groups: keys on nodes
		asked int
	}{
		{"one signal is one group", []at{{0, w(cpu, "a")}}, "os.cpu on a", 1},
		{"the same on other nodes is one", []at{{0, w(cpu, "a")}, {1, w(cpu, "b")}, {2, w(cpu, "c")}}, "os.cpu on a b c", 1},
		{"another matter on the same node is one", []at{{0, w(cpu, "a")}, {time.Minute, w(mem, "a")}}, "os.cpu os.memory on a", 1},
		{"unless it comes much later", []at{{0, w(cpu, "a")}, {5 * time.Minute, w(mem, "a")}}, "os.cpu on a | os.memory on a", 2},
		{"the same matter spreads for as long as it goes on", []at{{0, w(cpu, "a")}, {10 * time.Minute, w(cpu, "b")}, {20 * time.Minute, w(cpu, "c")}}, "os.cpu on a b c", 1},
		{"what is unrelated is another group", []at{{0, w(cpu, "a")}, {10 * time.Second, w(mem, "b")}}, "os.cpu on a | os.memory on b", 2},
		{"unless it comes at the same moment", []at{{0, w(cpu, "a")}, {time.Second, w(mem, "b")}}, "os.cpu os.memory on a b", 1},
		{"what shares the label that a group's nodes share is one", []at{{0, w(cpu, "d-1")}, {1, w(cpu, "d-2")}, {2, w(cpu, "d-3")}, {time.Minute, w(mem, "d-4")}}, "os.cpu os.memory on d-1 d-2 d-3 d-4", 1},
		{"what has another label is not", []at{{0, w(cpu, "d-1")}, {1, w(cpu, "d-2")}, {2, w(cpu, "d-3")}, {time.Minute, w(mem, "e-4")}}, "os.cpu on d-1 d-2 d-3 | os.memory on e-4", 2},
		{"a node that depends on it is one", []at{{0, w(disk, "db")}, {10 * time.Second, w(cpu, "app")}}, "os.disk os.cpu on app db", 1},
		{"an anomaly and a check of one metric are one", []at{{0, w(cpu, "a")}, {1, signal(triage.Anomaly, cpu, "a")}}, "os.cpu on a", 1},
		{"an alert that names no node is one of its name", []at{{0, signal(triage.Alert, "alert.Slow", "")}, {1, signal(triage.Alert, "alert.Slow", "")}}, "alert.Slow on ", 1},
		{"what may ask for nothing opens nothing", []at{{0, quiet(w(cpu, "a"))}}, "", 0},
		{"but joins", []at{{0, w(cpu, "a")}, {1, quiet(w(mem, "a"))}}, "os.cpu os.memory on a", 1},
		{"what one investigation found needs no other", []at{{0, found(cpu, "a", "inv-1")}, {1, found(cpu, "b", "inv-1")}}, "os.cpu on a b", 0},
		{"the same found by two asks for one over both", []at{{0, found(cpu, "a", "inv-1")}, {1, found(cpu, "b", "inv-2")}}, "os.cpu on a b", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := triage.NewBoard(triage.DefaultOptions(), nil, nil, near)
			asked := 0
			ask := func(now time.Time) {
				for _, g := range b.Due(now) {
					b.Ask(g, now)
					asked++
				}
			}
			now := t0
			for _, s := range tt.in {
				now = t0.Add(s.after)
				b.Add(s.Signal, now)
				ask(now)
			}
			ask(now.Add(3 * time.Second))
			var got []string
			for _, g := range b.Groups() {
				got = append(got, strings.Join(g.Keys, " ")+" on "+strings.Join(g.Names(), " "))
			}
			if s := strings.Join(got, " | "); s != tt.want {
				t.Errorf("groups %q, want %q", s, tt.want)
			}
			if asked != tt.asked {
				t.Errorf("asked %d times, want %d", asked, tt.asked)
			}
		})
	}
}

func TestAStormIsOneGroupThatIsAskedAboutOnce(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	asked := 0
	for i := range 10_000 {
		now := t0.Add(time.Duration(i) * 9 * time.Millisecond)
		s := signal(triage.Anomaly, fmt.Sprintf("os.metric_%d", i%3), fmt.Sprintf("node-%d", i/2))
		s.Strength = float64(i % 997)
		b.Add(s, now)
		for _, g := range b.Due(now) {
			b.Ask(g, now)
			asked++
		}
	}
	g := b.Groups()[0]
	if len(b.Groups()) != 1 || asked != 1 || g.Count() != 5000 || g.Signals() != 10_000 || len(g.Examples) != triage.MaxExamples {
		t.Errorf("%d groups, asked %d times, %d nodes, %d signals, %d examples", len(b.Groups()), asked, g.Count(), g.Signals(), len(g.Examples))
	}
	if g.Joined == 0 || g.Joined >= g.Signals() {
		t.Errorf("%d of %d joined after it was asked about", g.Joined, g.Signals())
	}
	if g.Examples[0].Strength != 996 || g.Examples[49].Strength < 990 {
		t.Errorf("the examples are not the strongest: %v to %v", g.Examples[0].Strength, g.Examples[49].Strength)
	}
	if raw, err := json.Marshal(g); err != nil || len(raw) > protocol.MaxMessage/2 {
		t.Errorf("the group has %d bytes, %v", len(raw), err)
	}
}

func TestTheLargestGroupFitsIntoAMessage(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	long := strings.Repeat("ü", 60_000)
	for i := range 30_000 {
		s := signal(triage.Watch, "os.metric", fmt.Sprintf("a-rather-long-name-of-a-node-%06d", i))
		s.Note.Context, s.Note.Observation, s.Note.Hypothesis = long, long, long
		for range 20 {
			s.Note.Evidence = append(s.Note.Evidence, protocol.Evidence{Address: "x#y", Name: "y", Value: 1.5, Series: make([]protocol.Point, 120)})
		}
		b.Add(s, t0)
	}
	g := b.Groups()[0]
	if raw, err := json.Marshal(g); err != nil || len(raw) > protocol.MaxMessage-protocol.HeaderReserve {
		t.Errorf("the group has %d bytes, %v", len(raw), err)
	}
	if g.Count() != 30_000 || len(g.Nodes) > triage.MaxNodes || len(g.Nodes) < 5000 {
		t.Errorf("%d nodes, %d by name", g.Count(), len(g.Nodes))
	}
}

func TestEffectsDoNotHideTheirCause(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	for i := range 500 {
		s := signal(triage.Anomaly, "shop.errors_pct", fmt.Sprintf("caller-%d", i))
		s.Strength = 3
		b.Add(s, t0)
		if i < 10 {
			s = signal(triage.Silence, "heartbeat.silent", fmt.Sprintf("gone-%d", i))
			s.Strength = 2
			b.Add(s, t0)
		}
	}
	count := map[string]int{}
	for _, e := range b.Groups()[0].Examples {
		count[e.Note.Operator]++
	}
	if diff := cmp.Diff(map[string]int{"heartbeat": 10, "shop": triage.MaxExamples - 10}, count); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsKnownIsCountedAndAskedAboutAgainMuchLater(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	asked := 0
	for now := t0; now.Before(t0.Add(5 * time.Hour)); now = now.Add(10 * time.Minute) {
		b.Sweep(now)
		b.Add(signal(triage.Watch, "os.disk", "a"), now)
		for _, g := range b.Due(now.Add(3 * time.Second)) {
			b.Ask(g, now)
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times in five hours, want 2: at once, and after four", asked)
	}
}

func TestAGroupEndsWhenItsProblemDoes(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	first, _ := b.Add(signal(triage.Watch, "os.disk", "a"), t0)
	if over := b.Sweep(t0.Add(14 * time.Minute)); len(over) != 0 {
		t.Errorf("ended early: %+v", over)
	}
	over := b.Sweep(t0.Add(16 * time.Minute))
	if len(over) != 1 || over[0] != first || over[0].ClosedAt.IsZero() {
		t.Errorf("ended %+v", over)
	}
	second, v := b.Add(func() triage.Signal { s := signal(triage.Watch, "os.disk", "a"); s.Note.ID = "later"; return s }(), t0.Add(17*time.Minute))
	if v != triage.Opened || second.ID == first.ID {
		t.Errorf("%s, group %s after %s", v, second.ID, first.ID)
	}
}

func TestAGroupWhoseInvestigationFailedIsAskedAboutAgain(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	g, _ := b.Add(signal(triage.Watch, "os.disk", "a"), t0)
	b.Ask(g, t0)
	g.State = protocol.ResultFailed
	for after := time.Minute; after < 16*time.Minute; after += time.Minute {
		b.Sweep(t0.Add(after))
		b.Add(signal(triage.Watch, "os.disk", "a"), t0.Add(after))
	}
	over := b.Sweep(t0.Add(16 * time.Minute))
	if len(over) != 1 || over[0] != g {
		t.Errorf("ended %+v", over)
	}
}

func TestAGroupThatEndedIsSmall(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	for i := range 5000 {
		b.Add(signal(triage.Watch, "os.disk", fmt.Sprintf("node-%d", i)), t0)
	}
	g := b.Sweep(t0.Add(time.Hour))[0]
	if raw, err := json.Marshal(g); err != nil || len(raw) > 16<<10 || g.Count() != 5000 {
		t.Errorf("%d bytes of %d nodes, %v", len(raw), g.Count(), err)
	}
}

func TestTheModelIsLimitedAndOneNodeCannotUseItUp(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	ask := func(key, node string, after time.Duration) bool {
		g, _ := b.Add(signal(triage.Watch, key, node), t0.Add(after))
		model, why := b.Ask(g, t0.Add(after))
		if model != (why == "") {
			t.Errorf("model %v, why %q", model, why)
		}
		return model
	}
	var got []bool
	for _, s := range []struct {
		key, node string
		after     time.Duration
	}{
		{"os.cpu", "noisy", 0}, {"os.mem", "noisy", 3 * time.Minute}, {"os.disk", "b", 5 * time.Minute}, {"os.swap", "c", 10 * time.Minute},
		{"os.fds", "d", 15 * time.Minute}, {"os.load", "e", 70 * time.Minute},
	} {
		got = append(got, ask(s.key, s.node, s.after))
	}
	if diff := cmp.Diff([]bool{true, false, true, true, false, true}, got); diff != "" {
		t.Error(diff)
	}
}

func TestABoardGoesOnFromWhatWasKept(t *testing.T) {
	o := triage.DefaultOptions()
	b := triage.NewBoard(o, nil, nil, neighbours{})
	g, _ := b.Add(signal(triage.Watch, "os.cpu", "a"), t0)
	b.Ask(g, t0.Add(2*time.Second))
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	kept := new(triage.Group)
	if err := json.Unmarshal(raw, kept); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, kept, cmpopts.IgnoreUnexported(triage.Group{})); diff != "" {
		t.Errorf("it changed by being kept: %s", diff)
	}
	next := triage.NewBoard(o, []*triage.Group{kept}, b.Triggers(), neighbours{})
	if _, v := next.Add(signal(triage.Watch, "os.cpu", "a"), t0.Add(time.Minute)); v != triage.Repeated {
		t.Errorf("what the first board knew is %s to the next", v)
	}
	if due := next.Due(t0.Add(time.Minute)); len(due) != 0 {
		t.Errorf("it is asked about again: %+v", due)
	}
}

func TestMoreAtOnceThanAnybodyCouldReadIsOneStorm(t *testing.T) {
	b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
	for i := range 40 {
		b.Add(signal(triage.Watch, fmt.Sprintf("skill.metric_%d", i), fmt.Sprintf("%c", 'a'+i)), t0.Add(time.Duration(i)*3*time.Second))
	}
	groups := b.Groups()
	last := groups[len(groups)-1]
	if len(groups) != b.MaxOpen || last.Count() != 40-b.MaxOpen+1 || len(last.Keys) != triage.MaxKeys {
		t.Errorf("%d groups, the last of %d nodes and %d keys", len(groups), last.Count(), len(last.Keys))
	}
}

func TestWhatComesAfterTheInvestigation(t *testing.T) {
	about := func(topic string, s triage.Signal) triage.Signal { s.Topic = topic; return s }
	critical := func(s triage.Signal) triage.Signal {
		s.Note.ID, s.Note.Severity = "critical", protocol.SeverityCritical
		return s
	}
	began := about("disk", signal(triage.Watch, "os.disk_max_used_pct", "a"))
	for _, tt := range []struct {
		name  string
		begin []triage.Signal
		then  triage.Signal
		joins bool
	}{
		{"another matter of the same node is a question of its own", []triage.Signal{began}, about("cpu", signal(triage.Anomaly, "os.cpu_used_pct", "a")), false},
		{"another figure of the same matter is not", []triage.Signal{began}, about("disk", signal(triage.Anomaly, "os.disk_root_used_pct", "a")), true},
		{"nor is what nobody can tell the matter of", []triage.Signal{began}, signal(triage.Anomaly, "os.threads", "a"), true},
		{"the same on a second node is a question of its own", []triage.Signal{began}, about("disk", signal(triage.Watch, "os.disk_max_used_pct", "b")), false},
		{"the same that became critical is asked about again", []triage.Signal{began}, critical(began), false},
		{"one node more of many is more of the same", []triage.Signal{
			began, about("disk", signal(triage.Watch, "os.disk_max_used_pct", "b")), about("disk", signal(triage.Watch, "os.disk_max_used_pct", "c")),
		}, about("disk", signal(triage.Watch, "os.disk_max_used_pct", "d")), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := triage.NewBoard(triage.DefaultOptions(), nil, nil, neighbours{})
			for _, s := range tt.begin {
				b.Add(s, t0)
			}
			for _, g := range b.Due(t0.Add(3 * time.Second)) {
				b.Ask(g, t0.Add(3*time.Second))
				g.State = protocol.ResultDone
			}
			g, verdict := b.Add(tt.then, t0.Add(time.Minute))
			if joins := verdict == triage.Joined; g == nil || joins != tt.joins {
				t.Errorf("it is %s", verdict)
			}
		})
	}
}
