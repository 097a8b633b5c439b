//go:build linux

// Package docs_test runs what the documents tell people to run.
package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const repo = "../.."

func TestMain(m *testing.M) {
	if tool, ok := tools[filepath.Base(os.Args[0])]; ok {
		os.Exit(exitCode(tool(os.Args[1:])))
	}
	if told := os.Getenv(machineEnv); told != "" {
		os.Exit(exitCode(machine(told)))
	}
	code := m.Run()
	_ = os.RemoveAll(bin.dir)
	os.Exit(code)
}

// exitCode says what went wrong, and returns what a program ends with.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// bin is where the programs are, built once.
var bin struct {
	once sync.Once
	dir  string
	err  error
}

// programs returns the folder of the built programs.
func programs(t *testing.T) string {
	t.Helper()
	bin.once.Do(func() {
		if bin.dir, bin.err = os.MkdirTemp("", "fleetlens-docs-"); bin.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", bin.dir, "./cmd/...")
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			bin.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if bin.err != nil {
		t.Fatal(bin.err)
	}
	return bin.dir
}
