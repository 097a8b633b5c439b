//go:build linux

package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/web"
)

const sources = "../../internal/web/ui"

// TestTheUIInABrowser runs the checks.
func TestTheUIInABrowser(t *testing.T) {
	if !missing.Debian(t, "node", "nodejs") || !missing.Debian(t, "npm", "npm") || !missing.Debian(t, "chromium", "chromium") {
		return
	}
	modules(t)
	files, err := filepath.Glob("checks/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no checks: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.reset(t)
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", file)
			cmd.Env = append(os.Environ(), "UI_CONTROL="+s.control, "UI_MODULES="+absolute(t, filepath.Join(sources, "node_modules")))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
				return
			}
			t.Logf("%s", out)
		})
	}
}

// TestScreenshots writes pictures of all pages to the folder FLEETLENS_SCREENSHOTS, see
// `make screenshots`.
func TestScreenshots(t *testing.T) {
	out := os.Getenv("FLEETLENS_SCREENSHOTS")
	if out == "" {
		t.Skip("FLEETLENS_SCREENSHOTS names no folder")
	}
	if !missing.Debian(t, "node", "nodejs") || !missing.Debian(t, "npm", "npm") || !missing.Debian(t, "chromium", "chromium") {
		return
	}
	modules(t)
	s := newStage(t)
	s.reset(t)
	cmd := exec.CommandContext(t.Context(), "node", "--test", "checks/screenshots.mjs")
	cmd.Env = append(os.Environ(), "UI_CONTROL="+s.control, "UI_MODULES="+absolute(t, filepath.Join(sources, "node_modules")), "UI_OUT="+out)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// modules installs the packages that the checks need, in the versions of the lock file.
func modules(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(sources, "node_modules", "playwright-core")); err == nil {
		return
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--silent")
	cmd.Dir = sources
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// A stage is NATS and a server of the UI, and what the checks may have done to them.
type stage struct {
	t       *testing.T
	control string // URL

	mu     sync.Mutex
	store  string
	port   int
	server *natsd.Server
	conn   *bus.Conn
	raw    *nats.Conn
	stop   func() // of the web server
	listen string
	web    *web.Server

	stack    *allinone.Stack // of real agents, see agents
	provider *provider
	model    *httptest.Server
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t}
	mux := http.NewServeMux()
	for path, do := range map[string]func(body []byte) (any, error){
		"/where": s.where, "/publish": s.publish, "/nats/stop": s.stopNATS, "/nats/start": s.startNATS,
		"/web/stop": s.stopWeb, "/web/start": s.startWeb, "/purge": s.purge, "/messages": s.messages,
		"/viewer": s.viewer, "/consumers": s.consumers, "/serve": s.serve, "/show": s.show,
		"/agents": s.agents, "/release": s.release, "/asked": s.asked,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var v any
			if err == nil {
				s.mu.Lock()
				v, err = do(body)
				s.mu.Unlock()
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	control := httptest.NewServer(mux)
	t.Cleanup(control.Close)
	s.control = control.URL
	t.Cleanup(func() { s.mu.Lock(); defer s.mu.Unlock(); s.end() })
	return s
}

// reset begins anew with empty streams.
func (s *stage) reset(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	s.store, s.port, s.listen = t.TempDir(), 0, "127.0.0.1:0"
	for _, do := range []func([]byte) (any, error){s.startNATS, s.startWeb} {
		if _, err := do(nil); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stage) end() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	if s.conn != nil {
		s.raw.Close()
		s.conn.Close()
		s.conn = nil
	}
	if s.stack != nil {
		s.stack.Stop()
		s.stack = nil
		s.model.Close()
	}
	if s.server != nil {
		s.server.Stop()
		s.server = nil
	}
}

// startNATS starts the server, at the port it had before.
func (s *stage) startNATS([]byte) (any, error) {
	server, err := natsd.Start(natsd.Options{StoreDir: s.store, Host: "127.0.0.1", Port: s.port})
	if err != nil {
		return nil, err
	}
	s.server = server
	if s.conn != nil { // it reconnects
		return nil, nil
	}
	_, port, err := net.SplitHostPort(server.URL()[len("nats://"):])
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Sscan(port, &s.port); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if s.conn, err = bus.Dial(ctx, bus.Config{Server: server.URL()}, "ui-test", natstest.Log(s.t)); err != nil {
		return nil, err
	}
	if s.raw, err = nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond)); err != nil {
		return nil, err
	}
	_, err = s.conn.Setup(ctx, bus.SetupOptions{Skills: []string{"os"}})
	return nil, err
}

func (s *stage) stopNATS([]byte) (any, error) { s.server.Stop(); s.server = nil; return nil, nil }

// startWeb starts the web server, at the address it had before and with the same token.
func (s *stage) startWeb([]byte) (any, error) {
	if s.web == nil || s.listen == "127.0.0.1:0" {
		var err error
		if s.web, err = web.New(s.conn, web.Config{}, natstest.Log(s.t)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.web.Run(ctx, s.listen, func(at string) { ready <- at }) }()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
	select {
	case s.listen = <-ready:
		return nil, nil
	case err := <-ended:
		ended <- nil
		return nil, err
	}
}

func (s *stage) stopWeb([]byte) (any, error) { s.stop(); s.stop = nil; return nil, nil }

func (s *stage) where([]byte) (any, error) {
	return map[string]string{"url": "http://" + s.listen, "token": s.web.Token()}, nil
}

// publish stores messages: a list of {subject, body}.
func (s *stage) publish(body []byte) (any, error) {
	var list []struct {
		Subject string          `json:"subject"`
		Body    json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	for _, m := range list {
		if err := s.raw.Publish(m.Subject, m.Body); err != nil {
			return nil, err
		}
	}
	return len(list), s.raw.FlushTimeout(10 * time.Second)
}

// purge empties a stream.
func (s *stage) purge(body []byte) (any, error) {
	js, err := s.raw.JetStream()
	if err != nil {
		return nil, err
	}
	return nil, js.PurgeStream(string(body))
}

// viewer begins anew with a NATS server that asks for credentials, and a web server that
// has a viewer's.
func (s *stage) viewer([]byte) (any, error) {
	s.end()
	dir := s.t.TempDir()
	auth, err := bus.NewAuthority(dir)
	if err != nil {
		return nil, err
	}
	if s.server, err = natsd.Start(natsd.Options{StoreDir: s.t.TempDir(), Host: "127.0.0.1", Config: filepath.Join(dir, bus.ResolverFile)}); err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, role := range []string{bus.AdminRole, bus.ViewerRole, bus.CoordinatorRole} {
		creds, err := auth.Mint(role, role+"-1")
		if err != nil {
			return nil, err
		}
		files[role] = filepath.Join(dir, role)
		if err := os.WriteFile(files[role], creds, 0o600); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	admin, err := bus.Dial(ctx, bus.Config{Server: s.server.URL(), Creds: files[bus.AdminRole]}, "ui-test", natstest.Log(s.t))
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if _, err := admin.Setup(ctx, bus.SetupOptions{Skills: []string{"os"}}); err != nil {
		return nil, err
	}
	if s.conn, err = bus.Dial(ctx, bus.Config{Server: s.server.URL(), Creds: files[bus.ViewerRole]}, "ui-test", natstest.Log(s.t)); err != nil {
		return nil, err
	}
	if s.raw, err = nats.Connect(s.server.URL(), nats.UserCredentials(files[bus.CoordinatorRole])); err != nil {
		return nil, err
	}
	s.listen = "127.0.0.1:0"
	return s.startWeb(nil)
}

// consumers counts those of all streams.
func (s *stage) consumers([]byte) (any, error) {
	n := 0
	for _, row := range bus.Streams() {
		state, err := s.conn.StreamState(context.Background(), row.Name)
		if err != nil {
			return nil, err
		}
		n += state.Consumers
	}
	return n, nil
}

// serve answers what is asked on a subject, and publishes messages when it is, as a
// coordinator would.
func (s *stage) serve(body []byte) (any, error) {
	var as struct {
		Subject string          `json:"subject"`
		Answer  json.RawMessage `json:"answer"`
		Then    json.RawMessage `json:"then"`
	}
	if err := json.Unmarshal(body, &as); err != nil {
		return nil, err
	}
	_, err := s.raw.Subscribe(as.Subject, func(m *nats.Msg) {
		_ = m.Respond(as.Answer)
		if as.Then != nil {
			_, _ = s.publish(as.Then)
		}
	})
	if err != nil {
		return nil, err
	}
	return nil, s.raw.FlushTimeout(10 * time.Second)
}

// messages returns the bodies on a subject of a stream: "STREAM SUBJECT".
func (s *stage) messages(body []byte) (any, error) {
	var stream, subject string
	if _, err := fmt.Sscan(string(body), &stream, &subject); err != nil {
		return nil, err
	}
	out := []json.RawMessage{}
	for m, err := range s.conn.Range(context.Background(), stream, subject, 0) {
		if err != nil {
			return nil, err
		}
		out = append(out, m.Data)
	}
	return out, nil
}
