package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/health"
	"github.com/fleetlens/fleetlens/internal/web"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A site is a server of the API over real streams.
type site struct {
	t    *testing.T
	conn *bus.Conn
	url  string
	at   string // host:port
	tok  string
}

func newSite(t *testing.T) *site {
	t.Helper()
	return serve(t, natstest.Setup(t, natstest.Run(t), "test", "os"))
}

func serve(t *testing.T, conn *bus.Conn) *site {
	t.Helper()
	s, err := web.New(conn, web.Config{Hosts: []string{"fleet.example"}}, natstest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	site := listening(t, s)
	site.conn = conn
	return site
}

// A server is one of the API: of a fleet, or of a file.
type server interface {
	Token() string
	Run(ctx context.Context, listen string, ready func(address string)) error
}

// listening runs a server until the test ends.
func listening(t *testing.T, s server) *site {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.Run(ctx, "127.0.0.1:0", func(at string) { ready <- at }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case at := <-ready:
		return &site{t: t, url: "http://" + at + "/api/v1", at: at, tok: s.Token()}
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return nil
}

// do sends a request and returns the answer with its body read.
func (s *site) do(method, path string, body any, header ...string) (*http.Response, []byte) {
	s.t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.tok)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, b
}

// get reads an answer that must be there.
func get[T any](s *site, path string) T {
	s.t.Helper()
	resp, b := s.do("GET", path, nil)
	var v T
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s: %s", path, resp.Status, b)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		s.t.Fatalf("GET %s: %v: %s", path, err, b)
	}
	return v
}

func (s *site) publish(subject string, m protocol.Message) {
	s.t.Helper()
	if _, err := s.conn.Publish(s.t.Context(), bus.Outgoing{Subject: subject, Body: m}); err != nil {
		s.t.Fatal(err)
	}
}

var now = time.Now().UTC().Truncate(time.Millisecond)

func insight(id, investigation string, severity protocol.Severity, more ...func(*protocol.Insight)) protocol.Insight {
	i := protocol.Insight{
		ID: id, InvestigationID: investigation, CorrelationType: protocol.Causal, Severity: severity, Summary: "disk_used_pct is 97 % on db-1",
		NotificationIDs: []string{"n-1", "n-2", "n-gone"}, SupportingIDs: []string{}, MatchedObservations: []string{}, Grounding: "one node", Confidence: "high",
		Nodes: []string{"db-1"}, Skills: []string{"os"}, RuledOut: []string{}, NotChecked: []string{}, SuggestedActions: []string{}, CreatedAt: now, Trigger: "why", Model: "rules",
		Evidence: []protocol.Evidence{{Address: "snap-1#disk_used_pct", Node: "db-1", Target: "host", Name: "disk_used_pct", Value: 97.0}},
	}
	for _, f := range more {
		f(&i)
	}
	return i
}

func (s *site) conclude(i protocol.Insight) {
	s.t.Helper()
	s.publish(protocol.InsightSubject(string(i.Severity), string(i.CorrelationType), i.InvestigationID), i)
}

func notification(id, investigation string, verified bool) protocol.Notification {
	return protocol.Notification{
		ID: id, InvestigationID: investigation, RunID: "run-os", Operator: "os", Node: "db-1", Target: "host", AnomalyType: "disk", Severity: "warning",
		Context: "c", Observation: "o", Snapshots: []protocol.Snapshot{}, DetectedAt: now, Verified: verified,
	}
}

func TestInsightsComeNewestFirstPageByPage(t *testing.T) {
	s := newSite(t)
	for k := range 5 {
		severity := []protocol.Severity{"warning", "critical"}[k%2]
		s.conclude(insight(fmt.Sprint("id-", k), fmt.Sprint("inv-", k), severity))
	}
	first := get[web.Page[protocol.Insight]](s, "/insights?limit=2")
	second := get[web.Page[protocol.Insight]](s, "/insights?limit=2&cursor="+first.Next)
	third := get[web.Page[protocol.Insight]](s, "/insights?limit=2&cursor="+second.Next)
	var ids []string
	for _, p := range []web.Page[protocol.Insight]{first, second, third} {
		for _, i := range p.Items {
			ids = append(ids, i.ID)
		}
	}
	if diff := cmp.Diff([]string{"id-4", "id-3", "id-2", "id-1", "id-0"}, ids); diff != "" || third.Next != "" {
		t.Errorf("next %q: %s", third.Next, diff)
	}
	if p := get[web.Page[protocol.Insight]](s, "/insights?severity=critical"); len(p.Items) != 2 {
		t.Errorf("%d critical ones", len(p.Items))
	}
	if p := get[web.Page[protocol.Insight]](s, "/insights?node=web-1"); len(p.Items) != 0 {
		t.Errorf("%d of another node", len(p.Items))
	}
}

