package sinks_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var update = flag.Bool("update", false, "write the golden files")

// compare holds what was sent against a golden file.
func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it): %s", file, diff)
	}
}

func TestEachSinkSendsWhatItsGoldenFileSays(t *testing.T) {
	for _, kind := range allKinds {
		t.Run(kind, func(t *testing.T) {
			f := newFarSide(t, kind)
			s := opened(t, kind, f)
			first := note(t, example())
			ref, err := s.Send(t.Context(), first)
			if err != nil {
				t.Fatal(err)
			}
			second := note(t, func() protocol.Insight {
				i := example()
				i.ID, i.Supersedes, i.Severity = "d200000000000000", "c1f09a7be2d44510", protocol.SeverityWarning
				return i
			}())
			second.Again, second.Thread = true, ref
			over := turned(t, protocol.Resolved, first.Insight, second.Insight)
			over.Thread = ref
			for _, n := range []sinks.Note{second, over} {
				if _, err := s.Send(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			got := strings.Join(f.seen(), "\n")
			compare(t, kind+".http", got)
		})
	}
}

// filled returns an insight whose texts have n times s each, of lists of as many.
func filled(s string, n, items int) protocol.Insight {
	i, text := example(), strings.Repeat(s, n)
	i.Summary, i.RootCauseHypothesis, i.Grounding, i.Model = text, text, text, text
	i.RuledOut, i.NotChecked, i.SuggestedActions, i.Chain, i.Evidence = nil, nil, nil, nil, nil
	for k := range items {
		i.RuledOut = append(i.RuledOut, text)
		i.NotChecked = append(i.NotChecked, text)
		i.SuggestedActions = append(i.SuggestedActions, text)
		i.Evidence = append(i.Evidence, protocol.Evidence{Address: fmt.Sprint(k), Name: text, Value: text})
		i.Chain = append(i.Chain, protocol.ChainLink{At: noon, What: text})
	}
	i.Nodes, i.Skills = []string{text}, []string{text}
	return i
}

func TestEachSinkTakesTheLargestInsights(t *testing.T) {
	large := map[string]sinks.Note{}
	encoded := func(s string) int { // in JSON
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(s, "<>&") {
			return len(s)
		}
		return len(raw) - 2
	}
	for _, s := range []string{"a", "😀", "&", "*", "\"", "#", "://", "www."} {
		large["one long text of "+s] = note(t, filled(s, 250<<10/12/encoded(s), 1))
		large["many texts of "+s] = note(t, filled(s, 60, 240<<10/(6*60*encoded(s)+400)))
	}
	for _, kind := range allKinds {
		t.Run(kind, func(t *testing.T) {
			f := newFarSide(t, kind)
			s := opened(t, kind, f)
			for name, n := range large {
				n.Again = true
				if _, err := s.Send(t.Context(), n); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// TestAtEachLengthASinkIsSentWhatItTakes goes over the lengths around every limit.
func TestAtEachLengthASinkIsSentWhatItTakes(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		limit int // of the title, its mark included
		title func(body map[string]any) string
	}{
		{"slack-webhook", 150, func(b map[string]any) string {
			return b["blocks"].([]any)[0].(map[string]any)["text"].(map[string]any)["text"].(string)
		}},
		{"pagerduty", 1024, func(b map[string]any) string { return b["payload"].(map[string]any)["summary"].(string) }},
		{"discord", 256, func(b map[string]any) string { return b["embeds"].([]any)[0].(map[string]any)["title"].(string) }},
		{"github", 256, func(b map[string]any) string { return b["title"].(string) }},
		{"jira", 255, func(b map[string]any) string { return b["fields"].(map[string]any)["summary"].(string) }},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			f := newFarSide(t, tt.kind)
			s := opened(t, tt.kind, f)
			mark := len([]rune("▲ critical: "))
			// Where a colon may be escaped it counts twice.
			room := tt.limit - mark
			if tt.kind == "discord" || tt.kind == "github" || tt.kind == "jira" {
				room--
			}
			for n := room - 2; n <= room+2; n++ {
				i := example()
				i.Summary = strings.Repeat("ä", n)
				if _, err := s.Send(t.Context(), note(t, i)); err != nil {
					t.Fatal(err)
				}
				seen := f.seen()
				if tt.kind == "slack-webhook" {
					seen = seen[len(seen)-1:]
				}
				_, raw, _ := strings.Cut(seen[len(seen)-1], "\n\n")
				var body map[string]any
				if err := json.Unmarshal([]byte(raw), &body); err != nil {
					t.Fatal(err)
				}
				got := tt.title(body)
				if whole := strings.HasSuffix(got, i.Summary); whole != (n <= room) {
					t.Errorf("%d runes of %d: whole %v", n, room, whole)
				}
				if n > room && !strings.HasSuffix(got, "…") {
					t.Errorf("%d runes of %d end without a note: %q", n, room, got)
				}
			}
		})
	}
}

func TestAWebhookIsSignedByBothSecrets(t *testing.T) {
	f := newFarSide(t, "webhook")
	s := opened(t, "webhook", f)
	n := note(t, example())
	n.At = time.Now()
	if _, err := s.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(f.seen()[0], "\n\n")
	header := http.Header{}
	for line := range strings.Lines(head) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			header.Set(k, v)
		}
	}
	for _, secret := range []string{signingKey, os.Getenv("SINK_NEW_SECRET")} {
		receiver, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := receiver.Verify(n.Body, header); err != nil {
			t.Errorf("who knows %s refuses it: %v", secret, err)
		}
		if err := receiver.Verify(append(n.Body, ' '), header); err == nil {
			t.Error("a body that was changed is taken")
		}
	}
}

func TestAFarSideThatIsBusyIsObeyed(t *testing.T) {
	for _, kind := range allKinds {
		t.Run(kind, func(t *testing.T) {
			f := newFarSide(t, kind)
			s := opened(t, kind, f)
			c := configured(t, kind, f.URL)
			_, password, _ := strings.Cut(os.Getenv(c.TokenEnv), ":")
			echo := strings.Join([]string{os.Getenv(c.URLEnv), os.Getenv(c.TokenEnv), password}, " ")
			if c.URLEnv != "" {
				echo += " /" + hidden
			}
			answer := func(code int, after string) func(w http.ResponseWriter) {
				return func(w http.ResponseWriter) {
					if after != "" {
						w.Header().Set("Retry-After", after)
					}
					http.Error(w, "no "+echo+" here", code)
				}
			}
			for _, tt := range []struct {
				name           string
				answer         func(w http.ResponseWriter)
				retry, unknown bool
				after          time.Duration
			}{
				{"429 with seconds", answer(429, "7"), true, false, 7 * time.Second},
				{"429 with a fraction", answer(429, "0.5"), true, false, 500 * time.Millisecond},
				{"429 without", answer(429, ""), true, false, 0},
				{"503", answer(503, "9"), true, false, 9 * time.Second},
				{"500 may have worked", answer(500, ""), true, true, 0},
				{"404 is for good", answer(404, ""), false, false, 0},
				{"a redirect is not followed", func(w http.ResponseWriter) { w.Header().Set("Location", f.URL+"/elsewhere"); w.WriteHeader(307) }, false, false, 0},
			} {
				before := len(f.seen())
				f.answers = []func(http.ResponseWriter){tt.answer}
				_, err := s.Send(t.Context(), note(t, example()))
				if err == nil {
					t.Fatalf("%s: it was taken", tt.name)
				}
				failure, ok := errors.AsType[*sinks.Failure](err)
				if ok != tt.retry || ok && (failure.Unknown != tt.unknown || failure.After != tt.after) {
					t.Errorf("%s: %+v (%v)", tt.name, failure, err)
				}
				if strings.Contains(err.Error(), token) || strings.Contains(err.Error(), hidden) {
					t.Errorf("%s: the error holds a secret: %v", tt.name, err)
				}
				if n := len(f.seen()) - before; n != 1 {
					t.Errorf("%s: %d requests", tt.name, n)
				}
			}
		})
	}
}

func TestAConnectionThatFails(t *testing.T) {
	f := newFarSide(t, "slack-webhook")
	s := opened(t, "slack-webhook", f)
	send := func() *sinks.Failure {
		t.Helper()
		_, err := s.Send(t.Context(), note(t, example()))
		failure, ok := errors.AsType[*sinks.Failure](err)
		if !ok || strings.Contains(err.Error(), hidden) {
			t.Fatalf("%v", err)
		}
		return failure
	}
	f.answers = []func(http.ResponseWriter){func(http.ResponseWriter) { panic(http.ErrAbortHandler) }}
	if !send().Unknown {
		t.Error("what broke off may have arrived")
	}
	f.Close()
	if send().Unknown {
		t.Error("where nobody listens nothing arrived")
	}
}

func TestAWebhookGoesToPublicAddressesOnly(t *testing.T) {
	f := newFarSide(t, "webhook")
	c := configured(t, "webhook", f.URL)
	c.Private = false
	s, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Send(t.Context(), note(t, example()))
	if _, retry := errors.AsType[*sinks.Failure](err); err == nil || retry || !strings.Contains(err.Error(), "private: true") {
		t.Errorf("to loopback: %v", err)
	}
	if len(f.seen()) > 0 {
		t.Error("it arrived")
	}
}

func TestSlackSaysItsFaultsWith200(t *testing.T) {
	f := newFarSide(t, "slack-bot")
	s := opened(t, "slack-bot", f)
	says := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { fmt.Fprint(w, text) }
	}
	for _, tt := range []struct {
		says           string
		retry, unknown bool
	}{
		{`{"ok":false,"error":"ratelimited"}`, true, false},
		{`{"ok":false,"error":"internal_error"}`, true, true},
		{`{"ok":false,"error":"channel_not_found"}`, false, false},
		{`<html>`, true, true},
	} {
		f.answers = []func(http.ResponseWriter){says(tt.says)}
		_, err := s.Send(t.Context(), note(t, example()))
		failure, ok := errors.AsType[*sinks.Failure](err)
		if err == nil || ok != tt.retry || ok && failure.Unknown != tt.unknown {
			t.Errorf("%s: %v", tt.says, err)
		}
	}
}

func TestABotGoesOnBehindItsFirstMessage(t *testing.T) {
	f := newFarSide(t, "slack-bot")
	s := opened(t, "slack-bot", f)
	n := note(t, example())
	f.answers = []func(http.ResponseWriter){
		func(w http.ResponseWriter) { fmt.Fprint(w, `{"ok":true,"channel":"C0123456789","ts":"1.1"}`) },
		func(w http.ResponseWriter) { w.WriteHeader(429) },
	}
	ref, err := s.Send(t.Context(), n)
	if err == nil || ref["ts"] != "1.1" {
		t.Fatalf("%v, %v", ref, err)
	}
	n.Ref = ref
	if ref, err = s.Send(t.Context(), n); err != nil || ref["ts"] != "1.1" {
		t.Fatalf("%v, %v", ref, err)
	}
	seen := f.seen()
	if len(seen) != 3 || strings.Contains(seen[0], "thread_ts") || !strings.Contains(seen[2], `"thread_ts": "1.1"`) {
		t.Errorf("%d requests: %s", len(seen), strings.Join(seen, "\n"))
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	t.Setenv("SINK_URL", "https://hooks.example/"+hidden)
	t.Setenv("SINK_NONE", "")
	t.Setenv("SINK_WEAK", "whsec_c2hvcnQ=")
	t.Setenv("SINK_TOKEN", token)
	for _, tt := range []struct {
		name string
		c    sinks.Config
		says string
	}{
		{"an unknown type", sinks.Config{Type: "slak"}, "have webhook, alertmanager, slack"},
		{"no url", sinks.Config{Type: "teams"}, "url or url_env is required"},
		{"a url that is none", sinks.Config{Type: "teams", URL: "hooks.example/" + hidden}, "the url is none"},
		{"two urls", sinks.Config{Type: "teams", URL: "https://a", URLEnv: "SINK_URL"}, "one is enough"},
		{"an empty variable", sinks.Config{Type: "teams", URLEnv: "SINK_NONE"}, "SINK_NONE is empty"},
		{"a setting of another type", sinks.Config{Type: "teams", URLEnv: "SINK_URL", Channel: "x"}, "channel means nothing"},
		{"a weak secret", sinks.Config{Type: "webhook", URLEnv: "SINK_URL", SecretEnvs: []string{"SINK_WEAK"}}, "openssl rand"},
		{"slack without anything", sinks.Config{Type: "slack"}, "an incoming webhook"},
		{"a bot without a channel", sinks.Config{Type: "slack", TokenEnv: "SINK_TOKEN"}, "channel is required"},
		{"a repository without owner", sinks.Config{Type: "github", TokenEnv: "SINK_TOKEN", Channel: "ops"}, "owner/repository"},
		{"jira's token without a user", sinks.Config{Type: "jira", URL: "https://a", TokenEnv: "SINK_TOKEN", Channel: "OPS"}, "user:token"},
		{"a wrong severity", sinks.Config{Type: "teams", URLEnv: "SINK_URL", When: sinks.When{MinSeverity: "high"}}, "info, warning or critical"},
	} {
		if err := tt.c.Validate(); err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v, want it to say %s", tt.name, err, tt.says)
		}
	}
}

func TestWhen(t *testing.T) {
	labels := func(node string) (map[string]string, error) {
		return map[string]map[string]string{"db-3": {"role": "db"}, "web-1": {"role": "web", "zone": "a"}}[node], nil
	}
	for _, tt := range []struct {
		name string
		c    sinks.Config
		want bool
	}{
		{"without conditions", sinks.Config{}, true},
		{"severe enough", sinks.Config{When: sinks.When{MinSeverity: "critical"}}, true},
		{"one of the skills", sinks.Config{When: sinks.When{Skills: []string{"os", "runtime"}}}, true},
		{"none of the skills", sinks.Config{When: sinks.When{Skills: []string{"os"}}}, false},
		{"one node has all labels", sinks.Config{When: sinks.When{Labels: map[string]string{"role": "web", "zone": "a"}}}, true},
		{"two nodes together have them", sinks.Config{When: sinks.When{Labels: map[string]string{"role": "db", "zone": "a"}}}, false},
		{"grounded", sinks.Config{When: sinks.When{Grounded: true}}, true},
	} {
		if got, err := tt.c.Wants(example(), labels); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
	i := example()
	i.HypothesisGrounded, i.Severity, i.Confidence = false, protocol.SeverityInfo, protocol.Low
	for name, c := range map[string]sinks.Config{
		"not grounded": {When: sinks.When{Grounded: true}}, "not severe": {When: sinks.When{MinSeverity: "warning"}},
		"not sure": {When: sinks.When{MinConfidence: "medium"}}, "a pager for a guess": {Type: "pagerduty"},
	} {
		if got, _ := c.Wants(i, labels); got {
			t.Errorf("%s: it is sent", name)
		}
	}
	if got, _ := (sinks.Config{Type: "pagerduty", When: sinks.When{MinConfidence: "low"}}).Wants(i, labels); !got {
		t.Error("a pager that asked for guesses gets none")
	}
	i.CorrelationType = protocol.None
	if got, _ := (sinks.Config{}).Wants(i, labels); got {
		t.Error("nothing wrong is sent unasked")
	}
	if got, _ := (sinks.Config{When: sinks.When{NothingWrong: true}}).Wants(i, labels); !got {
		t.Error("nothing wrong was asked for")
	}
}
