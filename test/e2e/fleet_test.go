//go:build linux

package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A fleet is a NATS server and the processes of one test.
type fleet struct {
	t     *testing.T
	store string
	nats  *natsd.Server
	url   string
	nc    *nats.Conn
	js    jetstream.JetStream
}

// newFleet starts NATS and connects as a plain client.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, store: t.TempDir()}
	f.startNATS(0)
	t.Cleanup(func() { f.nats.Stop() })
	f.url = f.nats.URL()
	nc, err := nats.Connect(f.url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	f.nc = nc
	if f.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fleet) startNATS(port int) {
	f.t.Helper()
	s, err := natsd.Start(natsd.Options{StoreDir: f.store, Host: "127.0.0.1", Port: port})
	if err != nil {
		f.t.Fatal(err)
	}
	f.nats = s
}

func (f *fleet) start(what, name string, args ...string) *box.Process {
	f.t.Helper()
	return start(f.t, name, built.Program(f.t, "cmd/"+what), append([]string{"--server", f.url}, args...)...)
}

// The processes below are started together and waited for with ready.

func (f *fleet) coordinator(args ...string) *box.Process {
	return f.start("coordinator", "coordinator", args...)
}

func (f *fleet) operator(name string, args ...string) *box.Process {
	return f.start("operator", name, append([]string{"--name", name}, args...)...)
}

func (f *fleet) probe(node, tree string, args ...string) *box.Process {
	return f.start("probe", node, append([]string{
		"--node", node, "--proc", filepath.Join(tree, "proc"), "--sys", filepath.Join(tree, "sys"), "--root", tree,
		"--interval", "1s", "--heartbeat", "300ms",
	}, args...)...)
}

// ready waits until the processes do their work.
func ready(processes ...*box.Process) {
	for _, p := range processes {
		switch filepath.Base(p.Cmd.Path) {
		case "coordinator":
			p.Says("coordinator takes requests")
		case "operator":
			p.Says("operator serves")
		case "probe":
			p.Says("probe watches")
		}
	}
}

// impatient makes the streams before anybody else does, with work that is given
// to another worker after a short time without a sign of life.
func (f *fleet) impatient(ackWait time.Duration) {
	f.t.Helper()
	if a := fleetlens(f.t, "setup", "--server", f.url); a.code != 0 {
		f.t.Fatalf("setup ended with %d: %s", a.code, a.stderr)
	}
	for _, c := range [][2]string{{"FL_WORK", "operator_os"}, {"FL_REQUESTS", "coordinator"}} {
		con, err := f.js.Consumer(f.t.Context(), c[0], c[1])
		if err != nil {
			f.t.Fatal(err)
		}
		cfg := con.CachedInfo().Config
		cfg.AckWait = ackWait
		if _, err := f.js.UpdateConsumer(f.t.Context(), c[0], cfg); err != nil {
			f.t.Fatal(err)
		}
	}
}

// stored returns the messages of a stream that match a subject, oldest first.
func (f *fleet) stored(stream, subject string) []jetstream.Msg {
	f.t.Helper()
	con, err := f.js.OrderedConsumer(f.t.Context(), stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		f.t.Fatalf("read %s: %v", stream, err)
	}
	info, err := con.Info(f.t.Context())
	if err != nil {
		f.t.Fatalf("read %s: %v", stream, err)
	}
	n := int(info.NumPending)
	var list []jetstream.Msg
	for len(list) < n {
		m, err := con.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			f.t.Fatalf("read %s: %v", stream, err)
		}
		list = append(list, m)
	}
	return list
}

// count returns how many messages a stream holds.
func (f *fleet) count(stream string) uint64 {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), stream)
	if err != nil {
		f.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// decode reads a JSON message into T.
func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %.300s", err, data)
	}
	return v
}

func decodeAll[T any](t *testing.T, msgs []jetstream.Msg) []T {
	t.Helper()
	var list []T
	for _, m := range msgs {
		list = append(list, decode[T](t, m.Data()))
	}
	return list
}

// tree is a host as files: a healthy one, with some of its files replaced.
func tree(t *testing.T, replaced map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/host")); err != nil {
		t.Fatal(err)
	}
	for name, text := range replaced {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.TrimPrefix(text, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
