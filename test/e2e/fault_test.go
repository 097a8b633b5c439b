//go:build linux

package e2e_test

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

	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// misbehave uses up what its role says, says so, and holds it until its input ends.
func misbehave(role string) error {
	what, rest, _ := strings.Cut(role, " ")
	switch what {
	case "memory":
		mib, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		// Not from Go's heap: the race detector would add twice as much to it.
		if _, err := syscall.Mmap(-1, 0, mib<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE); err != nil {
			return err
		}
	case "tmpfs":
		return fillTmpfs(rest)
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// fillTmpfs mounts a small tmpfs that only this process and those it starts see,
// fills it, and becomes the program of the words given.
func fillTmpfs(words string) error {
	program, args, _ := strings.Cut(words, "\n")
	dir := os.Getenv("FLEETLENS_E2E_MOUNT")
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=16m"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 16<<20*97/100), 0o600); err != nil {
		return err
	}
	fmt.Println("ready")
	return syscall.Exec(program, append([]string{program}, strings.Split(args, "\n")...), os.Environ())
}

// memory returns the total and the used memory of this machine, in MiB.
func memory(t *testing.T) (total, used float64) {
	t.Helper()
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kib := map[string]float64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var name string
		var v float64
		if n, _ := fmt.Sscanf(lines.Text(), "%s %f", &name, &v); n == 2 {
			kib[name] = v
		}
	}
	return kib["MemTotal:"] / 1024, (kib["MemTotal:"] - kib["MemAvailable:"]) / 1024
}

// largest returns the resident memory of the largest process there is, in MiB.
func largest(t *testing.T) float64 {
	t.Helper()
	most := 0.0
	files, err := filepath.Glob("/proc/[0-9]*/statm")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		var size, resident float64
		if n, _ := fmt.Sscanf(string(b), "%f %f", &size, &resident); n == 2 {
			most = max(most, resident*float64(os.Getpagesize())/(1<<20))
		}
	}
	return most
}

func TestALocalInvestigationNamesTheProcessThatTakesTheMemory(t *testing.T) {
	// More than the largest process that is there, and enough to move the share.
	total, _ := memory(t)
	hold := largest(t) + max(256, total/12) // a linker that runs beside grows to a gigabyte
	if free := total - hold; free < total/4 {
		t.Fatalf("the largest process has nearly all of the machine's %.0f MiB: no larger one can be started", total)
	}
	pid, say := box.Child(t, fmt.Sprintf("%s=memory %d", roleEnv, int(hold)), nil)
	if say != "ready" {
		t.Fatal(say)
	}
	_, used := memory(t)
	pct := 100 * used / total
	a := fleetlens(t, "investigate", "--local", "--json", "why is there so little memory?",
		"--threshold", fmt.Sprintf("os.memory_used_pct=%.1f:%.1f", pct/3, pct/2))
	if a.code != 0 {
		t.Fatalf("it ended with %d: %s", a.code, a.stderr)
	}
	r := decode[result](t, []byte(a.stdout))
	got := about(t, r, "memory")
	name := filepath.Base(os.Args[0])
	culprit := fmt.Sprintf("%s (%d)", name[:min(len(name), 15)], pid) // the kernel keeps 15 bytes of a name
	if !strings.Contains(got.Summary, culprit) || !strings.Contains(got.RootCause, culprit) {
		t.Errorf("it does not name %s: %s; hypothesis: %s", culprit, got.Summary, got.RootCause)
	}
	if got.Severity != "critical" {
		t.Errorf("its severity is %s", got.Severity)
	}
	checkFigures(t, got) // the kernel's log of this machine may have more to tell
}

func TestALocalInvestigationNamesTheFilesystemThatIsFull(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	role := strings.Join([]string{"tmpfs " + built.Program(t, "cmd/fleetlens"), "investigate", "--local", "--json", "why do writes fail?"}, "\n")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(box.CleanEnv(), roleEnv+"="+role, "FLEETLENS_E2E_MOUNT="+mount)
	cmd.SysProcAttr = attr
	var stderr box.Output
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	out, _ := strings.CutPrefix(string(stdout), "ready\n")
	if why, cannot := strings.CutPrefix(out, "cannot: "); cannot || err != nil && out == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no tmpfs can be mounted: %s %v", why, err)
		}
		t.Logf("this machine does not let a test mount a tmpfs (%s %v): a full one is covered by files of a host alone", why, err)
		return
	}
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	r := decode[result](t, []byte(out))
	got := about(t, r, "full")
	if !strings.Contains(got.Summary, mount+" is ") || got.Severity != "critical" {
		t.Errorf("it does not name %s: %s", mount, got.Summary)
	}
	checkFigures(t, got) // the kernel's log of this machine may have more to tell
}

// about returns the insight of a done investigation that says a word.
func about(t *testing.T, r result, word string) insight {
	t.Helper()
	if r.State != "done" {
		t.Fatalf("it ended as %s: %s", r.State, r.Error)
	}
	for _, i := range r.Insights {
		if strings.Contains(i.Summary, word) {
			return i
		}
	}
	t.Fatalf("no insight is about %q: %+v", word, r.Insights)
	return insight{}
}
