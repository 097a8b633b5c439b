package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/health"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// cli runs commands against a server of its own.
type cli struct {
	t    *testing.T
	url  string
	conn *bus.Conn
}

func newCLI(t *testing.T) cli {
	t.Helper()
	s := natstest.Listen(t)
	return cli{t, s.URL(), natstest.Setup(t, s, "test", "os")}
}

// run returns what a command prints and the code it exits with.
func (c cli) run(args ...string) (stdout string, code int, stderr string) {
	c.t.Helper()
	var out, errs bytes.Buffer
	cmd := root()
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(append(args, "--server", c.url))
	err := cmd.ExecuteContext(c.t.Context())
	code = proc.Code(&errs, err)
	return out.String(), code, errs.String()
}

func (c cli) publish(subject string, m protocol.Message) {
	c.t.Helper()
	if _, err := c.conn.Publish(c.t.Context(), bus.Outgoing{Subject: subject, Body: m}); err != nil {
		c.t.Fatal(err)
	}
}

// said reads what people said, by its subject.
func said[M protocol.Message](c cli, verb string) []M {
	c.t.Helper()
	var list []M
	for m, err := range c.conn.Range(c.t.Context(), bus.People, protocol.PeopleSubject(verb, protocol.Any), 0) {
		if err != nil {
			c.t.Fatal(err)
		}
		v, err := protocol.Decode[M](m.Data)
		if err != nil {
			c.t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func (c cli) insight(id string) {
	c.t.Helper()
	i := theInsight()
	i.ID, i.CreatedAt = id, time.Now().UTC()
	c.publish(protocol.InsightSubject("critical", "causal", i.InvestigationID), i)
}

func TestWhatPeopleSayIsStored(t *testing.T) {
	c := newCLI(t)
	c.insight("c1f09a7be2d44510")
	c.insight("c1aaaaaaaaaaaaaa")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"feedback", "c1f", "not_quite", "--comment", "it was the proxy"}, 0, "feedback of c1f09a7be2d44510 is stored"},
		{[]string{"feedback", "c1f", "not-quite"}, 0, "is stored"},
		{[]string{"feedback", "c1f", "perhaps"}, 2, "not_quite"},
		{[]string{"feedback", "c1", "right"}, 2, "c1f09a7be2d44510, c1aaaaaaaaaaaaaa"},
		{[]string{"feedback", "dd", "right"}, 1, "no insight"},
		{[]string{"ack", "c1f09a7be2d44510"}, 0, "ack of c1f09a7be2d44510 is stored"},
		{[]string{"ack", "5be0"}, 1, "no insight"},
		{[]string{"note", "c1a", "rolled", "back"}, 0, "note of c1aaaaaaaaaaaaaa is stored"},
		{[]string{"note", "5be0", "an investigation too"}, 0, "note of 5be0c2a47f19d3e8 is stored"},
		{[]string{"note", "c1a", " "}, 2, "empty"},
		{[]string{"note", "dd", "x"}, 1, "begins with dd"},
	} {
		stdout, code, stderr := c.run(tt.args...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
			t.Errorf("%v ended with %d, want %d and %q in %q", tt.args, code, tt.code, tt.says, stdout+stderr)
		}
		if code != 0 && stdout != "" {
			t.Errorf("%v failed, and standard output holds %q", tt.args, stdout)
		}
	}
	f := said[protocol.Feedback](c, "feedback")
	if len(f) != 2 || f[0].ID != "c1f09a7be2d44510" || f[0].Verdict != "not_quite" || f[0].Comment != "it was the proxy" || f[0].By == "" || f[0].At.IsZero() {
		t.Errorf("the feedback is %+v", f)
	}
	if a := said[protocol.Ack](c, "ack"); len(a) != 1 || a[0].ID != "c1f09a7be2d44510" {
		t.Errorf("the acks are %+v", a)
	}
	if n := said[protocol.Note](c, "note"); len(n) != 2 || n[0].Text != "rolled back" || n[1].ID != "5be0c2a47f19d3e8" {
		t.Errorf("the notes are %+v", n)
	}
	stdout, _, _ := c.run("note", "c1a", "once more", "--json")
	var n protocol.Note
	if err := json.Unmarshal([]byte(stdout), &n); err != nil || n.Text != "once more" || strings.Count(stdout, "\n") != 1 {
		t.Errorf("JSON: %q, %v", stdout, err)
	}
}

