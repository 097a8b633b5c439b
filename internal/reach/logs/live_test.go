package logs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/logs"
)

// TestAFileIsRotatedWhileItIsWrittenAndRead has a program write without a pause, as
// the file is renamed under it and it opens a new one some lines later. Each line is
// read once.
func TestAFileIsRotatedWhileItIsWrittenAndRead(t *testing.T) {
	const files, lines = 10, 300
	f := read(t, nil)
	seen := map[string]int{}
	f.Tap(func(e *logs.Entry, _ string, _ bool) bool { seen[e.Message]++; return false })
	f.poll()
	steps, polls := make(chan bool), make(chan bool)
	done := make(chan error, 1)
	go func() { done <- write(f.dir, files, lines, steps, polls) }()
	for running := true; running; {
		select {
		case <-steps: // both go on at once; the writer is one line ahead at least
			f.poll()
		case polls <- true:
			f.poll()
		case err := <-done:
			if running = false; err != nil {
				t.Fatal(err)
			}
		}
	}
	f.poll()
	for i := range files * lines {
		if n := seen[fmt.Sprintf("line %d", i)]; n != 1 {
			t.Fatalf("line %d was read %d times", i, n)
		}
	}
}

// write fills files one after the other. It goes on writing to each for a while after
// its name was taken away, and takes no name away before the reader has seen the file.
func write(dir string, files, lines int, steps chan<- bool, polls <-chan bool) error {
	path := filepath.Join(dir, "a.log")
	for n := range files {
		out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		for i := range lines {
			if _, err := fmt.Fprintf(out, "line %d\n", n*lines+i); err != nil {
				return err
			}
			select {
			case steps <- true:
			default: // it is reading: it will see this line later
			}
			if i != lines-20 {
				continue
			}
			<-polls // one may be under way,
			<-polls // but this one was whole when the next begins
			<-polls
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, n)); err != nil {
				return err
			}
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}