func TestAnInsightComesWithWhatStandsBehindIt(t *testing.T) {
	s := newSite(t)
	s.publish(protocol.InvestigationSubject("inv-1", protocol.PhaseAccepted), protocol.Accepted{InvestigationID: "inv-1", RunID: "run-co", Request: protocol.Request{Reason: "why"}, At: now})
	s.publish(protocol.NotificationSubject("os", "db-1", "inv-1"), notification("n-1", "inv-1", false))
	s.publish(protocol.NotificationSubject("os", "db-1", "inv-1"), notification("n-2", "inv-1", true))
	s.publish(protocol.CompletionSubject("os", "inv-1"), protocol.Completion{RunID: "run-os", InvestigationID: "inv-1", Skill: "os", State: "warning", Outcome: "done", Targets: []protocol.TargetRef{{Node: "db-1", Target: "host", Kind: "host"}}})
	s.conclude(insight("abc123", "inv-1", "critical"))
	s.conclude(insight("def456", "inv-2", "critical", func(i *protocol.Insight) { i.Supersedes = "abc123" }))
	for _, body := range []map[string]any{{"id": "abc123", "verdict": "not_quite", "comment": "it was the backup", "by": "ann"}, {"id": "abc123", "verdict": "right", "by": "bob"}} {
		if resp, b := s.do("POST", "/feedback", body); resp.StatusCode != http.StatusNoContent {
			t.Fatalf("feedback: %s: %s", resp.Status, b)
		}
	}
	v := get[web.InsightView](s, "/insights/abc")
	if len(v.Facts) != 2 || v.Facts[0].ID != "n-2" || v.Facts[1].ID != "n-1" || cmp.Diff([]string{"n-gone"}, v.Expired) != "" {
		t.Errorf("facts %v, expired %v", v.Facts, v.Expired)
	}
	want := []web.Run{{ID: "run-co"}, {ID: "run-os", Skill: "os", State: "warning", Outcome: "done", Targets: []protocol.TargetRef{{Node: "db-1", Target: "host", Kind: "host"}}}}
	if diff := cmp.Diff(want, v.Runs); diff != "" || v.SupersededBy != "def456" {
		t.Errorf("superseded by %q, runs: %s", v.SupersededBy, diff)
	}
	if len(v.Said.Feedback) != 2 || v.Said.Feedback[0].By != "ann" || v.Said.Feedback[0].At.IsZero() {
		t.Errorf("said: %+v", v.Said)
	}
	if resp, b := s.do("GET", "/insights/xyz", nil); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(b), "in the last 30 days") {
		t.Errorf("one that is not there: %s %s", resp.Status, b)
	}
}

func TestAnInsightShowsThoseOfThePastThatAreLikeIt(t *testing.T) {
	s := newSite(t)
	on := func(node string, hoursAgo int) func(*protocol.Insight) {
		return func(i *protocol.Insight) {
			i.Nodes, i.CreatedAt = []string{node}, now.Add(-time.Duration(hoursAgo)*time.Hour)
		}
	}
	for name, role := range map[string]string{"db-1": "db", "db-2": "db", "web-1": "web"} {
		s.publish(protocol.NodeSubject(name), protocol.Heartbeat{Node: name, MachineID: name, SentAt: now, IntervalMS: 1000, Labels: map[string]string{"role": role}})
	}
	s.conclude(insight("i-web", "inv-1", "warning", on("web-1", 9)))
	s.conclude(insight("i-db", "inv-2", "critical", on("db-2", 10)))
	s.conclude(insight("i-cpu", "inv-3", "warning", on("db-1", 8), func(i *protocol.Insight) { i.Evidence[0].Name = "load_5m" }))
	s.conclude(insight("i-now", "inv-4", "warning", on("db-1", 1)))
	s.conclude(insight("i-same", "inv-4", "warning", on("db-1", 2)))
	s.conclude(insight("i-later", "inv-5", "warning", on("db-1", 0)))
	for _, f := range []protocol.Feedback{{By: "ann", Verdict: "wrong"}, {By: "bob", Verdict: "not_quite"}, {By: "ann", Verdict: "right"}} {
		f.ID, f.At = "i-db", now
		s.publish(protocol.PeopleSubject("feedback", f.ID), f)
	}
	want := []web.SimilarInsight{
		{ID: "i-db", Summary: "disk_used_pct is 97 % on db-1", CreatedAt: now.Add(-10 * time.Hour), Severity: "critical", Verdicts: []string{"not_quite", "right"}},
		{ID: "i-web", Summary: "disk_used_pct is 97 % on db-1", CreatedAt: now.Add(-9 * time.Hour), Severity: "warning", Verdicts: []string{}},
	}
	if d := cmp.Diff(want, get[web.InsightView](s, "/insights/i-now").Similar); d != "" {
		t.Error(d)
	}
	if got := get[web.InsightView](s, "/insights/i-db").Similar; got == nil || len(got) > 0 {
		t.Errorf("the first is like %+v", got)
	}
}

