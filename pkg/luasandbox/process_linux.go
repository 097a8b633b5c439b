package luasandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// executable is what this process runs, whatever has since become of its file.
const executable = "/proc/self/exe"

const nobody = 65534

// startable reports whether starting the executable starts this package. A
// plugin or a shared library is not in the executable: there the same would
// start a stranger.
var startable = sync.OnceValue(func() error {
	exe, err := os.Readlink(executable)
	if err != nil {
		return &ChildError{Reason: "find this program's executable", Err: err}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return &ChildError{Reason: "read this program's memory map", Err: err}
	}
	pc, _, _, _ := runtime.Caller(0)
	file, err := mappedFrom(string(maps), uint64(pc))
	if err != nil {
		return &ChildError{Reason: "read this program's memory map", Err: err}
	}
	if file != exe {
		return &ChildError{Reason: fmt.Sprintf("cannot start a child: this package is in %q and not in the executable %q", file, exe)}
	}
	return nil
})

// mappedFrom returns the file that an address is mapped from, "" for none.
func mappedFrom(maps string, address uint64) (string, error) {
	lines := bufio.NewScanner(strings.NewReader(maps))
	for lines.Scan() {
		span, rest, _ := strings.Cut(lines.Text(), " ")
		from, to, _ := strings.Cut(span, "-")
		low, err := strconv.ParseUint(from, 16, 64)
		if err != nil {
			return "", err
		}
		high, err := strconv.ParseUint(to, 16, 64)
		if err != nil {
			return "", err
		}
		if address < low || address >= high {
			continue
		}
		if at := strings.IndexByte(rest, '/'); at >= 0 {
			return rest[at:], nil
		}
		return "", nil
	}
	return "", lines.Err()
}

// isolate gives the child a session of its own and, where the parent is root,
// the user nobody.
func isolate(cmd *exec.Cmd) {
	separate(cmd)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}

func separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// mayNotChangeUser reports whether err is a root's without the right to become
// another user, as in some containers.
func mayNotChangeUser(err error) bool {
	return err != nil && os.Geteuid() == 0 && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL))
}

// killGroup kills the child and whatever is in its process group.
func killGroup(child *os.Process) { _ = syscall.Kill(-child.Pid, syscall.SIGKILL) }
