package agentproto_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/fleetlens/fleetlens/internal/agentproto"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// What is checked here is what the SDKs of the protocol do
// (https://github.com/synadia-ai/synadia-agents, client-sdk/typescript/src): a caller asks
// with an inbox below _INBOX.agents and reads until a message without body and headers.

var now = time.Now().UTC().Truncate(time.Millisecond)

// A caller is a program of somebody else.
type caller struct {
	*testing.T
	conn *bus.Conn // the coordinator's
	nc   *nats.Conn
}

func newCaller(t *testing.T, every time.Duration) caller {
	t.Helper()
	server := natstest.Run(t)
	conn := natstest.Setup(t, server, "coordinator", "os")
	nc, err := nats.Connect("", nats.InProcessServer(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	stop, err := agentproto.ServeEvery(t.Context(), conn, "prod", "1.2.3", every)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return caller{t, conn, nc}
}

func (c caller) publish(subject string, m protocol.Message) {
	if _, err := c.conn.Publish(c.Context(), bus.Outgoing{Subject: subject, Body: m}); err != nil {
		c.Error(err)
	}
}

// next returns the next message of a subscription.
func (c caller) next(sub *nats.Subscription) *nats.Msg {
	c.Helper()
	m, err := sub.NextMsg(20 * time.Second)
	if err != nil {
		c.Fatal(err)
	}
	return m
}

// prompt asks, and returns where the answer comes.
func (c caller) prompt(body string) *nats.Subscription {
	c.Helper()
	inbox := "_INBOX.agents." + nats.NewInbox()[len("_INBOX."):]
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		c.Fatal(err)
	}
	if err := c.nc.PublishRequest("agents.prompt.fleetlens.prod.coordinator", inbox, []byte(body)); err != nil {
		c.Fatal(err)
	}
	return sub
}

// rest reads an answer until it ends.
func (c caller) rest(sub *nats.Subscription) (texts []string, code string) {
	c.Helper()
	for {
		m := c.next(sub)
		if len(m.Data) == 0 && len(m.Header) == 0 {
			return texts, code
		}
		if got := m.Header.Get("Nats-Service-Error-Code"); got != "" {
			code = got
			texts = append(texts, m.Header.Get("Nats-Service-Error"))
			continue
		}
		var chunk struct{ Type, Data string }
		if err := json.Unmarshal(m.Data, &chunk); err != nil {
			c.Fatalf("%v: %s", err, m.Data)
		}
		texts = append(texts, chunk.Type+" "+chunk.Data)
	}
}

// played has a coordinator of the test's take one request.
func (c caller) played(then func(r protocol.Request)) {
	c.Helper()
	stop, err := c.conn.Subscribe(protocol.RequestSubject, func(m bus.Msg) {
		r, err := protocol.Decode[protocol.Request](m.Data)
		if err != nil {
			c.Error(err)
			return
		}
		then(r)
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(stop)
}

func concluded(r protocol.Request) protocol.Result {
	return protocol.Result{InvestigationID: r.ID, State: protocol.ResultDone, StartedAt: now, EndedAt: now, Insights: []protocol.Insight{{
		ID: "ins-1", InvestigationID: r.ID, CorrelationType: protocol.Causal, Severity: protocol.SeverityCritical, Summary: "disk_used_pct is 97 % on db-3", Grounding: "one run", Confidence: protocol.Medium,
		RootCauseHypothesis: "a log is not rotated", NotChecked: []string{"the network"}, RuledOut: []string{"memory"}, Model: protocol.RulesModel, CreatedAt: now, Trigger: r.Reason,
	}}}
}

func TestAnAgentIsFound(t *testing.T) {
	c := newCaller(t, 30*time.Second)
	m, err := c.nc.Request("$SRV.INFO.agents", nil, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"agent": "fleetlens", "owner": "prod", "protocol_version": "0.3"}, info.Metadata); diff != "" || info.Version != "1.2.3" {
		t.Error(info.Version, diff)
	}
	want := []micro.EndpointInfo{
		{Name: "prompt", Subject: "agents.prompt.fleetlens.prod.coordinator", QueueGroup: "agents", Metadata: map[string]string{"max_payload": "1048576B", "attachments_ok": "false"}},
		{Name: "status", Subject: "agents.status.fleetlens.prod.coordinator", QueueGroup: "agents"},
	}
	if diff := cmp.Diff(want, info.Endpoints); diff != "" {
		t.Error(diff)
	}
	m, err = c.nc.Request("agents.status.fleetlens.prod.coordinator", nil, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var beat map[string]any
	if err := json.Unmarshal(m.Data, &beat); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339, fmt.Sprint(beat["ts"])); err != nil {
		t.Error(err)
	}
	delete(beat, "ts")
	if diff := cmp.Diff(map[string]any{"agent": "fleetlens", "owner": "prod", "instance_id": info.ID, "interval_s": 30.0}, beat); diff != "" {
		t.Error(diff)
	}
}

func TestHeartbeatsComeAtOnceAndAgain(t *testing.T) {
	server := natstest.Run(t)
	nc, err := nats.Connect("", nats.InProcessServer(server))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := caller{t, natstest.Dial(t, server, "coordinator"), nc}
	sub, err := nc.SubscribeSync("agents.hb.*.*.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	stop, err := agentproto.ServeEvery(t.Context(), c.conn, "prod", "devel", 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for range 3 {
		if m := c.next(sub); m.Subject != "agents.hb.fleetlens.prod.coordinator" || !strings.Contains(string(m.Data), `"owner":"prod"`) {
			t.Errorf("%s: %s", m.Subject, m.Data)
		}
	}
}

func TestAPromptIsInvestigated(t *testing.T) {
	for _, body := range []string{"is db-3 healthy?", ` {"prompt":"is db-3 healthy?","attachments":[],"later":1}`} {
		c := newCaller(t, 30*time.Second)
		asked := make(chan string, 1)
		c.played(func(r protocol.Request) {
			asked <- r.Reason
			c.publish(protocol.InvestigationSubject(r.ID, protocol.PhaseFinished), concluded(r))
		})
		texts, code := c.rest(c.prompt(body))
		if got := <-asked; got != "is db-3 healthy?" {
			t.Errorf("asked for %q", got)
		}
		if len(texts) < 2 || texts[0] != "status ack" || code != "" {
			t.Fatalf("got %q, %s", texts, code)
		}
		for _, part := range []string{"response disk_used_pct is 97 % on db-3 (critical", "not grounded (one run): a log", "Not looked at: the network", "no LLM"} {
			if last := texts[len(texts)-1]; !strings.Contains(last, part) {
				t.Errorf("%q is not in %s", part, last)
			}
		}
	}
}

func TestSignsOfLifeAndProgressComeWhileItWorks(t *testing.T) {
	c := newCaller(t, 20*time.Millisecond)
	begun := make(chan protocol.Request, 1)
	c.played(func(r protocol.Request) { begun <- r })
	sub := c.prompt("why?")
	r := <-begun
	acks := 0
	for acks < 3 { // the first, and two more
		if m := c.next(sub); string(m.Data) == `{"type":"status","data":"ack"}` {
			acks++
		}
	}
	c.publish(protocol.InvestigationSubject(r.ID, protocol.PhaseProgress), protocol.Progress{InvestigationID: r.ID, RunID: r.ID, Agent: "os", Step: 1, Text: "looks", At: now})
	for said := ""; said != `{"type":"status","data":"os: looks"}`; {
		said = string(c.next(sub).Data)
	}
	c.publish(protocol.InvestigationSubject(r.ID, protocol.PhaseFinished), concluded(r))
	if texts, code := c.rest(sub); code != "" || !strings.HasPrefix(texts[len(texts)-1], "response ") {
		t.Errorf("got %q, %s", texts, code)
	}
}

func TestWhatIsNoPromptIsRefusedAndEnded(t *testing.T) {
	c := newCaller(t, 30*time.Second)
	for _, tt := range []struct{ name, body, says string }{
		{"nothing", "", "the prompt is empty"},
		{"broken JSON", "{bad", `{"prompt":"…"}`},
		{"an envelope without a prompt", `{"text":"x"}`, `"prompt" is missing`},
		{"an empty prompt", `{"prompt":""}`, `"prompt" is missing or empty`},
		{"a prompt that is no text", `{"prompt":3}`, "prompt"},
		{"attachments", `{"prompt":"x","attachments":[{"filename":"a","content":""}]}`, "not taken"},
		{"blanks", " \n", "reason"},
		{"bytes", "\xff\xfe", "UTF-8"},
		{"too much", strings.Repeat("x", protocol.Limit("request")), "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := caller{t, c.conn, c.nc}
			texts, code := c.rest(c.prompt(tt.body))
			if len(texts) != 1 || code != "400" || !strings.Contains(texts[0], tt.says) {
				t.Errorf("got %q, %s", texts, code)
			}
		})
	}
}

func TestAnInvestigationThatFailsIsAnErrorAndEnds(t *testing.T) {
	c := newCaller(t, 30*time.Second)
	c.played(func(r protocol.Request) {
		c.publish(protocol.InvestigationSubject(r.ID, protocol.PhaseFinished), protocol.Result{InvestigationID: r.ID, State: protocol.ResultFailed, Error: "no model", StartedAt: now, EndedAt: now})
	})
	texts, code := c.rest(c.prompt("why?"))
	if texts[0] != "status ack" || code != "500" || !strings.Contains(texts[len(texts)-1], "failed: no model") {
		t.Errorf("got %q, %s", texts, code)
	}
}

func TestALongAnswerComesInPartsThatFit(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "short": "abc", "of what JSON writes longest": strings.Repeat("\x01", 5000), "of long characters": strings.Repeat("😀", 2000),
	} {
		var got strings.Builder
		for part := range agentproto.Split(text, 1024) {
			got.WriteString(part)
			body, err := json.Marshal(map[string]string{"type": "response", "data": part})
			if err != nil || len(body) > 1024 || !utf8.ValidString(part) {
				t.Errorf("%s: a part of %d bytes, %v", name, len(body), err)
			}
		}
		if got.String() != text {
			t.Errorf("%s: the parts are not the whole", name)
		}
	}
}

func TestTheNameOfAFleet(t *testing.T) {
	for name, right := range map[string]bool{"": true, "prod": true, "eu-1": true, "a_1": false, "a.b": false, "Prod": false, "*": false, strings.Repeat("a", 64): false} {
		if err := agentproto.CheckFleet(name); (err == nil) != right {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzReadPrompt(f *testing.F) {
	for _, s := range []string{"", "why?", `{"prompt":"x"}`, "{bad", " \t{}", `{"prompt":"x","attachments":[1]}`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, err := agentproto.ReadPrompt(data); err == nil && text == "" {
			t.Errorf("%q is the empty prompt", data)
		}
	})
}
