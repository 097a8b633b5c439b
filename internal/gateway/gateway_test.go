package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// TestMain sets the secrets of all tests, so that they may run beside each other: most of the
// time they wait for a server.
func TestMain(m *testing.M) {
	for name, secret := range map[string]string{"SINK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "SINK_TOKEN": "xoxb-1"} {
		if err := os.Setenv(name, secret); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// A farSide takes what is posted, and says first what it is told to say.
type farSide struct {
	*httptest.Server
	mu     sync.Mutex
	posts  []post
	refuse []func(w http.ResponseWriter)
}

type post struct {
	path, id, body string
	at             time.Time
}

func newFarSide(t *testing.T) *farSide {
	t.Helper()
	f := &farSide{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *farSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost { // a probe on this machine may look at who listens
		http.NotFound(w, r)
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts = append(f.posts, post{r.URL.Path, r.Header.Get("webhook-id"), string(raw), time.Now()})
	if len(f.refuse) > 0 {
		f.refuse[0](w)
		f.refuse = f.refuse[1:]
		return
	}
	fmt.Fprintf(w, `{"ok":true,"channel":"C0123456789","ts":"1.%d"}`, len(f.posts))
}

func (f *farSide) got() []post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.posts)
}

// await returns the posts when there are n.
func (f *farSide) await(t *testing.T, n int) []post {
	t.Helper()
	eventually(t, fmt.Sprintf("%d posts", n), func() bool { return len(f.got()) >= n })
	return f.got()
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func insight(id, investigation string) protocol.Insight {
	return protocol.Insight{
		ID: id, InvestigationID: investigation, CorrelationType: protocol.Temporal, Severity: protocol.SeverityWarning, Summary: "summary of " + id,
		Grounding: "no hypothesis", Confidence: protocol.High, Nodes: []string{"web-1"}, Skills: []string{"os"}, CreatedAt: time.Now().UTC(), Model: protocol.RulesModel,
	}
}

func publish(t *testing.T, c *bus.Conn, i protocol.Insight) {
	t.Helper()
	if _, err := c.Publish(t.Context(), bus.Outgoing{
		Subject: protocol.InsightSubject(string(i.Severity), string(i.CorrelationType), i.InvestigationID), Body: i, ID: i.ID, Dedupe: true,
	}); err != nil {
		t.Fatal(err)
	}
}

// start runs a gateway that ends with the test.
func start(t *testing.T, c *bus.Conn, cfg Config) (stop func()) {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- Run(ctx, cfg, Deps{Log: natstest.Log(t), Bus: c, Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func webhook(f *farSide) sinks.Config {
	return sinks.Config{Type: "webhook", URL: f.URL, SecretEnvs: []string{"SINK_SECRET"}, Private: true}
}

func chat(f *farSide) sinks.Config { return sinks.Config{Type: "mattermost", URL: f.URL} }

// settled waits until nothing of a sink is left to be sent.
func settled(t *testing.T, c *bus.Conn, name string) {
	t.Helper()
	eventually(t, name+" has nothing left", func() bool {
		s, err := c.ConsumerState(t.Context(), bus.Sink(name))
		return err == nil && s.Waiting == 0 && s.Working == 0
	})
}

// hooked is a sink with something before and after its attempt.
type hooked struct {
	sinks.Sink
	before, after func()
}

func (h hooked) Send(ctx context.Context, n sinks.Note) (sinks.Ref, error) {
	h.before()
	ref, err := h.Sink.Send(ctx, n)
	h.after()
	return ref, err
}

// TestAGatewayIsKilledAtEachStep: what was killed did nothing any more, and another goes
// on. Nothing is lost; a repeat carries the same key, or says that it may be one.
func TestAGatewayIsKilledAtEachStep(t *testing.T) {
	const repeat = "maybe a repeat"
	t.Parallel()
	for _, tt := range []struct {
		step  string
		posts int
		marks int // of them, where the far side has no key
	}{
		{"before it stored what it was about to do", 1, 0},
		{"before it sent", 1, 1},
		{"after it sent", 2, 1},
		{"after it stored what it had done", 1, 0},
	} {
		for _, kind := range []string{"webhook", "chat", "e-mail", "webhook, that it is over", "chat, that it is over"} {
			t.Run(tt.step+", "+kind, func(t *testing.T) {
				t.Parallel()
				server := natstest.Run(t)
				conn, f := natstest.Setup(t, server, "test"), newFarSide(t)
				cfg := chat(f)
				keyed := strings.HasPrefix(kind, "webhook")
				switch {
				case keyed:
					cfg = webhook(f)
				case kind == "e-mail":
					cfg = sinks.Config{Type: "email", URL: newMailServer(t, f), From: "fleetlens@example.com", To: []string{"ops@example.com"}}
				}
				follows := true
				cfg.Resolved = &follows
				con := bus.Sink("team")
				con.AckWait = 300 * time.Millisecond
				if err := conn.EnsureConsumer(t.Context(), con); err != nil {
					t.Fatal(err)
				}
				publish(t, conn, insight("c1", "i1"))
				if strings.HasSuffix(kind, "over") {
					stop := start(t, conn, Config{Sinks: map[string]sinks.Config{"team": cfg}})
					settled(t, conn, "team")
					stop()
					turn(t, conn, 1, "i1", "c1")
				}
				before := len(f.got())

				victim := natstest.Dial(t, server, "victim")
				dies := func(step string) func() {
					return func() {
						if step == tt.step {
							victim.Close()
							runtime.Goexit()
						}
					}
				}
				opened, err := cfg.Open()
				if err != nil {
					t.Fatal(err)
				}
				opened.Sink = hooked{opened.Sink, dies("before it sent"), dies("after it sent")}
				o := &outlet{name: "team", cfg: cfg, Opened: opened, by: "victim", conn: victim, log: natstest.Log(t), tells: newTells(signals.Providers{}), now: time.Now}
				ctx, stop := context.WithCancel(t.Context())
				_ = victim.Consume(ctx, 1, []bus.Consumer{con}, func(ctx context.Context, d *bus.Delivery) error {
					defer stop()
					dies("before it stored what it was about to do")()
					err := o.handle(ctx, d)
					dies("after it stored what it had done")()
					return err
				})

				start(t, conn, Config{Sinks: map[string]sinks.Config{"team": cfg}})
				settled(t, conn, "team")
				posts := f.got()[before:]
				marks, keys := 0, map[string]bool{}
				for _, p := range posts {
					keys[p.id] = true
					if strings.Contains(p.body, repeat) {
						marks++
					}
				}
				want := tt.marks
				if keyed { // it has the key instead
					want = 0
				}
				if len(posts) != tt.posts || marks != want || len(keys) != 1 {
					t.Errorf("%d posts, %d marked, %d keys; want %d, %d, 1", len(posts), marks, len(keys), tt.posts, want)
				}
			})
		}
	}
}

func TestWhatAGatewayIsSendingWhenItStopsIsNoRepeat(t *testing.T) {
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	f.refuse = []func(http.ResponseWriter){func(http.ResponseWriter) { close(asked); <-answer }}
	cfg := Config{Sinks: map[string]sinks.Config{"team": chat(f)}}
	stop := start(t, conn, cfg)
	publish(t, conn, insight("c1", "i1"))
	<-asked
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(answer)
	<-stopped
	start(t, conn, cfg)
	settled(t, conn, "team")
	if posts := f.got(); len(posts) != 1 {
		t.Errorf("%d posts", len(posts))
	}
}

func TestSeveralGatewaysSendEachInsightOnce(t *testing.T) {
	server := natstest.Run(t)
	conn, f := natstest.Setup(t, server, "test"), newFarSide(t)
	cfg := Config{Sinks: map[string]sinks.Config{"hook": webhook(f), "chat": chat(f)}}
	for n := range 3 {
		start(t, natstest.Dial(t, server, fmt.Sprintf("gateway-%d", n)), cfg)
	}
	const insights = 20
	for n := range insights {
		publish(t, conn, insight(fmt.Sprintf("c%d", n), fmt.Sprintf("i%d", n)))
	}
	f.await(t, 2*insights)
	settled(t, conn, "hook")
	settled(t, conn, "chat")
	if n := len(f.got()); n != 2*insights {
		t.Errorf("%d posts of %d insights to 2 sinks", n, insights)
	}
}

func TestTheSecondInsightOfAnInvestigationGoesIntoTheFirstOnesThread(t *testing.T) {
	t.Parallel()
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	start(t, conn, Config{Sinks: map[string]sinks.Config{"team": {Type: "slack", URL: f.URL, TokenEnv: "SINK_TOKEN", Channel: "C0123456789"}}})
	publish(t, conn, insight("c1", "i1"))
	f.await(t, 1)
	publish(t, conn, insight("c2", "i1"))
	publish(t, conn, insight("c3", "another"))
	threads := map[string]string{}
	for _, p := range f.await(t, 3) {
		var m struct {
			Text     string
			ThreadTS string `json:"thread_ts"`
		}
		if err := json.Unmarshal([]byte(p.body), &m); err != nil {
			t.Fatal(err)
		}
		threads[m.Text[len(m.Text)-2:]] = m.ThreadTS
	}
	if threads["c1"] != "" || threads["c2"] != "1.1" || threads["c3"] != "" {
		t.Errorf("threads %v", threads)
	}
}

// busy has the next request come again a second later.
func (f *farSide) busy(status int) {
	f.refuse = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(status)
	}}
}

func TestAFarSideThatIsBusyIsLeftAlone(t *testing.T) {
	t.Parallel()
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	f.busy(http.StatusTooManyRequests)
	start(t, conn, Config{Sinks: map[string]sinks.Config{"team": chat(f)}})
	publish(t, conn, insight("c1", "i1"))
	publish(t, conn, insight("c2", "i2"))
	posts := f.await(t, 3)
	for _, p := range posts[1:] {
		if wait := p.at.Sub(posts[0].at); wait < time.Second {
			t.Errorf("asked again after %s, which is less than it said", wait)
		}
		if strings.Contains(p.body, "repeat") {
			t.Error("what was refused is marked as a repeat")
		}
	}
}

func TestWhatIsRefusedForGoodIsADeadLetter(t *testing.T) {
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	gone := func(w http.ResponseWriter) { http.Error(w, "no such hook", http.StatusNotFound) }
	f.refuse = []func(http.ResponseWriter){gone, gone}
	start(t, conn, Config{Sinks: map[string]sinks.Config{"ops": chat(f), "team": chat(f)}})
	publish(t, conn, insight("c1", "i1"))
	var reasons []string
	eventually(t, "a dead letter of each sink", func() bool {
		reasons = nil
		for m, err := range conn.Range(t.Context(), bus.DeadLetters, protocol.DeadLetterSubject(bus.Insights), 0) {
			if err != nil {
				t.Fatal(err)
			}
			letter, err := protocol.Decode[protocol.DeadLetter](m.Data)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, letter.Reason)
		}
		return len(reasons) == 2
	})
	slices.Sort(reasons)
	for n, name := range []string{"ops", "team"} {
		if !strings.HasPrefix(reasons[n], "sink "+name+": POST") || !strings.Contains(reasons[n], "404 Not Found: no such hook") {
			t.Error(reasons[n])
		}
	}
	publish(t, conn, insight("c2", "i2")) // they go on
	f.await(t, 4)
	settled(t, conn, "team")
}

func TestASinkIsSentWhatItAsksFor(t *testing.T) {
	conn, f := natstest.Setup(t, natstest.Run(t), "test"), newFarSide(t)
	beat := protocol.Heartbeat{Node: "web-1", Labels: map[string]string{"role": "web"}, MachineID: "m", SentAt: time.Now(), IntervalMS: 1000}
	if _, err := conn.Publish(t.Context(), bus.Outgoing{Subject: protocol.NodeSubject("web-1"), Body: beat}); err != nil {
		t.Fatal(err)
	}
	publish(t, conn, insight("older than the sink", "i0"))
	web, db := chat(f), chat(f)
	web.When.Labels, db.When.Labels = map[string]string{"role": "web"}, map[string]string{"role": "db"}
	start(t, conn, Config{Sinks: map[string]sinks.Config{"web": web, "db": db}})
	i := insight("c1", "i1")
	i.Nodes = []string{"nobody knows it", "web-1"}
	publish(t, conn, i)
	f.await(t, 1)
	settled(t, conn, "web")
	settled(t, conn, "db")
	if posts := f.got(); len(posts) != 1 || !strings.Contains(posts[0].body, "summary of c1") {
		t.Errorf("%v", posts)
	}
}

func TestWhenAnInsightIsGivenUp(t *testing.T) {
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	o := &outlet{name: "team", now: func() time.Time { return at }}
	busy := &sinks.Failure{Err: errors.New("busy"), After: time.Hour}
	for _, tt := range []struct {
		name  string
		since time.Duration
		err   error
		want  string
	}{
		{"it arrived", 0, nil, stateSent},
		{"refused for good", 0, errors.New("no"), stateGivenUp},
		{"busy, within a day", 22 * time.Hour, busy, stateWaiting},
		{"busy for longer than a day", 23*time.Hour + time.Minute, busy, stateGivenUp},
	} {
		d := delivery{Tries: 3, Since: at.Add(-tt.since)}
		if err := o.judge(&d, tt.err); d.State != tt.want || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: %s, %v", tt.name, d.State, err)
		}
	}
}

func TestBackOff(t *testing.T) {
	for tries, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 8: 10 * time.Minute, 1000: 10 * time.Minute} {
		if got := backOff(tries); got != want {
			t.Errorf("after %d: %s, want %s", tries, got, want)
		}
	}
}

func TestTry(t *testing.T) {
	f := newFarSide(t)
	cfg := Config{Sinks: map[string]sinks.Config{"team": chat(f)}}
	if _, err := Try(t.Context(), cfg, "taem"); err == nil || !strings.Contains(err.Error(), "have team") {
		t.Error(err)
	}
	if _, err := Try(t.Context(), cfg, "team"); err != nil {
		t.Fatal(err)
	}
	if posts := f.got(); len(posts) != 1 || !strings.Contains(posts[0].body, "This is a test") {
		t.Errorf("%v", posts)
	}
}
