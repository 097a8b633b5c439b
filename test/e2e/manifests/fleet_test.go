//go:build linux

package manifests_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
	"github.com/fleetlens/fleetlens/test/e2e/pod"
)

const repo = "../../.."

func TestMain(m *testing.M) {
	pod.Play()
	os.Exit(m.Run())
}

// started is a pod with where it says that it is ready: at a path of a port, or, with
// neither, in its log.
type started struct {
	pod.Pod
	port int
	path string
	says string
}

// A fleet is the pods that run, and the far side that its sinks send to.
type fleet struct {
	t       *testing.T
	sockets string
	nats    string // where the pods think it is, host:port
	mu      sync.Mutex
	got     map[string][]string // bodies by path
}

func newFleet(t *testing.T, natsAddress string) *fleet {
	t.Helper()
	f := &fleet{t: t, sockets: pod.Sockets(t), nats: natsAddress, got: map[string][]string{}}
	l, err := net.Listen("unix", f.socket("far"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(f.far), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	mail, err := net.Listen("unix", f.socket("mail"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mail.Close() })
	go f.postOffice(mail)
	return f
}

func (f *fleet) socket(name string) string { return filepath.Join(f.sockets, name) }

// far answers as Slack, PagerDuty and the others do when all is well.
func (f *fleet) far(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if !strings.Contains(string(body), `"thread_ts"`) { // the details of a message
		f.mu.Lock()
		f.got[r.URL.Path] = append(f.got[r.URL.Path], string(body))
		f.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true,"channel":"C0123456789","ts":"1773480000.000001","id":"41","number":17,"key":"OPS-24","status":"success","dedup_key":"x"}`)
}

// postOffice takes mails as RFC 5321 says, and answers each command with yes.
func (f *fleet) postOffice(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			in := textproto.NewConn(conn)
			_ = in.PrintfLine("220 mail")
			for {
				line, err := in.ReadLine()
				if err != nil {
					return
				}
				switch strings.ToUpper(line) {
				case "DATA":
					_ = in.PrintfLine("354 go on")
					body, err := in.ReadDotBytes()
					if err != nil {
						return
					}
					f.mu.Lock()
					f.got["mail"] = append(f.got["mail"], string(body))
					f.mu.Unlock()
				case "QUIT":
					_ = in.PrintfLine("221 bye")
					return
				}
				_ = in.PrintfLine("250 yes")
			}
		}()
	}
}

// sent returns how often each path was sent something.
func (f *fleet) sent() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]int{}
	for path, bodies := range f.got {
		out[path] = len(bodies)
	}
	return out
}

// start starts a pod and waits until it is ready. It reports whether pods can be had.
func (f *fleet) start(all ...started) bool {
	f.t.Helper()
	var running []*box.Process
	for i, s := range all {
		s.Reaches = map[string]string{f.nats: f.socket("nats"), "far.example:80": f.socket("far"), "localhost:2525": f.socket("mail")}
		if s.Command[0] == "nats-server" {
			s.Reaches = nil
		}
		if s.Serves == nil {
			s.Serves = map[int]string{}
		}
		if s.port != 0 {
			s.Serves[s.port] = f.socket("ready-" + s.Name)
		}
		p := pod.Start(f.t, s.Pod)
		if p == nil {
			return false
		}
		all[i], running = s, append(running, p)
	}
	for i, s := range all {
		switch {
		case s.port != 0:
			var last error
			if !box.Within(f.t, box.Patience, func() bool { last = f.get(s.Serves[s.port], s.path, ""); return last == nil }) {
				f.t.Fatalf("%s is not ready: %v", s.Name, last)
			}
		case s.says != "":
			box.Eventually(f.t, s.Name+" says "+s.says, func() bool {
				return strings.Contains(running[i].Stderr.String()+running[i].Stdout.String(), s.says)
			})
		default:
			<-running[i].Ended
			if code := running[i].Cmd.ProcessState.ExitCode(); code != 0 {
				f.t.Fatalf("%s ended with %d", s.Name, code)
			}
		}
	}
	return true
}

// client speaks HTTP through a socket.
func client(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

func (f *fleet) get(socket, path, token string) error {
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client(socket).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("%s: %s", resp.Status, b)
	}
	return nil
}

// alert posts what an Alertmanager does:
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
func (f *fleet) alert(socket, path, token, node string) {
	f.t.Helper()
	body, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": `{}:{alertname="DiskAlmostFull"}`, "status": "firing", "receiver": "fleetlens",
		"groupLabels": map[string]string{"alertname": "DiskAlmostFull"}, "commonLabels": map[string]string{}, "commonAnnotations": map[string]string{}, "externalURL": "http://alertmanager.example",
		"alerts": []any{map[string]any{
			"status": "firing", "labels": map[string]string{"alertname": "DiskAlmostFull", "node": node, "severity": "critical"},
			"annotations": map[string]string{"summary": "a filesystem of " + node + " is almost full"}, "startsAt": time.Now().UTC().Format(time.RFC3339), "endsAt": "0001-01-01T00:00:00Z",
			"generatorURL": "http://prometheus.example/graph", "fingerprint": "c8ab0b5d1d6d8b9f",
		}},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://localhost"+path, strings.NewReader(string(body)))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client(socket).Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(resp.Body)
		f.t.Fatalf("the alert is answered %s: %s", resp.Status, b)
	}
}

// oneMessageASink waits until each sink was sent a message, and all that was concluded was
// sent, and says where there is more or less than one.
func (f *fleet) oneMessageASink(js jetstream.JetStream, sinks map[string]string, node string) {
	f.t.Helper()
	stream, err := js.Stream(f.t.Context(), "FL_INSIGHTS")
	if err != nil {
		f.t.Fatal(err)
	}
	box.Eventually(f.t, "each sink is sent a message and nothing waits", func() bool {
		sent := f.sent()
		for name, path := range sinks {
			if sent[path] == 0 {
				return false
			}
			c, err := stream.Consumer(f.t.Context(), "sink_"+name)
			if err != nil {
				f.t.Fatal(err)
			}
			if info := c.CachedInfo(); info.NumPending+uint64(info.NumAckPending) > 0 {
				return false
			}
		}
		return true
	})
	info, err := stream.Info(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if info.State.Msgs != 1 {
		f.t.Errorf("%d insights, want 1", info.State.Msgs)
	}
	raw, err := stream.GetLastMsgForSubject(f.t.Context(), "insights.>")
	if err != nil {
		f.t.Fatal(err)
	}
	insight, err := protocol.Decode[protocol.Insight](raw.Data)
	if err != nil {
		f.t.Fatal(err)
	}
	if insight.Severity != protocol.SeverityCritical || !slices.Equal(insight.Nodes, []string{node}) || !strings.Contains(insight.Summary, "97") {
		f.t.Errorf("concluded: %s of %v: %s", insight.Severity, insight.Nodes, insight.Summary)
	}
	sent := f.sent()
	for name, path := range sinks {
		if sent[path] != 1 {
			f.t.Errorf("sink %s was sent %d messages, want 1", name, sent[path])
		}
		if body := f.got[path][0]; !strings.Contains(body, node) {
			f.t.Errorf("sink %s was sent nothing about %s: %s", name, node, body)
		}
	}
	if len(sent) != len(sinks) {
		f.t.Errorf("sent to %v, want %v", slices.Sorted(maps.Keys(sent)), sinks)
	}
	f.t.Logf("one alert in; one insight: %s; one message to each of %v", insight.Summary, slices.Sorted(maps.Keys(sinks)))
}

// connect leads the test itself to NATS.
func (f *fleet) connect(opts ...nats.Option) jetstream.JetStream {
	f.t.Helper()
	opts = append(opts, nats.SetCustomDialer(dialer(f.socket("nats"))))
	nc, err := nats.Connect("nats://nats:4222", opts...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		f.t.Fatal(err)
	}
	return js
}

// dialer connects to a socket whatever it is asked for.
type dialer string

func (d dialer) Dial(_, _ string) (net.Conn, error) { return net.Dial("unix", string(d)) }

func (d dialer) SkipTLSHandshake() bool { return false }

// hosts returns the folders of ten nodes, on the last of which a filesystem is 97 % full.
func hosts(t *testing.T) (folders map[string]string, sick string) {
	t.Helper()
	folders = map[string]string{}
	for i := range 10 {
		sick = fmt.Sprintf("node-%d", i)
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../testdata/host")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "etc/machine-id"), fmt.Sprintf("%032d\n", i+1))
		if err := os.Mkdir(filepath.Join(dir, "sys"), 0o755); err != nil {
			t.Fatal(err)
		}
		folders[sick] = dir
	}
	write(t, filepath.Join(folders[sick], "proc/fleetlens-filesystems"), `[{"mount": "/", "device": "/dev/sda1", "fstype": "ext4", "total_bytes": 107374182400, "free_bytes": 3221225472, "available_bytes": 3221225472, "inodes": 1000000, "inodes_free": 700000}]`)
	return folders, sick
}

func write(t *testing.T, path, text string) {
	t.Helper()
	_ = os.Remove(path)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// folderOf writes files that a user of a pod alone may read.
func folderOf(t *testing.T, user int, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 0, user); err != nil && os.Getuid() == 0 {
			t.Fatal(err)
		}
	}
	return dir
}

// creds runs `fleetlens creds`.
func creds(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built.Program(t, "cmd/fleetlens"), append([]string{"creds", "--dir", dir}, args...)...)
	cmd.Env = box.CleanEnv()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("fleetlens creds %v: %v\n%s", args, err, &errs)
	}
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
