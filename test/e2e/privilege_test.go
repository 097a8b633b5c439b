//go:build linux

package e2e_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// Capabilities of the unit in deploy/systemd, by their numbers (linux/capability.h).
const (
	capDACReadSearch = 2
	capSysPtrace     = 19
	capSyslog        = 34
)

// runAs starts a probe of this machine as another user. What it wrote is shown
// when the test fails.
func (f *fleet) runAs(node string, uid uint32, capabilities ...uintptr) {
	f.t.Helper()
	dir, err := os.MkdirTemp("", "fleetlens-user-") // of t.TempDir() others may not even look into the parent
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	copied := filepath.Join(dir, "probe")
	copyProgram(f.t, copied, built.Program(f.t, "cmd/probe"))
	c := exec.Command(copied, "--server", f.url, "--node", node, "--interval", "1s", "--http", "")
	c.Env, c.Dir = box.CleanEnv(), dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}, AmbientCaps: capabilities}
	box.Start(f.t, node, c).Says("probe watches")
}

func copyProgram(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// asks returns what a probe answers, or why it refuses.
func (f *fleet) asks(node, callback string, args ...any) string {
	f.t.Helper()
	body, err := json.Marshal(protocol.Call{Callback: callback, Args: args})
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := f.nc.Request(protocol.ProbeSubject(node, "call"), body, 10*time.Second)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(m.Data)
}

// A probe runs as an ordinary user. What it then cannot see it says, with what would
// grant it, and goes on; with the capabilities of the unit it sees it.
func TestAnOrdinaryUsersProbeSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		missing.Component(t, "a probe of another user", "only root may start one")
		return
	}
	f := newFleet(t)
	ready(f.coordinator())
	f.runAs("plain", 65534)
	f.runAs("granted", 65534, capDACReadSearch, capSysPtrace, capSyslog)
	for _, tt := range []struct {
		callback string
		args     []any
		lacks    string // what the plain one says
		has      string // what the granted one answers, and the plain one does not
		times    int    // so often at least
	}{
		{"sysmon_stats", nil, "CAP_SYSLOG", `"by_type"`, 1},
		{"allocator_summary", []any{5}, "CAP_DAC_READ_SEARCH", `"usage_ratio"`, 5},
		{"ports_top_fds", []any{50}, "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", `"kinds"`, 6},
	} {
		if got := f.asks("plain", tt.callback, tt.args...); !strings.Contains(got, tt.lacks) || strings.Count(got, tt.has) >= tt.times {
			t.Errorf("%s without privilege does not name %s: %.600s", tt.callback, tt.lacks, got)
		}
		if got := f.asks("granted", tt.callback, tt.args...); strings.Count(got, tt.has) < tt.times {
			t.Errorf("%s with the capabilities does not tell %s: %.600s", tt.callback, tt.has, got)
		}
	}
	for _, callback := range []string{"system_get_memory", "sup_list", "overload_state", "logger_stats", "exception_stats"} {
		if got := f.asks("plain", callback); strings.Contains(got, `"error"`) || !strings.Contains(got, `"value"`) {
			t.Errorf("%s needs no privilege: %.600s", callback, got)
		}
	}
}
