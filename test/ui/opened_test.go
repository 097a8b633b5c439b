//go:build linux

package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// installed makes the program as people do who have Go and nothing else, neither a C
// compiler nor Node, and returns its path.
func installed(dir string) (string, error) {
	compiler, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "path")
	if err := os.Mkdir(path, 0o755); err != nil {
		return "", err
	}
	if err := os.Symlink(compiler, filepath.Join(path, "go")); err != nil {
		return "", err
	}
	cmd := exec.Command(compiler, "install", "./cmd/fleetlens")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir, "PATH="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install: %w\n%s", err, out)
	}
	return filepath.Join(dir, "fleetlens"), nil
}

// An address is what `fleetlens ui --json` prints.
type address struct {
	URL   string `json:"ui"`
	Token string `json:"token"`
}

// show has a program serve a bundle until end is called. No NATS server can be found.
func show(program, bundle string) (at address, end func(), err error) {
	cmd := exec.Command(program, "ui", "--open", bundle, "--json", "--ui", "127.0.0.1:0", "--server", "nats://127.0.0.1:1")
	cmd.Env = []string{"PATH=", "HOME=" + filepath.Dir(bundle)}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return at, nil, err
	}
	if err := cmd.Start(); err != nil {
		return at, nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
	if err := json.NewDecoder(out).Decode(&at); err != nil {
		end()
		return at, nil, fmt.Errorf("ui --open says no address: %w\n%s", err, said.String())
	}
	return at, end, nil
}

// show saves a bundle and has the program show it, with NATS away.
func (s *stage) show(bundle []byte) (any, error) {
	dir := s.t.TempDir()
	program, err := installed(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bundle.json")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		return nil, err
	}
	at, end, err := show(program, file)
	if err == nil {
		s.t.Cleanup(end)
	}
	return at, err
}

func TestWhoInstallsWithGoAloneHasTheUI(t *testing.T) {
	dir := t.TempDir()
	program, err := installed(dir)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := json.Marshal(web.Bundle{InsightView: web.InsightView{InsightView: reading.InsightView{Insight: protocol.Insight{
		ID: "i-1", InvestigationID: "inv-1", Summary: "the disk is full", Model: "rules", Grounding: "one node", CorrelationType: protocol.Causal,
		Severity: protocol.SeverityCritical, Confidence: protocol.High, CreatedAt: time.Now(),
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bundle.json")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	at, end, err := show(program, file)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for path, holds := range map[string]string{"/": `src="/app.js?v=`, "/app.js": "Fleetlens", "/app.css": "--paper", "/worker.js": "EventSource", "/api/v1/opened": "the disk is full"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+at.Token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(holds)) {
			t.Errorf("GET %s: %s, %d bytes without %q (%v)", path, resp.Status, len(body), holds, err)
		}
	}
}
