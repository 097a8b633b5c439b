//go:build linux

package ports_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/ports"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// childEnv tells the test program that it is a process for the tests to find.
const childEnv = "PORTS_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := misbehave(what); err != nil {
			fmt.Println("cannot:", err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A scene is what the skill says of a machine with one fault: the snapshot, and
// what it answers to the calls.
type scene struct {
	PID      int            `json:"pid"`
	Snapshot map[string]any `json:"snapshot"`
	Answers  map[string]any `json:"answers"`
}

// misbehave makes a fault in this process. Faults of sockets are made in a
// network of its own, so that the machine's other tests do not meet them, and
// what the skill says of them goes to the output.
func misbehave(what string) error {
	var asks []string
	var err error
	hold := []io.Closer{}
	defer func() {
		for _, c := range hold {
			_ = c.Close()
		}
	}()
	if what == "fds" {
		if err := openMany(); err != nil {
			return err
		}
		fmt.Println("ready")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	if what == "unprivileged" {
		asks = []string{"ports_process(1)", "ports_top_fds(50)", "ports_top_sockets(5)", `ports_connections("1")`}
		if err := becomeNobody(); err != nil {
			return err
		}
	} else if err := box.Loopback(); err != nil {
		return fmt.Errorf("bring the loopback up: %w", err)
	}
	s := ports.Skill(host.New(host.Config{}))
	ctx := context.Background()
	switch what {
	case "full queue":
		asks = []string{"ports_listeners()"}
		hold, err = fillQueue()
	case "close_wait":
		asks = []string{`ports_top_sockets(5, "close_wait")`, `ports_peers(5, "in")`, fmt.Sprintf(`ports_connections("%d", 5)`, os.Getpid()), fmt.Sprintf("ports_process(%d)", os.Getpid())}
		hold, err = leakConnections(520)
	case "growing":
		return growing(ctx, s)
	case "foreign":
		asks = []string{"ports_listeners(200)", "ports_summary()", "ports_queue_growth(5)", "ports_saturation_prediction()"}
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:7012"); err == nil {
			hold = []io.Closer{l}
		}
	case "mixture":
		asks = []string{"ports_listeners()", "ports_list()", "ports_top_by_queue(5)", `ports_top_by_buffer(5, "recv")`, "ports_summary()", `ports_peers(5, "out")`}
		hold, err = mixture()
	}
	if err != nil {
		return err
	}
	sc := scene{PID: os.Getpid(), Answers: map[string]any{}}
	if sc.Snapshot, err = s.Sources[0].Snapshot(ctx); err != nil {
		return err
	}
	for _, ask := range asks {
		if sc.Answers[ask], err = answer(ctx, s, ask); err != nil {
			return fmt.Errorf("%s: %w", ask, err)
		}
	}
	b, err := json.Marshal(sc)
	fmt.Println(string(b))
	return err
}

// becomeNobody gives up the right to look at process 1.
func becomeNobody() error {
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return err
		}
	}
	if _, err := os.ReadDir("/proc/1/fd"); err == nil {
		return errors.New("everybody may look at process 1 here")
	}
	return nil
}

func openMany() error {
	for i := range 200 {
		f, err := os.Open(os.DevNull)
		if i%4 == 0 && err == nil {
			err = unix.Pipe2(make([]int, 2), unix.O_CLOEXEC)
		}
		if err == nil && i%10 == 0 {
			_, err = unix.Eventfd(0, 0)
		}
		if err != nil {
			return err
		}
		kept = append(kept, f)
	}
	return nil
}

// kept are files that nothing must close before the process ends.
var kept []*os.File

// fillQueue listens with a backlog of 1 and lets two connect, which is as many
// as the kernel takes in. A third is dropped without a word.
func fillQueue() ([]io.Closer, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	addr := unix.SockaddrInet6{Port: 7007}
	addr.Addr[15] = 1
	if err := errors.Join(unix.Bind(fd, &addr), unix.Listen(fd, 1)); err != nil {
		return nil, err
	}
	hold := []io.Closer{os.NewFile(uintptr(fd), "listener")}
	for range 2 {
		c, err := net.Dial("tcp", "[::1]:7007")
		if err != nil {
			return nil, err
		}
		hold = append(hold, c)
	}
	if c, err := net.DialTimeout("tcp", "[::1]:7007", 50*time.Millisecond); err == nil {
		return nil, fmt.Errorf("a third connection came in: %v", c.LocalAddr())
	}
	return hold, nil
}

// leakConnections accepts n connections whose clients then close, and closes none.
func leakConnections(n int) ([]io.Closer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:7008")
	if err != nil {
		return nil, err
	}
	hold := []io.Closer{l}
	for range n {
		c, err := net.Dial("tcp", "127.0.0.1:7008")
		if err != nil {
			return nil, err
		}
		a, err := l.Accept()
		if err != nil {
			return nil, err
		}
		hold = append(hold, a)
		if err := c.Close(); err != nil {
			return nil, err
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the client closed, and a read says %w", err)
		}
	}
	return hold, nil
}

