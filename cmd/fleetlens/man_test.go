package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/proc"
)

func TestManualPagesAreRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	t.Setenv("SOURCE_DATE_EPOCH", "1750000000")
	var errs bytes.Buffer
	cmd := root()
	cmd.SetArgs([]string{"man", dir})
	if code := proc.Code(&errs, cmd.ExecuteContext(t.Context())); code != proc.ExitDone {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	pages, err := os.ReadDir(dir)
	if err != nil || len(pages) < 30 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if !missing.Debian(t, "man", "man-db") {
		return
	}
	for _, tt := range []struct {
		page string
		says []string
	}{
		{"fleetlens", []string{"Find out why a fleet of machines misbehaves", "fleetlens investigate --local", "SEE ALSO", "fleetlens-nodes(1)", "--json", "Jun 2025"}},
		{"fleetlens-insights-show", []string{"Print one insight", "fleetlens-insights(1)"}},
		{"probe", []string{"--node", "--http-token-file"}},
		{"operator", []string{"--concurrency"}},
		{"coordinator", []string{"--alerts"}},
	} {
		t.Run(tt.page, func(t *testing.T) {
			var out, warnings bytes.Buffer
			cmd := exec.CommandContext(t.Context(), "man", "--warnings=w", "--local-file", filepath.Join(dir, tt.page+".1"))
			cmd.Env = append(os.Environ(), "MANWIDTH=200", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
			cmd.Stdout, cmd.Stderr = &out, &warnings
			if err := cmd.Run(); err != nil || warnings.Len() > 0 {
				t.Errorf("%v, it warns: %s", err, &warnings)
			}
			for _, s := range tt.says {
				if !strings.Contains(out.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, &out)
				}
			}
		})
	}
}
