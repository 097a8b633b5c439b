package deploy_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/test/built"
)

// packages has `make packages` build a version and returns their folder. What is packed are
// scripts that run the programs, those of a folder where it is there: compressing them would take all of the time.
func packages(t *testing.T, version, at string) string {
	t.Helper()
	bin, dir := filepath.Join(t.TempDir(), "bin"), t.TempDir()
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fleetlens", "probe", "operator", "coordinator"} {
		script := fmt.Sprintf("#!/bin/sh\np=%s; [ -x $p ] || p=%s; exec $p \"$@\"\n", filepath.Join(at, name), filepath.Join(built.Programs(t), name))
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "make", "packages", "VERSION="+version, "ARCH=amd64", "PROGRAMS="+bin, "PACKAGES="+dir)
	cmd.Dir = repo
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make packages: %v\n%s", err, out)
	}
	return dir
}

// A debian is a folder with packages in it, as dpkg sees a machine.
type debian struct {
	t    *testing.T
	root string
}

func (d debian) dpkg(args ...string) {
	d.t.Helper()
	// Scripts run outside of the folder, with DPKG_ROOT: dpkg(1). The packages' own architecture is tested, not this machine's.
	cmd := exec.CommandContext(d.t.Context(), "dpkg", append([]string{"--root=" + d.root, "--force-script-chrootless,architecture,confdef,confold", "--log=/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("dpkg %v: %v\n%s", args, err, out)
	}
}

// files are those that are there, apart from dpkg's own.
func (d debian) files() (list []string) {
	d.t.Helper()
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, d.root)
		if name == "/var/lib/dpkg" {
			return fs.SkipDir
		}
		if err == nil && !e.IsDir() {
			list = append(list, name)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

func (d debian) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d debian) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.root, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// newer builds version 2.0.0 of the probe's package, which comes with other configuration.
func newer(t *testing.T) string {
	t.Helper()
	src, tree, dir := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.CopyFS(filepath.Join(src, "deploy"), os.DirFS(filepath.Join(repo, "deploy"))); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(tree, "bin/probe"):                                  "#!/bin/sh\n",
		filepath.Join(tree, "man/probe.1.gz"):                             "",
		filepath.Join(src, "LICENSE"):                                     "",
		filepath.Join(src, "deploy/packages/etc/probe.yaml"):              "# of version 2\n{}\n",
		filepath.Join(src, "deploy/packages/etc/fleetlens-probe.default"): "# of version 2\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("VERSION", "2.0.0")
	t.Setenv("PACKAGE_ARCH", "amd64")
	t.Setenv("PACKAGE_TREE", tree)
	if _, err := toolIn(t, src, "packages.mod", "nfpm", "package", "--config", "deploy/packages/fleetlens-probe.yaml", "--packager", "deb", "--target", dir+"/"); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "fleetlens-probe_2.0.0_amd64.deb")
}

func TestDebianPackages(t *testing.T) {
	if os.Getuid() != 0 {
		missing.Component(t, "dpkg", "only root may install packages")
		return
	}
	if !missing.Debian(t, "dpkg", "dpkg") {
		return
	}
	built := packages(t, "1.0.0", built.Programs(t))
	d := debian{t, t.TempDir()}
	for _, name := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(d.root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.write("var/lib/dpkg/status", "")

	d.dpkg("--install", filepath.Join(built, "fleetlens-probe_1.0.0_amd64.deb"), filepath.Join(built, "fleetlens_1.0.0_amd64.deb"))
	have := d.files()
	for _, name := range []string{
		"/usr/bin/probe", "/usr/bin/fleetlens", "/usr/bin/operator", "/usr/bin/coordinator",
		"/usr/lib/systemd/system/fleetlens-probe.service", "/usr/lib/systemd/system/fleetlens-ui.service",
		"/etc/fleetlens/probe.yaml", "/etc/default/fleetlens-probe", "/usr/share/man/man1/probe.1.gz", "/usr/share/man/man1/fleetlens-nodes.1.gz",
		"/usr/share/bash-completion/completions/fleetlens", "/usr/share/zsh/vendor-completions/_fleetlens", "/usr/share/fish/vendor_completions.d/fleetlens.fish",
	} {
		if !slices.Contains(have, name) {
			t.Errorf("installed, there is no %s", name)
		}
	}
	t.Run("a program reads the configuration that it comes with", func(t *testing.T) {
		for _, args := range [][]string{{"operator", "operator.yaml"}, {"coordinator", "coordinator.yaml"}, {"probe", "probe.yaml"}} {
			// It reads the file before it dials; a flag that is wrong ends it there.
			cmd := exec.CommandContext(t.Context(), filepath.Join(d.root, "usr/bin", args[0]), "--config", filepath.Join(d.root, "etc/fleetlens", args[1]), "--log-level", "loud")
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "loud") || strings.Contains(string(out), args[1]) {
				t.Errorf("%v: %v\n%s", args, err, out)
			}
		}
	})
	t.Run("environment files, which may hold keys, are root's alone", func(t *testing.T) {
		for _, name := range have {
			info, err := os.Stat(filepath.Join(d.root, name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "/etc/default/") && info.Mode().Perm() != 0o600 {
				t.Errorf("%s is %s", name, info.Mode())
			}
		}
	})

	const changed = "label: {role: web}\n"
	d.write("etc/fleetlens/probe.yaml", changed)
	d.write("etc/fleetlens/nats.creds", "secret")
	d.write("etc/fleetlens/ui.creds", "secret")
	d.write("var/lib/private/fleetlens/baselines", "kept")
	d.dpkg("--install", newer(t))
	if got := d.read("etc/fleetlens/probe.yaml"); got != changed {
		t.Errorf("an upgrade replaced the changed configuration by %q", got)
	}
	if got := d.read("etc/default/fleetlens-probe"); got != "# of version 2\n" {
		t.Errorf("an upgrade left configuration that nobody had changed: %q", got)
	}
	if got := d.read("var/lib/private/fleetlens/baselines"); got != "kept" {
		t.Errorf("an upgrade changed what the probe keeps: %q", got)
	}

	d.dpkg("--remove", "fleetlens-probe", "fleetlens")
	for _, name := range []string{"/etc/fleetlens/probe.yaml", "/etc/fleetlens/nats.creds", "/var/lib/private/fleetlens/baselines"} {
		if !slices.Contains(d.files(), name) {
			t.Errorf("a removal took %s", name)
		}
	}
	d.dpkg("--purge", "fleetlens-probe", "fleetlens")
	if left := d.files(); len(left) > 0 {
		t.Errorf("a purge left %v", left)
	}
	if _, err := os.Stat(filepath.Join(d.root, "etc/fleetlens")); err == nil {
		t.Error("a purge left /etc/fleetlens")
	}

	t.Run("rpm reads its packages", func(t *testing.T) {
		if !missing.Debian(t, "rpm", "rpm") {
			return
		}
		for file, want := range map[string][]string{
			"fleetlens-probe-1.0.0-1.x86_64.rpm": {"/usr/bin/probe", "config: /etc/fleetlens/probe.yaml", "fleetlens-probe.service", "systemctl try-restart"},
			"fleetlens-1.0.0-1.x86_64.rpm":       {"/usr/bin/fleetlens", "config: /etc/fleetlens/gateway.yaml", "/usr/share/zsh/site-functions/_fleetlens", "fleetlens-ui.service"},
		} {
			path := filepath.Join(built, file)
			out, err := exec.CommandContext(t.Context(), "rpm", "--query", "--package", "--list", "--scripts",
				"--queryformat", `[%{FILEFLAGS:fflags} %{FILENAMES}\n]`, path).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text := strings.ReplaceAll(string(out), "cn ", "config: ") // configuration that an upgrade does not replace
			for _, s := range want {
				if !strings.Contains(text, s) {
					t.Errorf("%s: no %q in\n%s", file, s, text)
				}
			}
			if out, err := exec.CommandContext(t.Context(), "rpm", "--checksig", "--nosignature", path).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	})
}
