//go:build linux

// Package docs_test runs what the documents tell people to run.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
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
	os.Exit(m.Run())
}

// exitCode says what went wrong, and returns what a program ends with.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
