package web_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/missing"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func zipped(t *testing.T, file string) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(raw)
	_ = z.Close()
	return b.Len()
}

func TestTheBundleIsWithinItsBudget(t *testing.T) {
	const first, whole = 60_000, 150_000 // bytes, compressed: for the first paint, and in all
	all := 0
	entries, err := os.ReadDir("dist")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all += zipped(t, filepath.Join("dist", e.Name()))
	}
	paint := zipped(t, "dist/index.html") + zipped(t, "dist/app.js") + zipped(t, "dist/app.css")
	t.Logf("%d bytes for the first paint, %d in all", paint, all)
	if paint > first || all > whole {
		t.Errorf("%d bytes for the first paint (at most %d), %d in all (at most %d)", paint, first, all, whole)
	}
}

func TestBundlingAgainChangesNoByte(t *testing.T) {
	if !missing.Debian(t, "npm", "npm") {
		return
	}
	if _, err := os.Stat("ui/node_modules/preact"); err != nil {
		cmd := exec.CommandContext(t.Context(), "npm", "ci", "--silent")
		cmd.Dir = "ui"
		if out, err := cmd.CombinedOutput(); err != nil {
			missing.Component(t, "npm packages", string(out))
			return
		}
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/web/bundle", out)
	cmd.Dir = "../.."
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	names := func(dir string) (list []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	if a, b := strings.Join(names("dist"), " "), strings.Join(names(out), " "); a != b {
		t.Errorf("dist holds %s, bundled are %s", a, b)
	}
	for _, name := range names(out) {
		a, err := os.ReadFile(filepath.Join("dist", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s is not what its sources make: run `make ui`", name)
		}
	}
}

func TestEveryAnswerSaysWhatAPageMayDo(t *testing.T) {
	s := newSite(t)
	s.conclude(insight("i-1", "inv-1", "warning"))
	s.url = "http://" + s.at
	for path, status := range map[string]int{
		"/": 200, "/insights/i-1": 200, "/app.js": 200, "/app.css": 200, "/none.js": 404, "/api/v1/insights": 200, "/api/v1/none": 404, "/api/v1/openapi.json": 200,
		"/api/v1/insights/i-1/report.html": 200, "/api/v1/insights/i-1/postmortem.md": 200, "/api/v1/insights/none/report.html": 404, "/api/v1/insights/i-1/bundle": 200,
	} {
		resp, _ := s.do("GET", path, nil)
		csp := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != status || !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s, %q", path, resp.Status, csp)
		}
		if resp, _ := s.do("GET", path, nil, "Host", "evil.example"); resp.StatusCode != http.StatusMisdirectedRequest || resp.Header.Get("Content-Security-Policy") != csp {
			t.Errorf("%s by another name: %s", path, resp.Status)
		}
	}
}

func TestExportsShowHostileTextAsText(t *testing.T) {
	s := newSite(t)
	evil := "<script>alert(1)</script> ![x](http://evil.example/x.png) [a](javascript:alert(1))"
	s.publish(protocol.NotificationSubject("os", "db-1", "inv-1"), protocol.Notification{
		ID: "n-1", InvestigationID: "inv-1", RunID: "r", Operator: "os", Node: "db-1", Target: "host", AnomalyType: "disk", Severity: "critical", Context: evil, Observation: evil + " 97 %", Snapshots: []protocol.Snapshot{}, DetectedAt: now,
		Figures:  []protocol.Figure{{Text: "97 %", Value: 97, Found: true, Evidence: evil}},
		Evidence: []protocol.Evidence{{Address: "snap-1#x", Node: "db-1", Target: "host", Name: evil, Value: evil, Series: []protocol.Point{{At: 1, Value: 1}, {At: 2, Value: 5}}}},
	})
	s.conclude(insight("i-1", "inv-1", "critical", func(i *protocol.Insight) {
		i.Summary, i.RootCauseHypothesis, i.RuledOut, i.NotificationIDs = evil, evil, []string{evil}, []string{"n-1"}
	}))
	_, html := s.do("GET", "/insights/i-1/report.html", nil)
	if strings.Contains(string(html), "<script") || strings.Contains(string(html), "<img") || strings.Contains(string(html), "<a ") || !strings.Contains(string(html), "&lt;script&gt;") || strings.Count(string(html), "<path d=\"M") != 1 {
		t.Errorf("%s", html)
	}
	_, md := s.do("GET", "/insights/i-1/postmortem.md", nil)
	if strings.Contains(string(md), "](") || strings.Contains(string(md), " <script") || !strings.Contains(string(md), "Not a fact: ") {
		t.Errorf("%s", md)
	}
}
