package luasandbox_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childrenOf returns the process ids of a process's children.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has just ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, child)
		}
	}
	return all
}

func TestChildrenStartedAheadEndWithTheProgram(t *testing.T) {
	program := importer(t)
	for _, tt := range []struct {
		name string
		end  func(*exec.Cmd) error
	}{
		{"that returns", func(cmd *exec.Cmd) error { return cmd.Cancel() }},
		{"that is killed", func(cmd *exec.Cmd) error { return cmd.Process.Kill() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program, "wait")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Cancel = in.Close
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for lines := bufio.NewScanner(out); lines.Text() != "waits"; {
				if !lines.Scan() {
					t.Fatalf("the program ended: %v", lines.Err())
				}
			}
			var children []int
			for end := time.Now().Add(20 * time.Second); len(children) < 2; children = childrenOf(t, cmd.Process.Pid) {
				if time.Now().After(end) {
					t.Fatalf("children %v, want two", children)
				}
				runtime.Gosched()
			}
			if err := tt.end(cmd); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed, perhaps
			for _, child := range children {
				for end := time.Now().Add(20 * time.Second); !gone(child); runtime.Gosched() {
					if time.Now().After(end) {
						t.Fatalf("child %d lives on", child)
					}
				}
			}
		})
	}
}

// gone reports whether a process has ended. One that nobody has reaped yet has.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}
