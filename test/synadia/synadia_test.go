//go:build linux

// Package synadia_test has the own TypeScript client of the Synadia Agent Protocol, whose
// source is in client, ask a fleet.
package synadia_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

const repo = "../.."

var address = regexp.MustCompile(`nats://127\.0\.0\.1:\d+`)

// The client discovers a fleet, prompts it and reads to the end: the acknowledgement is
// first, the terminator last, and what is no prompt is refused with 400.
func TestTheProtocolsOwnClientAsksAFleet(t *testing.T) {
	if !missing.Debian(t, "node", "nodejs") || !missing.Debian(t, "npm", "npm") {
		return
	}
	if _, err := os.Stat("node_modules"); err != nil {
		if out, err := exec.CommandContext(t.Context(), "npm", "ci", "--silent").CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	check := filepath.Join(dir, "check.mjs")
	run("go", "tool", "-modfile=tools.mod", "esbuild", "test/synadia/check.ts", "--bundle", "--platform=node", "--format=esm", "--log-level=warning",
		"--banner:js=import{createRequire}from'module';const require=createRequire(import.meta.url);", "--outfile="+check)

	up := box.Start(t, "fleetlens up", exec.Command(built.Program(t, "cmd/fleetlens"), "up", "--node", "web-1", "--http", "", "--ui", "", "--alerts", ""))
	url := ""
	box.Eventually(t, "fleetlens is up", func() bool {
		url = address.FindString(up.Stdout.String() + up.Stderr.String())
		return url != ""
	})
	cmd := exec.CommandContext(t.Context(), "node", check)
	cmd.Env = append(box.CleanEnv(), "NATS_URL="+url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
