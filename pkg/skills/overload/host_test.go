package overload_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/overload"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// calm is a machine of two cores with nothing to do, as its files show it.
var calm = map[string]string{
	"uptime":            "1000.00 1900.00\n",
	"stat":              "cpu  1000 0 1000 100000 0 0 0 0 0 0\ncpu0 500 0 500 50000 0 0 0 0 0 0\ncpu1 500 0 500 50000 0 0 0 0 0 0\nctxt 1\nprocesses 10\nprocs_running 1\nprocs_blocked 0\n",
	"loadavg":           "0.10 0.10 0.10 1/80 99\n",
	"meminfo":           meminfo(4000),
	"vmstat":            "pswpin 0\npswpout 0\npgmajfault 0\noom_kill 0\nallocstall_normal 0\n",
	"diskstats":         disks(0, 0),
	"net/softnet_stat":  "00000001 00000000 00000000\n",
	"net/tcp":           "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
	"1/stat":            stat(1, "init", 'S', 10),
	"20/stat":           stat(20, "worker", 'S', 10),
	"pressure/cpu":      "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	"pressure/memory":   "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	"pressure/io":       "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	"sys/kernel/osname": "Linux\n",
}

func meminfo(availableMB int) string {
	return fmt.Sprintf("MemTotal: 8000000 kB\nMemFree: 1000 kB\nMemAvailable: %d kB\nBuffers: 0 kB\nCached: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n", availableMB<<10)
}

// disks is one disk with so many requests done and so many milliseconds in which
// forty of them were in flight.
func disks(requests, ms int) string {
	return fmt.Sprintf("   8       0 sda %d 0 %d %d 0 0 0 0 40 %d %d\n", requests, 8*requests, 40*ms, ms, 40*ms)
}

func stat(pid int, name string, state byte, ticks int) string {
	return fmt.Sprintf("%d (%s) %c 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 4 0 1000 1000000 100 0\n", pid, name, state, ticks)
}

// machine returns the skill's source over files that become changes.
func machine(t *testing.T) (src skills.Source, become func(map[string]string)) {
	t.Helper()
	dir := t.TempDir()
	become = func(files map[string]string) {
		t.Helper()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	become(calm)
	return overload.Skill(host.New(host.Config{Proc: dir, Sys: dir})).Sources[0], become
}

func snap(t *testing.T, src skills.Source) skills.Data {
	t.Helper()
	d, err := src.Snapshot(t.Context())
	if err != nil {
		t.Error(err)
	}
	return d
}

// says returns what the data crosses, by metric.
func says(src skills.Source, d skills.Data) map[string]string {
	out := map[string]string{}
	for _, x := range skills.Evaluate(src.Checks, d) {
		out[x.Check.Metric] = x.Says
	}
	return out
}

func TestTheRealHostKeepsThePromises(t *testing.T) {
	skilltest.Run(t, overload.Skill(host.New(host.Config{})))
}

func TestACalmMachineIsNotOverloaded(t *testing.T) {
	src, _ := machine(t)
	synctest.Test(t, func(t *testing.T) {
		snap(t, src)
		time.Sleep(30 * time.Second)
		d := snap(t, src)
		if crossed := says(src, d); len(crossed) > 0 || d["overload_severity"] != "none" || d["overload_type"] != "none" || d["recommended_action"] != "monitor" {
			t.Errorf("%v crosses %v", d, crossed)
		}
	})
}

func TestEachScarceResourceIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name                       string
		become                     map[string]string
		metric, says, kind, severe string
	}{
		{
			"more tasks than cores",
			map[string]string{
				"stat":    strings.Replace(calm["stat"], "procs_running 1", "procs_running 12", 1),
				"loadavg": "14.00 9.00 3.00 12/80 99\n", "20/stat": stat(20, "worker", 'R', 5000),
			},
			"run_queue_per_core", "5.5 tasks a core run or wait for one; worker (20) uses most", "cpu", "transient",
		},
		{
			"a disk that is slow and has a queue",
			map[string]string{"diskstats": disks(1000, 30_000)},
			"disk_queue_max", "40 requests wait at sda, each takes 1200 ms", "disk", "transient",
		},
		{
			"tasks that wait for a disk",
			map[string]string{"stat": strings.Replace(calm["stat"], "procs_blocked 0", "procs_blocked 12", 1), "20/stat": stat(20, "worker", 'D', 10)},
			"blocked_tasks", "12 tasks wait uninterruptibly, worker (20) among them", "disk", "transient",
		},
		{
			"memory that must be freed first",
			map[string]string{"vmstat": strings.Replace(calm["vmstat"], "allocstall_normal 0", "allocstall_normal 60000", 1)},
			"direct_reclaims_per_sec", "2000 times a second", "memory", "critical",
		},
		{
			"packets that nobody takes",
			map[string]string{"net/softnet_stat": "00000001 00000bb8 00000000\n"},
			"softnet_dropped_per_sec", "100 packets a second are dropped", "network", "transient",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, become := machine(t)
			synctest.Test(t, func(t *testing.T) {
				snap(t, src)
				time.Sleep(30 * time.Second)
				become(tt.become)
				d := snap(t, src)
				crossed := says(src, d)
				if len(crossed) != 1 || !strings.Contains(crossed[tt.metric], tt.says) || strings.Contains(crossed[tt.metric], "unknown") {
					t.Errorf("it crosses %v, want %s: %q", crossed, tt.metric, tt.says)
				}
				if d["overload_type"] != tt.kind || d["overload_severity"] != tt.severe {
					t.Errorf("it is %v %v, want %s %s", d["overload_severity"], d["overload_type"], tt.severe, tt.kind)
				}
			})
		})
	}
}

