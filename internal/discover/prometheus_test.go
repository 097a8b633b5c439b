//go:build linux

package discover

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestAPrometheusServerIsProposedAsOne(t *testing.T) {
	if !missing.Debian(t, "prometheus", "prometheus") {
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte("scrape_configs: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	f, _ := finder()
	var p *protocol.Proposal
	for end := time.Now().Add(30 * time.Second); p == nil; <-time.After(50 * time.Millisecond) {
		if p = of(t, f, cmd.Process.Pid); p == nil && time.Now().After(end) {
			t.Fatal("it is not proposed")
		}
	}
	watch := targets(t, p)
	if p.Kind != "prometheus" || len(watch.Prometheus) != 1 {
		t.Fatalf("it is proposed as %+v", p)
	}
	for _, c := range watch.Prometheus {
		if _, err := prometheus.New(c).Query(t.Context(), "1"); err != nil {
			t.Errorf("what is proposed answers %v", err)
		}
	}
}
