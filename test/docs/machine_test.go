//go:build linux

package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// machineEnv tells this program that it is process 1 of a machine of a page.
const machineEnv = "FLEETLENS_DOCS_MACHINE"

// patience is how long the commands of a page may take.
const patience = 3 * time.Minute

// An order is what a machine is told.
type order struct {
	Dir    string // its own, where it may mount
	Work   string // the clone of the repository in which the page is followed
	Script string
	Hosts  []string // names of other machines, all of which are this one
}

var hosts = regexp.MustCompile(`\b[a-z0-9][a-z0-9.-]*\.(?:example(?:\.com)?|slack\.com|openai\.azure\.com)\b`)

// play follows a page on a machine within this one, which has a network and mounts
// of its own, is called web-1, and stands for every other host that the page names.
func play(t *testing.T, programs, script, text string) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "bin")
	work := filepath.Join(dir, "fleetlens")
	for _, d := range []string{path, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(repo)
	if err != nil {
		t.Fatal(err)
	}
	for name := range tools {
		if err := os.Symlink(self, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []string{programs, top} {
		into := map[string]string{programs: path, top: work}[from]
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(into, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := append(hosts.FindAllString(text, -1), "slack.com", "api.anthropic.com", "api.openai.com", "openrouter.ai", "generativelanguage.googleapis.com",
		"oauth2.googleapis.com", "europe-west1-aiplatform.googleapis.com", "bedrock-runtime.eu-central-1.amazonaws.com")
	slices.Sort(names)
	told, err := json.Marshal(order{Dir: dir, Work: work, Script: script, Hosts: slices.Compact(names)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "FLEETLENS_") && !strings.HasPrefix(kv, "NATS_") && !strings.Contains(strings.ToLower(kv), "_proxy=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, machineEnv+"="+string(told), "PATH="+path+":"+os.Getenv("PATH"), "REPO="+top)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if why, cannot := bytes.CutPrefix(out, []byte("cannot: ")); cannot {
		missing.Component(t, "the commands of a page", "this machine lets a test make no machine of its own: "+string(why))
		return out, nil
	}
	return out, err
}

// machine is process 1 of a page's machine; with it all others end.
func machine(told string) error {
	var o order
	if err := json.Unmarshal([]byte(told), &o); err != nil {
		return err
	}
	if err := os.Unsetenv(machineEnv); err != nil {
		return err
	}
	if err := o.settle(); err != nil {
		fmt.Println("cannot:", err)
		return nil
	}
	trusted, err := serveInternet(o.Dir, o.Hosts)
	if err != nil {
		return err
	}
	cmd := exec.Command("bash", "-c", o.Script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.Work, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+trusted, "HOME="+o.Dir, "TMPDIR="+o.Dir)
	return cmd.Run()
}

// settle makes what this process was started with a machine.
func (o order) settle() error {
	over := filepath.Join(o.Dir, "over")
	err := errors.Join(
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""),
		box.Loopback(),
		syscall.Sethostname([]byte("web-1")),
		os.Mkdir(over, 0o755),
		syscall.Mount("tmpfs", over, "tmpfs", 0, "size=256m"),
	)
	for _, dir := range []string{"etc", "var"} { // what pages write there is this machine's alone
		upper, work := filepath.Join(over, dir), filepath.Join(over, dir+".work")
		err = errors.Join(err, os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755),
			syscall.Mount("overlay", "/"+dir, "overlay", 0, "lowerdir=/"+dir+",upperdir="+upper+",workdir="+work))
	}
	err = errors.Join(err, os.MkdirAll("/etc/fleetlens", 0o755))
	if err != nil {
		return err
	}
	return os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost web-1 "+strings.Join(o.Hosts, " ")+"\n"), 0o644)
}
