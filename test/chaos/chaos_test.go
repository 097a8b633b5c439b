//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestChaosOfTwenty(t *testing.T) {
	t.Parallel()
	chaos := filepath.Join(t.TempDir(), "chaos")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", chaos, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), chaos, "--investigations", "20")
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	t.Logf("%s%s", &stderr, out)
	if err != nil {
		t.Fatal(err)
	}
	var last report
	if err := json.Unmarshal(out, &last); err != nil {
		t.Fatal(err)
	}
	if last.Investigations != 20 || last.Done+last.Cancelled+last.Failed != 20 || last.Lost != 0 || last.Doubled != 0 {
		t.Errorf("not every investigation ended once: %+v", last)
	}
	if last.Kills == 0 || last.Freezes == 0 || last.Restarts != int64(len(outages)) || last.Notifications == 0 || last.Insights == 0 {
		t.Errorf("it was no chaos, or nothing was found in it: %+v", last)
	}
}
