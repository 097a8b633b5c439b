package sinks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestWhatGoesOnAgainIsOpenAgain(t *testing.T) {
	for kind, want := range map[string]string{
		"alertmanager": `"endsAt": "2026-03-14T16:10:00Z"`, // four hours after
		"pagerduty":    `"event_action": "trigger"`,
		"slack-bot":    "goes on again",
		"github":       "goes on again",
		"jira":         "goes on again",
	} {
		f := newFarSide(t, kind)
		n := turned(t, protocol.Reopened, example())
		n.Thread = sinks.Ref{"number": "17", "key": "OPS-24", "channel": "C0123456789", "ts": "1.1"}
		if _, err := opened(t, kind, f).Send(t.Context(), n); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if got := strings.Join(f.seen(), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %s is not in\n%s", kind, want, got)
		}
	}
}

func TestWhereTheThreadIsGoneNothingIsBegun(t *testing.T) {
	for _, kind := range []string{"slack-bot", "github", "jira"} {
		f := newFarSide(t, kind)
		if _, err := opened(t, kind, f).Send(t.Context(), turned(t, protocol.Resolved, example())); err != nil || len(f.seen()) > 0 {
			t.Errorf("%s: %v, %v", kind, err, f.seen())
		}
	}
}

func TestAnIssueIsClosedWhereThatIsWanted(t *testing.T) {
	f := newFarSide(t, "github")
	c := configured(t, "github", f.URL)
	c.Close = true
	s, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	n := turned(t, protocol.Resolved, example())
	n.Thread = sinks.Ref{"number": "17"}
	f.answers = []func(http.ResponseWriter){func(http.ResponseWriter) {}, func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }}
	if n.Ref, err = s.Send(t.Context(), n); err == nil {
		t.Fatal("it could not be closed, and nothing was said")
	}
	if _, err := s.Send(t.Context(), n); err != nil { // it goes on behind the comment
		t.Fatal(err)
	}
	var heads []string
	for _, r := range f.seen() {
		head, _, _ := strings.Cut(r, "\n")
		heads = append(heads, head)
	}
	const issue = "/repos/acme/ops/issues/17"
	if got := strings.Join(heads, ", "); got != "POST "+issue+"/comments, PATCH "+issue+", PATCH "+issue || !strings.Contains(f.seen()[2], `"state": "closed"`) {
		t.Errorf("%s\n%s", got, f.seen()[2])
	}
}

func TestWhoHearsThatItIsOver(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		c    sinks.Config
		want bool
	}{
		{sinks.Config{Type: "pagerduty"}, true},
		{sinks.Config{Type: "pagerduty", Resolved: &no}, false},
		{sinks.Config{Type: "slack", URLEnv: "HOOK"}, false},
		{sinks.Config{Type: "slack", TokenEnv: "BOT"}, true},
		{sinks.Config{Type: "teams"}, false},
		{sinks.Config{Type: "teams", Resolved: &yes}, true},
	} {
		if got := tt.c.Follows(); got != tt.want {
			t.Errorf("%+v: %v", tt.c, got)
		}
	}
	t.Setenv("SINK_TOKEN", token)
	for says, c := range map[string]sinks.Config{
		"close means nothing": {Type: "jira", URL: "https://a", TokenEnv: "SINK_TOKEN", Channel: "OPS", Close: true},
		"leave resolved":      {Type: "github", TokenEnv: "SINK_TOKEN", Channel: "acme/ops", Close: true, Resolved: &no},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want it to say %s", err, says)
		}
	}
}
