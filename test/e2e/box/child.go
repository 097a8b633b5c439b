//go:build linux

package box

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Child starts this program again with a variable more in its environment, NAME=value, by
// which its TestMain knows what to do. It returns the pid and the line that the program
// says first; "cannot: …" where this machine does not let it be started with attr. The
// program's input ends with the test.
func Child(t testing.TB, variable string, attr *syscall.SysProcAttr) (pid int, say string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), variable)
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Pdeathsig = syscall.SIGKILL // with this program
	cmd.SysProcAttr = attr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		return 0, "cannot: " + err.Error()
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	say, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child %q ended: %v %s", variable, err, say)
	}
	return cmd.Process.Pid, strings.TrimSpace(say)
}
