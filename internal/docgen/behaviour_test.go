package docgen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// marked is a repository with one test file. Its marks are written with "Held" so
// that this file has none.
func marked(t *testing.T, source string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "pkg", "pantry")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	source = "package pantry\n\n" + strings.ReplaceAll(source, "Held:", behaviourMark)
	if err := os.WriteFile(filepath.Join(dir, "shelf_test.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func one(c behaviourCase) []behaviourGroup {
	return []behaviourGroup{{"Shelves", []behaviourCase{c}}}
}

func TestTheBehaviourPageNamesTheTestsOfEachCase(t *testing.T) {
	root := marked(t, `
// TestShelf sees that a shelf holds.
//
// Held: 1, 2.
func TestShelf(t *testing.T) {
	for _, tt := range []struct{ name string; weight int }{
		// Held: 2.
		{"a light one", 1},
		{"a heavy one", 100},
	} {
		_ = tt
	}
	// Held: defect 3.
	t.Run("no shelf at all", func(t *testing.T) {})
}
`)
	groups := []behaviourGroup{{"Shelves", []behaviourCase{
		{id: "1", does: "It holds."}, {id: "2", does: "It bends."}, {id: "defect 3", does: "It stands."}, {id: "4", does: "It flies.", none: "shelves have no wings"},
		{id: "5", does: "It sings.", awaits: "music"},
	}}}
	page, err := behaviourPage(root, groups)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 1 | It holds. | [`pkg/pantry.TestShelf`](../../pkg/pantry/shelf_test.go) |\n",
		"| 2 | It bends. | [`pkg/pantry.TestShelf`](../../pkg/pantry/shelf_test.go)<br>[`pkg/pantry.TestShelf/a_light_one`](../../pkg/pantry/shelf_test.go) |\n",
		"| defect 3 | It stands. | [`pkg/pantry.TestShelf/no_shelf_at_all`](../../pkg/pantry/shelf_test.go) |\n",
		"| 4 | It flies. | no counterpart: shelves have no wings |\n",
		"| 5 | It sings. | not yet: music |\n",
		"3 cases have a test, 1 have no counterpart, 1 wait for",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
}

func TestTheBehaviourPageIsRefusedWhenTestsAndCasesDoNotFit(t *testing.T) {
	const held = "// Held: 1.\nfunc TestShelf(t *testing.T) {}\n"
	for _, tt := range []struct {
		name   string
		source string
		groups []behaviourGroup
		want   string
	}{
		{"a case without a test or a reason", "", one(behaviourCase{id: "1", does: "It holds."}), "case 1 has no test"},
		{"a case with both", held, one(behaviourCase{id: "1", does: "It holds.", none: "no wood"}), "case 1 has no counterpart (no wood), and yet pkg/pantry.TestShelf holds it"},
		{"a case that awaits what is there", held, one(behaviourCase{id: "1", does: "It holds.", awaits: "nails"}), "case 1 is held by pkg/pantry.TestShelf: it awaits nails no longer"},
		{"a case in nobody's words", held, one(behaviourCase{id: "1"}), "case 1 does not say"},
		{"a case twice", held, append(one(behaviourCase{id: "1", does: "a"}), one(behaviourCase{id: "1", does: "b"})...), "case 1 is listed twice"},
		{"a mark of an unknown case", "// Held: 7.\nfunc TestShelf(t *testing.T) {}\n", nil, "pkg/pantry.TestShelf in pkg/pantry/shelf_test.go names case 7, which there is not"},
		{"a mark of no case", "// Held: all.\nfunc TestShelf(t *testing.T) {}\n", nil, `"all" is no case`},
		{"a mark above a helper", "// Held: 1.\nfunc shelf() {}\n", nil, "stands above no test"},
		{"a mark above nothing", "func TestShelf(t *testing.T) {\n\t// Held: 1.\n}\n", nil, "stands above no test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := behaviourPage(marked(t, tt.source), tt.groups)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestEveryCaseOfTheReferenceIsListed(t *testing.T) {
	n, defects := 0, 0
	for _, g := range behaviourGroups() {
		for _, c := range g.cases {
			if strings.HasPrefix(c.id, "defect ") {
				defects++
			} else {
				n++
			}
		}
	}
	if n != 163 || defects != 29 {
		t.Errorf("%d cases and %d defects are listed, want 163 and 29", n, defects)
	}
}
