package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/proc"
)

// open runs `fleetlens ui --open`, with text on standard input, until it prints where
// it serves.
func open(t *testing.T, file, stdin string) (stdout string, code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs bytes.Buffer
	cmd := root()
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(io.MultiWriter(&out, writer(func() { cancel() })))
	cmd.SetErr(&errs)
	cmd.SetArgs([]string{"ui", "--open", file, "--ui", "127.0.0.1:0", "--json"})
	code = proc.Code(&errs, cmd.ExecuteContext(ctx))
	return out.String(), code, errs.String()
}

// A writer is called when something is written.
type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }

func TestAnExportIsOpenedFromAFileAndFromStandardInput(t *testing.T) {
	bundle, err := json.Marshal(map[string]any{"insight": theInsight()})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, stdin := range map[string]string{file: "", "-": string(bundle)} {
		out, code, errs := open(t, name, stdin)
		var at struct{ UI, Token string }
		if err := json.Unmarshal([]byte(out), &at); err != nil || code != proc.ExitDone || !strings.HasPrefix(at.UI, "http://127.0.0.1:") || at.Token == "" {
			t.Errorf("%s: exit code %d: %s%s (%v)", name, code, out, errs, err)
		}
	}
}

func TestWhatCannotBeOpenedIsWrongUse(t *testing.T) {
	for _, tt := range []struct{ name, file, stdin, says string }{
		{"no file", filepath.Join(t.TempDir(), "none.json"), "", "none.json: no such file"},
		{"a folder", t.TempDir(), "", "is a directory"},
		{"no JSON", "-", "%PDF", "--open -: it is no JSON"},
		{"an insight alone", "-", `{"id":"i-1"}`, "it holds no insight; it shows what an insight's page saves by Export, Everything (JSON)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if out, code, errs := open(t, tt.file, tt.stdin); code != proc.ExitUsage || out != "" || !strings.Contains(errs, tt.says) {
				t.Errorf("exit code %d, %q, want %d and %q", code, errs, proc.ExitUsage, tt.says)
			}
		})
	}
}
