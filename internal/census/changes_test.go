package census

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRestartsOfServices(t *testing.T) {
	m := newMachine(t)
	m.write("usr/bin/nginx", "one")
	m.process(100, 1, "nginx", 500, "nginx.service", "usr/bin/nginx")
	m.process(101, 100, "nginx", 510, "nginx.service", "usr/bin/nginx")
	m.process(300, 1, "sshd", 500, "session-3.scope", "")
	m.want("the first time nothing changed")
	m.exit(101)
	m.process(102, 100, "nginx", 90000, "nginx.service", "usr/bin/nginx")
	m.want("a worker of a service comes and goes")
	m.exit(100)
	m.exit(102)
	m.process(200, 1, "nginx", 90000, "nginx.service", "usr/bin/nginx")
	m.want("its main process is another one", "restart: nginx.service was started again: process 200 instead of 100")
	m.want("nothing changed since")
	for i := range 5 {
		m.exit(200 + i)
		m.process(201+i, 1, "nginx", 90001+i, "nginx.service", "usr/bin/nginx")
		m.want("one that restarts again and again is counted")
	}
	m.later(11 * time.Minute)
	if got := says(m.look()); len(got) != 1 || !strings.HasPrefix(got[0], "restart: nginx.service was started again 5 times since ") || !strings.HasSuffix(got[0], "; now it is process 205") {
		t.Errorf("after a while: %q", got)
	}
	m.exit(300)
	m.process(301, 1, "sshd", 90000, "session-4.scope", "")
	m.want("a session is no service")
}

func TestAServiceThatComesBack(t *testing.T) {
	m := newMachine(t)
	m.process(100, 1, "nginx", 500, "nginx.service", "")
	m.process(110, 1, "backup", 99900, "backup.service", "")
	m.look()
	m.exit(100)
	m.exit(110)
	m.want("a service that is gone was not started again")
	m.process(101, 1, "nginx", 99990, "nginx.service", "")
	m.process(111, 1, "backup", 99990, "backup.service", "")
	m.want("one that had run for long was, a job that ran for a second was not", "restart: nginx.service was started again: process 101 instead of 100")
}

func TestServicesAreKnownByTheirPorts(t *testing.T) {
	m := newMachine(t)
	m.process(50, 1, "containerd-shim", 10, "docker.service", "")
	m.process(100, 50, "checkout", 500, "docker-5be0c2.scope", "")
	m.process(101, 100, "checkout", 500, "docker-5be0c2.scope", "")
	m.sockets("listen 0.0.0.0:8080 0.0.0.0:0 4242", "listen 0.0.0.0:9090 0.0.0.0:0 4243")
	m.holds(101, 4242)
	m.holds(100, 4243)
	m.look()
	m.exit(100)
	m.exit(101)
	m.process(200, 50, "checkout", 90000, "docker-a47f19.scope", "")
	m.sockets("listen 0.0.0.0:8080 0.0.0.0:0 5252")
	m.holds(200, 5252)
	m.want("the target has a name", "restart checkout: checkout on port 8080 was started again: process 200 instead of 100")
}

func TestProgramsOfServices(t *testing.T) {
	m := newMachine(t)
	m.write("usr/bin/nginx", "one")
	m.process(100, 1, "nginx", 500, "nginx.service", "usr/bin/nginx")
	m.look()
	// The kernel shows a file that was replaced as deleted.
	m.write("usr/bin/nginx (deleted)", "one")
	st, err := os.Stat(filepath.Join(m.dir, "usr/bin/nginx"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(m.dir, "usr/bin/nginx (deleted)"), st.ModTime(), st.ModTime()); err != nil {
		t.Fatal(err)
	}
	m.write("usr/bin/nginx", "another")
	m.link("proc/100/exe", filepath.Join(m.dir, "usr/bin/nginx (deleted)"))
	got := says(m.look())
	if len(got) != 1 || !strings.Contains(got[0], "binary: nginx.service: its program ") || !strings.Contains(got[0], "process 100 goes on with the old one until it is started again") {
		t.Errorf("a program that was replaced on the disk: %q", got)
	}
	m.want("that is said once")
	m.exit(100)
	m.process(101, 1, "nginx", 90000, "nginx.service", "usr/bin/nginx")
	changes := m.look()
	if len(changes) != 2 || changes[0].What != "binary" || changes[1].What != "restart" || !strings.HasPrefix(changes[0].From, "3 bytes of ") || !strings.HasPrefix(changes[0].To, "7 bytes of ") {
		t.Errorf("the new program runs: %+v", changes)
	}
}

func TestAHostThatWasStartedAgain(t *testing.T) {
	for _, tt := range []struct{ name, kernel, what, says string }{
		{"with the same kernel", "6.1.0", "reboot", "the host was started again, with the same kernel 6.1.0"},
		{"with another one", "6.2.0", "kernel", "the host was started again, with another kernel: 6.2.0 instead of 6.1.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.write("usr/bin/nginx", "one")
			m.process(100, 1, "nginx", 500, "nginx.service", "usr/bin/nginx")
			m.look()
			m.exit(100)
			m.write("usr/bin/nginx", "another")
			m.process(90, 1, "nginx", 400, "nginx.service", "usr/bin/nginx")
			m.write("proc/sys/kernel/random/boot_id", "boot-2\n")
			m.write("proc/sys/kernel/osrelease", tt.kernel)
			m.restart()
			found := m.look()
			if len(found) != 2 || found[0].What != tt.what || found[0].Text != tt.says || found[0].From != "6.1.0" || found[0].To != tt.kernel || found[1].What != "binary" {
				t.Errorf("got %+v", found)
			}
			m.want("that is said once")
		})
	}
}