func TestAnInvestigationIsAskedForOnceAndShownAsItStands(t *testing.T) {
	s := newSite(t)
	body := protocol.Request{ID: "mine-1", Reason: "checkout is slow"}
	for range 2 { // a double click
		if resp, b := s.do("POST", "/investigations", body); resp.StatusCode != http.StatusAccepted || !strings.Contains(string(b), "mine-1") {
			t.Fatalf("%s: %s", resp.Status, b)
		}
	}
	if st, err := s.conn.StreamState(t.Context(), bus.Intake); err != nil || st.Messages != 1 {
		t.Errorf("%d requests are stored, %v", st.Messages, err)
	}
	s.publish(protocol.InvestigationSubject("mine-1", protocol.PhaseAccepted), protocol.Accepted{InvestigationID: "mine-1", RunID: "run-co", Request: body, At: now, Deadline: now.Add(time.Minute)})
	s.publish(protocol.InvestigationSubject("mine-1", protocol.PhaseProgress), protocol.Progress{InvestigationID: "mine-1", Text: "looking", At: now})
	if p := get[web.Page[web.Investigation]](s, "/investigations"); len(p.Items) != 1 || p.Items[0].State != "running" || p.Items[0].Request.Reason != "checkout is slow" {
		t.Errorf("running: %+v", p)
	}
	s.conclude(insight("i-1", "mine-1", "warning"))
	s.publish(protocol.InvestigationSubject("mine-1", protocol.PhaseFinished), protocol.Result{InvestigationID: "mine-1", State: "done", Insights: []protocol.Insight{}, OperatorResults: []protocol.Completion{}, StartedAt: now, EndedAt: now.Add(time.Second)})
	v := get[web.InvestigationView](s, "/investigations/mine-1")
	if v.State != "done" || len(v.Progress) != 1 || len(v.Conclusions) != 1 || len(v.Runs) != 1 || v.Runs[0].Outcome != "done" {
		t.Errorf("ended: %+v", v)
	}
	for path, want := range map[string]string{"/investigations/other": "no investigation", "/investigations/*": "is no id", "/runs/none": "no run"} {
		if resp, b := s.do("GET", path, nil); resp.StatusCode < 400 || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s %s", path, resp.Status, b)
		}
	}
}

func TestARunIsReadRecordByRecord(t *testing.T) {
	s := newSite(t)
	for n := range 5 {
		s.publish(protocol.JournalSubject(protocol.OperatorAgent, "run-1"), protocol.Record{RunID: "run-1", N: n + 1, Kind: protocol.RecordClaim, Worker: "op-1", At: now})
	}
	p := get[web.Page[protocol.Record]](s, "/runs/run-1?limit=2&from=2")
	if len(p.Items) != 2 || p.Items[0].N != 2 || p.Next != "4" {
		t.Errorf("%+v", p)
	}
}

