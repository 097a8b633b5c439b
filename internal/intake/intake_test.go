package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// webhookBody is what Alertmanager 0.28 sends.
const webhookBody = `{"receiver":"fleetlens","status":"firing","alerts":[
 {"status":"firing","labels":{"alertname":"HighLatency","instance":"web-1:9100","job":"node","severity":"page"},
  "annotations":{"summary":"p99 is 2.1 s"},"startsAt":"2026-03-14T09:24:05.123Z","endsAt":"0001-01-01T00:00:00Z",
  "generatorURL":"http://prometheus:9090/graph","fingerprint":"b5d4045c3f466fa9"},
 {"status":"resolved","labels":{"alertname":"DiskFull","instance":"web-2:9100"},"annotations":{},
  "startsAt":"2026-03-14T09:20:00Z","endsAt":"2026-03-14T09:26:00Z","generatorURL":"","fingerprint":"15d4045c3f466fa9"}],
 "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://alertmanager:9093","version":"4","groupKey":"{}:{}","truncatedAlerts":0}`

var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

func TestAWebhookIsRead(t *testing.T) {
	got, err := ReadWebhook([]byte(webhookBody), now)
	if err != nil {
		t.Fatal(err)
	}
	want := []protocol.Alert{
		{
			Source: "alertmanager", State: "firing", Name: "HighLatency", Severity: protocol.SeverityCritical,
			Labels:      map[string]string{"alertname": "HighLatency", "instance": "web-1:9100", "job": "node", "severity": "page"},
			Annotations: map[string]string{"summary": "p99 is 2.1 s"}, StartsAt: time.Date(2026, 3, 14, 9, 24, 5, 123e6, time.UTC),
		},
		{
			Source: "alertmanager", State: "resolved", Name: "DiskFull", Severity: protocol.SeverityWarning,
			Labels: map[string]string{"alertname": "DiskFull", "instance": "web-2:9100"}, Annotations: map[string]string{},
			StartsAt: time.Date(2026, 3, 14, 9, 20, 0, 0, time.UTC), EndsAt: time.Date(2026, 3, 14, 9, 26, 0, 0, time.UTC),
		},
	}
	for i := range got {
		want[i].ID = got[i].ID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := ReadWebhook([]byte(webhookBody), now.Add(4*time.Hour))
	if err != nil || again[0].ID != got[0].ID || got[0].ID == got[1].ID {
		t.Errorf("ids %s, %s and, repeated, %s: %v", got[0].ID, got[1].ID, again[0].ID, err)
	}
}

func TestOurOwnAlertsAreNoNews(t *testing.T) {
	echo := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"` + protocol.InsightAlert + `"},"startsAt":"2026-03-14T09:20:00Z"}]}`
	if got, err := ReadWebhook([]byte(echo), now); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAWebhookThatIsNoneSaysWhy(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"not JSON", "hello", "not a webhook"},
		{"no alerts", `{"version":"4","alerts":[]}`, `no "alerts"`},
		{"another version", `{"version":"5","alerts":[{}]}`, `"5"`},
		{"no name", `{"alerts":[{"status":"firing","labels":{}}]}`, "alerts[0]"},
		{"an unknown state", `{"alerts":[{"status":"maybe","labels":{"alertname":"x"}}]}`, `"state"`},
		{"too many", `{"alerts":[` + strings.Repeat(`{},`, maxAlerts) + `{}]}`, "too many"},
	} {
		if _, err := ReadWebhook([]byte(tt.body), now); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to say %s", tt.name, err, tt.want)
		}
	}
}

func TestTheEndpoint(t *testing.T) {
	const token = "correct-horse-battery"
	var stored int
	var fail error
	sink := func(_ context.Context, list []protocol.Alert) error { stored += len(list); return fail }
	h := handler(token, 1000, slog.New(slog.DiscardHandler), sink)
	for _, tt := range []struct {
		name, method, path, auth, kind, body string
		fail                                 error
		code                                 int
		says                                 string
	}{
		{"taken", "POST", Path, "Bearer " + token, "application/json", webhookBody, nil, 200, `{"accepted":2}`},
		{"no token", "POST", Path, "", "application/json", webhookBody, nil, 401, "alerts-token-file"},
		{"another token", "POST", Path, "Bearer x", "application/json", webhookBody, nil, 401, "alerts-token-file"},
		{"text, as a browser sends it unasked", "POST", Path, "Bearer " + token, "text/plain", webhookBody, nil, 415, "application/json"},
		{"too large", "POST", Path, "Bearer " + token, "application/json", strings.Repeat(" ", maxBody+1), nil, 413, "max_alerts"},
		{"not a webhook", "POST", Path, "Bearer " + token, "application/json", `[]`, nil, 400, "not a webhook"},
		{"NATS is away", "POST", Path, "Bearer " + token, "application/json", webhookBody, errors.New("away"), 503, "could not be stored"},
		{"another method", "GET", Path, "Bearer " + token, "", "", nil, 405, ""},
		{"another path", "POST", "/", "Bearer " + token, "application/json", webhookBody, nil, 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fail = tt.fail
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			r.Header.Set("Authorization", tt.auth)
			r.Header.Set("Content-Type", tt.kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if body := w.Body.String(); w.Code != tt.code || !strings.Contains(body, tt.says) {
				t.Errorf("%d %s, want %d with %q", w.Code, body, tt.code, tt.says)
			}
		})
	}
	if stored != 4 { // two that were taken, two that the sink refused
		t.Errorf("the sink got %d alerts", stored)
	}
}

func TestTooManyWebhooksAreAnsweredWith429(t *testing.T) {
	h := handler("", 0.001, slog.New(slog.DiscardHandler), func(context.Context, []protocol.Alert) error { return nil })
	var codes []int
	for range 2 {
		r := httptest.NewRequest("POST", Path, strings.NewReader(webhookBody))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		codes = append(codes, w.Code)
	}
	if diff := cmp.Diff([]int{200, 429}, codes); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	short := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		c    Config
		want string
	}{
		{Config{Addr: "4234", Rate: 1}, "host:port"},
		{Config{Addr: "0.0.0.0:4234", Rate: 1}, "--alerts-token-file"},
		{Config{Addr: "127.0.0.1:4234"}, "--alerts-rate"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, TokenFile: short}, "at least 16"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, TokenFile: short + "-none"}, "no such file"},
	} {
		if err := tt.c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want it to say %s", tt.c, err, tt.want)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestItServesOverHTTP(t *testing.T) {
	c := Config{Addr: "127.0.0.1:0", Rate: 10}
	got := make(chan []protocol.Alert, 1)
	addr, stop, err := c.Serve(t.Context(), slog.New(slog.DiscardHandler), func(_ context.Context, list []protocol.Alert) error { got <- list; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	r, err := http.Post("http://"+addr+Path, "application/json", bytes.NewBufferString(webhookBody))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	if err := r.Body.Close(); err != nil || r.StatusCode != 200 || len(<-got) != 2 {
		t.Errorf("%s %s %v", r.Status, body, err)
	}
}

func FuzzReadWebhook(f *testing.F) {
	f.Add([]byte(webhookBody))
	f.Add([]byte(`{"alerts":[{"status":"firing","labels":{"alertname":"x"},"startsAt":"2026-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := ReadWebhook(body, now)
		if err != nil {
			return
		}
		for _, a := range list {
			if _, err := protocol.Encode(a); err != nil && !errors.Is(err, protocol.ErrTooLarge) {
				t.Errorf("%+v cannot be passed on: %v", a, err)
			}
		}
	})
}
