package hostos_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	hostos "github.com/fleetlens/fleetlens/pkg/skills/os"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// machine copies the tree of testdata/sick to a folder in which it can change.
// become lays another tree over it.
func machine(t *testing.T) (s skills.Skill, become func(tree string)) {
	t.Helper()
	dir := t.TempDir()
	become = func(name string) {
		t.Helper()
		from := filepath.Join("testdata", "sick", name)
		err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			to := filepath.Join(dir, rel)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			return os.WriteFile(to, b, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	become("first")
	return hostos.Skill(host.New(host.Config{Proc: filepath.Join(dir, "proc"), Sys: filepath.Join(dir, "sys")})), become
}

func snapshot(t *testing.T, s skills.Skill) skills.Data {
	t.Helper()
	d, err := s.Sources[0].Snapshot(t.Context())
	if err != nil {
		t.Error(err)
	}
	return d
}

// ask calls a callback as it is written and returns its answer as JSON has it.
func ask(t *testing.T, s skills.Skill, call string) any {
	t.Helper()
	name, args, err := skills.ParseCall(call)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Sources[0].Calls {
		if c.Name != name {
			continue
		}
		a, err := skills.Bind(c.Words(), args)
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.Run(t.Context(), a)
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		var out any
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Fatalf("there is no callback %s", name)
	return nil
}

func TestFixtureKeepsThePromises(t *testing.T) {
	s, _ := machine(t)
	skilltest.Run(t, s)
}

// levels is what the first snapshot of the sick machine holds; the second has
// other levels of some, and the rates.
var levels = skills.Data{
	"cpu_load_1m": 9.5, "cpu_load_5m": 6.25, "cpu_load_15m": 3.1, "cpu_load_per_core_1m": 2.38, "cpu_count": 4.0,
	"memory_used_pct": 96.0, "memory_total_mb": 16384.0, "memory_available_mb": 655.0, "swap_used_pct": 75.0, "oom_kills": 1.0,
	"disk_max_used_pct": 97.0, "disk_max_mount": "/dev/shm", "disk_max_free_mb": 3.0, "disk_root_used_pct": 42.1,
	"disk_hung_mounts": 1.0, "disk_hung_mount": "/net/home", "inodes_max_used_pct": 98.0, "inodes_max_mount": "/mail",
	"psi_cpu_some_avg10": 62.1, "psi_cpu_some_avg300": 40.25, "psi_memory_some_avg10": 35.5, "psi_memory_full_avg10": 12.25,
	"psi_io_some_avg10": 48.0, "psi_io_full_avg10": 41.75, "psi_io_full_avg60": 33.5,
	"processes": 8.0, "processes_zombie": 1.0, "processes_blocked": 1.0, "threads": 25086.0, "threads_used_pct": 76.6,
	"file_descriptors_used": 13824.0, "file_descriptors_used_pct": 84.4,
	"cgroup_memory_used_pct": 80.0, "cgroup_memory_limit_mb": 100.0, "cgroup_oom_kills": 1.0,
	"top_memory_process": "java (4711)", "top_memory_mb": 12288.0, "uptime_seconds": 100000.0,
}

var later = skills.Data{
	"cpu_load_1m": 12.0, "cpu_load_5m": 7.25, "cpu_load_15m": 3.5, "cpu_load_per_core_1m": 3.0,
	"cpu_used_pct": 50.0, "cpu_iowait_pct": 20.0, "cpu_steal_pct": 5.0, "context_switches_per_sec": 10000.0, "forks_per_sec": 2.0,
	"swap_in_pages_per_sec": 1500.0, "swap_out_pages_per_sec": 10.0, "major_faults_per_sec": 10.0,
	"oom_kills": 3.0, "oom_kills_recent": 2.0, "cgroup_oom_kills": 2.0, "cgroup_oom_kills_recent": 1.0, "cgroup_cpu_throttled_pct": 30.0,
	"disk_read_bytes_per_sec": 10485760.0, "disk_write_bytes_per_sec": 1048576.0, "disk_busiest_util_pct": 90.0, "disk_busiest_device": "sda",
	"net_rx_bytes_per_sec": 1e6, "net_tx_bytes_per_sec": 1e5, "net_errors_per_sec": 10.0, "net_drops_per_sec": 3.0,
	"processes": 9.0, "processes_blocked": 4.0, "threads": 25087.0,
	"top_cpu_process": "java (4711)", "top_cpu_pct": 150.0, "uptime_seconds": 100030.0,
}

func TestSnapshotsOfASickMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		if diff := cmp.Diff(levels, snapshot(t, s)); diff != "" {
			t.Errorf("first snapshot, without rates (-want +got):\n%s", diff)
		}
		<-time.After(30 * time.Second)
		become("second")
		want := skills.Data{}
		for _, d := range []skills.Data{levels, later} {
			maps.Copy(want, d)
		}
		got := snapshot(t, s)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("second snapshot (-want +got):\n%s", diff)
		}

		// The second right after it has the same to say: what happened is not lost
		// because somebody asked again.
		if diff := cmp.Diff(want, snapshot(t, s)); diff != "" {
			t.Errorf("asked again at once (-before +now):\n%s", diff)
		}
		<-time.After(30 * time.Second)
		third := snapshot(t, s)
		for _, name := range []string{"oom_kills_recent", "cpu_steal_pct", "disk_read_bytes_per_sec", "top_cpu_pct"} {
			if v, ok := third[name]; ok && v != 0.0 {
				t.Errorf("nothing happened since, and %s is %v", name, v)
			}
		}

		// Back to the first tree: every counter is lower than it was.
		become("first")
		<-time.After(30 * time.Second)
		for name, v := range snapshot(t, s) {
			if f, ok := v.(float64); ok && f < 0 {
				t.Errorf("after a reset %s is %v", name, f)
			}
			if name == "oom_kills_recent" || name == "cpu_used_pct" || name == "swap_in_pages_per_sec" || name == "cgroup_oom_kills_recent" {
				t.Errorf("after a reset nobody can tell %s, and it is %v", name, v)
			}
		}
	})
}

func TestChecksOfASickMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		snapshot(t, s)
		<-time.After(30 * time.Second)
		become("second")
		var got []string
		for _, x := range skills.Evaluate(s.Sources[0].Checks, snapshot(t, s)) {
			if strings.Contains(x.Says, "unknown") || strings.Contains(x.Says, "{") {
				t.Errorf("%s says %q", x.Check.Metric, x.Says)
			}
			got = append(got, string(x.Severity)+" "+x.Check.Resource+": "+x.Says)
		}
		want := []string{
			"critical memory: memory is 96 % used; the largest process is java (4711) with 12288 MiB",
			"warning memory: all tasks waited for memory in 12.25 % of the last 10 s; the largest process is java (4711) with 12288 MiB",
			"warning memory: 1500 pages a second are read back from swap; memory is 96 % used",
			"warning memory: the kernel killed 2 process(es) for want of memory since the last snapshot; the largest process now is java (4711) with 12288 MiB",
			"warning memory: 1 process(es) of the probe's container or service were killed at its memory limit since the last snapshot",
			"critical disk: /dev/shm is 97 % full, 3 MiB are left",
			"critical disk: /mail has used 98 % of its inodes: soon no file can be made there, whatever space is left",
			"warning disk: 1 filesystem(s) do not answer, /net/home among them: processes that touch it hang",
			"warning disk_io: all tasks waited for a disk in 33.5 % of the last 60 s; the busiest disk is sda at 90 %",
			"warning cpu: 3 tasks a core run or wait (load 12 on 4 cores); java (4711) uses 150 % of a core",
			"warning cpu: the container or service of the probe stood still in 30 % of the periods because its limit of processor time was used up",
			"warning file_descriptors: 13824 open file handles are 84.4 % of the machine's limit",
			"warning network: 10 packets a second are damaged on the way in or out",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("crossed (-want +got):\n%s", diff)
		}
	})
}

func TestUseOverFiveMinutesNeedsFourOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		since := 0
		for step := range 16 {
			if step == 8 {
				become("second") // all of its load falls between two snapshots
			}
			d := snapshot(t, s)
			v, ok := d["cpu_used_5m_pct"]
			if want := since >= 240; ok != want {
				t.Errorf("after %d s: known %v, want %v", since, ok, want)
			}
			if ok && v != 50.0 {
				t.Errorf("after %d s it is %v, want 50", since, v)
			}
			<-time.After(30 * time.Second)
			since += 30
		}
	})
}

func TestTopProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		type top struct {
			CPUBasis     string  `json:"cpu_basis"`
			Interval     float64 `json:"interval_seconds"`
			ProcessCount int     `json:"process_count"`
			Note         string  `json:"note"`
			Processes    []struct {
				PID        int      `json:"pid"`
				PPID       int      `json:"ppid"`
				Name       string   `json:"name"`
				UID        *float64 `json:"uid"`
				Cgroup     string   `json:"cgroup"`
				CPUPct     float64  `json:"cpu_pct"`
				MemoryMB   float64  `json:"memory_mb"`
				MemoryPct  float64  `json:"memory_pct"`
				Threads    int      `json:"threads"`
				FDs        *float64 `json:"fds"`
				State      string   `json:"state"`
				AgeSeconds float64  `json:"age_seconds"`
				StartedAt  string   `json:"started_at"`
			} `json:"processes"`
			ByName []struct {
				Name      string  `json:"name"`
				Processes int     `json:"processes"`
				MemoryMB  float64 `json:"memory_mb"`
			} `json:"by_name"`
		}
		get := func(call string) (out top) {
			t.Helper()
			b, err := json.Marshal(ask(t, s, call))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		names := func(o top) (out []string) {
			for _, p := range o.Processes {
				out = append(out, p.Name)
			}
			return out
		}

		first := get(`system_top_processes(3, "memory")`)
		if first.CPUBasis != "lifetime" || first.ProcessCount != 8 {
			t.Errorf("got %+v", first)
		}
		if diff := cmp.Diff([]string{"java", "a) b (c", "worker"}, names(first)); diff != "" {
			t.Errorf("by memory (-want +got):\n%s", diff)
		}
		java := first.Processes[0]
		if java.PID != 4711 || java.PPID != 1 || java.UID == nil || *java.UID != 1001 || java.Cgroup != "shop.service" || java.MemoryMB != 12288 || java.MemoryPct != 75 ||
			java.Threads != 80 || java.FDs == nil || *java.FDs != 5 || java.State != "running" || java.AgeSeconds != 99970 || java.StartedAt == "" {
			t.Errorf("got %+v", java)
		}
		if first.Processes[1].UID != nil || first.Processes[1].FDs != nil {
			t.Errorf("what cannot be read is there: %+v", first.Processes[1])
		}
		if len(first.ByName) != 1 || first.ByName[0].Name != "worker" || first.ByName[0].Processes != 3 || first.ByName[0].MemoryMB != 600 {
			t.Errorf("by name: %+v", first.ByName)
		}

		<-time.After(30 * time.Second)
		become("second")
		second := get(`system_top_processes(3)`)
		if diff := cmp.Diff([]string{"java", "burst", "a) b (c"}, names(second)); diff != "" {
			t.Errorf("by processor time (-want +got):\n%s", diff)
		}
		if p := second.Processes; second.CPUBasis != "interval" || second.Interval != 30 || p[0].CPUPct != 150 || p[1].CPUPct != 10 || p[2].CPUPct != 1 {
			t.Errorf("got %+v", second)
		}
		if got := names(get(`system_top_processes(2, "threads")`)); !cmp.Equal(got, []string{"a) b (c", "java"}) {
			t.Errorf("by threads: %v", got)
		}
		if got := names(get(`system_top_processes(1, "fds")`)); !cmp.Equal(got, []string{"java"}) {
			t.Errorf("by open files: %v", got)
		}
	})
}

func TestCallbacksOfASickMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		snapshot(t, s)
		<-time.After(30 * time.Second)
		become("second")
		for call, want := range map[string]string{
			"system_get_cpu()": `{"load_1m":12,"load_5m":7.25,"load_15m":3.5,"load_per_core_1m":3,"cores":4,"process_count":9,"thread_count":25087,"blocked":4,
				"used_pct":50,"iowait_pct":20,"steal_pct":5,"context_switches_per_sec":10000,"forks_per_sec":2,"interval_seconds":30}`,
			"system_get_memory()": `{"total_mb":16384,"available_mb":655.4,"free_mb":200,"used_mb":15728.6,"used_pct":96,"buffered_mb":10,"cached_mb":500,"shared_mb":100,"kernel_mb":50,
				"swap_total_mb":2048,"swap_used_mb":1536,"swap_used_pct":75,"swap_in_pages_per_sec":1500,"swap_out_pages_per_sec":10,"major_faults_per_sec":10,"interval_seconds":30}`,
			"system_get_disks()": `[{"mount":"/media/image","device":"/dev/loop0","fstype":"ext4","total_mb":1,"free_mb":0,"used_pct":100,"inodes_used_pct":100,"read_only":true},
				{"mount":"/dev/shm","device":"tmpfs","fstype":"tmpfs","total_mb":100,"free_mb":3,"used_pct":97,"inodes_used_pct":0.1},
				{"mount":"/mail","device":"/dev/sdb1","fstype":"ext4","total_mb":1024,"free_mb":512,"used_pct":50,"inodes_used_pct":98},
				{"mount":"/","device":"/dev/sda1","fstype":"ext4","total_mb":102400,"free_mb":56250,"used_pct":42.1,"inodes_used_pct":30},
				{"mount":"/net/home","device":"filer:/home","fstype":"nfs4","hung":true}]`,
			"system_get_pressure()": `{"available":true,"cpu":{"some":{"avg10":62.1,"avg60":55,"avg300":40.25},"full":{"avg10":0,"avg60":0,"avg300":0}},
				"memory":{"some":{"avg10":35.5,"avg60":20,"avg300":5},"full":{"avg10":12.25,"avg60":8,"avg300":2}},
				"io":{"some":{"avg10":48,"avg60":30,"avg300":10},"full":{"avg10":41.75,"avg60":33.5,"avg300":9}}}`,
			"system_get_io()": `{"interval_seconds":30,"disks":[
				{"device":"sda","read_bytes_per_sec":10485760,"write_bytes_per_sec":1048576,"reads_per_sec":100,"writes_per_sec":20,"util_pct":90,"await_ms":20,"in_flight":7},
				{"device":"dm-0","read_bytes_per_sec":10485760,"write_bytes_per_sec":1048576,"reads_per_sec":100,"writes_per_sec":20,"util_pct":90,"await_ms":20,"in_flight":7,"stacked":true}],
				"interfaces":[{"interface":"eth0","rx_bytes_per_sec":1000000,"tx_bytes_per_sec":100000,"errors_per_sec":10,"drops_per_sec":3},
				{"interface":"docker0","rx_bytes_per_sec":333333,"tx_bytes_per_sec":333333,"errors_per_sec":0,"drops_per_sec":0,"virtual":true}]}`,
			"system_get_limits()": `{"file_descriptors":{"used":13824,"max":16384,"used_pct":84.4},"threads":{"used":25087,"max":32768,"used_pct":76.6},
				"own":{"cgroup":"/system.slice/fleetlens-probe.service","memory_max_mb":100,"memory_used_mb":80,"memory_used_pct":80,"cpu_max_cores":0.5,"throttled_periods_pct":14.6,"throttled_seconds":19,"oom_kills":2},
				"cgroups":[{"cgroup":"/system.slice/fleetlens-probe.service","memory_max_mb":100,"memory_used_mb":80,"memory_used_pct":80,"cpu_max_cores":0.5,"throttled_periods_pct":14.6,"throttled_seconds":19,"oom_kills":2}]}`,
			"system_get_oom_kills()": `{"total":3,"recent":2,"interval_seconds":30,"by_cgroup":[{"cgroup":"/system.slice/fleetlens-probe.service","oom_kills":2}]}`,
		} {
			var w any
			if err := json.Unmarshal([]byte(want), &w); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w, ask(t, s, call)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", call, diff)
			}
		}
	})
}

func TestACallbackDoesNotMoveTheSnapshotsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		snapshot(t, s)
		<-time.After(20 * time.Second)
		become("second")
		ask(t, s, "system_get_oom_kills()")
		ask(t, s, "system_get_cpu()")
		<-time.After(10 * time.Second)
		if d := snapshot(t, s); d["oom_kills_recent"] != 2.0 || d["context_switches_per_sec"] != 10000.0 {
			t.Errorf("what a callback saw is missing from the snapshot: %v kills, %v switches", d["oom_kills_recent"], d["context_switches_per_sec"])
		}
	})
}

func TestCallbacksWithoutSnapshotsHaveRatesTheSecondTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, become := machine(t)
		if got := ask(t, s, "system_get_cpu()").(map[string]any); got["used_pct"] != nil || got["load_1m"] != 9.5 {
			t.Errorf("the first time: %v", got)
		}
		if got := ask(t, s, "system_get_io()").(map[string]any); !strings.Contains(got["note"].(string), "two readings") {
			t.Errorf("the first time: %v", got)
		}
		<-time.After(10 * time.Second)
		become("second")
		if got := ask(t, s, "system_get_cpu()").(map[string]any); got["used_pct"] != 50.0 || got["interval_seconds"] != 10.0 {
			t.Errorf("the second time: %v", got)
		}
	})
}

func TestASnapshotHoldsWhatCouldBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "meminfo"), []byte("MemTotal: 1000 kB\nMemAvailable: 250 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := hostos.Skill(host.New(host.Config{Proc: dir, Sys: t.TempDir()}))
	d, err := s.Sources[0].Snapshot(t.Context())
	if diff := cmp.Diff(skills.Data{"memory_used_pct": 75.0, "memory_total_mb": 1.0, "memory_available_mb": 0.0}, d); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
	for _, want := range []string{"processor times", "load", "processes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the fault %v does not name the %s", err, want)
		}
	}
}
