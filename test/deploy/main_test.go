package deploy_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	pods "github.com/fleetlens/fleetlens/test/e2e/pod"
)

var update = flag.Bool("update", false, "write what is made from something else anew")

const repo = "../.."

func TestMain(m *testing.M) {
	pods.Play()
	flag.Parse()
	os.Exit(m.Run())
}

// tools are the files of the Go tools that were asked for, which the first time builds.
var tools sync.Map

// tool runs a Go tool of a module file in deploy, from the repository's folder.
func tool(t *testing.T, mod, name string, args ...string) (stdout string, err error) {
	t.Helper()
	return toolIn(t, repo, mod, name, args...)
}

// toolIn does so from another folder.
func toolIn(t *testing.T, dir, mod, name string, args ...string) (stdout string, err error) {
	t.Helper()
	path, ok := tools.Load(name)
	if !ok {
		cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=deploy/"+mod, "-n", name)
		cmd.Dir = repo
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("go tool %s: %w\n%s", name, err, errs.String())
		}
		path = strings.TrimSpace(string(out))
		tools.Store(name, path)
	}
	cmd := exec.CommandContext(t.Context(), path.(string), args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// golden compares a file of the repository with what it is made from.
func golden(t *testing.T, file, want string) {
	t.Helper()
	path := filepath.Join(repo, file)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s is not fresh, run make gen (-have +want):\n%s", file, diff)
	}
}
