//go:build linux

package hostos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// childEnv tells the test program that it is a process for the tests to find.
const childEnv = "HOSTOS_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := misbehave(what); err != nil {
			fmt.Println("cannot:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// misbehave uses up what it is told to, says so, and holds it until its input ends.
func misbehave(what string) error {
	switch what {
	case "memory":
		// Not from Go's heap: the race detector would add twice as much to it.
		if _, err := syscall.Mmap(-1, 0, 200<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE); err != nil {
			return err
		}
	case "threads":
		ready := make(chan struct{})
		for range 300 {
			go func() {
				runtime.LockOSThread()
				ready <- struct{}{}
				select {}
			}()
		}
		for range 300 {
			<-ready
		}
	case "fds":
		for range 400 {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return err
			}
			defer f.Close()
		}
	case "cpu":
		for burned := 0; processorTime() < 1500*time.Millisecond; burned++ {
			_ = burned
		}
	case "tmpfs":
		return fillTmpfs()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type row struct {
	PID       int      `json:"pid"`
	Name      string   `json:"name"`
	UID       *float64 `json:"uid"`
	CPUPct    float64  `json:"cpu_pct"`
	MemoryMB  float64  `json:"memory_mb"`
	MemoryPct float64  `json:"memory_pct"`
	Threads   int      `json:"threads"`
	FDs       *int     `json:"fds"`
	Age       float64  `json:"age_seconds"`
}

type listing struct {
	CPUBasis string  `json:"cpu_basis"`
	Interval float64 `json:"interval_seconds"`
	Rows     []row   `json:"processes"`
}

// find returns the row of a process among the top 50, after checking that they
// are in order: other work on the machine may be above it.
func find(t *testing.T, s skills.Skill, by string, pid int, key func(row) float64) (row, listing) {
	t.Helper()
	b, err := json.Marshal(ask(t, s, fmt.Sprintf("system_top_processes(50, %q)", by)))
	if err != nil {
		t.Fatal(err)
	}
	var l listing
	if err := json.Unmarshal(b, &l); err != nil {
		t.Fatal(err)
	}
	for i, r := range l.Rows {
		if i > 0 && key(r) > key(l.Rows[i-1]) {
			t.Errorf("row %d (%s, %v) comes after less (%v)", i, r.Name, key(r), key(l.Rows[i-1]))
		}
	}
	for _, r := range l.Rows {
		if r.PID == pid {
			return r, l
		}
	}
	t.Fatalf("process %d is not among the top 50 by %s", pid, by)
	return row{}, l
}

func TestTheRealHostKeepsThePromises(t *testing.T) {
	skilltest.Run(t, hostos.Skill(host.New(host.Config{})))
}

// Behaviour: 163.
func TestFiguresOfTheRealHostAreWithinTheirBounds(t *testing.T) {
	s := hostos.Skill(host.New(host.Config{}))
	d := snapshot(t, s)
	for name, most := range map[string]float64{
		"cpu_load_1m": 1e6, "cpu_load_5m": 1e6, "cpu_load_15m": 1e6, "memory_used_pct": 100, "disk_max_used_pct": 100,
	} {
		if v, ok := d[name].(float64); !ok || v < 0 || v > most {
			t.Errorf("%s is %v, want a number from 0 to %v", name, d[name], most)
		}
	}
	memory := ask(t, s, "system_get_memory()").(map[string]any)
	if total, used, available := memory["total_mb"].(float64), memory["used_mb"].(float64), memory["available_mb"].(float64); total <= 0 || math.Abs(total-used-available) > 0.2 {
		t.Errorf("memory: %v", memory)
	}
	disks := ask(t, s, "system_get_disks()").([]any)
	if len(disks) == 0 {
		t.Error("there is no filesystem")
	}
	for _, disk := range disks {
		if pct, ok := disk.(map[string]any)["used_pct"].(float64); ok && (pct < 0 || pct > 100) {
			t.Errorf("got %v", disk)
		}
	}
}

func TestARealProcessIsFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(self)
	if len(name) > 15 {
		name = name[:15] // as the kernel cuts it
	}
	fds := func(r row) float64 {
		if r.FDs == nil {
			return -1
		}
		return float64(*r.FDs)
	}
	for _, tt := range []struct {
		what  string
		by    string
		key   func(row) float64
		least float64
		most  float64
	}{
		{"memory", "memory", func(r row) float64 { return r.MemoryMB }, 200, 400},
		{"threads", "threads", func(r row) float64 { return float64(r.Threads) }, 300, 400},
		{"fds", "fds", fds, 400, 450},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s := hostos.Skill(host.New(host.Config{}))
			pid, say := box.Child(t, childEnv+"="+tt.what, nil)
			if say != "ready" {
				t.Fatal(say)
			}
			r, _ := find(t, s, tt.by, pid, tt.key)
			if v := tt.key(r); v < tt.least || v > tt.most {
				t.Errorf("it shows with %v, want %v to %v", v, tt.least, tt.most)
			}
			if r.Name != name || r.UID == nil || int(*r.UID) != os.Getuid() || r.Age > 60 {
				t.Errorf("got %+v, want the name %q", r, name)
			}
		})
	}
}

