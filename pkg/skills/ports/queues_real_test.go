//go:build linux

package ports_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// growing has a connection that nobody reads and a listener that nobody accepts at,
// and gives both more until the skill says that they grow.
func growing(ctx context.Context, s skills.Skill) error {
	l, err := net.Listen("tcp", "127.0.0.1:7011")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", "127.0.0.1:7011")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	a, err := l.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: 7013, Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 63)); err != nil {
		return err
	}
	if _, err := c.Write(make([]byte, 1000)); err != nil {
		return err
	}
	sc := scene{PID: os.Getpid(), Answers: map[string]any{}}
	if sc.Snapshot, err = s.Sources[0].Snapshot(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 60 { // six seconds at most: the queues hold it
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			return err
		}
		joined, err := net.Dial("tcp", "127.0.0.1:7013")
		if err != nil {
			return err
		}
		defer func() { _ = joined.Close() }()
		for _, ask := range []string{"ports_queue_growth(5)", "ports_saturation_prediction()"} {
			if sc.Answers[ask], err = answer(ctx, s, ask); err != nil {
				return fmt.Errorf("%s: %w", ask, err)
			}
		}
		grown := sc.Answers["ports_queue_growth(5)"].(map[string]any)
		if len(grown["growing_ports"].([]any)) > 0 && len(grown["growing_listeners"].([]any)) > 0 {
			break
		}
		<-tick.C
	}
	b, err := json.Marshal(sc)
	fmt.Println(string(b))
	return err
}

func TestRealQueuesThatGrowAreNamedWithTheMomentTheyAreFull(t *testing.T) {
	sc, ok := stage(t, "growing")
	if !ok {
		return
	}
	grown := rows(t, sc, "ports_queue_growth(5)", "growing_ports")
	if len(grown) != 1 {
		t.Fatalf("growing: %v", sc.Answers)
	}
	has(t, "the connection", grown[0], map[string]any{"local_addr": "127.0.0.1:7011", "type": "tcp", "pid": sc.PID, "historical_queue": 1000, "trend": "growing"})
	if rate := grown[0]["growth_rate_bytes_per_sec"].(float64); rate <= 1024 || rate > 20_000 {
		t.Errorf("it grows by %v B/s", rate)
	}
	full := rows(t, sc, "ports_queue_growth(5)", "growing_listeners")
	if len(full) != 1 {
		t.Fatalf("listeners: %v", sc.Answers)
	}
	has(t, "the listener", full[0], map[string]any{"address": "127.0.0.1:7013", "pid": sc.PID, "accept_queue_max": 63, "historical_accept_queue": 0, "trend": "growing"})

	said := rows(t, sc, "ports_saturation_prediction()", "predictions")
	if len(said) != 2 {
		t.Fatalf("predictions: %v", said)
	}
	has(t, "the listener comes first", said[0], map[string]any{"queue": "accept", "local_addr": "127.0.0.1:7013", "saturation_threshold_connections": 64, "risk_level": "critical"})
	has(t, "then the connection", said[1], map[string]any{"queue": "socket", "local_addr": "127.0.0.1:7011", "saturation_threshold_bytes": 1 << 20, "risk_level": "critical"})
	if m := said[1]["minutes_until_saturation"].(float64); m <= 0 || m >= 15 {
		t.Errorf("it is full in %v minutes", m)
	}
}

// The child is in a network of its own and looks at the tree of the machine around
// it, as a probe in a container does: sock_diag would tell it of its own sockets.
func TestOfAnotherMachinesTreeNetlinkIsNotAsked(t *testing.T) {
	if os.Getuid() != 0 {
		missing.Component(t, "the tree of another machine", "only root may make a process that is in another network and numbered otherwise")
		return
	}
	// Listeners of process 1's network: of others' some may come and go meanwhile.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	before := listenersOfFirst(t)
	_, say := box.Child(t, childEnv+"="+"foreign", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID})
	var sc scene
	if why, found := strings.CutPrefix(say, "cannot: "); found {
		missing.Component(t, "the tree of another machine", why)
		return
	}
	if err := json.Unmarshal([]byte(say), &sc); err != nil {
		t.Fatalf("%v: %s", err, say)
	}
	if from := sc.Answers["ports_summary()"].(map[string]any)["sockets_from"]; from != "proc" {
		t.Errorf("the sockets are from %v", from)
	}
	told := map[string]bool{}
	for _, row := range rows(t, sc, "ports_listeners(200)", "listeners") {
		told[row["address"].(string)] = true
		if row["address"] == "127.0.0.1:7012" {
			t.Errorf("the child's own listener is told as the machine's: %v", row)
		}
		if _, ok := row["accept_queue_max"]; ok {
			t.Errorf("a backlog is told, which only netlink knows: %v", row)
		}
	}
	after := listenersOfFirst(t)
	for address := range before {
		if after[address] && !told[address] && len(told) < 200 {
			t.Errorf("the machine's listener %s is missing: %v", address, told)
		}
	}
	for _, ask := range []string{"ports_queue_growth(5)", "ports_saturation_prediction()"} {
		if why, _ := sc.Answers[ask].(map[string]any)["note"].(string); !strings.Contains(why, "sock_diag") {
			t.Errorf("%s says %q", ask, why)
		}
	}
}

// listenersOfFirst returns the addresses of the IPv4 listeners in process 1's network, as its file says.
func listenersOfFirst(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("/proc/1/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "0A" {
			continue
		}
		var addr, port uint32
		if _, err := fmt.Sscanf(f[1], "%08X:%04X", &addr, &port); err != nil {
			t.Fatal(err)
		}
		var raw [4]byte
		binary.NativeEndian.PutUint32(raw[:], addr)
		out[netip.AddrPortFrom(netip.AddrFrom4(raw), uint16(port)).String()] = true
	}
	return out
}
