package llm_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// serve starts a fake provider that speaks a wire, and returns a decider that asks
// it. Every request is checked: where it goes, and who it says it is.
func (w wire) serve(t *testing.T, stream bool, answer http.HandlerFunc) agent.Decider {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write(raw(obj{"access_token": key, "token_type": "Bearer", "expires_in": 3600}))
			return
		}
		if r.Header.Get("User-Agent") == "fleetlens-probe" { // of another test: it asks every Go program of the machine once
			http.NotFound(rw, r)
			return
		}
		if got := r.URL.RequestURI(); got != w.path(stream) {
			t.Errorf("request to %s, want %s", got, w.path(stream))
		}
		if header, begins := w.proof(); header != "" && !strings.HasPrefix(r.Header.Get(header), begins) {
			t.Errorf("header %s: %q", header, r.Header.Get(header))
		}
		answer(rw, r)
	}))
	t.Cleanup(server.Close)
	w.env(t, server.URL)
	m := w.model
	m.BaseURL = server.URL
	if !stream {
		m.Stream = new(bool)
	}
	cfg := llm.Config{Default: "small", Models: map[string]llm.Model{"small": m}}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	deciders, err := cfg.Deciders(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deciders("")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// body returns an answer on the wire, and its kind.
func (w wire) body(stream bool, s said) ([]byte, string) {
	if stream {
		return w.parts(s), w.kind
	}
	return w.whole(s), "application/json"
}

func (w wire) answers(stream bool, s said) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		var req map[string]any
		_ = json.NewDecoder(r.Body).Decode(&req)
		body, kind := w.body(stream, s)
		rw.Header().Set("Content-Type", kind)
		_, _ = rw.Write(body)
	}
}

// half writes the first half of an answer and leaves the rest to then.
func (w wire) half(stream bool, then func(r *http.Request)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		body, kind := w.body(stream, said{text: strings.Repeat("why? ", 400)})
		rw.Header().Set("Content-Type", kind)
		_, _ = rw.Write(body[:len(body)/2])
		rw.(http.Flusher).Flush()
		then(r)
	}
}

// each runs a test for every provider, with and without streams.
func each(t *testing.T, f func(t *testing.T, w wire, stream bool)) {
	for _, w := range wires() {
		for _, stream := range []bool{true, false} {
			name := w.name + ", whole"
			if stream {
				name = w.name + ", streamed"
			}
			t.Run(name, func(t *testing.T) { f(t, w, stream) })
		}
	}
}

