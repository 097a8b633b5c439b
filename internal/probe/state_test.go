package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateIsWrittenWholeAndReadBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	s, err := openState(folder)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.read("baselines"); b != nil || err != nil {
		t.Errorf("what was never written reads as %q, %v", b, err)
	}
	for _, text := range []string{"first", "second, longer"} {
		if err := s.write("baselines", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := s.read("baselines"); string(b) != text || err != nil {
			t.Errorf("read %q, %v; want %q", b, err, text)
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v; want the one file", left, err)
	}
}

func TestAStateFolderThatCannotBeMadeIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(filepath.Join(file, "below")); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("err %v, want one that names --state", err)
	}
}

func TestWithoutAFolderNothingIsKept(t *testing.T) {
	s, err := openState("")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write("baselines", []byte("x")); err != nil {
		t.Error(err)
	}
	if b, err := s.read("baselines"); b != nil || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}
