package supervisor_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/internal/reach/systemd"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
	"github.com/fleetlens/fleetlens/pkg/skills/supervisor"
)

// sceneVar makes the test's own program play a part.
const sceneVar = "FLEETLENS_TEST_SCENE"

func TestMain(m *testing.M) {
	switch os.Getenv(sceneVar) {
	case "":
		os.Exit(m.Run())
	case "supervise":
		supervise()
	case "leave":
		leave()
	case "stay":
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

// supervise starts a child, and another in its place at each line it reads.
func supervise() {
	in := bufio.NewReader(os.Stdin)
	for {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), sceneVar+"=stay")
		hold, _ := c.StdinPipe()
		if err := c.Start(); err != nil {
			panic(err)
		}
		fmt.Println(c.Process.Pid)
		_, err := in.ReadString('\n')
		_ = hold.Close()
		_ = c.Wait()
		if err != nil {
			return
		}
	}
}

// leave starts a process and ends without it.
func leave() {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), sceneVar+"=stay")
	c.Stdin = os.Stdin
	if err := c.Start(); err != nil {
		panic(err)
	}
	fmt.Println(c.Process.Pid)
}

func source() skills.Source {
	return supervisor.Skill(host.New(host.Config{}), systemd.New("/nonexistent")).Sources[0]
}

func snap(t *testing.T, src skills.Source) skills.Data {
	t.Helper()
	d, err := src.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func says(src skills.Source, d skills.Data, metric string) string {
	for _, x := range skills.Evaluate(src.Checks, d) {
		if x.Check.Metric == metric {
			return x.Says
		}
	}
	return ""
}

func list(v any) []map[string]any {
	var out []map[string]any
	for _, e := range v.([]any) {
		out = append(out, e.(map[string]any))
	}
	return out
}

func TestTheRealHostKeepsThePromises(t *testing.T) {
	manager, _ := fakeSystemd(t)
	skilltest.Run(t, supervisor.Skill(host.New(host.Config{}), manager))
}

func TestAMachineWithoutSystemdSaysSo(t *testing.T) {
	src := source()
	d := snap(t, src)
	if _, has := d["units_failed"]; has {
		t.Errorf("it claims to know units: %v", d)
	}
	if a := skilltest.Object(t, src, `sup_units("failed", 10)`); a["systemd"] != false {
		t.Errorf("it says %v", a)
	}
}

func TestRealZombiesAreFoundWithTheirParent(t *testing.T) {
	src := source()
	var dead []*exec.Cmd
	for range 25 {
		c := exec.Command("true")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		dead = append(dead, c)
	}
	defer func() {
		for _, c := range dead {
			_ = c.Wait()
		}
	}()
	for _, c := range dead { // until the last one ended
		for deadline := time.Now().Add(10 * time.Second); !ended(t, c.Process.Pid); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it does not end")
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		if d := snap(t, src); d["zombies_lasting"] != 0.0 || d["zombies"].(float64) < 25 {
			t.Errorf("at first %v", d)
		}
		time.Sleep(61 * time.Second)
		d := snap(t, src)
		me := fmt.Sprintf("(%d)", os.Getpid())
		if got := says(src, d, "zombies_lasting"); !strings.Contains(got, me) {
			t.Errorf("it crosses %q, want %s; %v", got, me, d)
		}
		a := skilltest.Object(t, src, fmt.Sprintf("sup_zombie_children(%q)", strconv.Itoa(os.Getpid())))
		if a["zombie_count"].(float64) < 25 || list(list(a["parents"])[0]["zombies"])[0]["zombie_seconds"] != 61.0 {
			t.Errorf("got %v", a)
		}
		i := skilltest.Object(t, src, fmt.Sprintf("sup_tree_integrity(%q)", strconv.Itoa(os.Getpid())))
		if i["status"] != "degraded" || i["anomalies"].([]any)[0] != "zombie_children" {
			t.Errorf("its integrity is %v", i)
		}
	})
}

func ended(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), ") Z ")
}