func TestWhatHappenedWhileTheProbeWasDownIsSeenOnceItRuns(t *testing.T) {
	m := newMachine(t, "/etc/nginx/*.conf")
	m.write("etc/nginx/nginx.conf", "workers 4")
	m.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
	m.write("var/lib/dpkg/status", "Package: nginx\nStatus: install ok installed\nVersion: 1.22\n")
	m.process(100, 1, "nginx", 500, "nginx.service", "")
	m.look()
	m.exit(100)
	m.process(101, 1, "nginx", 90000, "nginx.service", "")
	m.write("etc/nginx/nginx.conf", "workers 16")
	m.write("var/lib/dpkg/status", "Package: nginx\nStatus: install ok installed\nVersion: 1.24\n")
	m.restart()
	first, _, err := m.census.Changes(t.Context(), m.keep) // the probe dies before it keeps what it saw
	if err != nil {
		t.Fatal(err)
	}
	m.restart()
	found := m.look()
	if got := says(found); len(got) != 3 || !strings.HasPrefix(got[0], "restart: nginx.service") || got[1] != "package: packages: 1 upgraded: nginx 1.22 to 1.24" ||
		!strings.HasPrefix(got[2], "config: /etc/nginx/nginx.conf changed; its owner is ") {
		t.Fatalf("got %q", got)
	}
	for i := range found {
		if found[i].ID != first[i].ID {
			t.Errorf("%s has the id %s, then %s: the server cannot drop it", found[i].What, first[i].ID, found[i].ID)
		}
	}
	if found[1].From != "1.22" || found[1].To != "1.24" {
		t.Errorf("the upgrade is %+v", found[1])
	}
}

func TestPackages(t *testing.T) {
	status := func(list ...string) string {
		var b strings.Builder
		for _, p := range list {
			name, version, _ := strings.Cut(p, " ")
			fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nVersion: %s\n\n", name, version)
		}
		return b.String()
	}
	var many, newer []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("lib%02d 1", i))
		newer = append(newer, fmt.Sprintf("lib%02d 2", i))
	}
	for _, tt := range []struct {
		name        string
		before, now []string
		want        []string
	}{
		{"the same in another order", []string{"a 1", "b 1"}, []string{"b 1", "a 1"}, nil},
		{"a downgrade is one too", []string{"a 2"}, []string{"a 1"}, []string{"package: packages: 1 upgraded: a 2 to 1"}},
		{"one of each kind", []string{"a 1", "b 1", "foo 1", "foo-bar 1"}, []string{"a 2", "c 1", "foo-bar 1", "foo 1"}, []string{"package: packages: 1 upgraded: a 1 to 2; 1 installed: c 1; 1 removed: b 1"}},
		{"all are new", nil, []string{"a 1"}, []string{"package: packages: 1 installed: a 1"}},
		{"of many the first are named", many, newer, []string{"package: packages: 30 upgraded: " + upgrades(20) + " and 10 more"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.write("var/lib/dpkg/status", "Package: x\n\n"+status(tt.before...))
			m.look()
			m.write("var/lib/dpkg/status", status(tt.now...))
			m.want(tt.name, tt.want...)
		})
	}
	t.Run("of rpm only that there was a change is known", func(t *testing.T) {
		m := newMachine(t)
		m.write("var/lib/rpm/rpmdb.sqlite", "one")
		m.look()
		m.write("var/lib/rpm/rpmdb.sqlite", "three")
		m.want("", "package: the database of rpm was written: packages were installed, upgraded or removed; which ones is not read")
	})
}

func upgrades(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("lib%02d 1 to 2", i))
	}
	return strings.Join(list, ", ")
}