func TestNodesAndWhatTheySaid(t *testing.T) {
	s := newSite(t)
	beat := func(name string, labels map[string]string) protocol.Heartbeat {
		return protocol.Heartbeat{
			Node: name, MachineID: "m", SentAt: time.Now().UTC().Add(2 * time.Second), IntervalMS: 3_600_000, Labels: labels,
			Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: []string{"os", "ports"}}}, Skills: []protocol.HeartbeatSkill{},
		}
	}
	s.publish(protocol.NodeSubject("web-1"), beat("web-1", map[string]string{"role": "web"}))
	s.publish(protocol.NodeSubject("db-1"), beat("db-1", map[string]string{"role": "db"}))
	for k := range 3 {
		s.publish(protocol.SnapshotSubject("web-1", "host", "os"), protocol.Snapshot{
			ID: fmt.Sprint("snap-", k), Node: "web-1", Target: "host", Kind: "host", Skill: "os", CapturedAt: now.Add(time.Duration(k) * time.Second), Data: map[string]any{"cpu": float64(k), "name": "x"},
		})
	}
	if p := get[web.Page[web.Node]](s, "/nodes"); len(p.Items) != 2 || p.Items[0].Node != "db-1" || p.Items[0].State != "alive" || p.Items[0].SkewMS < 1000 {
		t.Errorf("%+v", p)
	}
	if p := get[web.Page[web.Node]](s, "/nodes?label=role=web"); len(p.Items) != 1 || p.Items[0].Node != "web-1" {
		t.Errorf("by label: %+v", p)
	}
	if v := get[web.NodeView](s, "/nodes/web-1"); len(v.Snapshots) != 1 || v.Snapshots[0].ID != "snap-2" {
		t.Errorf("%+v", v)
	}
	if v := get[web.Series](s, "/nodes/web-1/host/os/series?metric=cpu"); len(v.Points) != 3 || v.Points[2].Value != 2 {
		t.Errorf("%+v", v)
	}
	if v := get[web.EvidenceView](s, "/evidence?address=snap-1%23cpu"); v.From != "snapshot" || v.Snapshot.Data["cpu"] != 1.0 {
		t.Errorf("%+v", v)
	}
	s.conclude(insight("i-1", "inv-1", "warning"))
	if v := get[web.EvidenceView](s, "/evidence?address=snap-1%23disk_used_pct"); v.From != "insight" || v.Evidence.Value != 97.0 || cmp.Diff([]string{"i-1"}, v.CitedBy) != "" {
		t.Errorf("that a conclusion kept: %+v", v)
	}
	if v := get[web.EvidenceView](s, "/evidence?address=old%23x"); v.From != "expired" || v.Note == "" {
		t.Errorf("that is gone: %+v", v)
	}
	if resp, b := s.do("GET", "/nodes/none", nil); resp.StatusCode != http.StatusNotFound || !strings.Contains(string(b), `no node \"none\"`) {
		t.Errorf("%s %s", resp.Status, b)
	}
}

