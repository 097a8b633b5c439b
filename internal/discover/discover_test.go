//go:build linux

package discover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/pgtest"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	"github.com/fleetlens/fleetlens/test/goservice"
)

const childEnv = "DISCOVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		serve(what)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serve listens until this process is killed, a minute at most, and says where.
func serve(what string) {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	l, err := net.Listen("tcp", os.Getenv("DISCOVER_TEST_ADDRESS"))
	if err != nil {
		fmt.Println("cannot:", err)
		return
	}
	fmt.Println(l.Addr())
	mux := http.NewServeMux()
	switch what {
	case "pprof":
		mux.HandleFunc("/debug/pprof/", pprof.Index)
	case "redirect":
		mux.Handle("/", http.RedirectHandler("http://192.0.2.1/debug/pprof/", http.StatusFound))
	case "silence":
		select {}
	case "greeting":
		greet(l)
	}
	fmt.Println(http.Serve(l, mux))
}

// greet speaks first, as mail servers, databases and NATS do, and says what it is sent.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("INFO {}\r\n"))
		b, _ := io.ReadAll(c)
		fmt.Printf("%q\n", b)
		_ = c.Close()
	}
}

// child runs this test's program, or a copy of another name, and returns where it listens.
func child(t *testing.T, program, what, address string) (pid int, at string) {
	t.Helper()
	pid, at, _ = childSays(t, program, what, address)
	return pid, at
}

func childSays(t *testing.T, program, what, address string) (pid int, at string, says *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+what, "DISCOVER_TEST_ADDRESS="+address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	says = bufio.NewReader(out)
	line, err := says.ReadString('\n')
	if _, _, bad := net.SplitHostPort(strings.TrimSpace(line)); err != nil || bad != nil {
		t.Fatalf("the child said %q, %v", line, err)
	}
	return cmd.Process.Pid, strings.TrimSpace(line), says
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// asked notes which addresses are connected to.
type asked struct {
	mu   sync.Mutex
	list []string
}

func (a *asked) times(at string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, host := range a.list {
		if host == at {
			n++
		}
	}
	return n
}

func finder(watched ...string) (*Finder, *asked) {
	f := New(Config{Host: host.New(host.Config{}), Watched: watched})
	a := &asked{}
	dial := f.dial
	f.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		a.mu.Lock()
		a.list = append(a.list, address)
		a.mu.Unlock()
		return dial(ctx, network, address)
	}
	return f, a
}

// of returns the proposal about a process.
func of(t *testing.T, f *Finder, pid int) *protocol.Proposal {
	t.Helper()
	list, err := f.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.PID == pid {
			return &p
		}
	}
	return nil
}

// targets reads what a person would add to the configuration.
func targets(t *testing.T, p *protocol.Proposal) all.Targets {
	t.Helper()
	var out all.Targets
	if err := yaml.Unmarshal([]byte(p.Config), &out); err != nil {
		t.Fatalf("%s: %v", p.Config, err)
	}
	if err := out.Validate(); err != nil {
		t.Fatalf("%s: %v", p.Config, err)
	}
	return out
}

