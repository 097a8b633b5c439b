package discover

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// machine is a proc tree of plain files: a probe that may look at few processes.
func machine(t *testing.T, tcp, unix string, processes map[int][2]string) *host.Reader {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("net/tcp", tcp)
	write("net/unix", unix)
	for pid, p := range processes {
		write(fmt.Sprint(pid, "/comm"), p[0]+"\n")
		write(fmt.Sprint(pid, "/cgroup"), "0::/system.slice/"+p[0]+".service\n")
		fd := filepath.Join(dir, fmt.Sprint(pid), "fd")
		if err := os.MkdirAll(fd, 0o755); err != nil {
			t.Fatal(err)
		}
		for i, inode := range strings.Fields(p[1]) {
			if err := os.Symlink("socket:["+inode+"]", filepath.Join(fd, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return host.New(host.Config{Proc: dir})
}

func tcp(local string, inode int) string {
	return fmt.Sprintf("   0: %s 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 %d 1 0\n", local, inode)
}

func unix(inode int, path string) string {
	return fmt.Sprintf("0000000000000000: 00000002 00000000 00010000 0001 01 %d %s\n", inode, path)
}

func lookAt(t *testing.T, c Config) []protocol.Proposal {
	t.Helper()
	list, err := New(c).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWhatAnOrdinaryUserMaySeeIsProposed(t *testing.T) {
	r := machine(t, tcp("00000000:1111", 1)+tcp("0100007F:1538", 2)+tcp("00000000:0050", 3), unix(4, "/run/postgresql/.s.PGSQL.5432")+unix(5, "/run/docker.sock"), nil)
	want := []protocol.Proposal{
		{
			Kind: "postgres", Address: "/run/postgresql/.s.PGSQL.5432",
			Why:    "the name of the socket is PostgreSQL's, port 5432; its process belongs to somebody else",
			Config: `postgres: {postgres-2: {dsn: "host=/run/postgresql port=5432 user=fleetlens dbname=postgres"}}`,
		},
		{Kind: "beam", Address: "0.0.0.0:4369", Why: "epmd tells the names of Erlang's nodes"},
	}
	if diff := cmp.Diff(want, lookAt(t, Config{Host: r, Names: []string{"postgres"}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, at := range []string{"/run/postgresql/.s.PGSQL.5432", "127.0.0.1:5432", "localhost:5432"} {
		if diff := cmp.Diff(want[1:], lookAt(t, Config{Host: r, Watched: []string{at}})); diff != "" {
			t.Errorf("with a target at %s (-want +got):\n%s", at, diff)
		}
	}
}

func TestOneServerIsOneProposalWithItsUnit(t *testing.T) {
	r := machine(t, tcp("0100007F:1538", 1)+tcp("00000000:0FA0", 3)+tcp("0100007F:0FA1", 4)+tcp("00000000:1111", 5)+tcp("00000000:0050", 6),
		unix(2, "/run/postgresql/.s.PGSQL.5432"), map[int][2]string{
			100: {"postgres", "1 2"}, 200: {"beam.smp", "3 4"}, 300: {"epmd", "5"}, 400: {"nginx", "6"},
		})
	want := []protocol.Proposal{
		{
			Kind: "postgres", Process: "postgres", PID: 100, Address: "/run/postgresql/.s.PGSQL.5432", Why: "the process is PostgreSQL; unit postgres.service",
			Config: `postgres: {postgres: {dsn: "host=/run/postgresql port=5432 user=fleetlens dbname=postgres"}}`,
		},
		{Kind: "beam", Process: "beam.smp", PID: 200, Address: "127.0.0.1:4001", Why: "the process is Erlang's virtual machine; unit beam.smp.service"},
	}
	if diff := cmp.Diff(want, lookAt(t, Config{Host: r})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, at := range []string{"127.0.0.1:5432", "/run/postgresql/.s.PGSQL.5432"} {
		if diff := cmp.Diff(want[1:], lookAt(t, Config{Host: r, Watched: []string{at}})); diff != "" {
			t.Errorf("with a target at %s (-want +got):\n%s", at, diff)
		}
	}
}

func TestNoMoreAreProposedThanAHeartbeatTakes(t *testing.T) {
	var sockets strings.Builder
	for i := range 40 {
		sockets.WriteString(unix(i+1, fmt.Sprintf("/run/%d/.s.PGSQL.5432", i)))
	}
	if n := len(lookAt(t, Config{Host: machine(t, "", sockets.String(), nil)})); n != protocol.MaxProposals {
		t.Errorf("%d proposals", n)
	}
}

func TestTextsOfAHostileProcessAreMadePlain(t *testing.T) {
	deep := "/run/\x1b[2J\"}}\\" + strings.Repeat("é", 300)
	list := lookAt(t, Config{Host: machine(t, "", unix(1, deep+"/.s.PGSQL.5432"), nil)})
	if len(list) != 1 {
		t.Fatalf("got %+v", list)
	}
	p := list[0]
	if strings.ContainsRune(p.Address+p.Config, '\x1b') || len(p.Address) > protocol.MaxProposalWord || !utf8.ValidString(p.Address) {
		t.Errorf("got %+q %+q", p.Address, p.Config)
	}
	if p.Config != "" {
		t.Errorf("what does not fit is proposed all the same: %s", p.Config)
	}
	list = lookAt(t, Config{Host: machine(t, "", unix(1, "/run/\x1b[2J\"}}\\/.s.PGSQL.5432"), nil)})
	var out all.Targets
	if err := yaml.Unmarshal([]byte(list[0].Config), &out); err != nil || len(out.Postgres) != 1 {
		t.Errorf("%s: %v", list[0].Config, err)
	}
}

func TestNamesOfTargetsAreFreeAndValid(t *testing.T) {
	k := &look{names: []string{"checkout", "checkout-2"}}
	for name, want := range map[string]string{
		"checkout": "checkout-3", "host": "host-2", "a b/c": "a-b-c", "": "service", "---": "service", strings.Repeat("x", 99): strings.Repeat("x", 48),
	} {
		if got := k.free(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"checkout": `go: {checkout: {url: "u"}}`, "true": `go: {"true": {url: "u"}}`, "12": `go: {"12": {url: "u"}}`, "a.b": `go: {"a.b": {url: "u"}}`,
	} {
		if got := config("go", name, map[string]string{"url": "u"}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, tt := range [][3]string{
		{"example.com/shop/cmd/checkout", "chk", "checkout"}, {"example.com/shop/v2", "chk", "shop"}, {"command-line-arguments", "main", "main"}, {"", "main", "main"},
	} {
		if got := nameOf(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s is called %s, want %s", tt[0], got, tt[2])
		}
	}
}

func TestANodeOfErlangIsProposedByItsNameUntilItIsATarget(t *testing.T) {
	r := machine(t, tcp("00000000:0FA0", 3)+tcp("0100007F:1111", 5), "", map[int][2]string{200: {"beam.smp", "3"}, 300: {"epmd", "5"}})
	line := "/usr/lib/erlang/bin/beam.smp\x00--\x00-name\x00shop@10.0.0.7\x00"
	if err := os.WriteFile(filepath.Join(r.Proc(), "200", "cmdline"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []protocol.Proposal{{
		Kind: "beam", Process: "beam.smp", PID: 200, Address: "0.0.0.0:4000", Why: "the process is Erlang's virtual machine, the node shop@10.0.0.7; unit beam.smp.service",
		Config: `beam: {shop: {node: "shop@10.0.0.7"}}`,
	}}
	got := lookAt(t, Config{Host: r})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	var targets all.Targets
	if err := yaml.Unmarshal([]byte(got[0].Config), &targets); err != nil || targets.Validate() != nil {
		t.Errorf("the entry is no configuration: %v, %v", err, targets.Validate())
	}
	if got := lookAt(t, Config{Host: r, Nodes: []string{"shop@10.0.0.7"}}); len(got) > 0 {
		t.Errorf("as a target it is proposed as %+v", got)
	}
}
