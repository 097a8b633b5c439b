package intake

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func hexMAC(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// TestWhoSignsIsAsked: a signature by either of two secrets opens the door, and the
// bearer token does not.
func TestWhoSignsIsAsked(t *testing.T) {
	const token = "correct-horse-battery"
	at := time.Now()
	standard := func(secret string, body []byte) http.Header {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := w.Sign("msg_1", at, body)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature}}
	}
	for _, f := range formats() {
		if f.verify == nil {
			continue
		}
		example := f.name
		if f.name == cloudEvents {
			example = "cloudevents-structured"
		}
		in := given(t, example)
		sign := func(secret string, body []byte) http.Header {
			switch f.name {
			case grafana:
				return http.Header{"X-Grafana-Alerting-Signature": {hexMAC(secret, body)}}
			case pagerDuty: // two while it changes its own
				return http.Header{"X-Pagerduty-Signature": {"v1=" + hexMAC("another", body) + ",v1=" + hexMAC(secret, body)}}
			case gitHub:
				return http.Header{"X-Hub-Signature-256": {"sha256=" + hexMAC(secret, body)}}
			case gitLab:
				return http.Header{"X-Gitlab-Token": {secret}}
			}
			return standard(secret, body)
		}
		d := newDoor(token, map[string][]string{f.name: {newSecret, oldSecret}}, 1000, slog.New(slog.DiscardHandler), func(context.Context, Report) error { return nil })
		post := func(body []byte, header http.Header) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", Prefix+f.name+"?"+in.query.Encode(), bytes.NewReader(body))
			r.Header = in.header.Clone()
			maps.Copy(r.Header, header)
			w := httptest.NewRecorder()
			d.handler().ServeHTTP(w, r)
			return w
		}
		for _, tt := range []struct {
			name   string
			header http.Header
			code   int
		}{
			{"by the new secret", sign(newSecret, in.body), 200},
			{"by the old secret", sign(oldSecret, in.body), 200},
			{"by another", sign("whsec_"+strings.Repeat("A", 32), in.body), 401},
			{"by nobody", nil, 401},
			{"by nobody, with the token", http.Header{"Authorization": {"Bearer " + token}}, 401},
		} {
			if w := post(in.body, tt.header); w.Code != tt.code || strings.Contains(w.Body.String(), "whsec_") {
				t.Errorf("%s %s: %d %s, want %d", f.name, tt.name, w.Code, w.Body, tt.code)
			}
		}
		if f.name == gitLab { // whose token says nothing of the body
			continue
		}
		if w := post(append(bytes.Clone(in.body), ' '), sign(newSecret, in.body)); w.Code != 401 {
			t.Errorf("%s: a body that was changed is taken: %d", f.name, w.Code)
		}
		if f.name != cloudEvents {
			continue
		}
		at = time.Now().Add(-tolerance - time.Minute)
		if w := post(in.body, sign(newSecret, in.body)); w.Code != 401 || !strings.Contains(w.Body.String(), "off") {
			t.Errorf("what was signed long ago is taken: %d %s", w.Code, w.Body)
		}
	}
}
