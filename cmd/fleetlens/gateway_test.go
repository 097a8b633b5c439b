package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/proc"
)

func TestASinkIsTested(t *testing.T) {
	code := http.StatusOK
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	t.Cleanup(far.Close)
	t.Setenv("SINK_URL", far.URL+"/secret")
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, []byte("sinks: {team: {type: mattermost, url_env: SINK_URL}, chat: {type: slack, url_env: SINK_URL}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cli{t: t, url: "nats://127.0.0.1:1"} // it needs no NATS
	for _, tt := range []struct {
		name       string
		args       []string
		answer     int
		code       int
		out, fault string
	}{
		{"it arrives", []string{"team", "--config", file}, 200, proc.ExitDone, "team took the test message", ""},
		{"it arrives, for a program", []string{"team", "--config", file, "--json"}, 200, proc.ExitDone, `"sent":true`, ""},
		{"a webhook of Slack says what it needs for threads", []string{"chat", "--config", file}, 200, proc.ExitDone, "no threads and changes nothing that it sent: for these give token_env", ""},
		{"it is refused", []string{"team", "--config", file}, 404, proc.ExitFailed, "", "404 Not Found"},
		{"there is no such sink", []string{"taem", "--config", file}, 200, proc.ExitUsage, "", "team"},
		{"there are no sinks", []string{"team"}, 200, proc.ExitUsage, "", "there are no sinks"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code = tt.answer
			out, got, fault := c.run(append([]string{"gateway", "test"}, tt.args...)...)
			if got != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(fault, tt.fault) || strings.Contains(fault, "secret") {
				t.Errorf("code %d, out %q, fault %q", got, out, fault)
			}
		})
	}
}