func TestARealOrphanIsFound(t *testing.T) {
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), hold.Close() }()
	leaver := exec.Command(os.Args[0])
	leaver.Env = append(os.Environ(), sceneVar+"=leave")
	leaver.Stdin, leaver.SysProcAttr = in, &syscall.SysProcAttr{Setsid: true}
	out, err := leaver.Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	src := source()
	if d := snap(t, src); d["orphans"].(float64) < 1 {
		t.Errorf("got %v", d)
	}
	found := false
	for _, p := range list(skilltest.Object(t, src, "sup_orphaned_processes(100)")["processes"]) {
		found = found || p["pid"] == float64(pid)
	}
	if !found {
		t.Errorf("process %d is not among the orphans", pid)
	}
}

func TestAProgramThatItsSupervisorStartsAgainIsNamed(t *testing.T) {
	// A supervisor is known by its name: the program under another one.
	program := filepath.Join(t.TempDir(), "runsv")
	if err := os.Symlink("/proc/self/exe", program); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(program)
	if err := os.Link(self, program); err != nil { // across filesystems
		b, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, b, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), program)
	c.Env = append(os.Environ(), sceneVar+"=supervise")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = c.Wait() }()
	lines := bufio.NewReader(out)
	child := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	child()
	src := source()
	snap(t, src)
	for range 3 {
		_, _ = fmt.Fprintln(in)
		child()
		snap(t, src)
	}
	d := snap(t, src)
	want := fmt.Sprintf("runsv of runsv (%d) was started again 3 times", c.Process.Pid)
	if got := says(src, d, "respawns_10m"); !strings.Contains(got, want) {
		t.Errorf("it crosses %q, want %q; %v", got, want, d)
	}
	if r := list(skilltest.Object(t, src, "sup_restarts(5)")["respawned"]); r[0]["respawns_10m"] != 3.0 {
		t.Errorf("got %v", r)
	}
	if i := skilltest.Object(t, src, fmt.Sprintf("sup_tree_integrity(%q)", strconv.Itoa(c.Process.Pid))); i["anomalies"].([]any)[0] != "crash_loop" {
		t.Errorf("its integrity is %v", i)
	}
}

// A build or a shell starts and ends children all the time: that is no crash loop.
func TestChildrenOfOthersMayComeAndGo(t *testing.T) {
	src := source()
	for range 5 {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		snap(t, src)
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	for _, r := range list(skilltest.Object(t, src, "sup_restarts(100)")["respawned"]) {
		if r["supervisor_pid"] == float64(os.Getpid()) {
			t.Errorf("it takes the test for a supervisor: %v", r)
		}
	}
}

// Behaviour: 159.
func TestTheTreeIsToldAndWhoIsNotThereIsRefused(t *testing.T) {
	src := source()
	me := strconv.Itoa(os.Getpid())
	for range 40 {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	}
	if a := skilltest.Object(t, src, fmt.Sprintf("sup_children(%q)", me)); a["total_children"].(float64) < 40 {
		t.Errorf("children: %v", a)
	}
	if a := skilltest.Object(t, src, fmt.Sprintf("sup_tree(%q)", me)); len(a["children"].([]any)) < 40 {
		t.Errorf("tree: %v", a)
	}
	if a := skilltest.Object(t, src, fmt.Sprintf("sup_tree_integrity(%q)", me)); a["status"] != "healthy" || len(a["anomalies"].([]any)) != 0 || a["total_children"].(float64) < 40 {
		t.Errorf("forty children are %v", a)
	}
	if a := skilltest.Object(t, src, "sup_list(100)"); len(list(a["supervisors"])) == 0 {
		t.Errorf("no supervisors: %v", a)
	}
	for _, call := range []string{"sup_children", "sup_tree", "sup_tree_integrity", "sup_zombie_children"} {
		for _, name := range []string{"no such process", "-1", "0", "99999999999999999999"} {
			if _, err := skilltest.Call(t, src, fmt.Sprintf("%s(%q)", call, name)); err == nil || !strings.Contains(err.Error(), "supervisor_not_found") {
				t.Errorf("%s(%q): %v", call, name, err)
			}
		}
	}
}
