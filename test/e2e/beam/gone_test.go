//go:build linux

package beam

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/beamtest"
	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A node dies, which is a finding, and begins anew: the probe goes on with it.
func TestANodeThatDiesIsAFindingAndIsWatchedAgainWhenItIsBack(t *testing.T) {
	f := newFleet(t)
	port := beamtest.EPMD(t)
	phoenix := beamtest.Options{Name: "phoenix", Cookie: "ash", EPMD: port}
	first := beamtest.Start(t, phoenix)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../testdata/host")); err != nil {
		t.Fatal(err)
	}
	cookie, config := filepath.Join(t.TempDir(), "cookie"), filepath.Join(t.TempDir(), "probe.yaml")
	for file, text := range map[string]string{
		cookie: first.Cookie,
		config: fmt.Sprintf("targets:\n  beam:\n    shop: {node: %s, epmd: \"127.0.0.1:%d\", cookie_file: %q, cache: 100ms}\n", first.Name, port, cookie),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.start(t, "probe", "probe watches", "--node", "m-1", "--interval", "1s", "--heartbeat", "300ms", "--config", config, "--proc", dir+"/proc", "--sys", dir+"/sys", "--root", dir)
	is := func(field string, want float64) func() bool {
		return func() bool { return f.latest("m-1", "beam", field) == want }
	}
	box.Eventually(t, "the node is read", is("reachable", 1))
	first.Kill()
	box.Eventually(t, "the node is missed", is("reachable", 0))
	result, raw := f.investigate(t, "m-1", "the shop is down")
	told := false
	for _, i := range result.Insights {
		told = told || strings.Contains(i.Summary, first.Name) && i.Severity == "critical"
	}
	if !told {
		t.Errorf("no insight names %s: %s", first.Name, raw)
	}
	beamtest.Start(t, phoenix)
	box.Eventually(t, "the node is read again", is("reachable", 1))
	box.Eventually(t, "it is seen to have begun anew", is("restarts_per_hour", 1))
}
