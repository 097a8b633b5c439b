package overload_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills/overload"
)

func TestARealListenerThatDoesNotAcceptIsNamed(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	const backlog = 8
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range backlog + 1 {
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	src := overload.Skill(host.New(host.Config{})).Sources[0]
	d := snap(t, src)
	got := says(src, d)["accept_queue_max_used_pct"]
	if !strings.Contains(got, address) || !strings.Contains(got, fmt.Sprintf("(%d)", os.Getpid())) || d["overload_severity"] != "critical" {
		t.Errorf("it crosses %q; %v", got, d)
	}
	if d["accept_queue_waiting"].(float64) < backlog+1 {
		t.Errorf("%v connections wait", d["accept_queue_waiting"])
	}
}
