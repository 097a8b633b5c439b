//go:build linux

package ui

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/llm/llmtest"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
)

// A provider stands for a model's. Coordinators are told to start two operators and then
// wait, operators never get an answer, and questions get one in two pieces, the second
// when it may come. Whoever names "no model" is refused, so that the rules analyst does
// the work.
type provider struct {
	calls atomic.Int64
	may   chan struct{}
}

// Pieces of the answer to a question, as the arguments of a call.
var pieces = []string{`{"summary":"Half of its 12345`, ` MB were taken.","findings":["the host of the probe was looked at"],"concerns":["77.7 % of nothing"]}`}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.calls.Add(1)
	raw, err := io.ReadAll(r.Body)
	body := string(raw)
	asks := strings.Contains(body, `"name":"answer"`)
	if err != nil || strings.Contains(body, "no model") && !asks {
		http.Error(w, `{"error":{"message":"no such key"}}`, http.StatusUnauthorized)
		return
	}
	switch {
	case asks:
		llmtest.Call(w, r, "answer", p.may, pieces...)
	case !strings.Contains(body, `"name":"invoke_operators"`):
		<-r.Context().Done() // an operator's
	case strings.Contains(body, `"role":"tool"`):
		llmtest.Call(w, r, "wait", nil, `{"ms":600000,"until":"all"}`)
	default:
		llmtest.Call(w, r, "invoke_operators", nil, `{"skills":["os","logger"]}`)
	}
}

// agents begins anew with a probe, an operator and a coordinator whose model is a
// provider's.
func (s *stage) agents([]byte) (any, error) {
	s.end()
	s.provider = &provider{may: make(chan struct{})}
	s.model = httptest.NewServer(s.provider)
	o := allinone.Options{
		DataDir: s.t.TempDir(), Listen: "127.0.0.1", Probe: watch.New(), Operator: operator.DefaultConfig(), Coordinator: coordinator.DefaultConfig(), Log: natstest.Log(s.t),
		LLM: llm.Config{Default: "slow", Models: map[string]llm.Model{"slow": {Provider: llm.OpenAIGeneric, Model: "m", BaseURL: s.model.URL}}},
	}
	o.Probe.Node, o.Coordinator.Lead = "here", false
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stack, err := allinone.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	s.stack, s.conn = stack, stack.Bus
	if s.raw, err = nats.Connect(stack.Server.URL()); err != nil {
		return nil, err
	}
	s.listen = "127.0.0.1:0"
	return s.startWeb(nil)
}

// release lets the provider go on with its answers.
func (s *stage) release([]byte) (any, error) { close(s.provider.may); return nil, nil }

// asked says how often the provider was asked.
func (s *stage) asked([]byte) (any, error) { return s.provider.calls.Load(), nil }
