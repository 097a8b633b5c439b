package census

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/topology"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

const playEnv = "CENSUS_TEST_NODE"

func TestMain(m *testing.M) {
	if node := os.Getenv(playEnv); node != "" {
		if err := play(node); err != nil {
			fmt.Println("cannot:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play does what standard input says, a line an order, and answers each with a line,
// until the input ends: it listens, connects, or says the links of the host it is on.
func play(node string) error {
	c := New(Config{Node: node, Host: host.New(host.Config{})})
	var kept []io.Closer // until the process ends
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		verb, at, _ := strings.Cut(in.Text(), " ")
		var answer any = "done"
		var err error
		switch verb {
		case "listen":
			var l net.Listener
			if l, err = net.Listen("tcp", at); err == nil {
				kept = append(kept, l)
				go accept(l)
			}
		case "connect":
			var x net.Conn
			if x, err = net.DialTimeout("tcp", at, 10*time.Second); err == nil {
				kept = append(kept, x)
			}
		case "visit": // and close first
			var x net.Conn
			if x, err = net.DialTimeout("tcp", at, 10*time.Second); err == nil {
				err = x.Close()
			}
		case "links":
			answer, err = c.Links(context.Background())
		default:
			err = errors.New("unknown order")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		b, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		fmt.Println(string(b))
	}
	for _, k := range kept {
		_ = k.Close()
	}
	return in.Err()
}

// accept answers the end of a connection with its own.
func accept(l net.Listener) {
	for {
		x, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(io.Discard, x); _ = x.Close() }()
	}
}

// A lan is hosts in network namespaces that a bridge joins.
type lan struct {
	t   *testing.T
	dir string // of programs
	id  string
}

func (n *lan) ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// newLAN returns nil where this machine cannot have one.
func newLAN(t *testing.T) *lan {
	t.Helper()
	if os.Getuid() != 0 {
		missing.Component(t, "network namespaces", "the test does not run as root")
		return nil
	}
	if !missing.Debian(t, "ip", "iproute2") {
		return nil
	}
	n := &lan{t: t, dir: t.TempDir(), id: fmt.Sprintf("fl%d", os.Getpid())}
	hub := n.id + "-hub"
	if err := n.ip("netns", "add", hub); err != nil {
		missing.Component(t, "network namespaces", err.Error())
		return nil
	}
	t.Cleanup(func() { _ = n.ip("netns", "del", hub) })
	err := errors.Join(n.ip("-n", hub, "link", "add", "br0", "type", "bridge"), n.ip("-n", hub, "link", "set", "br0", "up"))
	if err != nil {
		missing.Component(t, "bridges between network namespaces", err.Error())
		return nil
	}
	return n
}

// host adds one with its addresses.
func (n *lan) host(name string, addresses ...string) {
	n.t.Helper()
	ns, port := n.id+"-"+name, "to-"+name
	do := func(args ...string) {
		n.t.Helper()
		if err := n.ip(args...); err != nil {
			n.t.Fatal(err)
		}
	}
	do("netns", "add", ns)
	n.t.Cleanup(func() { _ = n.ip("netns", "del", ns) })
	do("-n", ns, "link", "set", "lo", "up")
	do("-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", n.id+"-hub")
	do("-n", n.id+"-hub", "link", "set", port, "master", "br0", "up")
	do("-n", ns, "link", "set", "eth0", "up")
	for _, a := range addresses {
		args := []string{"-n", ns, "address", "add", a, "dev", "eth0"}
		if strings.Contains(a, "::") {
			args = append(args, "nodad") // it may be used at once
		}
		do(args...)
	}
}

// An actor is a process on a host that takes orders.
type actor struct {
	t    *testing.T
	name string
	in   io.Writer
	out  *bufio.Reader
}

// run starts this test's program under a name on a host.
func (n *lan) run(node, program string) actor {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	path := filepath.Join(n.dir, program)
	if err := os.Symlink(self, path); err != nil && !errors.Is(err, os.ErrExist) {
		n.t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", n.id+"-"+node, path)
	cmd.Env, cmd.Stderr = append(os.Environ(), playEnv+"="+node), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return actor{n.t, program + " on " + node, in, bufio.NewReader(out)}
}

// do gives an order and returns the answer.
func (a actor) do(order string) string {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.in, order); err != nil {
		a.t.Fatal(err)
	}
	line, err := a.out.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "cannot:") {
		a.t.Fatalf("%s, told to %s: %s %v", a.name, order, line, err)
	}
	return line
}

func (a actor) links() protocol.Links {
	a.t.Helper()
	var l protocol.Links
	if err := json.Unmarshal([]byte(a.do("links")), &l); err != nil {
		a.t.Fatal(err)
	}
	if err := l.Validate(); err != nil {
		a.t.Error(err)
	}
	return l
}

// Each host is a network namespace with addresses of its own; listeners and clients
// are processes, and what is matched is what the real reading of each host says.
func TestRealSocketsOfSeveralHostsAreMatched(t *testing.T) {
	n := newLAN(t)
	if n == nil {
		return
	}
	n.host("web-1", "10.77.0.1/24", "172.17.0.1/16")
	n.host("web-2", "10.77.0.2/24", "172.17.0.1/16") // the bridge that each has
	n.host("db", "10.77.0.3/24", "fd77::3/64")
	n.host("cache", "10.77.0.4/24")
	n.host("payments", "10.77.0.9/24") // without a probe
	for node, a := range map[string][2]string{"db": {"postgres", "[::]:5432"}, "cache": {"redis-server", "0.0.0.0:6379"}, "payments": {"gateway", "0.0.0.0:443"}} {
		n.run(node, a[0]).do("listen " + a[1])
	}
	for _, node := range []string{"web-2", "web-1"} { // it connects to the one before
		app := n.run(node, "checkout")
		app.do("listen 0.0.0.0:8080")
		app.do("listen 127.0.0.1:6060")
		for _, to := range []string{"10.77.0.3:5432", "10.77.0.3:5432", "10.77.0.9:443", "127.0.0.1:6060", "172.17.0.1:8080"} {
			app.do("connect " + to)
		}
		if node == "web-1" {
			app.do("connect 10.77.0.2:8080")
			app.do("visit 10.77.0.4:6379") // over before anybody looks
		}
	}
	m, now := topology.New(), time.Now()
	said := map[string]protocol.Links{}
	for _, node := range []string{"web-1", "web-2", "db", "cache"} {
		said[node] = n.run(node, "prober").links()
		m.Observe(said[node], now)
	}
	want := []topology.Edge{
		{From: "web-1", To: "cache", Via: []topology.Via{{Port: 6379, Service: "redis-server", Connections: 1}}},
		{From: "web-1", To: "db", Via: []topology.Via{{Process: "checkout", Port: 5432, Service: "postgres", Connections: 2}}},
		{From: "web-1", To: "external:10.77.0.9:443", Via: []topology.Via{{Process: "checkout", Port: 443, Connections: 1}}},
		{From: "web-1", To: "web-2", Via: []topology.Via{{Process: "checkout", Port: 8080, Service: "checkout", Connections: 1}}},
		{From: "web-2", To: "db", Via: []topology.Via{{Process: "checkout", Port: 5432, Service: "postgres", Connections: 2}}},
		{From: "web-2", To: "external:10.77.0.9:443", Via: []topology.Via{{Process: "checkout", Port: 443, Connections: 1}}},
	}
	if diff := cmp.Diff(want, m.Edges(now, nil, nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := said["db"]; !cmp.Equal(got.Addresses, []string{"10.77.0.3", "fd77::3"}) || !cmp.Equal(got.Listens, []protocol.Listener{{Port: 5432, Process: "postgres"}}) || len(got.Peers) != 0 {
		t.Errorf("who only serves says %+v", got)
	}
}
