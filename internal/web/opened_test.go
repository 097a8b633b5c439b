package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestAnExportIsShownWithoutNATS(t *testing.T) {
	fleet := newSite(t)
	fleet.publish(protocol.InvestigationSubject("inv-1", protocol.PhaseAccepted), protocol.Accepted{InvestigationID: "inv-1", RunID: "run-co", Coordinator: "co-1", Request: protocol.Request{ID: "inv-1", Reason: "why"}, Deadline: now, At: now})
	fleet.publish(protocol.JournalSubject(protocol.CoordinatorAgent, "run-co"), protocol.Record{RunID: "run-co", N: 1, Kind: protocol.RecordClaim, Worker: "co-1", At: now, Data: json.RawMessage(`{"worker":"co-1","attempt":1}`)})
	fleet.conclude(insight("i-1", "inv-1", "critical"))
	_, raw := fleet.do("GET", "/insights/i-1/bundle", nil)

	o, err := web.Open(bytes.NewReader(raw), web.Config{}, natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	s := listening(t, o)
	want, got := get[web.Bundle](fleet, "/insights/i-1/bundle"), get[web.Bundle](s, "/opened")
	if d := cmp.Diff(want, got); d != "" || len(got.Journals["run-co"]) != 1 {
		t.Errorf("it is not what was exported (-want +got):\n%s", d)
	}
	if me := get[web.Me](s, "/me"); !me.Opened || me.CanWrite || me.Connected {
		t.Errorf("%+v", me)
	}

	for _, path := range []string{"/insights", "/insights/i-1", "/events", "/nodes"} {
		if resp, b := s.do("GET", path, nil); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(b), "/opened") {
			t.Errorf("GET %s: %s: %s", path, resp.Status, b)
		}
	}
	if resp, b := s.do("POST", "/notes", map[string]string{"id": "i-1", "text": "x"}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a note: %s: %s", resp.Status, b)
	}
	if resp, _ := s.do("GET", "/opened", nil, "Host", "evil.example"); resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %s", resp.Status)
	}
	if resp, _ := s.do("GET", "/opened", nil, "Authorization", "Bearer none"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with another token: %s", resp.Status)
	}
	s.url = "http://" + s.at
	if resp, _ := s.do("GET", "/", nil); resp.Header.Get("Location") != "/open" {
		t.Errorf("where one begins: %s, %s", resp.Status, resp.Header.Get("Location"))
	}
	if resp, b := s.do("GET", "/open", nil); resp.StatusCode != http.StatusOK || !bytes.Contains(b, []byte("app.js")) || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("its page: %s: %s", resp.Status, b)
	}
}

func TestWhatIsNoExportIsSaid(t *testing.T) {
	whole, err := json.Marshal(web.Bundle{Type: "fleetlens.v1.bundle", InsightView: web.InsightView{InsightView: reading.InsightView{Insight: insight("i-1", "inv-1", "critical")}}})
	if err != nil {
		t.Fatal(err)
	}
	with := func(before, after string) string { return strings.Replace(string(whole), before, after, 1) }
	for _, tt := range []struct{ name, text, says string }{
		{"nothing", "", "no JSON"},
		{"a page", "<!doctype html>", "no JSON"},
		{"half of it", string(whole[:len(whole)/2]), "no JSON: unexpected end"},
		{"more than one", string(whole) + string(whole), "no JSON"},
		{"a list", "[]", "all of it is a JSON array"},
		{"an insight alone", `{"id":"i-1","summary":"x"}`, "holds no insight"},
		{"fields of other kinds", with(`"nodes":["db-1"]`, `"nodes":"db-1"`), "insight.nodes is a JSON string"},
		{"an insight that is none", with(`"severity":"critical"`, `"severity":"bad"`), "severity"},
		{"a newer version", with("v1.bundle", "v2.bundle"), `"fleetlens.v2.bundle", and this version reads fleetlens.v1.bundle`},
		{"a newer version of another form", `{"type":"fleetlens.v2.bundle","insight":[]}`, "use a newer fleetlens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := web.Open(strings.NewReader(tt.text), web.Config{}, natstest.Log(t)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	if _, err := web.Open(strings.NewReader(with(`"type":"fleetlens.v1.bundle",`, "")), web.Config{}, natstest.Log(t)); err != nil {
		t.Errorf("one without a version: %v", err)
	}
}

// zeros have no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnEndlessExportIsRefused(t *testing.T) {
	if _, err := web.Open(zeros{}, web.Config{}, natstest.Log(t)); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Error(err)
	}
}