func TestEveryProviderAnswers(t *testing.T) {
	long := strings.Repeat("why? ", 40_000)
	one := called{"call_1", "take_snapshot", `{"targets":["web-1"]}`}
	for _, tt := range []struct {
		name string
		said said
	}{
		{"one call", said{calls: []called{one}}},
		{"words and two calls", said{"Both.", []called{one, {"call_2", "think", `{"thought":"hm"}`}}}},
		{"words without a call", said{text: "I am done."}},
		{"a tool that does not exist", said{calls: []called{{"call_1", "rm", `{"-rf":"/"}`}}}},
		{"a call without arguments", said{calls: []called{{"call_1", "done", `{}`}}}},
		{"200 KB of text", said{text: long}},
		{"200 KB of text, and a call", said{long, []called{one}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, w wire, stream bool) {
				got, err := w.serve(t, stream, w.answers(stream, tt.said)).Decide(t.Context(), view())
				if err != nil {
					t.Fatal(err)
				}
				want := protocol.Answer{
					Text: tt.said.text, Model: "small (" + w.model.Model + ")",
					Usage: protocol.Usage{InputTokens: 1200, OutputTokens: 34, CachedTokens: 900, LLMCalls: 1},
				}
				if strings.Contains(w.model.Model, "claude") { // the others do not say it
					want.Usage.CacheWriteTokens = 200
				}
				got.Usage.CostUSD = nil // see TestPrices
				for _, c := range tt.said.calls {
					if !w.ids {
						c.id = ""
					}
					want.Calls = append(want.Calls, protocol.ToolCall{ID: c.id, Tool: c.name, Args: c.args})
				}
				got.Extra = nil
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestEveryProviderFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(w wire, stream bool) http.HandlerFunc
		final  bool
		delay  time.Duration // the provider's; 0: the loop's own
	}{
		{"400", refuses(400, ""), true, 0},
		{"401", refuses(401, ""), true, 0},
		{"403", refuses(403, ""), true, 0},
		{"404", refuses(404, ""), true, 0},
		{"408", refuses(408, ""), false, 0},
		{"429", refuses(429, ""), false, 0},
		{"429 with Retry-After", refuses(429, "17"), false, 17 * time.Second},
		{"500", refuses(500, ""), false, 0},
		{"529", refuses(529, ""), false, 0},
		{"an answer that is cut", func(w wire, stream bool) http.HandlerFunc {
			return w.half(stream, func(*http.Request) { panic(http.ErrAbortHandler) })
		}, false, 0},
		{"an answer that ends too early", func(w wire, stream bool) http.HandlerFunc {
			return w.half(stream, func(*http.Request) {})
		}, false, 0},
		{"no JSON", func(w wire, stream bool) http.HandlerFunc {
			kind := "application/json"
			if stream {
				kind = w.kind
			}
			return status(200, map[string]string{"Content-Type": kind}, "data: {\"oops\n\n")
		}, false, 0},
		{"a page", func(wire, bool) http.HandlerFunc {
			return status(200, map[string]string{"Content-Type": "text/html"}, "<html>"+strings.Repeat("x", 100_000))
		}, false, 0},
		{"nothing", func(wire, bool) http.HandlerFunc { return status(200, nil, "") }, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, w wire, stream bool) {
				d := w.serve(t, stream, tt.answer(w, stream))
				a, err := d.Decide(t.Context(), view())
				if err == nil {
					t.Fatalf("no error, but %+v", a)
				}
				if errors.Is(err, agent.ErrFinal) != tt.final || len(err.Error()) > 3000 {
					t.Errorf("final %v, %d bytes: %v", errors.Is(err, agent.ErrFinal), len(err.Error()), err)
				}
				if strings.Contains(err.Error(), key[:12]) {
					t.Errorf("the key is in: %v", err)
				}
				if tt.delay > 0 {
					if r := restAfter(t, d); r == nil || r.DelayMS != tt.delay.Milliseconds() {
						t.Errorf("the loop rests %+v, want %s", r, tt.delay)
					}
				}
			})
		})
	}
}

// refuses answers with a status; the body repeats who asked, as some do.
func refuses(code int, after string) func(w wire, stream bool) http.HandlerFunc {
	return func(w wire, _ bool) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			header, _ := w.proof()
			rw.Header().Set("Content-Type", "application/json")
			if after != "" {
				rw.Header().Set("Retry-After", after)
			}
			rw.WriteHeader(code)
			_, _ = io.WriteString(rw, strings.ReplaceAll(w.fault, "so", "so, "+r.Header.Get(header)))
		}
	}
}

func TestAnAnswerThatStandsStillIsGivenUp(t *testing.T) {
	each(t, func(t *testing.T, w wire, stream bool) {
		w.model.StallTimeout = 50 * time.Millisecond
		d := w.serve(t, stream, w.half(stream, func(r *http.Request) { <-r.Context().Done() }))
		_, err := d.Decide(t.Context(), view())
		stalled, ok := errors.AsType[*llm.StallError](err)
		if !ok || stalled.After != w.model.StallTimeout || errors.Is(err, agent.ErrFinal) {
			t.Errorf("error %v", err)
		}
	})
}

func TestEveryProviderIsAskedOnce(t *testing.T) {
	each(t, func(t *testing.T, w wire, stream bool) {
		asked := 0
		refuse := refuses(500, "")(w, stream)
		d := w.serve(t, stream, func(rw http.ResponseWriter, r *http.Request) { asked++; refuse(rw, r) })
		if _, err := d.Decide(t.Context(), view()); err == nil || asked != 1 {
			t.Errorf("asked %d times: the loop counts tries; %v", asked, err)
		}
	})
}
