package census

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// memory is a Keeper.
type memory map[string][]byte

func (m memory) Read(name string) ([]byte, error)     { return m[name], nil }
func (m memory) Write(name string, data []byte) error { m[name] = data; return nil }

// machine is one made of plain files.
type machine struct {
	testing.TB
	dir    string
	keep   memory
	census *Census
	files  []string
}

func newMachine(t testing.TB, files ...string) *machine {
	m := &machine{TB: t, dir: t.TempDir(), keep: memory{}, files: files}
	m.write("proc/uptime", "1000.00 1.00\n")
	m.write("proc/sys/kernel/random/boot_id", "boot-1\n")
	m.write("proc/sys/kernel/osrelease", "6.1.0\n")
	m.process(1, 0, "systemd", 1, "init.scope", "")
	m.sockets()
	m.restart()
	return m
}

// restart has another process of the probe look, with what was kept.
func (m *machine) restart() {
	m.census = New(Config{Node: "web-1", Files: m.files, Targets: map[int]string{8080: "checkout"},
		Host: host.New(host.Config{Proc: m.dir + "/proc", Root: m.dir})})
}

func (m *machine) write(name, text string) {
	m.Helper()
	name = filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) remove(name string) {
	m.Helper()
	if err := os.RemoveAll(filepath.Join(m.dir, name)); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) link(name, target string) {
	m.Helper()
	m.remove(name)
	if err := os.MkdirAll(filepath.Dir(filepath.Join(m.dir, name)), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(m.dir, name)); err != nil {
		m.Fatal(err)
	}
}

// process adds one that started so many ticks after boot. Its program is a file of the machine.
func (m *machine) process(pid, parent int, name string, start int, unit, program string) {
	m.Helper()
	p := fmt.Sprintf("proc/%d/", pid)
	m.write(p+"stat", fmt.Sprintf("%d (%s) S %d 42 42 0 -1 4194560 0 0 0 0 5 5 0 0 20 0 1 0 %d 41934848 2906 1 1\n", pid, name, parent, start))
	m.write(p+"cgroup", "0::/system.slice/"+unit+"\n")
	if program != "" {
		m.link(p+"exe", filepath.Join(m.dir, program))
	}
}

func (m *machine) exit(pid int) { m.remove(fmt.Sprintf("proc/%d", pid)) }

// address is one as /proc/net/tcp has it.
func address(text string) string {
	at := netip.MustParseAddrPort(text)
	raw := at.Addr().AsSlice()
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(raw)), at.Port())
}

// sockets sets the sockets: "state local remote inode".
func (m *machine) sockets(list ...string) {
	m.Helper()
	text := "  sl  local_address rem_address   st\n"
	for i, line := range list {
		var state, local, remote string
		var inode int
		if _, err := fmt.Sscan(line, &state, &local, &remote, &inode); err != nil {
			m.Fatal(err)
		}
		number := map[string]string{"established": "01", "syn_sent": "02", "time_wait": "06", "listen": "0A"}[state]
		text += fmt.Sprintf("%4d: %s %s %s 00000000:00000000 00:00000000 00000000 0 0 %d 1 0\n", i, address(local), address(remote), number, inode)
	}
	m.write("proc/net/tcp", text)
}

// holds gives a process a socket.
func (m *machine) holds(pid int, inode int) {
	m.link(fmt.Sprintf("proc/%d/fd/%d", pid, inode), fmt.Sprintf("socket:[%d]", inode))
}

// look returns what changed, and keeps what was seen.
func (m *machine) look() []protocol.Change {
	m.Helper()
	found, done, err := m.census.Changes(m.Context(), m.keep)
	if err != nil {
		m.Fatal(err)
	}
	if err := done(); err != nil {
		m.Fatal(err)
	}
	for _, c := range found {
		if err := c.Validate(); err != nil || c.Node != "web-1" || c.Source != "probe" || c.At.After(time.Now()) {
			m.Errorf("%+v: %v", c, err)
		}
	}
	return found
}

// later makes what was seen so much older.
func (m *machine) later(d time.Duration) {
	s := m.census.seen
	s.At = s.At.Add(-d)
	for key, x := range s.Services {
		x.Seen, x.Since = x.Seen.Add(-d), x.Since.Add(-d)
		if !x.Reported.IsZero() {
			x.Reported = x.Reported.Add(-d)
		}
		s.Services[key] = x
	}
}

// says are the changes in short: what, target, from, to and the text without times.
func says(list []protocol.Change) []string {
	out := []string{}
	for _, c := range list {
		text, _, _ := strings.Cut(c.Text, ", which ran since")
		out = append(out, strings.TrimSpace(c.What+" "+c.Target)+": "+text)
	}
	return out
}

func (m *machine) want(name string, want ...string) {
	m.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, says(m.look())); diff != "" {
		m.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
