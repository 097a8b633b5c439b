package beam

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/beamtest"
)

// extra are scripts of tests beside those of the table.
type extra map[string]string

// ReadFile implements fs.ReadFileFS.
func (e extra) ReadFile(name string) ([]byte, error) {
	if text, ok := e[strings.TrimSuffix(strings.TrimPrefix(name, "scripts/"), ".erl")]; ok {
		return []byte(text), nil
	}
	return embedded.ReadFile(name)
}

// Open implements fs.FS.
func (e extra) Open(string) (fs.File, error) { return nil, errors.New("only ReadFile is used") }

func TestMain(m *testing.M) {
	scripts = extra{
		"t_echo":   "Value",
		"t_sleep":  "receive after 60000 -> done end",
		"t_heap":   "length(lists:seq(1, 100000000))",
		"t_fault":  "error({badmatch, <<\"secret\">>})",
		"t_wrong":  "this is (no Erlang",
		"t_scan":   "[erlang:process_info(P, message_queue_len) || P <- erlang:processes()], ok",
		"t_burn":   "lists:foldl(fun(X, A) -> X + A end, 0, lists:seq(1, 300000))",
		"t_events": "ok",
	}
	for name := range scripts.(extra) {
		q := question{name: name, level: Observe}
		switch name {
		case "t_echo":
			q.variables = []string{"Value"}
		case "t_scan", "t_burn":
			q.scan = true
		case "t_events":
			q.level = Events
		}
		table = append(table, q)
	}
	os.Exit(m.Run())
}

// with returns a client of a node.
func with(t *testing.T, of *beamtest.Node, change ...func(*Config)) *Node {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(of.Cookie+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{Node: of.Name, Address: of.Address, CookieFile: file, Timeout: 20 * time.Second, Cache: time.Nanosecond, MaxCPU: 50}
	for _, f := range change {
		f(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	n := New(c)
	t.Cleanup(n.Close)
	return n
}
