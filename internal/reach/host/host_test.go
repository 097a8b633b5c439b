package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a new folder and returns it.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func stat(pid int, name string) string {
	return fmt.Sprintf("%d (%s) S 1 42 42 0 -1 4194560 29022 289900 0 148 59 192 737 417 10 -10 13 0 23 41934848 2906 1 1\n", pid, name)
}

func TestTheRealMachineIsReadWithoutFault(t *testing.T) {
	r := New(Config{})
	s, err := r.Sample(t.Context())
	if err != nil {
		t.Error(err)
	}
	if s.CPU == nil || s.Load == nil || s.Memory == nil || s.VM == nil || s.Files == nil || s.Tasks == nil || s.Uptime == 0 || len(s.Filesystems) == 0 {
		t.Errorf("something every machine has is absent: %+v", s)
	}
	for _, f := range s.Filesystems {
		if f.UsedPct() < 0 || f.UsedPct() > 100 {
			t.Errorf("%s is %v %% full", f.Mount, f.UsedPct())
		}
	}
	if r.OSName() == "" {
		t.Error("the operating system has no name")
	}
}

func TestScanFindsThisProcess(t *testing.T) {
	r := New(Config{})
	s, err := r.Scan(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Processes {
		p := &s.Processes[i]
		if int(p.PID) != os.Getpid() {
			continue
		}
		age, ok := s.Age(p)
		if p.RSS < 1<<20 || p.Threads < 2 || int(p.PPID) != os.Getppid() || !ok || age > time.Hour {
			t.Errorf("this process is seen as %+v, age %v %v", p, age, ok)
		}
		if o := r.Owner(p.PID); !o.UID.Known || int(o.UID.N) != os.Getuid() {
			t.Errorf("its owner is %+v", o)
		}
		return
	}
	t.Errorf("it is not among %d processes", len(s.Processes))
}

func TestOpenFilesAreCounted(t *testing.T) {
	r := New(Config{})
	count := func() int {
		t.Helper()
		n, err := r.OpenFiles(int32(os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	for range 50 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	// Other tests and the runtime may open or close a few meanwhile.
	if got := count() - before; got < 45 || got > 60 {
		t.Errorf("50 more files show as %d more", got)
	}
	if _, err := r.OpenFiles(1 << 29); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that is not there gives %v", err)
	}
}

func TestScanOfAFixture(t *testing.T) {
	proc := tree(t, map[string]string{
		"uptime":     "1000.00 1.00\n",
		"1/stat":     stat(1, "systemd"),
		"812/stat":   stat(812, "a) b (c"),
		"90/stat":    stat(90, "web"),
		"91/stat":    "91 (cut) S 1 4",
		"92/status":  "the process ended while it was listed: there is no stat file",
		"self/stat":  stat(7, "not a number"),
		"93abc/stat": stat(93, "nor this"),
		"stat":       "cpu 1\n",
	})
	s, err := New(Config{Proc: proc}).Scan(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range s.Processes {
		got = append(got, s.Processes[i].Label())
	}
	if diff := cmp.Diff([]string{"systemd (1)", "web (90)", "a) b (c (812)"}, got); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	if s.Skipped != 1 || s.Restricted() || s.Threads() != 39 {
		t.Errorf("skipped %d, restricted %v, threads %d", s.Skipped, s.Restricted(), s.Threads())
	}
}

func TestAListingWithoutTheFirstProcessWasFiltered(t *testing.T) {
	s, err := New(Config{Proc: tree(t, map[string]string{"90/stat": stat(90, "web")})}).Scan(t.Context(), 0)
	if err != nil || !s.Restricted() {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestScanStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Config{}).Scan(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestScanOfNothingIsAnError(t *testing.T) {
	for _, proc := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if s, err := New(Config{Proc: proc}).Scan(t.Context(), 0); err == nil {
			t.Errorf("%s gives %+v", proc, s)
		}
	}
}

func TestWhatTheKernelDoesNotHaveIsAbsent(t *testing.T) {
	r := New(Config{
		Proc: tree(t, map[string]string{
			"stat": "cpu 1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n", "loadavg": "1 2 3 1/2 3\n", "meminfo": "MemTotal: 10 kB\nMemAvailable: 5 kB\n",
		}),
		Sys: t.TempDir(),
	})
	s, err := r.Sample(t.Context())
	if err != nil {
		t.Errorf("absent parts are no fault: %v", err)
	}
	if s.VM != nil || s.Files != nil || s.Tasks != nil || s.Cgroup != nil || s.Pressure != (Pressures{}) || s.Disks != nil || s.Interfaces != nil || s.Filesystems != nil || s.Uptime != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestSampleNamesWhatItCouldNotRead(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{"meminfo": "MemTotal: 10 kB\nMemAvailable: 5 kB\n", "pressure/io": "nonsense\n", "sys/fs/file-nr": "x\n"}), Sys: t.TempDir()})
	s, err := r.Sample(t.Context())
	if s.Memory == nil || s.CPU != nil {
		t.Errorf("got %+v", s)
	}
	for _, want := range []string{"processor times", "load", "pressure of io", "open files"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the fault %v does not name %s", err, want)
		}
	}
}

func TestFilesystemsOfAFixture(t *testing.T) {
	list := []Filesystem{{Mount: "/", Total: 100, Free: 50, Available: 50}, {Mount: "/gone", Hung: true}, {Mount: "/var", Total: 100, Free: 3, Available: 3}}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	r := New(Config{Proc: tree(t, map[string]string{FixtureFilesystems: string(b)})})
	got, err := r.Filesystems(t.Context())
	if diff := cmp.Diff([]Filesystem{list[2], list[0], list[1]}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	r = New(Config{Proc: tree(t, map[string]string{FixtureFilesystems: "{"})})
	if got, err := r.Filesystems(t.Context()); err == nil {
		t.Errorf("a broken file gives %+v", got)
	}
}

func TestAHungFilesystemDoesNotHoldTheOthers(t *testing.T) {
	synctest.Test(t, hungFilesystem)
}

func hungFilesystem(t *testing.T) {
	r := New(Config{})
	mounts, err := r.mounts()
	if err != nil || len(mounts) == 0 {
		t.Fatalf("mounts: %v, %v", mounts, err)
	}
	hung := mounts[0].point
	release := make(chan struct{})
	var asked atomic.Int32
	r.statfs = func(path string) (size, error) {
		if path == hung {
			asked.Add(1)
			<-release
		}
		return size{total: 100, free: 40, available: 40}, nil
	}
	read := func() (hungs, others int) {
		t.Helper()
		list, err := r.Filesystems(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			switch {
			case f.Hung && f.Mount == hung:
				hungs++
			case f.UsedPct() == 60:
				others++
			default:
				t.Errorf("%+v", f)
			}
		}
		return hungs, others
	}
	for range 3 {
		if hungs, others := read(); hungs != 1 || others != len(mounts)-1 {
			t.Errorf("%d hang and %d answer, want 1 and %d", hungs, others, len(mounts)-1)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the hung one was asked %d times: each holds a thread", asked.Load())
	}
	r.sizes.mu.Lock()
	pending := r.sizes.waiting[hung]
	r.sizes.mu.Unlock()
	close(release)
	<-pending.done
	if hungs, others := read(); hungs != 0 || others != len(mounts) {
		t.Errorf("after it answered %d hang and %d answer", hungs, others)
	}
}

func TestAFilesystemThatMayNotBeSeenIsLeftOut(t *testing.T) {
	r := New(Config{})
	r.statfs = func(path string) (size, error) {
		return size{}, &fs.PathError{Op: "statfs", Path: path, Err: fs.ErrPermission}
	}
	if got, err := r.Filesystems(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	r.statfs = func(string) (size, error) { return size{}, errors.New("input/output error") }
	if _, err := r.Filesystems(t.Context()); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("a broken disk gives %v", err)
	}
}

func TestARootElsewhereIsAskedThere(t *testing.T) {
	r := New(Config{Root: "/host"})
	var paths []string
	asked := make(chan string, 1000)
	r.statfs = func(path string) (size, error) { asked <- path; return size{total: 1}, nil }
	list, err := r.Filesystems(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	close(asked)
	for p := range asked {
		paths = append(paths, p)
	}
	if len(list) == 0 || len(paths) != len(list) {
		t.Fatalf("%d filesystems, asked at %v", len(list), paths)
	}
	for _, p := range paths {
		if p != "/host" && !strings.HasPrefix(p, "/host/") {
			t.Errorf("asked at %s", p)
		}
	}
}

func TestCgroupLimits(t *testing.T) {
	group := map[string]string{
		"memory.max": "1000000\n", "memory.current": "950000\n", "memory.stat": "anon 700000\ninactive_file 200000\nactive_file 50000\n",
		"memory.swap.max": "max\n", "memory.swap.current": "4096\n", "memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n",
		"cpu.max": "150000 100000\n", "cpu.stat": "usage_usec 5000000\nnr_periods 1000\nnr_throttled 250\nthrottled_usec 9000000\n",
		"pids.max": "100\n", "pids.current": "40\n",
	}
	in := func(prefix string, files map[string]string) map[string]string {
		out := map[string]string{prefix + "/cgroup.controllers": "cpu memory\n"}
		for name, content := range files {
			out[prefix+"/"+name] = content
		}
		return out
	}
	want := &Cgroup{
		MemoryMax: known(1000000), MemoryUsed: known(750000), SwapUsed: known(4096), OOMKills: known(2),
		CPUMax: 1.5, Periods: known(1000), ThrottledPeriods: known(250), ThrottledUsec: known(9000000), CPUUsec: known(5000000),
		TasksMax: known(100), Tasks: known(40),
	}
	for _, tt := range []struct {
		name string
		own  string
		sys  map[string]string
		path string // empty: no limit
	}{
		{"of its own service", "0::/system.slice/probe.service\n", in("fs/cgroup/system.slice/probe.service", group), "/system.slice/probe.service"},
		{"of the slice above it", "0::/a/b/c\n", in("fs/cgroup/a", group), "/a"},
		{"of its container", "0::/\n", in("fs/cgroup", group), "/"},
		{"beside version 1", "0::/x\n", in("fs/cgroup/unified/x", group), "/x"},
		{"none anywhere", "0::/x\n", in("fs/cgroup/x", map[string]string{"memory.max": "max\n", "cpu.max": "max 100000\n", "memory.events": "oom_kill 0\n"}), ""},
		{"version 1 alone", "4:memory:/x\n", in("fs/cgroup/memory", nil), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New(Config{Proc: tree(t, map[string]string{"self/cgroup": tt.own}), Sys: tree(t, tt.sys)})
			got, err := r.Cgroup()
			if err != nil {
				t.Fatal(err)
			}
			if tt.path == "" {
				if got != nil {
					t.Errorf("got %+v", got)
				}
				return
			}
			w := *want
			w.Path = tt.path
			if diff := cmp.Diff(&w, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
			if pct, ok := got.MemoryUsedPct(); pct != 75 || !ok {
				t.Errorf("memory used %v %v", pct, ok)
			}
		})
	}
}

func TestThrottledPct(t *testing.T) {
	at := func(path string, cores float64, periods, throttled uint64) Cgroup {
		return Cgroup{Path: path, CPUMax: cores, Periods: known(periods), ThrottledPeriods: known(throttled)}
	}
	for _, tt := range []struct {
		name      string
		prev, cur Cgroup
		want      float64
		ok        bool
	}{
		{"a quarter of the periods", at("/a", 1, 100, 10), at("/a", 1, 200, 35), 25, true},
		{"none of them", at("/a", 1, 100, 10), at("/a", 1, 200, 10), 0, true},
		{"no period passed", at("/a", 1, 100, 10), at("/a", 1, 100, 10), 0, false},
		{"the group was made anew", at("/a", 1, 100, 10), at("/a", 1, 50, 1), 0, false},
		{"another group", at("/a", 1, 100, 10), at("/b", 1, 200, 35), 0, false},
		{"no limit any more", at("/a", 1, 100, 10), at("/a", 0, 200, 35), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.cur.ThrottledPct(tt.prev); got != tt.want || ok != tt.ok {
				t.Errorf("got %v %v", got, ok)
			}
		})
	}
}

func TestLimitedCgroupsAreListedFullestFirst(t *testing.T) {
	limited := func(name string, used, limit int) map[string]string {
		return map[string]string{"fs/cgroup/" + name + "/memory.max": strconv.Itoa(limit), "fs/cgroup/" + name + "/memory.current": strconv.Itoa(used)}
	}
	files := map[string]string{"fs/cgroup/cgroup.controllers": "", "fs/cgroup/free/memory.max": "max\n", "fs/cgroup/killed/memory.events": "oom_kill 4\n"}
	for _, m := range []map[string]string{limited("half", 50, 100), limited("slice/full", 99, 100)} {
		maps.Copy(files, m)
	}
	list, truncated, err := New(Config{Sys: tree(t, files)}).LimitedCgroups(t.Context())
	if err != nil || truncated {
		t.Fatal(truncated, err)
	}
	var got []string
	for _, c := range list {
		got = append(got, c.Path)
	}
	if diff := cmp.Diff([]string{"/slice/full", "/half", "/killed"}, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestOSNameIsReadBelowRoot(t *testing.T) {
	for _, tt := range []struct{ name, file, content, want string }{
		{"quoted", "etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", "Debian GNU/Linux 12 (bookworm)"},
		{"in the other place", "usr/lib/os-release", "PRETTY_NAME='Alpine Linux v3.20'\n", "Alpine Linux v3.20"},
		{"not said", "etc/os-release", "NAME=x\n", "Linux"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := New(Config{Root: tree(t, map[string]string{tt.file: tt.content})}).OSName(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheLowerLimitOnThreadsCounts(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{"sys/kernel/pid_max": "4194304\n", "sys/kernel/threads-max": "1000\n"})})
	if got, err := r.TaskLimits(); err != nil || got == nil || got.Max != 1000 {
		t.Errorf("got %+v, %v", got, err)
	}
}

const netHeader = "Inter-|   Receive                            |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"

func TestTheMachinesInterfacesAreThoseOfItsFirstProcess(t *testing.T) {
	dev := func(name string) string { return netHeader + name + ": 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n" }
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string // empty: an error
	}{
		{"as a container sees its host", map[string]string{"net/dev": dev("container0"), "1/net/dev": dev("eth0")}, "eth0"},
		{"when the first process may not be seen", map[string]string{"net/dev": dev("eth0")}, "eth0"},
		{"but not another's when its own are cut off", map[string]string{"net/dev": dev("container0"), "1/net/dev": "Inter-|"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(Config{Proc: tree(t, tt.files)}).Interfaces()
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %+v", got)
				}
				return
			}
			if err != nil || len(got) != 1 || got[0].Name != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestInterfaces(t *testing.T) {
	read := func(lines string) ([]Interface, error) {
		return New(Config{Proc: tree(t, map[string]string{"net/dev": lines})}).Interfaces()
	}
	got, err := read(netHeader + `    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 177276310   17103    1    2    0     0          0         0  1677053   14837    3    4    0     0       0          0
eth0:1:177276310   17103    0    0    0     0          0         0  1677053   14837    0    0    0     0       0          0
veth12ab: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0
  wlp3s0: 5 1 0 0 0 0 0
`)
	want := []Interface{
		{Name: "eth0", RxBytes: 177276310, TxBytes: 1677053, RxErrors: 1, TxErrors: 3, RxDrops: 2, TxDrops: 4},
		{Name: "eth0:1", Virtual: true, RxBytes: 177276310, TxBytes: 1677053},
		{Name: "veth12ab", Virtual: true, RxBytes: 5, TxBytes: 6},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "Inter-|", netHeader + "eth0: x 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n", netHeader + "eth0: -1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n"} {
		if got, err := read(bad); err == nil {
			t.Errorf("%q is accepted as %+v", bad, got)
		}
	}
}

func TestMemory(t *testing.T) {
	const info = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\nBuffers: 10 kB\nCached: 200 kB\nSwapTotal: 400 kB\nSwapFree: 100 kB\nShmem: 50 kB\nSReclaimable: 30 kB\nSUnreclaim: 20 kB\nHugePages_Total: 0\n"
	read := func(info string) (*Memory, error) {
		return New(Config{Proc: tree(t, map[string]string{"meminfo": info})}).Memory()
	}
	got, err := read(info)
	want := &Memory{
		Total: 1000 << 10, Available: 250 << 10, Free: 100 << 10, Buffers: 10 << 10, Cached: 200 << 10,
		Shared: 50 << 10, Slab: 20 << 10, SwapTotal: 400 << 10, SwapFree: 100 << 10,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if swap, ok := got.SwapUsedPct(); got.Used() != 750*1024 || got.UsedPct() != 75 || swap != 75 || !ok {
		t.Errorf("used %d, %v %%, swap %v %% %v", got.Used(), got.UsedPct(), swap, ok)
	}
	for info, used := range map[string]float64{
		"MemTotal: 1000 kB\nMemAvailable: 2000 kB\n":                               0, // more than there is
		"MemTotal: 1000 kB\nMemFree: 9 kB\nMemAvailable: 0 kB\nCached: 50 kB\n":    100,
		"MemTotal: 1000 kB\nMemFree: 100 kB\nCached: 50 kB\nSReclaimable: 50 kB\n": 80, // a kernel without MemAvailable
	} {
		if m, err := read(info); err != nil || m.UsedPct() != used {
			t.Errorf("%q gives %+v, %v, want %v %% used", info, m, err, used)
		}
	}
	for _, bad := range []string{"", "MemTotal: 1000 kB\n", "MemAvailable: 5 kB\n", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: x kB\nMemAvailable: 5 kB\n"} {
		if m, err := read(bad); err == nil {
			t.Errorf("%q is accepted as %+v", bad, m)
		}
	}
}

func TestMemoryOutlivesAPanicOfTheLibrary(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{
		"meminfo":  "MemTotal: 1000 kB\nMemFree: 100 kB\nActive(file): 9 kB\nInactive(file): 9 kB\nSReclaimable: 9 kB\n",
		"zoneinfo": "Node 0, zone DMA\n\n  low 5\n",
	})})
	if m, err := r.Memory(); err == nil || m != nil {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestTheEnvironmentOfTheProcessDoesNotMoveTheTrees(t *testing.T) {
	for _, key := range []string{"HOST_PROC", "HOST_SYS", "HOST_ROOT"} {
		t.Setenv(key, t.TempDir())
	}
	if _, err := New(Config{}).Memory(); err != nil {
		t.Error(err)
	}
	r := New(Config{Proc: tree(t, map[string]string{"meminfo": "MemTotal: 1000 kB\nMemAvailable: 250 kB\n"})})
	if m, err := r.Memory(); err != nil || m.Total != 1000<<10 {
		t.Errorf("got %+v, %v", m, err)
	}
}

// FuzzTrees gives the library files that no kernel writes.
func FuzzTrees(f *testing.F) {
	for _, seed := range []string{
		"", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 4 kB\n",
		"MemTotal: 18014398509481985 kB\nMemFree: 1 kB\nSwapTotal: 1 kB\nSwapFree: 9 kB\n",
		"MemTotal: 1000 kB\nMemFree: 1 kB\nActive(file): 9 kB\nInactive(file): 9 kB\nSReclaimable: 9 kB\nlow 5\n",
		"MemTotal: 1000 kB\nActive(file): 9 kB\nInactive(file): 9 kB\nSReclaimable: 9 kB\nlow\n",
		netHeader + "  eth0: 177276310   17103    1    2    0     0          0         0  1677053   14837    3    4    0     0       0          0\n",
		netHeader + "lo: 1 1 0 0 0 0 0 0 2 1 0 0 0\n: 1 1 0 0 0 0 0 0 2 1 0 0 0\n:\n",
	} {
		f.Add([]byte(seed))
	}
	proc := f.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "net"), 0o755); err != nil {
		f.Fatal(err)
	}
	r := New(Config{Proc: proc})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"meminfo", "zoneinfo", "net/dev"} {
			if err := os.WriteFile(filepath.Join(proc, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := r.Memory(); err == nil {
			swap, _ := m.SwapUsedPct()
			finite(t, "memory", m.UsedPct(), swap)
			if m.UsedPct() > 100 || swap > 100 {
				t.Errorf("memory used %v %%, swap %v %%", m.UsedPct(), swap)
			}
		}
		interfaces, _ := r.Interfaces()
		for _, i := range interfaces {
			if i.Name == "" || i.Name == "lo" {
				t.Errorf("an interface %q", i.Name)
			}
		}
		InterfaceRates(interfaces, interfaces, time.Second)
	})
}
