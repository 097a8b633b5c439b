package docgen_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/docgen"
)

const root = "../.."

func files(t *testing.T) map[string][]byte {
	t.Helper()
	out, err := docgen.Files(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPagesAreFresh(t *testing.T) {
	made := files(t)
	for name, want := range made {
		got, err := os.ReadFile(filepath.Join(root, docgen.Dir, name))
		if err != nil {
			t.Errorf("%v: run %s", err, docgen.Command)
			continue
		}
		if diff := cmp.Diff(string(got), string(want)); diff != "" {
			t.Errorf("%s is stale, run %s (-file +code):\n%s", name, docgen.Command, diff)
		}
	}
	schemas, err := filepath.Glob(filepath.Join(root, docgen.Dir, "schemas", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range schemas {
		if made["schemas/"+filepath.Base(p)] == nil {
			t.Errorf("%s is of no message: run %s", filepath.Base(p), docgen.Command)
		}
	}
}

func TestPagesAreTheSameEachTime(t *testing.T) {
	if diff := cmp.Diff(files(t), files(t)); diff != "" {
		t.Errorf("they differ:\n%s", diff)
	}
}

func TestLinksWithinAPageLeadToAHeading(t *testing.T) {
	for name, page := range files(t) {
		if filepath.Ext(name) != ".md" {
			continue
		}
		headings := map[string]bool{}
		for line := range strings.Lines(string(page)) {
			if text, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
				headings[strings.ToLower(strings.TrimSpace(text))] = true
			}
		}
		for _, part := range strings.Split(string(page), "](#")[1:] {
			if target, _, _ := strings.Cut(part, ")"); !headings[target] {
				t.Errorf("%s links to #%s, which is no heading", name, target)
			}
		}
	}
}

func TestFilesSaysWhereToRunIt(t *testing.T) {
	_, err := docgen.Files(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "run this at the root of the repository") {
		t.Errorf("got %v", err)
	}
}
