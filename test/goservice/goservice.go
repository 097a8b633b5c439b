// Package goservice runs a real Go service with planted faults, for the tests of
// the skills that look into Go services.
package goservice

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/test/built"
)

// A Service is the running program.
type Service struct {
	URL string
	PID int
	t   testing.TB
}

// Start runs the program until the test ends. Without -procs it has one processor,
// so that its faults leave the others to whatever else is tested.
func Start(t testing.TB, args ...string) *Service {
	t.Helper()
	cmd := exec.Command(built.Program(t, "test/goservice/leaky"), args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://") {
		t.Fatalf("the service said %q, %v", line, err)
	}
	return &Service{URL: strings.TrimSpace(line), PID: cmd.Process.Pid, t: t}
}

// Plant begins a fault: see the program's faults.go for their names.
func (s *Service) Plant(fault string, n int) {
	s.t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get(fmt.Sprintf("%s/fault/%s?n=%d", s.URL, fault, n))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		line, _ := bufio.NewReader(resp.Body).ReadString('\n')
		s.t.Fatalf("the fault %s: %s: %s", fault, resp.Status, line)
	}
}