func TestASilenceFromBeginningToEnd(t *testing.T) {
	c := newCLI(t)
	if stdout, code, stderr := c.run("silence", "list"); code != 0 || stdout != "" || !strings.Contains(stderr, "nothing is silenced") {
		t.Errorf("at first: %q, %d, %q", stdout, code, stderr)
	}
	for _, args := range [][]string{
		{"silence", "add", "move"}, {"silence", "add", "move", "--everything", "--node", "db-1"}, {"silence", "add", "move", "--node", "db-1", "--for", "-1h"},
		{"silence", "add", "move", "--node", "db-1", "--until", "tomorrow"}, {"silence", "add", "move", "--node", "db-1", "--until", "2020-01-01T00:00:00Z"},
	} {
		if stdout, code, stderr := c.run(args...); code != 2 || stdout != "" || stderr == "" {
			t.Errorf("%v: %q, %d, %q", args, stdout, code, stderr)
		}
	}
	if stdout, code, stderr := c.run("silence", "add", "move to new disks", "--id", "db-move", "--node", "db-1,db-2", "--label", "role=db", "--skill", "os", "--for", "2h"); code != 0 || !strings.Contains(stdout, "holds until") {
		t.Fatalf("add: %q, %d, %q", stdout, code, stderr)
	}
	q := said[protocol.Silence](c, "silence")
	if len(q) != 1 || !slices.Equal(q[0].Nodes, []string{"db-1", "db-2"}) || q[0].Labels["role"] != "db" || q[0].Until.Sub(q[0].At) != 2*time.Hour {
		t.Fatalf("the silence is %+v", q)
	}
	if _, err := c.conn.WriteState(t.Context(), "triage.ledger", map[string]any{"silenced": map[string]int{"db-move": 7}}, 0); err != nil {
		t.Fatal(err)
	}
	stdout, _, _ := c.run("silence", "list")
	fields := strings.Split(strings.TrimSuffix(stdout, "\n"), "\t")
	if len(fields) != 7 || fields[0] != "db-move" || fields[1] != "holds" || fields[3] != "7" || fields[5] != "move to new disks" {
		t.Errorf("the list is %q", fields)
	}
	if stdout, code, _ := c.run("silence", "end", "db-"); code != 0 || !strings.Contains(stdout, "silence db-move has ended") {
		t.Errorf("end: %q, %d", stdout, code)
	}
	if _, code, stderr := c.run("silence", "end", "db-move"); code != 1 || !strings.Contains(stderr, "no silence") {
		t.Errorf("end again: %d, %q", code, stderr)
	}
	if stdout, _, _ := c.run("silence", "list"); stdout != "" {
		t.Errorf("what has ended is listed: %q", stdout)
	}
	stdout, _, _ = c.run("silence", "list", "--all", "--json")
	var v silenceView
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || v.ID != "db-move" || v.Holds || v.Kept != 7 {
		t.Errorf("all: %q, %v", stdout, err)
	}
}

func TestTheDoctorExitsByWhatItFinds(t *testing.T) {
	c := newCLI(t)
	stdout, code, _ := c.run("doctor")
	if code != 0 || !strings.HasPrefix(stdout, "warning\tnodes\tno probe reports\t") || !strings.Contains(stdout, "healthy\tFL_SNAPSHOTS\t0 % full\t2 GiB\t\n") {
		t.Errorf("nothing is critical: %d, %q", code, stdout)
	}
	c.publish(protocol.TaskSubject("os"), protocol.Task{RunID: "r-1", InvestigationID: "inv-1", Skill: "os", Reason: "why", Deadline: time.Now().Add(time.Hour), Targets: []protocol.TargetRef{{Node: "web-1", Target: "host", Kind: "host"}}})
	stdout, code, stderr := c.run("doctor", "--json")
	first, _, _ := strings.Cut(stdout, "\n")
	var check health.Check
	if err := json.Unmarshal([]byte(first), &check); err != nil || code != 4 || stderr != "" || check.Name != "skill os" || check.Says != "1 waiting, 0 workers" || check.Fix != "operator --skills os" {
		t.Errorf("work without a worker: %d, %q, %v, %+v", code, stderr, err, check)
	}
}

