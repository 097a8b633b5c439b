package host

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const page = 4096

func TestParseStat(t *testing.T) {
	const tail = " S 1 42 42 0 -1 4194560 29022 289900 0 148 59 192 737 417 10 -10 13 0 23 41934848 2906 18446744073709551615 1 1 0\n"
	for _, tt := range []struct {
		name string
		line string
		ok   bool
		call string
	}{
		{"a usual line", "4711 (java)" + tail, true, "java"},
		{"a name with blanks and parentheses", "4711 (a) b (c)" + tail, true, "a) b (c"},
		{"a name that looks like the rest of a line", "4711 (x) R 9 (y)" + tail, true, "x) R 9 (y"},
		{"an empty name", "4711 ()" + tail, true, ""},
		{"a kernel thread's long name is cut", "4711 (kworker/u256:12-events_unbound_and_more)" + tail, true, "kworker/u256:12-events_unbound_a"},
		{"a name that is no UTF-8", "4711 (\xff\xfe)" + tail, true, "\uFFFD"},
		{"a newline in a name", "4711 (a\nb)" + tail, true, "a\nb"},
		{"cut off within the name", "4711 (jav", false, ""},
		{"cut off after the name", "4711 (java) S", false, ""},
		{"cut off within a number", "4711 (java) S 1 42 42 0 -1 4194560 29022 289900 0 148 59 192 737 417 10 -10 13 0 23 41934848 29", false, ""},
		{"no pid", "(java)" + tail, false, ""},
		{"a pid that is no number", "x711 (java)" + tail, false, ""},
		{"nothing", "", false, ""},
		{"a number that is none", "4711 (java) S 1 42 42 0 -1 4194560 29022 289900 0 148 x 192 737 417 10 -10 13 0 23 41934848 2906 1", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Process
			if ok := parseStat([]byte(tt.line), page, &p); ok != tt.ok {
				t.Fatalf("understood: %v, want %v", ok, tt.ok)
			}
			if !tt.ok {
				return
			}
			if p.Name() != tt.call {
				t.Errorf("the name is %q, want %q", p.Name(), tt.call)
			}
			got := []uint64{uint64(p.PID), uint64(p.PPID), uint64(p.Threads), uint64(p.State), p.Ticks, p.Start, p.RSS}
			want := []uint64{4711, 1, 13, 'S', 59 + 192, 23, 2906 * page}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pid, ppid, threads, state, ticks, start, rss (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMounts(t *testing.T) {
	const info = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 254:0 /var/lib/x /srv/x rw,relatime - ext4 /dev/vda rw,discard
31 27 8:1 /data /mnt/a rw - xfs /dev/sda1 rw
32 27 8:1 / /mnt/longer rw - xfs /dev/sda1 rw
33 27 8:17 / /mnt/my\040disk\011x rw - ext4 /dev/sdb1 rw
34 27 0:40 / /snap/core/1 ro - squashfs /dev/loop3 ro
35 27 0:41 / /media/cd ro - iso9660 /dev/sr0 ro
36 27 0:42 / /dev/shm rw - tmpfs tmpfs rw,size=1024k
37 27 0:43 / /lid ro - tmpfs tmpfs ro,size=4k
38 27 0:44 / /sys/fs/cgroup ro - tmpfs tmpfs rw
39 27 0:45 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw,lowerdir=/a
40 27 8:33 / /mnt/failed rw - ext4 /dev/sdc1 ro,errors=remount-ro
41 27 254:0 /hosts /etc/hosts rw - ext4 /dev/vda rw
42 27 0:50 / /net rw - nfs4 server:/export rw,vers=4.2
43 27 0:51 / /hidden rw - xfs /dev/sdd1 rw
44 43 0:52 / /hidden rw - ext4 /dev/sde1 rw
45 27 0:53 / /cut off
46 27 0:54 / /cut/off rw - ext4
`
	var got []string
	for _, m := range distinct(parseMounts([]byte(info))) {
		line := m.point + " " + m.fstype + " " + m.device
		if m.readOnly {
			line += " ro"
		}
		got = append(got, line)
	}
	want := []string{
		"/ ext4 /dev/vda",
		"/mnt/longer xfs /dev/sda1", // shows the whole filesystem, /mnt/a only a folder of it
		"/mnt/my disk\tx ext4 /dev/sdb1",
		"/dev/shm tmpfs tmpfs",
		"/mnt/failed ext4 /dev/sdc1 ro",
		"/net nfs4 server:/export",
		"/hidden ext4 /dev/sde1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("filesystems (-want +got):\n%s", diff)
	}
}

func TestOverlayCountsAsTheRootOfAContainer(t *testing.T) {
	const info = "1 0 0:60 / / rw - overlay overlay rw\n2 1 254:1 /x /etc/resolv.conf rw - ext4 /dev/vda rw\n"
	got := distinct(parseMounts([]byte(info)))
	if len(got) != 1 || got[0].point != "/" {
		t.Errorf("got %+v, want the overlay at / alone", got)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`a\040b`: "a b", `\134`: `\`, `a\04`: `a\04`, `\999`: `\999`, `\`: `\`, `\777`: `\777`, `x\012`: "x\n",
	} {
		if got := unescape(in); got != want {
			t.Errorf("unescape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseCPU(t *testing.T) {
	const stat = "cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 50 10 15 2000 25 3 3 4 0 0\ncpu1 50 10 15 2000 25 3 4 4 0 0\nintr 5 0 1\nctxt 306845\nbtime 1\nprocesses 3174\nprocs_running 4\nprocs_blocked 2\n"
	got, err := parseCPU([]byte(stat))
	want := CPU{Busy: 100 + 20 + 30 + 6 + 7, Idle: 4000, IOWait: 50, Steal: 8, Cores: 2, ContextSwitches: known(306845), Forks: known(3174), Blocked: known(2), Running: known(4)}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = parseCPU([]byte("cpu 1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n"))
	if err != nil || got.ContextSwitches.Known || got.Blocked.Known {
		t.Errorf("what is not there is known: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "cpu", "cpu 1 2 3\n", "cpu a b c d e f g h\n", "cpu0 1 2 3 4 5 6 7 8\n", "ctxt 5\n"} {
		if c, err := parseCPU([]byte(bad)); err == nil {
			t.Errorf("%q is accepted as %+v", bad, c)
		}
	}
}

func TestCPUSince(t *testing.T) {
	at := CPU{Busy: 1000, Idle: 8000, IOWait: 500, Steal: 100}
	for _, tt := range []struct {
		name string
		cur  CPU
		want CPUShare
		ok   bool
	}{
		{"a quarter each", CPU{Busy: 1025, Idle: 8025, IOWait: 525, Steal: 125}, CPUShare{25, 25, 25}, true},
		{"iowait that goes back is no wait", CPU{Busy: 1050, Idle: 8060, IOWait: 490, Steal: 100}, CPUShare{50, 0, 0}, true},
		{"no time passed", at, CPUShare{}, false},
		{"counters reset", CPU{Busy: 10, Idle: 20}, CPUShare{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.cur.Since(at); got != tt.want || ok != tt.ok {
				t.Errorf("got %+v %v, want %+v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestPerSecond(t *testing.T) {
	for _, tt := range []struct {
		name      string
		prev, cur Count
		elapsed   time.Duration
		want      float64
		ok        bool
	}{
		{"grown", known(10), known(40), 2 * time.Second, 15, true},
		{"unchanged", known(10), known(10), time.Second, 0, true},
		{"reset", known(10), known(3), time.Second, 0, false},
		{"unknown before", Count{}, known(3), time.Second, 0, false},
		{"unknown now", known(3), Count{}, time.Second, 0, false},
		{"no time passed", known(1), known(2), 0, 0, false},
		{"the clock went back", known(1), known(2), -time.Second, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := PerSecond(tt.prev, tt.cur, tt.elapsed); got != tt.want || ok != tt.ok {
				t.Errorf("got %v %v, want %v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestParseDisks(t *testing.T) {
	const stats = `   7       0 loop0 1 0 2 3 0 0 0 0 0 4 5
   8       0 sda 100 1 800 50 200 2 1600 60 3 70 110
   8       1 sda1 90 0 700 40 190 0 1500 50 0 60 90
   8      16 sdaa 1 0 8 1 0 0 0 0 0 1 1
 259       0 nvme0n1 5 0 40 1 6 0 48 2 0 3 3 0 0 0 0 1 1
 259       1 nvme0n1p1 4 0 32 1 6 0 48 2 0 3 3
 202       1 xvda1 7 0 56 1 0 0 0 0 0 1 1
 253       0 dm-0 100 0 800 50 200 0 1600 60 0 70 110
   9       0 md127 1 0 8 0 0 0 0 0 0 0 0
  11       0 sr0 1 0 8 0 0 0 0 0 0 0 0
   8      32 sdc x 0 8 0 0 0 0 0 0 0 0
   8      48 sdd 1 0
`
	got := parseDisks([]byte(stats))
	var names []string
	for _, d := range got {
		name := d.Name
		if d.Stacked {
			name += " stacked"
		}
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"sda", "sdaa", "nvme0n1", "xvda1", "dm-0 stacked", "md127 stacked"}, names); diff != "" {
		t.Errorf("disks (-want +got):\n%s", diff)
	}
	want := Disk{Name: "sda", Reads: 100, ReadBytes: 800 * 512, ReadTime: 50 * time.Millisecond,
		Writes: 200, WriteBytes: 1600 * 512, WriteTime: 60 * time.Millisecond, InFlight: 3, Busy: 70 * time.Millisecond, Queued: 110 * time.Millisecond}
	if got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
}

func TestDiskRates(t *testing.T) {
	prev := []Disk{
		{Name: "sda", Reads: 100, ReadBytes: 1000, ReadTime: time.Second, Busy: time.Second},
		{Name: "reset", Reads: 100, ReadBytes: 1000},
		{Name: "gone"},
	}
	cur := []Disk{
		{Name: "sda", Reads: 200, ReadBytes: 5000, ReadTime: 3 * time.Second, Busy: 2 * time.Second, Writes: 100, WriteBytes: 400, InFlight: 7},
		{Name: "reset", Reads: 1, ReadBytes: 10},
		{Name: "new", Reads: 5},
	}
	want := []DiskRate{{Name: "sda", ReadBytes: 1000, WriteBytes: 100, Reads: 25, Writes: 25, UtilPct: 25, AwaitMS: 10, InFlight: 7}}
	if diff := cmp.Diff(want, DiskRates(prev, cur, 4*time.Second)); diff != "" {
		t.Errorf("rates (-want +got):\n%s", diff)
	}
	if got := DiskRates(prev, cur, 0); got != nil {
		t.Errorf("rates over no time: %+v", got)
	}
}

func TestVirtualInterfacesAreKnownByName(t *testing.T) {
	for _, name := range []string{"eth0", "ens5", "eno1", "enp0s31f6", "wlan0", "ib0", "wwan0"} {
		if virtual(name) {
			t.Errorf("%s counts as virtual", name)
		}
	}
	for _, name := range []string{"eth0:1", "eth0.100", "docker0", "veth12ab", "br-1a2b", "wg0", "cali1", "bond0"} {
		if !virtual(name) {
			t.Errorf("%s does not count as virtual", name)
		}
	}
}

func TestInterfaceRatesOfAResetCounterAreAbsent(t *testing.T) {
	prev := []Interface{{Name: "eth0", RxBytes: 1000, TxBytes: 10}, {Name: "eth1", RxBytes: 1000}}
	cur := []Interface{{Name: "eth0", RxBytes: 3000, TxBytes: 30, RxDrops: 4}, {Name: "eth1", RxBytes: 10}}
	want := []InterfaceRate{{Name: "eth0", RxBytes: 1000, TxBytes: 10, RxDrops: 2}}
	if diff := cmp.Diff(want, InterfaceRates(prev, cur, 2*time.Second)); diff != "" {
		t.Errorf("rates (-want +got):\n%s", diff)
	}
}

func TestParsePressure(t *testing.T) {
	const both = "some avg10=1.50 avg60=2.25 avg300=3.75 total=5124811\nfull avg10=0.50 avg60=0.25 avg300=0.10 total=919261\n"
	got, err := parsePressure([]byte(both))
	want := &Pressure{Some: Stall{1.5, 2.25, 3.75, 5124811}, Full: Stall{0.5, 0.25, 0.1, 919261}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := parsePressure([]byte("some avg10=1.50 avg60=0.00 avg300=0.00 total=1\n")); err != nil || got.Full != (Stall{}) {
		t.Errorf("old kernels have no line of full for the processor: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "full avg10=1\n", "some avg10=-1\n", "some avg10=101\n", "some avg10=NaN\n", "some avg10=x\n", "some total=-1\n"} {
		if p, err := parsePressure([]byte(bad)); err == nil {
			t.Errorf("%q is accepted as %+v", bad, p)
		}
	}
}

func TestParseVM(t *testing.T) {
	got := parseVM([]byte("nr_free_pages 5\npgmajfault 7\npswpin 1\npswpout 2\noom_kill 3\nallocstall_normal 4\nallocstall_movable 5\ncompact_stall 6\ncompact_fail 7\nthp_fault_alloc 8\nthp_fault_fallback 9\n"))
	want := VM{
		SwapIn: known(1), SwapOut: known(2), MajorFaults: known(7), OOMKills: known(3), AllocStalls: known(9),
		CompactStalls: known(6), CompactFails: known(7), HugeFaults: known(8), HugeFallbacks: known(9),
	}
	if got != want {
		t.Errorf("got %+v", got)
	}
	if got := parseVM([]byte("pgmajfault 7\n")); got.OOMKills.Known || got.SwapIn.Known {
		t.Errorf("a kernel without them has %+v", got)
	}
}

func TestParseOwnCgroup(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		ok             bool
	}{
		{"a service", "0::/system.slice/fleetlens-probe.service\n", "/system.slice/fleetlens-probe.service", true},
		{"a container", "0::/\n", "/", true},
		{"beside version 1", "9:name=systemd:/x\n4:memory:/y\n0::/z\n", "/z", true},
		{"version 1 alone", "4:memory:/y\n", "", false},
		{"out of sight", "0::/../other.scope\n", "", false},
		{"no path", "0::\n", "", false},
		{"nothing", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := parseOwnCgroup([]byte(tt.in)); got != tt.want || ok != tt.ok {
				t.Errorf("got %q %v", got, ok)
			}
		})
	}
}

func TestParseCPUMax(t *testing.T) {
	for in, want := range map[string]float64{"150000 100000\n": 1.5, "max 100000\n": 0, "": 0, "5": 0, "5 0": 0, "-1 5": 0} {
		if got := parseCPUMax([]byte(in)); got != want {
			t.Errorf("%q gives %v cores, want %v", in, got, want)
		}
	}
}

func TestParseUnit(t *testing.T) {
	for in, want := range map[string]string{
		"0::/system.slice/nginx.service\n":                      "nginx.service",
		"1:name=systemd:/a/docker-1.scope\n4:memory:/b\n0::/\n": "docker-1.scope",
		"0::/\n": "", "": "", "nonsense\n": "",
	} {
		if got := parseUnit([]byte(in)); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestParseUptimeAndLoad(t *testing.T) {
	if up, err := parseUptime([]byte("350735.47 234388.90\n")); err != nil || up.Round(time.Second) != 350735*time.Second {
		t.Errorf("got %v, %v", up, err)
	}
	if l, err := parseLoad([]byte("0.50 1.25 2.00 2/81 3175\n")); err != nil || l != (Load{0.5, 1.25, 2}) {
		t.Errorf("got %+v, %v", l, err)
	}
	for _, bad := range []string{"", "x y z", "-1 2 3", "NaN 1 2", "1 2", "1e300 1 1"} {
		if l, err := parseLoad([]byte(bad)); err == nil {
			t.Errorf("%q is accepted as a load of %+v", bad, l)
		}
		if up, err := parseUptime([]byte(bad)); err == nil && bad != "1 2" {
			t.Errorf("%q is accepted as an uptime of %v", bad, up)
		}
	}
}

func TestScanCPU(t *testing.T) {
	now := time.Unix(1000, 0)
	prev := &Scan{At: now.Add(-10 * time.Second), Processes: []Process{
		{PID: 1, Ticks: 100, Start: 1}, {PID: 5, Ticks: 900, Start: 5}, {PID: 7, Ticks: 50, Start: 7}, {PID: 9, Ticks: 900, Start: 9},
	}}
	cur := &Scan{At: now, Uptime: 1000 * time.Second, Processes: []Process{
		{PID: 1, Ticks: 600, Start: 1},      // 5 s in 10 s
		{PID: 5, Ticks: 200, Start: 99_500}, // another process with the number of one that ended
		{PID: 8, Ticks: 100, Start: 99_800}, // started since
		{PID: 9, Ticks: 800, Start: 9},      // a counter that went back
	}}
	got := map[int32]float64{}
	cur.CPU(prev, func(p *Process, pct float64) { got[p.PID] = pct })
	if diff := cmp.Diff(map[int32]float64{1: 50, 5: 20, 8: 10, 9: 0}, got); diff != "" {
		t.Errorf("against a scan before (-want +got):\n%s", diff)
	}
	clear(got)
	cur.CPU(nil, func(p *Process, pct float64) { got[p.PID] = math.Round(100*pct) / 100 })
	if diff := cmp.Diff(map[int32]float64{1: 0.6, 5: 40, 8: 50, 9: 0.8}, got); diff != "" {
		t.Errorf("over its life (-want +got):\n%s", diff)
	}
}

func TestFilesystemUse(t *testing.T) {
	f := Filesystem{Total: 100, Free: 20, Available: 5, Inodes: 50, InodeFree: 10}
	if got := f.UsedPct(); math.Abs(got-100*80.0/85) > 1e-9 {
		t.Errorf("used %v %%: root's reserve is not what programs may use", got)
	}
	if got, ok := f.InodesUsedPct(); got != 80 || !ok {
		t.Errorf("inodes used %v %v", got, ok)
	}
	if got := (Filesystem{}).UsedPct(); got != 0 {
		t.Errorf("an empty one is used %v %%", got)
	}
	if got := (Filesystem{Total: 10, Free: 0, Available: 0}).UsedPct(); got != 100 {
		t.Errorf("a full one is used %v %%", got)
	}
}

func finite(t *testing.T, what string, v ...float64) {
	t.Helper()
	for _, v := range v {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			t.Errorf("%s is %v", what, v)
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, seed := range []string{
		"", "4711 (a) b (c) S 1 42 42 0 -1 4194560 29022 289900 0 148 59 192 737 417 10 -10 13 0 23 41934848 2906 1\n",
		"33 27 8:17 / /mnt/my\\040disk rw shared:1 - ext4 /dev/sdb1 rw\n",
		"some avg10=1.50 avg60=2.25 avg300=3.75 total=5124811\nfull avg10=0.50 avg60=0.25 avg300=0.10 total=1\n",
		"pswpin 1\noom_kill 3\n",
		"   8       0 sda 100 1 800 50 200 2 1600 60 3 70 110\n   8       1 sda1 90 0 700 40 190 0 1500 50 0 60 90\n",
		"cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1\nctxt 5\n", "0.50 1.25 2.00 2/81 3175\n", "0::/a/b\n1:name=systemd:/x\n", "150000 100000\n", "Uid:\t0\t0\t0\t0\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Process
		if parseStat(b, page, &p) && (p.PID <= 0 || p.Threads < 0 || len(p.Name()) > 96) {
			t.Errorf("%q gives %+v", b, p)
		}
		for _, m := range distinct(parseMounts(b)) {
			if m.point == "" || m.fstype == "" {
				t.Errorf("%q gives %+v", b, m)
			}
		}
		if p, err := parsePressure(b); err == nil {
			finite(t, "pressure", p.Some.Avg10, p.Some.Avg60, p.Some.Avg300, p.Full.Avg10, p.Full.Avg60, p.Full.Avg300)
		}
		if c, err := parseCPU(b); err == nil {
			share, _ := c.Since(CPU{})
			finite(t, "processor", share.Used, share.IOWait, share.Steal)
		}
		disks := parseDisks(b)
		for _, r := range DiskRates(disks, disks, time.Second) {
			finite(t, "disk", r.ReadBytes, r.WriteBytes, r.UtilPct, r.AwaitMS)
		}
		parseVM(b)
		if l, err := parseLoad(b); err == nil {
			finite(t, "load", l.One, l.Five, l.Fifteen)
		}
		if up, err := parseUptime(b); err == nil {
			finite(t, "uptime", up.Seconds())
		}
		if at, ok := parseOwnCgroup(b); ok && (!strings.HasPrefix(at, "/") || strings.Contains("/"+at+"/", "/../")) {
			t.Errorf("%q gives the cgroup %q", b, at)
		}
		finite(t, "cores", parseCPUMax(b))
		parseUID(b)
		parseUnit(b)
		unescape(string(b))
	})
}

func TestParseSoftnet(t *testing.T) {
	got := parseSoftnet([]byte("0003c0b1 00000010 0000000a 00000000\n00000001 00000001 00000000 00000000\nbad line\n"))
	if want := (Softnet{known(17), known(10)}); got != want {
		t.Errorf("got %+v", got)
	}
	if got := parseSoftnet(nil); got.Dropped.Known {
		t.Errorf("nothing gives %+v", got)
	}
}
