package host

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const dpkgStatus = `Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.22.1-9
Depends: libc6 (>= 2.34)
Description: small, powerful
 a line that belongs to it
 Version: 9

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: half
Status: install ok half-configured
Version: 3`

func packages(t *testing.T, r *Reader) (map[string]string, []string) {
	t.Helper()
	list, managers := map[string]string{}, []string{}
	for _, db := range r.PackageDatabases() {
		managers = append(managers, db.Manager)
		if !db.Listed {
			continue
		}
		if err := r.Packages(db, func(name, version string) { list[name] = version }); err != nil {
			t.Error(err)
		}
	}
	return list, managers
}

func TestPackagesOf(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		want             map[string]string
	}{
		{"dpkg, without what was removed", "var/lib/dpkg/status", dpkgStatus, map[string]string{"nginx": "1.22.1-9", "libc6:amd64": "2.36-9", "half": "3"}},
		{"apk", "lib/apk/db/installed", "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nP:busybox\nV:1.36.1-r5\nF:bin\n", map[string]string{"musl": "1.2.4-r2", "busybox": "1.36.1-r5"}},
		{"rpm, whose database is not listed", "var/lib/rpm/rpmdb.sqlite", "SQLite format 3", map[string]string{}},
		{"none", "etc/hostname", "web-1", map[string]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := New(Config{Root: tree(t, map[string]string{tt.file: tt.text})})
			got, managers := packages(t, r)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if first, _, _ := strings.Cut(tt.name, ","); first != "none" && !cmp.Equal(managers, []string{first}) {
				t.Errorf("managers %v", managers)
			}
		})
	}
}

func TestALineOfAnyLengthDoesNotHideWhatFollows(t *testing.T) {
	var got []string
	text := "Package: a\nStatus: install ok installed\nDepends: " + strings.Repeat("x", 100_000) + "\nVersion: 1\n\n"
	if err := parseDpkg(strings.NewReader(text), func(name, version string) { got = append(got, name+" "+version) }); err != nil || !cmp.Equal(got, []string{"a 1"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAddressesOfAForeignMachine(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{
		"net/fib_trie": `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.1.0.0/16 2 0 2
        |-- 10.1.0.0
           /16 link UNICAST
        |-- 10.1.2.3
           /32 host LOCAL
        |-- 10.1.255.255
           /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 169.254.1.1
        /32 host LOCAL
Local:
        |-- 10.1.2.3
           /32 host LOCAL
`,
		"net/if_inet6": "20010db8000000000000000000000007 02 40 00 80     eth0\nfe800000000000000000000000000001 02 40 20 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n",
	})})
	got, err := r.Addresses()
	want := []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::7")}
	if err != nil || !cmp.Equal(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBootOfAMachine(t *testing.T) {
	r := New(Config{Proc: tree(t, map[string]string{"sys/kernel/random/boot_id": "5be0-1\n", "sys/kernel/osrelease": "6.1.0-28-amd64\n"})})
	if got, err := r.Boot(); err != nil || got != (Boot{"5be0-1", "6.1.0-28-amd64"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := New(Config{Proc: t.TempDir()}).Boot(); err == nil {
		t.Error("a machine without a boot id has one")
	}
}

func TestAProgramThatWasReplacedWhileItRuns(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "sleep") // its program may choose by its name
	if err := os.WriteFile(name, program, 0o700); err != nil {
		t.Fatal(err)
	}
	changed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(name, changed, changed); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r := New(Config{})
	want := Executable{Path: name, Size: int64(len(program)), ModTime: changed}
	if got, err := r.Executable(int32(cmd.Process.Pid)); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	want.Gone = true
	if got, err := r.Executable(int32(cmd.Process.Pid)); err != nil || got != want {
		t.Errorf("after it was removed: %+v, %v, want %+v", got, err, want)
	}
}

func FuzzDatabases(f *testing.F) {
	f.Add([]byte(dpkgStatus))
	f.Add([]byte("P:musl\nV:1\n\n"))
	f.Add([]byte("|-- 10.1.2.3\n /32 host LOCAL\n"))
	f.Add([]byte("20010db8000000000000000000000007 02 40 00 80 eth0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(name, version string) {
			if name == "" || version == "" || strings.ContainsAny(name+version, " \n") {
				t.Errorf("package %q, version %q", name, version)
			}
		}
		_ = parseDpkg(strings.NewReader(string(b)), check)
		_ = parseApk(strings.NewReader(string(b)), check)
		parseTrie(b, func(a netip.Addr) {
			if !a.IsValid() {
				t.Error("an address that is none")
			}
		})
		parseInet6(b, func(netip.Addr) {})
		_ = word(b)
	})
}
