package census

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// install writes this test's program to a file, with a time of its own.
func install(t *testing.T, file string, changed time.Time) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(file+".new", os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file+".new", changed, changed); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// serve runs a program that listens at an address until stop.
func serve(t *testing.T, file, address string) (pid int, stop func()) {
	t.Helper()
	cmd := exec.Command(file)
	cmd.Env = append(os.Environ(), playEnv+"=real")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(stop)
	if _, err := fmt.Fprintln(in, "listen "+address); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4096)
	if n, err := out.Read(said); err != nil || string(said[:n]) != "\"done\"\n" {
		t.Fatalf("it says %q, %v", said[:n], err)
	}
	return cmd.Process.Pid, stop
}

// The machine is the one that the test runs on.
func TestARealServiceThatIsReplacedAndStartedAgain(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	file := filepath.Join(t.TempDir(), "checkout")
	install(t, file, time.Now().Add(-time.Hour))
	first, stop := serve(t, file, address)
	keep := memory{}
	c := New(Config{Node: "web-1", Host: host.New(host.Config{}), Targets: map[int]string{port: "shop"}})
	// changes are those of the service: others of this machine may change too.
	changes := func() []protocol.Change {
		t.Helper()
		found, done, err := c.Changes(t.Context(), keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := done(); err != nil {
			t.Fatal(err)
		}
		var out []protocol.Change
		for _, x := range found {
			if x.Target == "shop" {
				out = append(out, x)
			}
		}
		return out
	}
	if got := changes(); len(got) != 0 {
		t.Fatalf("the first look finds %+v", got)
	}
	install(t, file, time.Now().Add(-time.Minute))
	if got := changes(); len(got) != 1 || got[0].What != "binary" || !strings.Contains(got[0].Text, fmt.Sprintf("%s was replaced on the disk; process %d goes on with the old one", file, first)) {
		t.Fatalf("its program was replaced: %+v", got)
	}
	for key, s := range c.seen.Services { // as if it had run for longer
		s.Since = s.Since.Add(-time.Minute)
		c.seen.Services[key] = s
	}
	stop()
	second, _ := serve(t, file, address)
	got := changes()
	if len(got) != 2 || got[0].What != "binary" || got[1].What != "restart" || !strings.Contains(got[1].Text, fmt.Sprintf("checkout on port %d was started again: process %d instead of %d", port, second, first)) {
		t.Fatalf("it was started again: %+v", got)
	}
	if got[0].From == got[0].To || time.Since(got[1].At) > time.Minute || time.Since(got[1].At) < 0 {
		t.Errorf("its program was %q and is %q, it was started at %s", got[0].From, got[0].To, got[1].At)
	}
}
