//go:build linux

package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/test/built"
)

func TestTheFirstCommandGivesAnInsight(t *testing.T) {
	dir := built.Programs(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "fleetlens"), "investigate", "--local", "--json", "is this host healthy?")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var result struct {
		State    string           `json:"state"`
		Insights []map[string]any `json:"insights"`
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("standard output is not only JSON: %v\n%s", err, out)
	}
	if result.State != "done" || len(result.Insights) < 1 {
		t.Errorf("state %q with %d insights", result.State, len(result.Insights))
	}
}

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repo, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// configure has settings read a text as the configuration file of a program.
func configure(t *testing.T, flags *pflag.FlagSet, settings interface{ Sections() map[string]any }, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), flags.Name()+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := proc.Load(flags, file, settings.Sections()); err != nil {
		t.Fatal(err)
	}
}

var links = regexp.MustCompile(`\]\(([^)#:\s]+)[^)]*\)`)

func TestPathsInTheDocumentsExist(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "git", "-C", repo, "ls-files", "*.md").Output()
	files := strings.Fields(string(out))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d documents: %v", len(files), err)
	}
	for _, file := range files {
		for _, m := range links.FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(m[0], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(repo, filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", file, m[1])
			}
		}
	}
}

func TestTheArchitectureNamesEveryPackage(t *testing.T) {
	text := read(t, "docs/explanation/architecture.md")
	for _, top := range []string{"pkg", "internal"} {
		entries, err := os.ReadDir(filepath.Join(repo, top))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := regexp.MustCompile("`(" + top + "/)?" + e.Name() + "[/`]")
			if e.IsDir() && !name.MatchString(text) {
				t.Errorf("docs/explanation/architecture.md does not name %s/%s", top, e.Name())
			}
		}
	}
}
