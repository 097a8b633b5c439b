//go:build linux

package docs_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	featureRow  = regexp.MustCompile(`(?m)^\| (\d+) \| .* \| (yes|partly|no) \| (.*) \|$`)
	featureTest = regexp.MustCompile("`((?:pkg|internal|test|cmd|deploy)[\\w/]*)\\.(Test\\w+)`")
)

// Each feature of the survey is there once, and each that there is has a proof.
func TestEachFeatureThatThereIsHasAProof(t *testing.T) {
	text := read(t, "docs/reference/features.md")
	count := map[string]int{}
	for i, m := range featureRow.FindAllStringSubmatch(text, -1) {
		if m[1] != strconv.Itoa(i+1) {
			t.Fatalf("feature %s is number %d", m[1], i+1)
		}
		count[m[2]]++
		proofs := featureTest.FindAllStringSubmatch(m[3], -1)
		if m[2] == "yes" && len(proofs) == 0 && !strings.Contains(m[3], "](") {
			t.Errorf("feature %s names neither a test nor a page", m[1])
		}
		for _, p := range proofs {
			files, err := filepath.Glob(filepath.Join(repo, p[1], "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("feature %s: there is no package %s with tests", m[1], p[1])
				continue
			}
			if err := exec.CommandContext(t.Context(), "grep", append([]string{"-q", "^func " + p[2] + "("}, files...)...).Run(); err != nil {
				t.Errorf("feature %s: %s has no %s", m[1], p[1], p[2])
			}
		}
	}
	if n := count["yes"] + count["partly"] + count["no"]; n != 94 {
		t.Errorf("%d features, want 94", n)
	}
	for kind, n := range count {
		if !strings.Contains(text, strconv.Itoa(n)+" "+kind) {
			t.Errorf("the page does not say that it is %d times %s", n, kind)
		}
	}
}