// Memory runs out first, then the disk is busy with it: that order tells the cause.
func TestWhatBeganFirstIsTheCauseAndLastingOverloadIsSustained(t *testing.T) {
	src, become := machine(t)
	synctest.Test(t, func(t *testing.T) {
		stalls := 0
		round := func(more map[string]string) skills.Data {
			time.Sleep(30 * time.Second)
			stalls += 3000
			become(map[string]string{"vmstat": fmt.Sprintf("allocstall_normal %d\n", stalls)})
			become(more)
			return snap(t, src)
		}
		snap(t, src)
		if d := round(nil); d["overload_severity"] != "transient" || d["recommended_action"] != "add_buffering" {
			t.Errorf("a burst is %v", d)
		}
		blocked := map[string]string{"stat": strings.Replace(calm["stat"], "procs_blocked 0", "procs_blocked 12", 1)}
		round(blocked)
		var d skills.Data
		for range 10 {
			d = round(nil)
		}
		if d["overload_severity"] != "sustained" || d["overload_type"] != "memory" || d["recommended_action"] != "apply_backpressure" || d["overloaded_seconds"] != 330.0 {
			t.Errorf("after five minutes it is %v", d)
		}
		c := skilltest.Object(t, src, "overload_cascade_detection()")
		systems := c["affected_subsystems"].([]any)
		if c["cascading"] != true || len(systems) != 2 || systems[0].(map[string]any)["resource"] != "memory" || systems[1].(map[string]any)["overloaded_seconds"] != 300.0 {
			t.Errorf("the cascade is %v", c)
		}
		if relations := c["failure_relationships"].([]any); len(relations) != 1 || relations[0].(map[string]any)["to"] != "disk" {
			t.Errorf("the relations are %v", c)
		}
		if p := skilltest.Object(t, src, "overload_remediation_plan()"); p["priority"] != "high" || len(p["implementation_steps"].([]any)) != 4 {
			t.Errorf("the plan is %v", p)
		}
		b := skilltest.Object(t, src, "overload_bottleneck()")
		if b["bottleneck_type"] != "memory" || b["confidence_level"] != "high" {
			t.Errorf("the bottleneck is %v", b)
		}
		time.Sleep(30 * time.Second)
		become(calm)
		become(map[string]string{"vmstat": fmt.Sprintf("allocstall_normal %d\n", stalls)})
		if d := snap(t, src); d["overload_severity"] != "none" {
			t.Errorf("when it is over it is %v", d)
		}
	})
}

func TestMemoryThatShrinksSteadilyHasAnEnd(t *testing.T) {
	src, become := machine(t)
	synctest.Test(t, func(t *testing.T) {
		var d skills.Data
		for mb := 4000; mb >= 3000; mb -= 100 {
			become(map[string]string{"meminfo": meminfo(mb)})
			d = snap(t, src)
			time.Sleep(30 * time.Second)
		}
		if d["memory_exhausted_in_seconds"] != 900.0 { // 3000 MB at 100 in half a minute
			t.Errorf("it is used up in %v", d["memory_exhausted_in_seconds"])
		}
		if crossed := says(src, d)["memory_exhausted_in_seconds"]; !strings.Contains(crossed, "used up in 900 s") {
			t.Errorf("it crosses %q", crossed)
		}
		if p := skilltest.Object(t, src, "overload_predict_growth()"); p["memory_left_mb"] != 3000.0 || p["memory_change_mb_per_min"].(float64) > -150 {
			t.Errorf("the prediction is %v", p)
		}
		become(map[string]string{"meminfo": meminfo(3600)})
		if d := snap(t, src); d["memory_exhausted_in_seconds"] != nil {
			t.Errorf("memory that came back is used up in %v", d["memory_exhausted_in_seconds"])
		}
	})
}
