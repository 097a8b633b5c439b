package luasandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

// child returns the process id of this process's one child; no other sandbox may
// have any.
func child() (int, error) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err == nil && len(text) > 0 {
			return strconv.Atoi(strings.Fields(string(text))[0])
		}
	}
	return 0, errors.New("no child")
}

func TestChildIsConfined(t *testing.T) {
	var status, limits, environ string
	var files []os.DirEntry
	const handed = 200 // as if this process had been started with it: it outlives an exec
	if err := syscall.Dup3(0, handed, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(handed) }()
	look := luasandbox.Func{Name: "look", Call: func(context.Context, []any) (any, error) {
		pid, err := child()
		if err != nil {
			return nil, err
		}
		var errs [4]error
		read := func(name string, err *error) string {
			text, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
			*err = readErr
			return string(text)
		}
		status, limits, environ = read("status", &errs[0]), read("limits", &errs[1]), read("environ", &errs[2])
		files, errs[3] = os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		return nil, errors.Join(errs[:]...)
	}}
	t.Setenv("FLEETLENS_SECRET", "hush")
	box := newBox(t, luasandbox.Limits{}, luasandbox.Ahead(0))
	if _, err := box.Run(t.Context(), `look()`, []luasandbox.Func{look}); err != nil {
		t.Fatal(err)
	}
	has := func(text, key string, values ...string) {
		t.Helper()
		for line := range strings.Lines(text) {
			rest, ok := strings.CutPrefix(line, key)
			if fields := strings.Fields(rest); ok && len(fields) >= len(values) && strings.Join(fields[:len(values)], " ") == strings.Join(values, " ") {
				return
			}
		}
		t.Errorf("want %s %v in\n%s", key, values, text)
	}
	if os.Geteuid() == 0 {
		has(status, "Uid:", "65534", "65534", "65534", "65534")
		has(status, "Gid:", "65534", "65534", "65534", "65534")
		has(status, "CapEff:", "0000000000000000")
	}
	has(limits, "Max open files", "16", "16")
	has(limits, "Max file size", "0", "0")
	has(limits, "Max core file size", "0", "0")
	has(limits, "Max cpu time", "7", "8")
	for line := range strings.Lines(limits) {
		if strings.Contains(line, "unlimited") && (strings.HasPrefix(line, "Max address space") || strings.HasPrefix(line, "Max data size")) {
			t.Errorf("no limit: %s", line)
		}
	}
	if strings.Contains(environ, "FLEETLENS") || strings.Contains(environ, "PATH") {
		t.Errorf("the child has the parent's environment: %q", environ)
	}
	for _, f := range files {
		if fd, err := strconv.Atoi(f.Name()); err != nil || fd == handed {
			t.Errorf("the child has file %s", f.Name())
		}
	}
	if len(files) > 8 { // three pipes and what the runtime opens for itself
		t.Errorf("the child has %d open files", len(files))
	}
}

func TestChildKilledFromOutside(t *testing.T) {
	shot := luasandbox.Func{Name: "shot", Call: func(context.Context, []any) (any, error) {
		pid, err := child()
		if err != nil {
			return nil, err
		}
		return nil, syscall.Kill(pid, syscall.SIGKILL)
	}}
	box := newBox(t, luasandbox.Limits{}, luasandbox.Ahead(0))
	_, err := box.Run(t.Context(), `shot()`, []luasandbox.Func{shot})
	died, ok := errors.AsType[*luasandbox.ChildError](err)
	if !ok || !strings.Contains(died.Reason, "signal: killed") {
		t.Errorf("got %v, want a ChildError with the signal", err)
	}
	if got, err := box.Run(t.Context(), `return add(1, 2)`, []luasandbox.Func{add}); err != nil || got.Value != 3.0 {
		t.Errorf("the next run got %v and %v", got.Value, err)
	}
}

func TestNothingIsLeaked(t *testing.T) {
	descriptors := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(open)
	}
	round := func() {
		box := newBox(t, luasandbox.Limits{Wall: 50 * time.Millisecond})
		defer box.Close()
		for _, script := range []string{`return add(1)`, `error("x")`, `return (`, backtracking, `return ("x"):rep(2^30)`, `while true do add() end`} {
			_, _ = box.Run(t.Context(), script, []luasandbox.Func{add}) // how each ends is another test's
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stop := luasandbox.Func{Name: "stop", Call: func(context.Context, []any) (any, error) { cancel(); return nil, nil }}
		if _, err := box.Run(ctx, `while true do stop() end`, []luasandbox.Func{stop}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}
	round()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for range 5 {
		round()
	}
	if now := descriptors(); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("wait for any child: %v, want that there is none", err)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}