func TestWhatIsWrongIsSaidAllAtOnce(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
		want         []string
	}{
		{"GET", "/insights?limit=0&cursor=x&since=never&severity=bad", nil, 400, []string{"limit=", "cursor=", "since=", "severity="}},
		{"GET", "/nodes?label=role", nil, 400, []string{"name=value"}},
		{"GET", "/evidence?address=x", nil, 400, []string{"SNAPSHOT#field"}},
		{"POST", "/investigations", map[string]any{}, 400, []string{`reason`}},
		{"POST", "/investigations", map[string]any{"reason": "x", "group": "g"}, 400, []string{"not for people"}},
		{"POST", "/investigations", map[string]any{"reason": "x", "colour": "red"}, 400, []string{"colour"}},
		{"POST", "/feedback", map[string]any{"id": "x", "verdict": "maybe"}, 400, []string{"verdict"}},
		{"POST", "/notes", map[string]any{"id": "x"}, 400, []string{"text"}},
		{"POST", "/calls", map[string]any{"node": "*", "callback": "x"}, 400, []string{"name a host"}},
		{"POST", "/calls", map[string]any{"node": "none", "callback": "x"}, 503, []string{"probe.none.call"}},
		{"GET", "/nothing", nil, 404, []string{"openapi.json"}},
		{"GET", "/events?topics=weather", nil, 400, []string{"there are anomalies, changes"}},
		{"POST", "/notes", map[string]any{"id": "x", "text": strings.Repeat("x", 300<<10)}, 413, []string{"larger than"}},
	} {
		resp, b := s.do(tt.method, tt.path, tt.body)
		if resp.StatusCode != tt.status {
			t.Errorf("%s %s: %s %s", tt.method, tt.path, resp.Status, b)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s %s: %s does not say %q", tt.method, tt.path, b, want)
			}
		}
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	s := newSite(t)
	for name, tt := range map[string]struct {
		method string
		header []string
		status int
	}{
		"without a token":                 {"GET", []string{"Authorization", ""}, 401},
		"with another token":              {"GET", []string{"Authorization", "Bearer x"}, 401},
		"by another name":                 {"GET", []string{"Host", "evil.example"}, 421},
		"by a name that was given":        {"GET", []string{"Host", "fleet.example:80"}, 200},
		"a page of another site, reading": {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200}, // it may not see the answer
		"a page of another site, writing": {"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another origin":                  {"POST", []string{"Origin", "http://evil.example"}, 403},
		"a form":                          {"POST", []string{"Content-Type", "text/plain"}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			var body any
			path := "/insights"
			if tt.method == "POST" {
				body, path = map[string]any{"id": "x", "text": "y"}, "/notes"
			}
			resp, b := s.do(tt.method, path, body, tt.header...)
			if resp.StatusCode != tt.status {
				t.Errorf("%s %s", resp.Status, b)
			}
			csp := resp.Header.Get("Content-Security-Policy")
			if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
}

func TestATokenIsChangedForACookieThatScriptsCannotRead(t *testing.T) {
	s := newSite(t)
	if resp, _ := s.do("POST", "/session", map[string]string{"token": "wrong"}, "Authorization", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token: %s", resp.Status)
	}
	resp, _ := s.do("POST", "/session", map[string]string{"token": s.tok}, "Authorization", "")
	if len(resp.Cookies()) != 1 {
		t.Fatalf("%s: cookies %v", resp.Status, resp.Cookies())
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, s.tok) {
		t.Errorf("%+v", c)
	}
	if resp, b := s.do("GET", "/insights", nil, "Authorization", "", "Cookie", c.Name+"="+c.Value); resp.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %s %s", resp.Status, b)
	}
}

func TestAnAnswerThatTheClientHasIsNotSentAgain(t *testing.T) {
	s := newSite(t)
	for k := range 40 {
		s.conclude(insight(fmt.Sprint("id-", k), "inv", "warning"))
	}
	resp, whole := s.do("GET", "/insights", nil)
	again, b := s.do("GET", "/insights", nil, "If-None-Match", resp.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified || len(b) > 0 {
		t.Errorf("%s, %d bytes", again.Status, len(b))
	}
	small, b := s.do("GET", "/insights", nil, "Accept-Encoding", "gzip")
	if small.Header.Get("Content-Encoding") != "gzip" || len(b) > len(whole)/5 {
		t.Errorf("%d bytes of %d", len(b), len(whole))
	}
}

// An ear listens to events.
type ear struct {
	*bufio.Scanner
	close func()
}

func (s *site) listen(query string, header ...string) *ear {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+"/events"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.tok)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	e := &ear{bufio.NewScanner(resp.Body), func() { _ = resp.Body.Close() }}
	s.t.Cleanup(e.close)
	if !e.Scan() || e.Text() != "retry: 2000" {
		s.t.Fatalf("it begins with %q", e.Text())
	}
	return e
}

// next returns the next event.
func (e *ear) next() (id, name, data string) {
	for e.Scan() {
		field, value, _ := strings.Cut(e.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			data = value
		case "":
			if name != "" {
				return id, name, data
			}
		}
	}
	return "", "", ""
}

func TestEventsAreLiveAndNothingIsMissedByWhoComesBack(t *testing.T) {
	s := newSite(t)
	e := s.listen("?topics=insights")
	s.publish(protocol.AnomalySubject("web-1", "host", "os"), protocol.Anomaly{ID: "a", Node: "web-1", Target: "host", Skill: "os", Metric: "m", DetectedAt: now})
	s.conclude(insight("i-1", "inv-1", "critical"))
	id, name, data := e.next()
	var got web.Event
	if err := json.Unmarshal([]byte(data), &got); err != nil || name != "insights" || got.Topic != "insights" || got.Subject != "insights.critical.causal.inv-1" || !strings.Contains(string(got.Message), "i-1") {
		t.Errorf("%s %s: %v", name, data, err)
	}
	e.close()
	s.conclude(insight("i-2", "inv-2", "warning"))
	s.conclude(insight("i-3", "inv-3", "warning"))
	back := s.listen("?topics=insights", "Last-Event-ID", id)
	for _, want := range []string{"i-2", "i-3"} {
		if _, _, data := back.next(); !strings.Contains(data, want) {
			t.Errorf("it missed %s: %s", want, data)
		}
	}
	other := s.listen("", "Last-Event-ID", "of-another-server-7")
	if _, name, _ := other.next(); name != "reset" {
		t.Errorf("who comes from another server is told %q", name)
	}
}

func TestAListenerMakesNoConsumer(t *testing.T) {
	s := newSite(t)
	before, err := s.conn.StreamState(t.Context(), bus.Insights)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.listen("")
	}
	get[web.Page[protocol.Insight]](s, "/insights")
	if after, err := s.conn.StreamState(t.Context(), bus.Insights); err != nil || after.Consumers != before.Consumers {
		t.Errorf("%d consumers, %d before, %v", after.Consumers, before.Consumers, err)
	}
}