func TestExitSeverity(t *testing.T) {
	c := newCLI(t)
	if _, code, _ := c.run("insights", "--exit-severity", "info"); code != 0 {
		t.Errorf("without insights it ended with %d", code)
	}
	c.insight("c1f09a7be2d44510")
	for args, want := range map[string]int{
		"insights": 0, "insights --exit-severity critical": 4, "insights --exit-severity info --json": 4, "insights show c1f0 --exit-severity warning": 4,
		"insights show c1f0": 0, "insights --exit-severity loud": 2,
	} {
		if stdout, code, _ := c.run(strings.Fields(args)...); code != want || want == 4 && stdout == "" {
			t.Errorf("%s ended with %d, want %d: %q", args, code, want, stdout)
		}
	}
	nothing := protocol.Insight{CorrelationType: protocol.None, Severity: protocol.SeverityCritical}
	if err := exitSeverity("info").of(nothing); err != nil {
		t.Errorf("that nothing is wrong is severe: %v", err)
	}
}

func TestTheRunThatIsMeant(t *testing.T) {
	var runs []reading.RunRef
	for _, r := range [][3]string{{"1a10", "1a10", ""}, {"2b20", "1a10", "os"}, {"2b21", "1a10", "ports"}, {"3c30", "1b11", "os"}, {"3c31", "1b11", "os"}} {
		runs = append(runs, reading.RunRef{ID: r[0], Investigation: r[1], Skill: r[2]})
	}
	for _, tt := range []struct {
		name, want string
		ambiguous  bool
	}{
		{"1a10", "1a10", false}, {"3c30", "3c30", false}, {"1a", "1a10", false}, {"1a/os", "2b20", false}, {"1a10/ports", "2b21", false}, {"1a/coordinator", "1a10", false},
		{"2b", "", true}, {"1/os", "", true}, {"1b/os", "", true}, {"1a/sorcery", "", false}, {"9", "", false},
	} {
		got, err := meant(runs, tt.name)
		if got != tt.want || (err != nil) != tt.ambiguous {
			t.Errorf("%s is %q, %v", tt.name, got, err)
		}
	}
}

func TestTheLookOfAFileThatIsNoTerminal(t *testing.T) {
	for _, tt := range []struct {
		name  string
		env   map[string]string
		local bool
		want  look
	}{
		{"as it is", nil, false, look{zone: time.UTC}},
		{"a local zone", nil, true, look{zone: time.Local}},
		{"Markdown", map[string]string{"NATS_TABLE_FORMAT": "md"}, false, look{zone: time.UTC, format: "md"}},
		{"Markdown for a model", map[string]string{"LLMFORMAT": "1"}, false, look{zone: time.UTC, format: "md"}},
		{"what was said comes before what is for models", map[string]string{"LLMFORMAT": "1", "NATS_TABLE_FORMAT": "csv"}, false, look{zone: time.UTC, format: "csv"}},
		{"a format that there is not", map[string]string{"NATS_TABLE_FORMAT": "stone"}, false, look{zone: time.UTC}},
		{"a colour, which only terminals have", map[string]string{"NATS_COLOR": "red"}, false, look{zone: time.UTC, border: "red"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := lookOf(io.Discard, func(name string) string { return tt.env[name] }, tt.local)
			got.now = time.Time{}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestWhatTheOddOnesHaveInCommon(t *testing.T) {
	views := someFleet()
	got := inCommon(views[20:23], append(slices.Clone(views[:20]), views[23:]...))
	want := []shared{{labels: []string{"app=checkout", "version=v2"}, odd: 1, rest: 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(shared{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := inCommon(views[:1], views[1:]); got != nil {
		t.Errorf("one alone has in common %v", got)
	}
	if got := inCommon(views[:30], views[30:]); len(got) != 0 {
		t.Errorf("half of a fleet has in common %v", got)
	}
}

func TestMedianOfThePeers(t *testing.T) {
	for _, tt := range []struct {
		in     []float64
		own    float64
		median float64
		n      int
	}{
		{[]float64{1, 2, 3, 100}, 100, 2, 3}, {[]float64{1, 2, 100}, 100, 1.5, 2}, {[]float64{5, 5, 5}, 5, 5, 2}, {[]float64{5}, 5, 0, 0}, {[]float64{1, 2}, 3, 0, 0}, {nil, 1, 0, 0},
	} {
		if m, n := medianWithout(tt.in, tt.own); m != tt.median || n != tt.n {
			t.Errorf("%v without %v: %v of %d", tt.in, tt.own, m, n)
		}
	}
}
