//go:build linux

package host

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAGoProgramTellsItsPackageAndReleaseAndOthersAreNone(t *testing.T) {
	r := New(Config{})
	p, err := r.GoProgram(int32(os.Getpid()))
	if err != nil || !strings.HasPrefix(p.Go, "go1.") {
		t.Errorf("of this test: %+v, %v", p, err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if p, err := r.GoProgram(int32(cmd.Process.Pid)); !errors.Is(err, errNoGo) {
		t.Errorf("of sleep: %+v, %v", p, err)
	}
	if _, err := r.GoProgram(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a process that there is not: %v", err)
	}
}

func TestNoMoreOfAProgramIsReadThanItsLimit(t *testing.T) {
	l := &limitedReaderAt{file: strings.NewReader("program"), left: 5}
	if n, err := l.ReadAt(make([]byte, 4), 0); n != 4 || err != nil {
		t.Errorf("within: %d, %v", n, err)
	}
	if _, err := l.ReadAt(make([]byte, 2), 0); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("beyond: %v", err)
	}
}