func TestTheSystemTellsItsStreams(t *testing.T) {
	s := newSite(t)
	s.publish(protocol.DeadLetterSubject(bus.Work), protocol.DeadLetter{Stream: bus.Work, Subject: "x", Reason: "broken", At: now, Body: []byte("secret")})
	v := get[web.System](s, "/system")
	if at := slices.IndexFunc(v.Checks, func(c health.Check) bool { return c.Name == "dead letters" }); at < 0 || v.Checks[at].Verdict != health.Warning {
		t.Errorf("checks: %+v", v.Checks)
	}
	if !v.Me.Connected || !v.Me.CanWrite || len(v.Streams) != len(bus.Streams()) || v.Dead != 1 || v.DeadLetters[0].Reason != "broken" || len(v.DeadLetters[0].Body) > 0 {
		t.Errorf("%+v", v)
	}
}

func TestSilencesThatHoldAreListed(t *testing.T) {
	s := newSite(t)
	for _, body := range []map[string]any{
		{"id": "s-1", "nodes": []string{"web-1"}, "until": now.Add(time.Hour), "reason": "moving", "by": "ann"},
		{"id": "s-2", "until": now.Add(-time.Hour), "reason": "old", "by": "ann"},
		{"id": "s-1", "nodes": []string{"web-2"}, "until": now.Add(time.Hour), "reason": "moving", "by": "ann"},
	} {
		if resp, b := s.do("POST", "/silences", body); resp.StatusCode != http.StatusNoContent {
			t.Fatalf("%s %s", resp.Status, b)
		}
	}
	if _, err := s.conn.WriteState(t.Context(), bus.TriageLedger, map[string]any{"silenced": map[string]int{"s-1": 7}}, 0); err != nil {
		t.Fatal(err)
	}
	if p := get[web.Page[web.SilenceView]](s, "/silences"); len(p.Items) != 1 || p.Items[0].Nodes[0] != "web-2" || p.Items[0].Kept != 7 {
		t.Errorf("%+v", p)
	}
}