// mixture has a connection of each family with bytes that nobody reads, and a
// UDP socket of each.
func mixture() ([]io.Closer, error) {
	var hold []io.Closer
	for i, addr := range []string{"127.0.0.1:7009", "[::1]:7010"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		a, err := l.Accept()
		if err != nil {
			return nil, err
		}
		if _, err := c.Write(make([]byte, 3000*(i+1))); err != nil {
			return nil, err
		}
		if _, err := a.Read(make([]byte, 1000)); err != nil { // the rest is there too: a small write goes as one
			return nil, err
		}
		u, err := net.ListenPacket("udp", addr)
		if err != nil {
			return nil, err
		}
		hold = append(hold, l, c, a, u)
	}
	return hold, nil
}

// stage plays a scene in a network of its own; ok is false where this machine
// does not let a test make one.
func stage(t *testing.T, what string) (sc scene, ok bool) {
	t.Helper()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	_, say := box.Child(t, childEnv+"="+what, attr)
	if why, ok := strings.CutPrefix(say, "cannot: "); ok {
		missing.Component(t, "a real "+what, "this machine does not let a test make a network namespace: "+why)
		return sc, false
	}
	if err := json.Unmarshal([]byte(say), &sc); err != nil {
		t.Fatalf("%v: %s", err, say)
	}
	return sc, true
}

// rows returns a list of an answer.
func rows(t *testing.T, sc scene, call, list string) []map[string]any {
	t.Helper()
	b, err := json.Marshal(sc.Answers[call])
	if err != nil {
		t.Fatal(err)
	}
	var a map[string]json.RawMessage
	var out []map[string]any
	if err := errors.Join(json.Unmarshal(b, &a), json.Unmarshal(a[list], &out)); err != nil {
		t.Fatalf("%s: %v in %s", call, err, b)
	}
	return out
}

// has reports the fields of a row that are not as wanted.
func has(t *testing.T, what string, row, want map[string]any) {
	t.Helper()
	for k, w := range want {
		if n, ok := w.(int); ok {
			w = float64(n)
		}
		if row[k] != w {
			t.Errorf("%s: %s is %v, want %v; all of it: %v", what, k, row[k], w, row)
		}
	}
}

func crossed(sc scene) map[string]string {
	out := map[string]string{}
	for _, x := range skills.Evaluate(ports.Skill(host.New(host.Config{})).Sources[0].Checks, sc.Snapshot) {
		out[x.Check.Metric] = string(x.Severity) + ": " + x.Says
	}
	return out
}

func TestTheRealHostKeepsThePromises(t *testing.T) {
	skilltest.Run(t, ports.Skill(host.New(host.Config{})))
}

func TestWithoutPrivilegeItSaysWhatIsHiddenAndHowToGrantIt(t *testing.T) {
	_, say := box.Child(t, childEnv+"="+"unprivileged", nil)
	if why, ok := strings.CutPrefix(say, "cannot: "); ok {
		missing.Component(t, "a process that may not be looked at", why)
		return
	}
	var sc scene
	if err := json.Unmarshal([]byte(say), &sc); err != nil {
		t.Fatalf("%v: %s", err, say)
	}
	for call, a := range sc.Answers {
		if note, _ := a.(map[string]any)["note"].(string); !strings.Contains(note, "CAP_SYS_PTRACE") && call != "ports_top_sockets(5)" {
			t.Errorf("%s has the note %q", call, note)
		}
	}
	if sc.Snapshot["tcp_established"] == nil || sc.Snapshot["fds_open"] == nil {
		t.Errorf("what anybody may read is absent: %v", sc.Snapshot)
	}
}

func TestARealFullAcceptQueueIsFound(t *testing.T) {
	sc, ok := stage(t, "full queue")
	if !ok {
		return
	}
	has(t, "snapshot", sc.Snapshot, map[string]any{"tcp_listen": 1, "accept_queue_max_used_pct": 100, "accept_queue_listener": "[::1]:7007"})
	has(t, "listener", rows(t, sc, "ports_listeners()", "listeners")[0], map[string]any{
		"address": "[::1]:7007", "pid": sc.PID, "accept_queue": 2, "accept_queue_max": 1, "used_pct": 100,
	})
	if says := crossed(sc)["accept_queue_max_used_pct"]; !strings.HasPrefix(says, "critical: the accept queue of [::1]:7007 is 100 % full") {
		t.Errorf("it crosses %q", says)
	}
}