func TestAGoServiceWithPprofIsProposedUntilItIsATarget(t *testing.T) {
	s := goservice.Start(t)
	at := strings.TrimPrefix(s.URL, "http://")
	f, asked := finder()
	p := of(t, f, s.PID)
	if p == nil {
		t.Fatal("it is not proposed")
	}
	want := &protocol.Proposal{
		Kind: "go", Process: "leaky", PID: s.PID, Address: at,
		Why:    p.Why,    // with the unit, where the tests run in one
		Config: p.Config, // with a number, where another test runs the same program
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(p.Why, "a Go program (github.com/fleetlens/fleetlens/test/goservice/leaky) that serves /debug/pprof/") {
		t.Errorf("why: %s", p.Why)
	}
	watch := targets(t, p)
	for name, c := range watch.Go {
		if !strings.HasPrefix(name, "leaky") || c.URL != s.URL {
			t.Errorf("the configuration says %s", p.Config)
		}
	}
	if again := of(t, f, s.PID); again == nil || asked.times(at) != 1 {
		t.Errorf("the second look says %v, and the service was asked %d times", again, asked.times(at))
	}

	f, asked = finder(watch.Addresses()...)
	if p := of(t, f, s.PID); p != nil || asked.times(at) != 0 {
		t.Errorf("as a target it is proposed as %v and was asked %d times", p, asked.times(at))
	}
}

func TestGoProgramsWithoutPprofAreAskedOnceAndNotProposed(t *testing.T) {
	t.Run("one that answers something else", func(t *testing.T) {
		pid, at := child(t, self(t), "nothing", "127.0.0.1:0")
		f, asked := finder()
		for range 3 {
			if p := of(t, f, pid); p != nil {
				t.Errorf("proposed as %+v", p)
			}
		}
		if n := asked.times(at); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
	})
	t.Run("one that leads elsewhere", func(t *testing.T) {
		pid, at := child(t, self(t), "redirect", "127.0.0.1:0")
		f, asked := finder()
		if p := of(t, f, pid); p != nil || asked.times(at) != 1 || asked.times("192.0.2.1") != 0 {
			t.Errorf("proposed as %+v; %v were asked", p, asked.list)
		}
	})
	t.Run("one that speaks first is sent nothing", func(t *testing.T) {
		pid, at, says := childSays(t, self(t), "greeting", "127.0.0.1:0")
		f, asked := finder()
		for range 2 {
			if p := of(t, f, pid); p != nil {
				t.Errorf("proposed as %+v", p)
			}
		}
		if sent, err := says.ReadString('\n'); sent != "\"\"\n" || err != nil || asked.times(at) != 1 {
			t.Errorf("it was asked %d times and sent %s, %v", asked.times(at), sent, err)
		}
	})
	t.Run("one that never answers is asked three times in all", func(t *testing.T) {
		pid, at := child(t, self(t), "silence", "127.0.0.1:0")
		f, asked := finder()
		for range 5 {
			if p := of(t, f, pid); p != nil {
				t.Errorf("proposed as %+v", p)
			}
		}
		if n := asked.times(at); n != maxTries {
			t.Errorf("it was asked %d times", n)
		}
	})
}

func TestAListenerOfAllAddressesIsAskedAtLoopback(t *testing.T) {
	pid, at := child(t, self(t), "pprof", "0.0.0.0:0")
	_, port, _ := net.SplitHostPort(at)
	f, _ := finder()
	if p := of(t, f, pid); p == nil || p.Address != "127.0.0.1:"+port {
		t.Errorf("got %+v", p)
	}
	f, _ = finder("localhost:" + port)
	if p := of(t, f, pid); p != nil {
		t.Errorf("as a target it is proposed as %+v", p)
	}
	f, _ = finder("elsewhere.example:" + port)
	if p := of(t, f, pid); p == nil {
		t.Error("a target on another machine hides it")
	}
}

func TestANodeOfErlangIsProposedAndNotAsked(t *testing.T) {
	b, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "beam.smp")
	if err := os.WriteFile(program, b, 0o700); err != nil {
		t.Fatal(err)
	}
	pid, at := child(t, program, "pprof", "127.0.0.1:0")
	f, asked := finder()
	p := of(t, f, pid)
	if p == nil || p.Kind != "beam" || p.Process != "beam.smp" || p.Address != at || p.Config != "" {
		t.Errorf("got %+v", p)
	}
	if n := asked.times(at); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestAPostgreSQLIsProposedUntilItIsATargetAndNeverAsked(t *testing.T) {
	c := pgtest.Run(t)
	if c == nil {
		return
	}
	cfg, err := pgconn.ParseConfig(c.DSN("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(cfg.Port)))
	find := func(f *Finder) *protocol.Proposal {
		list, err := f.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(list, func(p protocol.Proposal) bool { return p.Address == at }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	f, asked := finder()
	p := find(f)
	if p == nil || p.Kind != "postgres" || p.Process != "postgres" || p.PID == 0 {
		t.Fatalf("got %+v", p)
	}
	watch := targets(t, p)
	if got := watch.Addresses(); len(watch.Postgres) != 1 || !slices.Contains(got, at) {
		t.Errorf("%s leads to %v", p.Config, got)
	}
	if n := asked.times(at); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
	f, _ = finder(watch.Addresses()...)
	if p := find(f); p != nil {
		t.Errorf("as a target it is proposed as %+v", p)
	}
}

func TestNothingIsAskedOfAProgramInAnotherLanguage(t *testing.T) {
	if !missing.Debian(t, "python3", "python3") {
		return
	}
	cmd := exec.Command("python3", "-c", `
import http.server, sys, threading, os
threading.Timer(60, lambda: os._exit(0)).start()
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"/debug/pprof/ goroutine")
s = http.server.HTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	at := "127.0.0.1:" + strings.TrimSpace(port)
	f, asked := finder()
	if p := of(t, f, cmd.Process.Pid); p != nil || asked.times(at) != 0 {
		t.Errorf("proposed as %+v, asked %d times", p, asked.times(at))
	}
	if yes, _ := f.ask(t.Context(), netip.MustParseAddrPort(at), pprofIndex); !yes {
		t.Error("asked, it would have looked like one: the test shows nothing")
	}
}

func TestThisProcessIsNoProposal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	f, asked := finder()
	if p := of(t, f, os.Getpid()); p != nil || asked.times(l.Addr().String()) != 0 {
		t.Errorf("proposed as %+v, asked %d times", p, asked.times(l.Addr().String()))
	}
}

func TestALookThatIsEndedAsksNoMore(t *testing.T) {
	_, at := child(t, self(t), "pprof", "127.0.0.1:0")
	f, asked := finder()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Look(ctx); !errors.Is(err, context.Canceled) || asked.times(at) != 0 {
		t.Errorf("it ended with %v, and the service was asked %d times", err, asked.times(at))
	}
}

func TestALoopbackThatBelongsToAnotherIsNotAskedForAWildcard(t *testing.T) {
	addr := netip.MustParseAddrPort
	for _, tt := range []struct {
		name  string
		at    string
		bound []string
		want  string
	}{
		{"its own address", "10.0.0.1:80", nil, "[10.0.0.1:80]"},
		{"all of IPv4", "0.0.0.0:80", nil, "[127.0.0.1:80]"},
		{"all of IPv4, loopback is another's", "0.0.0.0:80", []string{"127.0.0.1:80"}, "[]"},
		{"all of IPv6", "[::]:80", nil, "[127.0.0.1:80 [::1]:80]"},
		{"all of IPv6, IPv4 is another's", "[::]:80", []string{"0.0.0.0:80"}, "[[::1]:80]"},
		{"all of IPv6, both loopbacks are another's", "[::]:80", []string{"127.0.0.1:80", "[::1]:80"}, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := listener{addr: addr(tt.at)}
			bound := map[netip.AddrPort]bool{l.addr: true}
			for _, b := range tt.bound {
				bound[addr(b)] = true
			}
			if got := fmt.Sprint(l.reachable(bound)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