func TestConfigurationFiles(t *testing.T) {
	m := newMachine(t, "/etc/app.conf", "/etc/app.d/*")
	m.write("etc/passwd", fmt.Sprintf("deploy:x:%d:0::/:/bin/sh\n", os.Getuid()))
	m.write("etc/app.conf", "password=hunter2-hunter2")
	m.write("etc/app.d/large", strings.Repeat("x", MaxFile+1))
	m.look()
	if strings.Contains(string(m.keep[seenName]), "hunter2") {
		t.Error("what a file says is kept")
	}
	now := time.Now()
	if err := os.Chtimes(filepath.Join(m.dir, "etc/app.conf"), now, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	m.want("a file that was touched says the same")
	m.write("etc/app.conf", "password=hunter3-hunter3")
	m.write("etc/app.d/new", "x")
	m.write("etc/app.d/large", strings.Repeat("x", MaxFile+2))
	found := m.look()
	if got := says(found); len(got) != 3 || got[0] != "config: /etc/app.conf changed; its owner is deploy" || got[1] != "config: /etc/app.d/large changed; its owner is deploy" ||
		got[2] != "config: /etc/app.d/new is new; its owner is deploy" {
		t.Errorf("got %q", got)
	}
	if all := fmt.Sprint(found); strings.Contains(all, "hunter") {
		t.Errorf("what a file says leaves the host: %s", all)
	}
	m.remove("etc/app.d/new")
	m.want("a file that is gone", "config: /etc/app.d/new was removed")
	m.files = append(m.files, "/etc/passwd")
	m.restart()
	m.want("a file that is watched from now on did not change")
}

func TestManyChangesAreCounted(t *testing.T) {
	m := newMachine(t, "/etc/app.d/*")
	for i := range 300 {
		m.process(1000+i, 1, "svc", 500, fmt.Sprintf("svc-%03d.service", i), "")
	}
	m.look()
	for i := range 300 {
		m.exit(1000 + i)
		m.process(2000+i, 1, "svc", 90000, fmt.Sprintf("svc-%03d.service", i), "")
		m.write(fmt.Sprintf("etc/app.d/%03d", i), "x")
	}
	found, done, err := m.census.Changes(t.Context(), m.keep)
	if err == nil || !strings.Contains(err.Error(), "there are 300 files, the first 256 are watched") {
		t.Errorf("too many files: %v", err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if len(found) != 2*mostChanges {
		t.Fatalf("%d changes", len(found))
	}
	if got := found[mostChanges-1].Text; !strings.HasPrefix(got, "237 more services were started again: ") || !strings.HasSuffix(got, " and 217 more") {
		t.Errorf("the last restart is %q", got)
	}
	if n := len(m.census.seen.Services); n != mostServices {
		t.Errorf("%d services are watched", n)
	}
}

type broken struct{ memory }

func (broken) Write(string, []byte) error { return errors.New("the disk is full") }

func TestWhatWasKeptAndCannotBeReadCountsAsNothing(t *testing.T) {
	for _, text := range []string{"{", "null", "[]", `{"at":"2026-01-02T03:04:05Z"}`} {
		m := newMachine(t)
		m.keep[seenName] = []byte(text)
		found, done, err := m.census.Changes(t.Context(), m.keep)
		if err == nil || len(found) != 0 {
			t.Errorf("%s: %v, %v", text, found, err)
		}
		if err := done(); err != nil {
			t.Fatal(err)
		}
		m.want("then it goes on")
	}
	m := newMachine(t)
	_, done, err := m.census.Changes(t.Context(), broken{memory{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := done(); err == nil {
		t.Error("a disk that is full is not said")
	}
}

func TestCheckPattern(t *testing.T) {
	for pattern, says := range map[string]string{"/etc/nginx/*.conf": "", "nginx.conf": "not a whole path", "/etc/[": "is no pattern"} {
		err := CheckPattern(pattern)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","boot":"b","services":{"unit x":{"pid":1}}}`), []byte("a 1\nb 2"), []byte("a 2"))
	f.Add([]byte("{}"), []byte("\n\n \nname"), []byte(""))
	f.Fuzz(func(t *testing.T, b, before, now []byte) {
		_, _ = load(memory{seenName: b})
		d := diff(before, now)
		if n := len(d.upgraded) + len(d.installed) + len(d.removed); n > mostNamed {
			t.Errorf("%d are named", n)
		}
		_ = d.text()
		_ = userName(strings.NewReader(string(b)), 0)
		_ = CheckPattern(string(b))
	})
}

func TestTheDiskIsLeftAloneWhileNothingChanges(t *testing.T) {
	m := newMachine(t)
	m.process(100, 1, "nginx", 500, "nginx.service", "")
	m.look()
	delete(m.keep, seenName)
	m.look()
	if m.keep[seenName] != nil {
		t.Error("the same is written again")
	}
	m.census.saved.at = m.census.saved.at.Add(-saveEvery)
	m.look()
	if m.keep[seenName] == nil {
		t.Error("after ten minutes it is not")
	}
	delete(m.keep, seenName)
	m.process(200, 1, "sshd", 500, "sshd.service", "")
	m.look()
	if m.keep[seenName] == nil {
		t.Error("a new service is not written")
	}
}
