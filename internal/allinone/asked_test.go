package allinone_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/llm/llmtest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// slow is a provider that answers questions piece by piece, the second piece when it
// may, and refuses whatever else it is asked.
func slow(t *testing.T, args [2]string, may <-chan struct{}) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), `"name":"answer"`) {
			http.Error(w, `{"error":{"message":"no such key"}}`, http.StatusUnauthorized)
			return
		}
		llmtest.Call(w, r, "answer", may, args[:]...)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAnAnswerIsReadWhileItIsWritten(t *testing.T) {
	may := make(chan struct{})
	url := slow(t, [2]string{`{"summary":"Of the 3 n`, `odes 1 was looked at, at 12345 MB.","findings":["99.9 % of it"]}`}, may)
	conn := up(t, nil, func(o *allinone.Options) {
		o.Deciders = nil
		o.LLM = llm.Config{Default: "slow", Models: map[string]llm.Model{"slow": {Provider: llm.OpenAIGeneric, Model: "m", BaseURL: url}}}
	})
	if r := ask(t, conn, protocol.Request{Reason: "is it well?", ID: "inv-slow", Skills: []string{"os"}}); len(r.Insights) != 1 {
		t.Fatalf("result %+v", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var parts []protocol.AskPart
	raw, err := conn.RequestParts(ctx, protocol.AskSubject, protocol.Ask{ID: "inv-slow", Text: "how full?", Parts: true}, func(body []byte) {
		p, err := protocol.Decode[protocol.AskPart](body)
		if err != nil {
			t.Error(err)
		}
		if parts = append(parts, p); len(parts) == 1 {
			close(may) // the rest is written when the first part was read
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := protocol.Decode[protocol.AskReply](raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) == 0 || parts[0].Summary != "Of the 3 n" {
		t.Errorf("parts %+v", parts)
	}
	if r.Summary != "Of the 3 nodes 1 was looked at, at 12345 MB." || len(r.Figures) != 2 || len(r.Figures[0]) != 1 || len(r.Figures[1]) != 1 {
		t.Fatalf("reply %+v", r)
	}
	for k, text := range []string{"12345 MB", "99.9 %"} { // no host said so
		if f := r.Figures[k][0]; f.Text != text || f.Found {
			t.Errorf("figure %+v, want %s not found", f, text)
		}
	}

	whole, err := request[protocol.AskReply](t, conn, protocol.AskSubject, protocol.Ask{ID: "inv-slow", Text: "how full?"})
	if err != nil || whole.Summary != r.Summary {
		t.Errorf("without parts: %+v, %v", whole, err)
	}
}
