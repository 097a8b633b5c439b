// Package docs_test runs what the documents tell people to run.
package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const repo = "../.."

// programs builds the programs once and returns their folder.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "./cmd/...")
	cmd.Dir = repo
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

var (
	blocks = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	ours   = regexp.MustCompile(`^(go run \./cmd/)?(fleetlens|probe|operator|coordinator)\b`)
)

// commands returns the lines of a document's shell blocks that call our programs.
func commands(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, file))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, block := range blocks.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, " #") // what a comment says
			if line = strings.TrimSpace(line); ours.MatchString(line) {
				out = append(out, line)
			}
		}
	}
	return out
}

func TestEveryCommandInTheDocumentsIsOne(t *testing.T) {
	dir := programs(t)
	for _, file := range []string{"README.md", "docs/explanation/anomalies-and-triage.md"} {
		lines := commands(t, file)
		if len(lines) < 5 {
			t.Fatalf("%s has %d commands of ours: the test does not find them", file, len(lines))
		}
		for _, line := range lines {
			t.Run(line, func(t *testing.T) {
				// The shell splits the words; --help makes a program check its flags and end.
				cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.TrimPrefix(line, "go run ./cmd/")+" --help")
				cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

func TestTheFirstCommandGivesAnInsight(t *testing.T) {
	dir := programs(t)
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

var links = regexp.MustCompile(`\]\(([^)#:]+)\)`)

func TestPathsInTheDocumentsExist(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repo, "docs/adr/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(repo, "README.md"), filepath.Join(repo, "CONTRIBUTING.md"), filepath.Join(repo, "docs/explanation/architecture.md"), filepath.Join(repo, "docs/explanation/anomalies-and-triage.md"), filepath.Join(repo, "deploy/nats/README.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
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