func TestARealProcessThatKeepsACoreBusyIsFound(t *testing.T) {
	s := hostos.Skill(host.New(host.Config{}))
	snapshot(t, s)
	began := time.Now()
	pid, say := box.Child(t, childEnv+"="+"cpu", nil) // ready after 1.5 s of processor time
	if say != "ready" {
		t.Fatal(say)
	}
	r, l := find(t, s, "cpu", pid, func(r row) float64 { return r.CPUPct })
	least := 100 * 1.4 / time.Since(began).Seconds()
	if l.CPUBasis != "interval" || l.Interval < 1 || r.CPUPct < least || r.CPUPct > 110 {
		t.Errorf("got %+v over %v s (%s), want at least %.0f %%", r, l.Interval, l.CPUBasis, least)
	}
	d := snapshot(t, s)
	for _, name := range []string{"cpu_used_pct", "cpu_iowait_pct", "context_switches_per_sec", "forks_per_sec", "top_cpu_pct", "oom_kills_recent", "net_rx_bytes_per_sec"} {
		if _, ok := d[name]; !ok {
			t.Errorf("the second snapshot lacks %s", name)
		}
	}
	if used, ok := d["cpu_used_pct"].(float64); ok && (used <= 0 || used > 100) {
		t.Errorf("the processor was %v %% used", used)
	}
}

// fillTmpfs mounts a small tmpfs that only this process sees, fills it, and
// prints what the skill makes of it.
func fillTmpfs() error {
	const dir = "/tmp"
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 8<<20*97/100), 0o600); err != nil {
		return err
	}
	s := hostos.Skill(host.New(host.Config{}))
	d, err := s.Sources[0].Snapshot(context.Background())
	if err != nil {
		return err
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return nil
}

func TestARealTmpfsThatIsNearlyFullIsFound(t *testing.T) {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	_, say := box.Child(t, childEnv+"="+"tmpfs", attr)
	if why, ok := strings.CutPrefix(say, "cannot: "); ok {
		missing.Component(t, "a real full tmpfs", "this machine does not let a test mount one: "+why)
		return
	}
	var d skills.Data
	if err := json.Unmarshal([]byte(say), &d); err != nil {
		t.Fatalf("%v: %s", err, say)
	}
	used, ok := d["disk_max_used_pct"].(float64)
	if !ok || used < 96.5 {
		t.Fatalf("the fullest filesystem is %v at %v %%", d["disk_max_mount"], used)
	}
	if used < 98 && d["disk_max_mount"] != "/tmp" { // above that another one may be fuller still
		t.Errorf("the fullest filesystem is %v at %v %%, want /tmp", d["disk_max_mount"], used)
	}
	critical := false
	for _, x := range skills.Evaluate(hostos.Skill(host.New(host.Config{})).Sources[0].Checks, d) {
		critical = critical || x.Check.Metric == "disk_max_used_pct" && x.Severity == "critical"
	}
	if !critical {
		t.Error("it crosses no threshold")
	}
}

func TestNodeDescribesTheHost(t *testing.T) {
	n, err := hostos.Node(host.New(host.Config{}), "web-1")(t.Context())
	if err != nil || n.Name != "web-1" || n.OSType != "linux" || n.OSName == "" || n.UptimeSeconds <= 0 {
		t.Errorf("got %+v, %v", n, err)
	}
	n, err = hostos.Node(host.New(host.Config{}), "")(t.Context())
	if name, _ := os.Hostname(); err != nil || n.Name != name {
		t.Errorf("without a name it is %q, %v", n.Name, err)
	}
}

// BenchmarkSnapshot is one snapshot of this machine, processes included.
func BenchmarkSnapshot(b *testing.B) {
	s := hostos.Skill(host.New(host.Config{}))
	b.ReportAllocs()
	began := processorTime()
	for b.Loop() {
		if _, err := s.Sources[0].Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processorTime()-began)/float64(b.N), "cpu-ns/op")
}
