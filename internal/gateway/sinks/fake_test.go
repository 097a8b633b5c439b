package sinks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A far side is a fake of what a sink sends to. It refuses what the real one refuses.
type farSide struct {
	*httptest.Server
	mu       sync.Mutex
	requests []func() string // as the golden files have them
	// answers come before the usual ones, one a request.
	answers []func(w http.ResponseWriter)
	check   func(path string, body map[string]any) error
	reply   func(path string, n int) string
}

func newFarSide(t *testing.T, kind string) *farSide {
	t.Helper()
	f := &farSide{check: checks[kind], reply: replies[kind]}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *farSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPatch { // a probe on this machine may look at who listens
		http.NotFound(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.requests = append(f.requests, func() string { return golden(r, raw) })
	if len(f.answers) > 0 {
		f.answers[0](w)
		f.answers = f.answers[1:]
		return
	}
	var list []map[string]any // of alertmanager
	if json.Unmarshal(raw, &list) != nil {
		list = []map[string]any{{}}
		if err := json.Unmarshal(raw, &list[0]); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	for _, body := range list {
		if f.check == nil || r.Method == http.MethodPatch {
			break
		}
		if err := f.check(r.URL.Path, body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if f.reply != nil {
		fmt.Fprint(w, f.reply(r.URL.Path, len(f.requests)))
	}
}

func (f *farSide) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.requests {
		out = append(out, r())
	}
	return out
}

// golden is a request as people read it.
func golden(r *http.Request, raw []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !slices.Contains([]string{"Accept-Encoding", "Content-Length", "User-Agent"}, name) {
			fmt.Fprintf(&b, "%s: %s\n", name, r.Header.Get(name))
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil {
		pretty.Write(raw)
	}
	return b.String() + "\n" + pretty.String() + "\n"
}

// runes of a text at a path of a body; 0: it is not there.
func runes(body map[string]any, path ...string) int {
	var at any = body
	for _, p := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return 0
		}
		at = m[p]
	}
	s, _ := at.(string)
	return utf8.RuneCountInString(s)
}

func atMost(what string, n, most int) error {
	if n > most {
		return fmt.Errorf("%s: %d, at most %d", what, n, most)
	}
	return nil
}

// checks are the limits that the far sides publish.
var checks = map[string]func(path string, body map[string]any) error{
	"slack-webhook": slackLimits, "slack-bot": slackLimits,
	"pagerduty": func(_ string, b map[string]any) error {
		if b["event_action"] == "resolve" { // which needs no more than the keys
			return firstOf(atMost("fields", len(b), 3), atMost("dedup_key", runes(b, "dedup_key"), 255))
		}
		if n := runes(b, "payload", "summary"); n == 0 || n > 1024 {
			return fmt.Errorf("summary: %d", n)
		}
		raw, err := json.Marshal(b)
		return firstOf(err, atMost("dedup_key", runes(b, "dedup_key"), 255), atMost("event", len(raw), 512_000))
	},
	"discord": func(_ string, b map[string]any) error {
		e := b["embeds"].([]any)[0].(map[string]any)
		title, text := runes(e, "title"), runes(e, "description")
		return firstOf(atMost("title", title, 256), atMost("description", text, 4096), atMost("embeds", title+text, 6000))
	},
	"mattermost": func(_ string, b map[string]any) error { return atMost("text", runes(b, "text"), 16_383) },
	"teams": func(_ string, b map[string]any) error {
		var raw bytes.Buffer
		enc := json.NewEncoder(&raw)
		enc.SetEscapeHTML(false)
		return firstOf(enc.Encode(b), atMost("bytes", raw.Len(), 28<<10))
	},
	"github": func(_ string, b map[string]any) error {
		return firstOf(atMost("title", runes(b, "title"), 256), atMost("body", runes(b, "body"), 65_536))
	},
	"jira": func(_ string, b map[string]any) error {
		return firstOf(atMost("summary", runes(b, "fields", "summary"), 255), atMost("description", runes(b, "fields", "description"), 32_767))
	},
	"alertmanager": func(_ string, b map[string]any) error {
		// What its openapi.yaml requires, and what it checks itself.
		labels, ok := b["labels"].(map[string]any)
		if !ok || labels["alertname"] == "" {
			return fmt.Errorf("labels: %v", b["labels"])
		}
		from, err1 := time.Parse(time.RFC3339, b["startsAt"].(string))
		to, err2 := time.Parse(time.RFC3339, b["endsAt"].(string))
		if err1 != nil || err2 != nil || !from.Before(to) {
			return fmt.Errorf("from %v to %v", b["startsAt"], b["endsAt"])
		}
		return nil
	},
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// slackLimits are those of docs.slack.dev/reference/block-kit/blocks.
func slackLimits(_ string, b map[string]any) error {
	blocks := b["blocks"].([]any)
	if err := atMost("blocks", len(blocks), 50); err != nil {
		return err
	}
	for i, v := range blocks {
		block := v.(map[string]any)
		most := map[string]int{"header": 150, "section": 3000}[block["type"].(string)]
		if err := atMost(fmt.Sprintf("invalid_blocks: blocks[%d]", i), runes(block, "text", "text"), most); err != nil {
			return err
		}
		elements, _ := block["elements"].([]any)
		for _, e := range elements {
			element := e.(map[string]any)
			if err := firstOf(atMost("text", runes(element, "text"), 2000), atMost("button", runes(element, "text", "text"), 75), atMost("url", runes(element, "url"), 3000)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replies are the answers of the far sides.
var replies = map[string]func(path string, n int) string{
	"slack-webhook": func(string, int) string { return "ok" },
	"slack-bot": func(_ string, n int) string {
		return fmt.Sprintf(`{"ok":true,"channel":"C0123456789","ts":"1773480000.00000%d"}`, n)
	},
	"pagerduty": func(string, int) string { return `{"status":"success","message":"Event processed","dedup_key":"x"}` },
	"discord":   func(_ string, n int) string { return fmt.Sprintf(`{"id":"4%d"}`, n) },
	"github":    func(string, int) string { return `{"number":17}` },
	"jira":      func(string, int) string { return `{"id":"10000","key":"OPS-24"}` },
}

// signingKey is the secret of the example in the specification of Standard Webhooks.
const signingKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// secrets that no error may hold.
const (
	token  = "secret-token-0123456789"
	hidden = "T000/B000/secretpath"
)

// opened returns a configured sink that sends to a far side.
func opened(t *testing.T, kind string, f *farSide) sinks.Opened {
	t.Helper()
	s, err := configured(t, kind, f.URL).Open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// configured is a configuration of each kind. A webhook's URL is a secret.
func configured(t *testing.T, kind, base string) sinks.Config {
	t.Helper()
	t.Setenv("SINK_URL", base+"/"+hidden)
	t.Setenv("SINK_TOKEN", token)
	t.Setenv("SINK_USER_TOKEN", "me@example.com:"+token)
	t.Setenv("SINK_SECRET", signingKey)
	t.Setenv("SINK_NEW_SECRET", "whsec_"+"bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=")
	return map[string]sinks.Config{
		"webhook":       {Type: "webhook", URLEnv: "SINK_URL", SecretEnvs: []string{"SINK_NEW_SECRET", "SINK_SECRET"}, Private: true},
		"alertmanager":  {Type: "alertmanager", URL: base + "/", TokenEnv: "SINK_TOKEN"},
		"slack-webhook": {Type: "slack", URLEnv: "SINK_URL"},
		"slack-bot":     {Type: "slack", URL: base + "/api", TokenEnv: "SINK_TOKEN", Channel: "C0123456789"},
		"pagerduty":     {Type: "pagerduty", URL: base + "/v2/enqueue", TokenEnv: "SINK_TOKEN"},
		"teams":         {Type: "teams", URLEnv: "SINK_URL"},
		"discord":       {Type: "discord", URLEnv: "SINK_URL"},
		"mattermost":    {Type: "mattermost", URLEnv: "SINK_URL", Channel: "ops"},
		"grafana":       {Type: "grafana", URL: base, TokenEnv: "SINK_TOKEN"},
		"github":        {Type: "github", URL: base, TokenEnv: "SINK_TOKEN", Channel: "acme/ops"},
		"jira":          {Type: "jira", URL: base, TokenEnv: "SINK_USER_TOKEN", Channel: "OPS"},
	}[kind]
}

var allKinds = []string{"webhook", "alertmanager", "slack-webhook", "slack-bot", "pagerduty", "teams", "discord", "mattermost", "grafana", "github", "jira"}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// example is an insight with every part, and with text that wants to be more than text.
func example() protocol.Insight {
	limit := 475.0
	return protocol.Insight{
		ID: "c1f09a7be2d44510", InvestigationID: "5be0c2a47f19d3e8", CorrelationType: protocol.Causal, Severity: protocol.SeverityCritical,
		NotificationIDs: []string{"n1"}, SupportingIDs: []string{"n1"}, MatchedObservations: []string{},
		Summary:             "Checkout is slow: PostgreSQL on db-3 has 500 of 500 connections in use, 9 ms <!channel> @here.",
		RootCauseHypothesis: "The deploy raised the pool & more *connections* came, see [this](http://evil.example/).", HypothesisGrounded: true,
		Grounding: "2 verified notifications of 2 runs", Confidence: protocol.High, Nodes: []string{"db-3", "web-1"}, Skills: []string{"postgres", "runtime"},
		Evidence: []protocol.Evidence{{Address: "s1#used", Node: "db-3", Target: "pg-main", Name: "connections_used", Value: 500.0, Threshold: &limit}},
		Figures:  []protocol.Figure{{Text: "500", Value: 500, Found: true, Evidence: "s1#used"}, {Text: "9 ms", Value: 9, Nearest: "1.1 ms (s2#latency_ms)"}},
		Chain:    []protocol.ChainLink{{At: noon.Add(-2 * time.Minute), Node: "web-1", What: "deploy 2026.3.14-2", Role: "change"}},
		RuledOut: []string{"CPU of db-3 (41 %)"}, NotChecked: []string{"network: no worker serves it"}, Trigger: "checkout is slow",
		SuggestedActions: []string{"Roll back, or set the pool to 20."}, CreatedAt: noon, Model: "haiku",
	}
}

func note(t *testing.T, i protocol.Insight) sinks.Note {
	t.Helper()
	body, err := protocol.Encode(i)
	if err != nil {
		t.Fatal(err)
	}
	return sinks.Note{
		Insight: i, Body: body, Envelope: protocol.NewEnvelope(i, i.ID, "coordinator/one two", i.CreatedAt), Message: message.Of(i, "https://fleet.example"), At: noon,
	}
}

// turned is a note that says that insights are over, or go on again.
func turned(t *testing.T, state string, told ...protocol.Insight) sinks.Note {
	t.Helper()
	r := protocol.Resolution{
		ID: "3c9d1e0f7a6b5c4d", Group: told[0].Thread(), State: state, Why: "all that it was about was reported as over", Since: noon.Add(-4 * time.Minute), At: noon.Add(10 * time.Minute),
	}
	for _, i := range told {
		r.Insights = append(r.Insights, i.ID)
	}
	body, err := protocol.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	return sinks.Note{
		Insight: last, Told: told, Turn: &r, Body: body, Envelope: protocol.NewEnvelope(r, r.ID, "coordinator/one two", r.At), At: r.At,
		Message: message.Turn(r, last, "https://fleet.example"), Now: message.Turned(r, last, "https://fleet.example"),
	}
}
