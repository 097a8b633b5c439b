package journald

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

func TestArguments(t *testing.T) {
	if got := arguments(""); !slices.Contains(got, "--lines=200") || slices.Contains(got, "--no-tail") {
		t.Errorf("at first %q, want the newest 200", got)
	}
	if got := arguments("s=1;i=2"); !slices.Contains(got, "--after-cursor=s=1;i=2") {
		t.Errorf("later %q, want what comes after the cursor", got)
	}
}

// program writes a shell script that stands in for journalctl.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return path
}

func TestWhatTheProgramComplainsOfIsTheErrorOfClose(t *testing.T) {
	s, err := run(t.Context(), program(t, "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(s); err != nil || len(out) > 0 {
		t.Errorf("read %q, %v, want nothing", out, err)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "insufficient permissions") {
		t.Errorf("Close() = %v, want the words of the program", err)
	}
}

func TestTheProgramEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := run(ctx, program(t, "echo '{}'; exec sleep 60"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v, want nil after the context's end", err)
	}
}

// TestTheJournalOfThisMachine reads what is there; a machine may have journalctl
// and a folder without a single entry.
func TestTheJournalOfThisMachine(t *testing.T) {
	one, err := exec.CommandContext(t.Context(), "journalctl", "--output=json", "--lines=1", "--no-pager", "--quiet").Output()
	if err != nil || len(one) == 0 {
		missing.Component(t, "journald", "no entries in a journal on this machine")
		if s, err := Open(t.Context(), ""); err == nil {
			_ = s.Close() // nothing was read
		} else if !errors.Is(err, logs.ErrNoJournal) {
			t.Errorf("Open: %v, want %v", err, logs.ErrNoJournal)
		}
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := Open(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // it is ended in the middle
	begin := make([]byte, 1)
	if _, err := io.ReadFull(s, begin); err != nil || begin[0] != '{' {
		t.Errorf("the journal begins with %q (%v), want a JSON object", begin, err)
	}
}

// TestAReaderOfLogsReadsTheJournal is the whole way, from journalctl to entries.
func TestAReaderOfLogsReadsTheJournal(t *testing.T) {
	one, err := exec.CommandContext(t.Context(), "journalctl", "--output=json", "--lines=1", "--no-pager", "--quiet").Output()
	if err != nil || len(one) == 0 {
		missing.Component(t, "journald", "no entries in a journal on this machine")
		return
	}
	r := logs.New(logs.Config{Files: []string{logs.Off}, Docker: logs.Off, Pods: logs.Off, Journal: "on"}, Open)
	defer r.Close()
	if err := r.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for len(r.Entries(1, func(e *logs.Entry) bool { return strings.HasPrefix(e.Source, "journal") })) == 0 {
		if time.Now().After(deadline) {
			read, un := r.Sources()
			t.Fatalf("nothing was read: %+v, %+v", read, un)
		}
		runtime.Gosched()
	}
}