func TestARealLeakOfConnectionsIsFound(t *testing.T) {
	sc, ok := stage(t, "close_wait")
	if !ok {
		return
	}
	has(t, "snapshot", sc.Snapshot, map[string]any{"tcp_close_wait": 520, "tcp_listen": 1, "tcp_established": 0})
	if says := crossed(sc)["tcp_close_wait"]; !strings.HasPrefix(says, "warning: 520 connections") {
		t.Errorf("it crosses %q", says)
	}
	has(t, "holder", rows(t, sc, `ports_top_sockets(5, "close_wait")`, "processes")[0], map[string]any{
		"pid": sc.PID, "sockets": 520, "top_peer": "127.0.0.1", "top_peer_sockets": 520,
	})
	for _, call := range []string{`ports_peers(5, "in")`, fmt.Sprintf(`ports_connections("%d", 5)`, sc.PID)} {
		has(t, call, rows(t, sc, call, "peers")[0], map[string]any{
			"pid": sc.PID, "remote_address": "127.0.0.1", "port": 7008, "direction": "in", "connections": 520,
		})
	}
	p := sc.Answers[fmt.Sprintf("ports_process(%d)", sc.PID)].(map[string]any)
	has(t, "states", p["socket_states"].(map[string]any), map[string]any{"close_wait": 520, "listen": 1})
	if kinds := p["kinds"].(map[string]any); kinds["socket"] != 521.0 || p["truncated"] != true {
		t.Errorf("the process shows %v, truncated %v", kinds, p["truncated"])
	}
}

func TestRealSocketsOfBothFamiliesAreFound(t *testing.T) {
	sc, ok := stage(t, "mixture")
	if !ok {
		return
	}
	has(t, "snapshot", sc.Snapshot, map[string]any{
		"tcp_established": 4, "tcp_listen": 2, "udp_sockets": 2, "tcp_close_wait": 0, "accept_queue_max_used_pct": 0, "accept_queue_listener": nil,
	})
	if len(rows(t, sc, "ports_listeners()", "listeners")) != 2 || len(rows(t, sc, "ports_list()", "sockets")) != 8 {
		t.Errorf("got %v", sc.Answers)
	}
	for _, call := range []string{"ports_top_by_queue(5)", `ports_top_by_buffer(5, "recv")`} {
		top := rows(t, sc, call, "sockets")
		has(t, call, top[0], map[string]any{"pid": sc.PID, "local_addr": "[::1]:7010", "recv_queue": 5000, "queue_size": 5000, "saturation_pct": 0.95})
		has(t, call, top[1], map[string]any{"pid": sc.PID, "local_addr": "127.0.0.1:7009", "recv_queue": 2000})
		if len(top) != 2 {
			t.Errorf("%s shows empty queues too: %v", call, top)
		}
	}
	out := rows(t, sc, `ports_peers(5, "out")`, "peers")
	has(t, "peer", out[0], map[string]any{"remote_address": "127.0.0.1", "port": 7009, "direction": "out", "connections": 1, "pid": sc.PID})
	has(t, "summary", sc.Answers["ports_summary()"].(map[string]any)["tcp_states"].(map[string]any), map[string]any{"established": 4, "listen": 2})
}

func TestARealProcessWithManyDescriptorsIsFound(t *testing.T) {
	pid, say := box.Child(t, childEnv+"="+"fds", nil)
	if say != "ready" {
		t.Fatal(say)
	}
	s := ports.Skill(host.New(host.Config{}))
	for _, by := range []string{"used_pct", "fds"} {
		call := fmt.Sprintf("ports_top_fds(50, %q)", by)
		v, err := answer(t.Context(), s, call)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, r := range rows(t, scene{Answers: map[string]any{call: v}}, call, "processes") {
			if r["pid"] != float64(pid) {
				continue
			}
			found = true
			kinds := r["kinds"].(map[string]any)
			if n := r["fds"].(float64); n < 320 || n > 350 || kinds["device"].(float64) < 200 || kinds["pipe"].(float64) < 100 || kinds["eventfd"].(float64) < 20 {
				t.Errorf("by %s it shows as %v", by, r)
			}
			if r["limit"] == nil || r["used_pct"].(float64) <= 0 {
				t.Errorf("it has no limit: %v", r)
			}
		}
		if !found {
			t.Errorf("by %s it is not among the top 50", by)
		}
	}
}

// BenchmarkSnapshot is one snapshot of this machine, with 500 processes more,
// which it starts and ends.
func BenchmarkSnapshot(b *testing.B) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		b.Fatal(err)
	}
	var started []*os.Process
	b.Cleanup(func() {
		for _, p := range started {
			_ = p.Kill()
		}
		for _, p := range started {
			_, _ = p.Wait()
		}
	})
	for range 500 {
		// They end by themselves if this one is killed.
		p, err := os.StartProcess(sleep, []string{"sleep", "60"}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
		if err != nil {
			b.Fatalf("after %d processes: %v", len(started), err)
		}
		started = append(started, p)
	}
	s := ports.Skill(host.New(host.Config{}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sources[0].Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
