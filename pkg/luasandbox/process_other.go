//go:build !linux

package luasandbox

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"sync"
)

var executable, executableErr = os.Executable()

// startable reports whether the executable is a Go program that can be started
// again; that this package is in it, the handshake tells.
var startable = sync.OnceValue(func() error {
	if executableErr != nil {
		return &ChildError{Reason: "find this program's executable", Err: executableErr}
	}
	if _, err := buildinfo.ReadFile(executable); err != nil {
		return &ChildError{Reason: "cannot start a child: the executable is no Go program", Err: err}
	}
	return nil
})

func isolate(*exec.Cmd)  {}
func separate(*exec.Cmd) {}

func mayNotChangeUser(error) bool { return false }

// killGroup kills the child, which cannot have started another process.
func killGroup(child *os.Process) { _ = child.Kill() }
