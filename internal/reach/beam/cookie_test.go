package beam

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
)

func TestACookieIsFoundWhereTheNodeHasIt(t *testing.T) {
	for name, tt := range map[string]struct {
		args, env, file string
		node            string
	}{
		"the command line":       {args: "beam.smp\x00--\x00-name\x00shop@10.0.0.7\x00-setcookie\x00the-cookie", node: "shop@10.0.0.7"},
		"the environment":        {args: "beam.smp\x00-sname\x00shop", env: "RELEASE_COOKIE=the-cookie", node: "shop@web-1"},
		"the release":            {args: "beam.smp\x00-name\x00shop", env: "RELEASE_ROOT=/opt/shop", file: "root/opt/shop/releases/COOKIE", node: "shop@web-1.example"},
		"the home of its user":   {args: "beam.smp\x00-sname\x00shop@x", env: "HOME=/home/shop", file: "root/home/shop/.erlang.cookie", node: "shop@x"},
		"the folder of settings": {args: "beam.smp\x00-sname\x00shop@x", env: "XDG_CONFIG_HOME=/c", file: "root/c/erlang/.erlang.cookie", node: "shop@x"},
		"the last flag":          {args: "beam.smp\x00-setcookie\x00first\x00-sname\x00shop@x\x00-setcookie\x00the-cookie", node: "shop@x"},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			write := func(path, text string) {
				t.Helper()
				path = filepath.Join(proc, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("7/comm", "beam.smp\n")
			write("7/cmdline", tt.args+"\x00")
			write("7/environ", "LANG=C\x00"+tt.env+"\x00")
			write("sys/kernel/hostname", map[bool]string{true: "web-1.example\n", false: "web-1\n"}[strings.Contains(tt.node, "example")])
			write("8/comm", "bash\n")
			if tt.file != "" {
				write("7/"+tt.file, "the-cookie\n")
			}
			if got, err := FindCookie(proc, tt.node); err != nil || got != "the-cookie" {
				t.Errorf("%q, %v", got, err)
			}
			if got := Locals(proc); len(got) != 1 || got[0].Name != tt.node || got[0].PID != 7 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestACookieThatIsNotFoundIsSaidWithWhereItWasLookedFor(t *testing.T) {
	proc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(proc, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"comm": "beam.smp", "cmdline": "beam.smp\x00-name\x00a@b\x00"} {
		if err := os.WriteFile(filepath.Join(proc, "7", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := FindCookie(proc, "a@b"); err == nil || !strings.Contains(err.Error(), "environment may not be read") {
		t.Error(err)
	}
}

func TestANodeOfThisMachineIsReadWithoutAnyCookieFile(t *testing.T) {
	t.Parallel()
	of := beamtest.Start(t, beamtest.Options{})
	n := with(t, of, func(c *Config) { c.CookieFile = "" })
	v, err := n.Vitals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v.OSPID != strconv.Itoa(of.PID) {
		t.Logf("the node is process %s, started as %d", v.OSPID, of.PID) // a wrapper may stand before it
	}
}
