package luasandbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// importer builds the program in testdata and returns its path.
func importer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "importer")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/importer").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

func TestImporter(t *testing.T) {
	const (
		childName = "fleetlens-luasandbox-child"
		once      = "main with 0 arguments\n42 <nil>\n42 <nil>\n"
	)
	program := importer(t)
	token := strings.Repeat("0", 32)

	t.Run("runs scripts and has its main run once", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), program).CombinedOutput()
		if err != nil || string(out) != once {
			t.Errorf("got %q and %v, want %q", out, err, once)
		}
	})
	t.Run("runs scripts when its file is gone", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "copied")
		if err := os.Link(program, copied); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `exec 3<"$0"; rm "$0"; exec /proc/self/fd/3`, copied).CombinedOutput()
		if err != nil || string(out) != once {
			t.Errorf("got %q and %v, want %q", out, err, once)
		}
	})
	t.Run("is itself under the child's name without a child's pipes", func(t *testing.T) {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Args = []string{childName, token}
		cmd.Stdout = out
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(out.Name())
		if want := strings.Replace(once, "0 arg", "1 arg", 1); err != nil || string(text) != want {
			t.Errorf("got %q and %v, want %q", text, err, want)
		}
	})
	t.Run("refuses a parent without the token", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Args = []string{childName, token}
		hello := `{"kind":"hello","token":"` + strings.Repeat("1", 32) + `","limits":{}}`
		cmd.Stdin = strings.NewReader("\x00\x00\x00" + string(rune(len(hello))) + hello)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if err == nil || stdout.Len() > 0 || !strings.Contains(stderr.String(), "without this child's token") {
			t.Errorf("got %v, %q and %q", err, &stdout, &stderr)
		}
	})
}
