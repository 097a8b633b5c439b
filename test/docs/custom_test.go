//go:build linux

package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// The skill of docs/examples/skills goes all the way: read by a probe, announced,
// looked into by an operator that was not built with it, and concluded.
func TestTheCustomSkillOfTheDocumentsFindsWhatIsWrong(t *testing.T) {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = fmt.Fprint(w, "# TYPE orders_total counter\norders_total{status=\"ok\"} 100\nprovider_latency_ms{provider=\"a\"} 4000\nprovider_latency_ms{provider=\"b\"} 90\n")
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"waiting": 1500, "oldest": []any{map[string]any{"id": "pay-17", "seconds": 900}}})
	}))
	defer shop.Close()
	text, err := os.ReadFile(filepath.Join(repo, "docs/examples/skills/checkout.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), "http://127.0.0.1:9180", shop.URL)
	if changed == string(text) {
		t.Fatal("the example has another address")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "checkout.yaml"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	fleetlens := filepath.Join(built.Programs(t), "fleetlens")
	cmd := exec.CommandContext(t.Context(), fleetlens, "investigate", "--local", "--json", "--custom-skills", dir, "--skill", "checkout", "payments are slow")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var result protocol.Result
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "1500 payments wait, pay-17 the longest; the provider takes 4000 ms"
	if len(result.Insights) != 1 || !strings.Contains(result.Insights[0].Summary, want) || result.Insights[0].Severity != protocol.SeverityCritical {
		t.Errorf("got %s", out)
	}
	if len(result.OperatorResults) != 1 || result.OperatorResults[0].Skill != "checkout" || result.OperatorResults[0].Outcome != protocol.OutcomeDone {
		t.Errorf("the operator's run is %+v", result.OperatorResults)
	}

	if err := os.WriteFile(filepath.Join(dir, "checkout.yaml"), []byte(strings.Replace(changed, "unit: count", "unit: counts", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), fleetlens, "investigate", "--local", "--custom-skills", dir, "payments are slow")
	if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), `"counts" is none of count`) || !strings.Contains(string(out), "checkout.yaml:") {
		t.Errorf("a fault in it: %v, exit %d\n%s", err, cmd.ProcessState.ExitCode(), out)
	}
}

// A probe with a skill in Go is a module of its own that imports ours.
func TestTheProbeOfTheDocumentsIsBuiltOutsideAndAnswers(t *testing.T) {
	module := t.TempDir()
	source, err := os.ReadFile(filepath.Join(repo, "docs/examples/probe/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs(repo)
	if err != nil {
		t.Fatal(err)
	}
	mod, sum := read(t, "go.mod"), read(t, "go.sum") // the versions that ours is built with
	mod = strings.Replace(mod, "module github.com/fleetlens/fleetlens", "module example.com/mailprobe", 1) +
		"\nrequire github.com/fleetlens/fleetlens v0.0.0\n\nreplace github.com/fleetlens/fleetlens => " + abs + "\n"
	for name, text := range map[string]string{"main.go": string(source), "go.mod": mod, "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "mailprobe", ".")
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}

	mail := t.TempDir()
	for i, age := range []time.Duration{time.Hour, 2 * time.Hour} {
		file := filepath.Join(mail, fmt.Sprintf("msg%d", i))
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	server := natstest.Listen(t)
	conn := natstest.Setup(t, server, "test")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	probe := exec.CommandContext(ctx, filepath.Join(module, "mailprobe"), "--server", server.URL(), "--node", "mx-1", "--http", "")
	probe.Env = append(os.Environ(), "MAIL_FOLDER="+mail)
	if err := probe.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = probe.Wait() }()
	var raw []byte
	box.Eventually(t, "the probe answers", func() bool {
		raw, err = conn.Request(t.Context(), protocol.ProbeSubject("mx-1", "call"), protocol.Call{Callback: "mail_oldest", Args: []any{1}})
		return err == nil
	})
	if !strings.Contains(string(raw), `"id":"msg1"`) || strings.Contains(string(raw), "msg0") {
		t.Errorf("it answers %s", raw)
	}
}

func TestTheConfigurationOfTheDocumentsIsTaken(t *testing.T) {
	file := filepath.Join(repo, "docs/examples/probe.yaml")
	cfg := watch.New()
	flags := pflag.NewFlagSet("probe", pflag.ContinueOnError)
	cfg.Flags(flags)
	if err := proc.Load(flags, file, cfg.Sections()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	targets := fmt.Sprint(cfg.Targets.List())
	if targets != "[{checkout go } {orders postgres } {bus nats } {metrics prometheus } {prod kubernetes } {shop beam observe}]" || cfg.Labels["role"] != "web" || len(cfg.Logs.Files) != 2 {
		t.Errorf("it is read as %s, %v, %v", targets, cfg.Labels, cfg.Logs)
	}
}