// With a viewer's credentials everything can be read, and who writes is told which role may.
func TestAViewerReadsAndIsToldWhoMayWrite(t *testing.T) {
	as := natstest.Roles(t)
	if _, err := as(bus.AdminRole).Setup(t.Context(), bus.SetupOptions{Skills: []string{"os"}}); err != nil {
		t.Fatal(err)
	}
	s := serve(t, as(bus.ViewerRole))
	s.conn = as(bus.CoordinatorRole)
	s.conclude(insight("i-1", "inv-1", "warning"))
	if v := get[web.InsightView](s, "/insights/i-1"); v.Insight.ID != "i-1" {
		t.Errorf("%+v", v)
	}
	for _, path := range []string{"/nodes", "/changes", "/investigations", "/silences", "/outliers", "/insights/i-1/radius", "/evidence?address=a%23b"} {
		get[map[string]any](s, path)
	}
	if v := get[web.SkillView](s, "/nodes/web-1/host/os"); v.Words != nil || !strings.Contains(v.Unknown, "does not answer") {
		t.Errorf("%+v", v)
	}
	// A viewer may know that work waits and nobody takes it.
	s.publish(protocol.TaskSubject("os"), protocol.Task{RunID: "r-1", InvestigationID: "inv-1", Skill: "os", Reason: "why", Deadline: now.Add(time.Hour), Targets: []protocol.TargetRef{{Node: "web-1", Target: "host", Kind: "host"}}})
	if checks := get[web.System](s, "/system").Checks; !slices.ContainsFunc(checks, func(c health.Check) bool {
		return c.Name == "skill os" && c.Verdict == health.Critical && c.Says == "1 waiting, 0 workers"
	}) || slices.ContainsFunc(checks, func(c health.Check) bool { return c.Verdict == health.Unknown }) {
		t.Errorf("checks: %+v", checks)
	}
	if me := get[web.Me](s, "/me"); me.CanWrite || me.Role != bus.ClientRole || me.Why == "" {
		t.Errorf("%+v", me)
	}
	for path, body := range map[string]map[string]any{
		"/investigations": {"reason": "x"}, "/notes": {"id": "i-1", "text": "x"}, "/calls": {"node": "web-1", "callback": "x"}, "/investigations/x/tell": {"text": "x"},
	} {
		role := `"role":"client"`
		if path == "/calls" {
			role = `"role":"operator"`
		}
		if resp, b := s.do("POST", path, body); resp.StatusCode != http.StatusForbidden || !strings.Contains(string(b), role) {
			t.Errorf("%s: %s %s", path, resp.Status, b)
		}
	}
	e := s.listen("?topics=insights")
	s.conclude(insight("i-2", "inv-2", "warning"))
	if _, _, data := e.next(); !strings.Contains(data, "i-2") {
		t.Errorf("live: %s", data)
	}
}

func TestANodeIsBelievedUnderItsOwnNameOnly(t *testing.T) {
	s := newSite(t)
	own := protocol.Heartbeat{Node: "db-1", MachineID: "m", SentAt: now, IntervalMS: 10_000, Targets: []protocol.HeartbeatTarget{}}
	s.publish(protocol.NodeSubject("db-1"), own)
	s.publish(protocol.NodeSubject("evil"), own)
	if page := get[web.Page[web.Node]](s, "/nodes"); len(page.Items) != 1 || page.Unreadable != 1 {
		t.Errorf("%+v", page)
	}
}

func TestOnlyTheFieldsThatAreWanted(t *testing.T) {
	s := newSite(t)
	s.conclude(insight("i-1", "inv-1", "warning"))
	for path, want := range map[string]string{
		"/insights?fields=id,severity":               `{"items":[{"id":"i-1","severity":"warning"}]}`,
		"/insights?fields=id&limit=1":                `{"items":[{"id":"i-1"}]}`,
		"/insights?node=none&fields=id":              `{"items":[]}`,
		"/insights/i-1?fields=runs,superseded_by":    `{"runs":[]}`,
		"/insights?fields=id,colour":                 `{"error":"fields=\"colour\": there are chain, confidence, correlation_type,`,
		"/insights/i-1?fields=":                      `{"insight":{"id":"i-1"`,
		"/evidence?address=snap-1%23x&fields=secret": `{"error":"fields=\"secret\": there are `,
	} {
		if _, body := s.do("GET", path, nil); !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
}

func TestTheTokenOfTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a token of a file, long\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file, env string
		token, from     string // empty: one is made up
		says            string // when it may not listen beyond this machine
	}{
		{"of a file", file, "", "a token of a file, long", file, ""},
		{"of the environment, in a container", "", " a token of the environment ", "a token of the environment", web.TokenVariable, ""},
		{"a file goes before the environment", file, "a token of the environment", "a token of a file, long", file, ""},
		{"one that is too short", "", "short", "", web.TokenVariable, "FLEETLENS_UI_TOKEN: the token has 5 characters (at least 16)"},
		{"none: one is made up, for this machine alone", "", "", "", "", "give --ui-token-file or FLEETLENS_UI_TOKEN, or listen on 127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(web.TokenVariable, tt.env)
			c := web.Config{Listen: "0.0.0.0:7422", TokenFile: tt.file}
			if err := c.Validate(); (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Validate: %v, want %q", err, tt.says)
			}
			if c.TokenFrom() != tt.from {
				t.Errorf("it is of %q, want %q", c.TokenFrom(), tt.from)
			}
			if s, err := web.New(nil, c, natstest.Log(t)); err == nil && tt.token != "" && s.Token() != tt.token {
				t.Errorf("the token is %q, want %q", s.Token(), tt.token)
			}
		})
	}
}
