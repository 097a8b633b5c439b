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

	"github.com/google/go-cmp/cmp"
)

func TestTheEndpoint(t *testing.T) {
	const token = "correct-horse-battery"
	var stored int
	var fail error
	store := func(_ context.Context, r Report) error { stored += len(r.Alerts); return fail }
	h := newDoor(token, nil, 1000, slog.New(slog.DiscardHandler), store).handler()
	webhookBody := string(given(t, "alertmanager").body)
	for _, tt := range []struct {
		name, method, path, auth, kind, body string
		fail                                 error
		code                                 int
		says                                 string
	}{
		{"taken", "POST", Path, "Bearer " + token, "application/json", webhookBody, nil, 200, `{"accepted":2}`},
		{"taken at its other path", "POST", "/in/alertmanager", "Bearer " + token, "application/json", webhookBody, nil, 200, `{"accepted":2}`},
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
	if stored != 6 { // two that were taken, twice, and two that the store refused
		t.Errorf("the store got %d alerts", stored)
	}
}

func TestWhoIsSentAwayMayComeAgain(t *testing.T) {
	h := newDoor("", nil, 0.001, slog.New(slog.DiscardHandler), func(context.Context, Report) error { return nil }).handler()
	var codes []int
	for range 2 {
		r := httptest.NewRequest("POST", Path, bytes.NewReader(given(t, "alertmanager").body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		codes = append(codes, w.Code)
	}
	if diff := cmp.Diff([]int{200, 503}, codes); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	short := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INTAKE_NONE", "")
	t.Setenv("INTAKE_WEAK", "whsec_c2hvcnQ=")
	for _, tt := range []struct {
		c    Config
		want string
	}{
		{Config{Addr: "4234", Rate: 1}, "host:port"},
		{Config{Addr: "0.0.0.0:4234", Rate: 1}, "--alerts-token-file"},
		{Config{Addr: "127.0.0.1:4234"}, "--alerts-rate"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, TokenFile: short}, "at least 16"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, TokenFile: short + "-none"}, "no such file"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, Sources: map[string]Source{"pagerdtuy": {}}}, "intakes.pagerdtuy: there is no such format (have grafana, pagerduty"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, Sources: map[string]Source{"datadog": {}}}, "sign nothing"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, Sources: map[string]Source{"github": {}}}, "has 0 names"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, Sources: map[string]Source{"github": {SecretEnvs: []string{"INTAKE_NONE"}}}}, "INTAKE_NONE is empty"},
		{Config{Addr: "127.0.0.1:4234", Rate: 1, Sources: map[string]Source{"cloudevents": {SecretEnvs: []string{"INTAKE_WEAK"}}}}, "openssl rand"},
	} {
		if err := tt.c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want it to say %s", tt.c, err, tt.want)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for token, want := range map[string]string{"a token of the environment": "", "short": TokenVariable + ": the token has 5 characters (at least 16)"} {
		t.Setenv(TokenVariable, token)
		c := Config{Addr: "0.0.0.0:4234", Rate: 1}
		if err := c.Validate(); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", token, err, want)
		}
	}
}

func TestItServesOverHTTP(t *testing.T) {
	c := Config{Addr: "127.0.0.1:0", Rate: 10}
	got := make(chan Report, 1)
	addr, stop, err := c.Serve(t.Context(), slog.New(slog.DiscardHandler), func(_ context.Context, r Report) error { got <- r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	r, err := http.Post("http://"+addr+Path, "application/json", bytes.NewReader(given(t, "alertmanager").body))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	if err := r.Body.Close(); err != nil || r.StatusCode != 200 || len((<-got).Alerts) != 2 {
		t.Errorf("%s %s %v", r.Status, body, err)
	}
}
