package intake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// given reads testdata/NAME.http: a request as the far side's document has it, with the
// query of its URL in X-Query.
func given(t testing.TB, name string) request {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(raw))
	header, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	query, err := url.ParseQuery(header.Get("X-Query"))
	if err != nil {
		t.Fatal(err)
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	return request{header: http.Header(header), query: query, kind: kind, body: body, now: now}
}

// formatIn returns the format that a file of testdata is in.
func formatIn(t testing.TB, name string) format {
	t.Helper()
	base, _, _ := strings.Cut(name, "-")
	f, ok := formatOf(base)
	if !ok {
		t.Fatalf("%s: there is no such format", name)
	}
	return f
}

// examples are the files of testdata, without their ending.
func examples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var out []string
	for _, f := range files {
		out = append(out, strings.TrimSuffix(filepath.Base(f), ".http"))
	}
	return out
}

func TestWhatFarSidesDocumentIsRead(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range examples(t) {
		f := formatIn(t, name)
		seen[f.name] = true
		t.Run(name, func(t *testing.T) {
			got, err := f.report(given(t, name))
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".golden.json")
			if *update {
				if err := os.WriteFile(golden, append(text, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, f := range formats() {
		if !seen[f.name] {
			t.Errorf("%s has no example", f.name)
		}
	}
}

func TestTheEndOfAnAlertHasTheIdentityOfItsBeginning(t *testing.T) {
	for begins, ends := range map[string]string{"pagerduty": "pagerduty-resolved", "datadog": "datadog-recovered", "opsgenie": "opsgenie-closed"} {
		alert := func(name string) protocol.Alert {
			r, err := formatIn(t, name).report(given(t, name))
			if err != nil || len(r.Alerts) != 1 {
				t.Fatal(name, r, err)
			}
			return r.Alerts[0]
		}
		a, b := alert(begins), alert(ends)
		if a.State != firing || b.State != resolved || a.Identity() != b.Identity() || a.ID == b.ID || b.EndsAt.IsZero() {
			t.Errorf("%s: %+v and %+v", begins, a, b)
		}
	}
}

func TestWhatStillFiresIsTheSameMessage(t *testing.T) {
	in := given(t, "alertmanager")
	first, err := readAlertmanager(in)
	if err != nil {
		t.Fatal(err)
	}
	in.now = in.now.Add(4 * time.Hour)
	if again, err := readAlertmanager(in); err != nil || again.Alerts[0].ID != first.Alerts[0].ID || first.Alerts[0].ID == first.Alerts[1].ID {
		t.Errorf("ids %s, %s and, repeated, %s: %v", first.Alerts[0].ID, first.Alerts[1].ID, again.Alerts[0].ID, err)
	}
}

// with returns an example with something else in its body.
func with(t testing.TB, name, old, instead string) request {
	t.Helper()
	in := given(t, name)
	if !bytes.Contains(in.body, []byte(old)) {
		t.Fatalf("%s has no %s", name, old)
	}
	in.body = bytes.ReplaceAll(in.body, []byte(old), []byte(instead))
	return in
}

func TestWhatIsNothingToReport(t *testing.T) {
	other := given(t, "github")
	other.query.Set("environment", "staging")
	ping := given(t, "github")
	ping.header.Set("X-GitHub-Event", "ping")
	for name, r := range map[string]struct {
		format string
		in     request
	}{
		"an incident that somebody acknowledged":  {pagerDuty, with(t, "pagerduty", "incident.triggered", "incident.acknowledged")},
		"PagerDuty's test":                        {pagerDuty, with(t, "pagerduty", "incident.triggered", "pagey.ping")},
		"an alert of ours that came by Grafana":   {grafana, with(t, "grafana", `"alertname":"High memory usage"`, `"alertname":"FleetlensInsight"`)},
		"a note on an alert":                      {opsgenie, with(t, "opsgenie", `"Create"`, `"AddNote"`)},
		"a deployment that goes on":               {gitLab, with(t, "gitlab", `"status":"success"`, `"status":"running"`)},
		"a deployment that waits":                 {gitHub, with(t, "github", `"state":"success"`, `"state":"queued"`)},
		"a deployment to another environment":     {gitHub, other},
		"GitHub's test":                           {gitHub, ping},
		"a comment that names the hook, no alert": {datadog, with(t, "datadog", `"Triggered"`, `"$ALERT_TRANSITION"`)},
	} {
		f, _ := formatOf(r.format)
		got, err := f.report(r.in)
		got.Alerts = got.Alerts[:max(0, len(got.Alerts)-map[bool]int{true: 1}[r.format == grafana])] // its other alert
		if err != nil || len(got.Alerts)+len(got.Changes) > 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	body := func(name, text string) request {
		in := given(t, name)
		in.body = []byte(text)
		return in
	}
	header := func(name, key, value string) request {
		in := given(t, name)
		in.header.Set(key, value)
		return in
	}
	kind := func(name, k string) request {
		in := given(t, name)
		in.kind = k
		return in
	}
	nowhere := given(t, "github")
	nowhere.query = url.Values{}
	everywhere := given(t, "gitlab")
	everywhere.query = url.Values{"node": {strings.Repeat("n,", maxNodes+1)}}
	for _, tt := range []struct {
		name, format string
		in           request
		says         string
	}{
		{"not JSON", alertmanager, body("alertmanager", "hello"), "not a webhook of Alertmanager"},
		{"no alerts", alertmanager, body("alertmanager", `{"version":"4","alerts":[]}`), `no "alerts"`},
		{"another version", alertmanager, body("alertmanager", `{"version":"5","alerts":[{}]}`), `"5"`},
		{"Grafana's at Alertmanager's path", alertmanager, given(t, "grafana"), `version "1"`},
		{"no name", alertmanager, body("alertmanager", `{"alerts":[{"status":"firing","labels":{}}]}`), "alerts[0]"},
		{"an unknown state", alertmanager, body("alertmanager", `{"alerts":[{"status":"maybe","labels":{"alertname":"x"}}]}`), `"state"`},
		{"too many", alertmanager, body("alertmanager", `{"alerts":[`+strings.Repeat(`{},`, maxReports)+`{}]}`), "too many"},
		{"not PagerDuty's", pagerDuty, body("pagerduty", `{"messages":[]}`), `no "event"`},
		{"an incident without an id", pagerDuty, with(t, "pagerduty", `"id":"PGR0VU2"`, `"id":""`), `no "id"`},
		{"not the template", datadog, body("datadog", `{}`), "not the template"},
		{"an unknown transition", datadog, with(t, "datadog", `"Triggered"`, `"maybe"`), "$ALERT_TRANSITION"},
		{"nothing that is the same at its end", datadog, with(t, "datadog", `"cycle":"11400001","aggregate":"9bd4ac313a4d1e8fae2482df7b77628",`, ""), "$ALERT_CYCLE_KEY"},
		{"not Opsgenie's", opsgenie, body("opsgenie", `{}`), "alertId"},
		{"an alert without a message", opsgenie, with(t, "opsgenie", `" test alert"`, `""`), `"name"`},
		{"no CloudEvent", cloudEvents, body("change", `{}`), "ce-specversion"},
		{"CloudEvents of another time", cloudEvents, header("cloudevents-binary", "ce-specversion", "0.3"), `"0.3"`},
		{"an event without an id", cloudEvents, header("cloudevents-binary", "ce-id", ""), "id, source and type"},
		{"an event of something else", cloudEvents, header("cloudevents-binary", "ce-type", "com.example.order"), "ends with .alert or .change"},
		{"an event at no time", cloudEvents, header("cloudevents-binary", "ce-time", "noon"), "RFC 3339"},
		{"events at once", cloudEvents, kind("cloudevents-structured", "application/cloudevents-batch+json"), "batches"},
		{"no node", plainChange, body("change", `{"source":"ci","what":"deploy"}`), `changes[0]: "node"`},
		{"the second has no node", plainChange, body("change", `[{"node":"a","source":"ci","what":"deploy"},{"source":"ci","what":"deploy"}]`), `changes[1]: "node"`},
		{"no changes", plainChange, body("change", `[]`), "0 changes"},
		{"what only probes say", plainChange, body("change", `{"node":"a","source":"probe","what":"deploy"}`), "that of probes"},
		{"another event", gitHub, header("github", "X-GitHub-Event", "push"), "Deployment statuses"},
		{"no nodes", gitHub, nowhere, "?node=web-1,web-2"},
		{"too many nodes", gitLab, everywhere, "too many"},
		{"another event of GitLab", gitLab, body("gitlab", `{"object_kind":"push"}`), "Deployment events"},
	} {
		f, _ := formatOf(tt.format)
		if r, err := f.report(tt.in); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v (%+v), want it to say %s", tt.name, err, r, tt.says)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	long := strings.Repeat("ä", maxText)
	in := given(t, "opsgenie")
	in.body = fmt.Appendf(nil, `{"action":"Create","alert":{"alertId":"1","message":%q,"details":{%q:%q}}}`, long, long, long)
	r, err := readOpsgenie(in)
	if err != nil || len(r.Alerts[0].Name) > maxText+len("…") {
		t.Fatalf("%v, %d bytes", err, len(r.Alerts[0].Name))
	}
	for k, v := range r.Alerts[0].Labels {
		if len(k) > maxText+len("…") || len(v) > maxText+len("…") {
			t.Errorf("a label of %d and %d bytes", len(k), len(v))
		}
	}
}

// FuzzReport reads anything in every format: what is understood can be passed on.
func FuzzReport(f *testing.F) {
	for _, name := range examples(f) {
		in := given(f, name)
		f.Add(formatIn(f, name).name, in.body, in.header.Get("ce-type"))
	}
	f.Fuzz(func(t *testing.T, name string, body []byte, kind string) {
		known, ok := formatOf(name)
		if !ok {
			return
		}
		in := request{
			header: http.Header{"X-Github-Event": {"deployment_status"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"s"}, "Ce-Type": {kind}},
			query:  url.Values{"node": {"web-1"}}, kind: "application/json", body: body, now: now,
		}
		r, err := known.report(in)
		if err != nil {
			return
		}
		for _, a := range r.Alerts {
			if _, err := protocol.Encode(a); err != nil && !errors.Is(err, protocol.ErrTooLarge) {
				t.Errorf("%+v cannot be passed on: %v", a, err)
			}
		}
		for _, c := range r.Changes {
			if _, err := protocol.Encode(c); err != nil && !errors.Is(err, protocol.ErrTooLarge) {
				t.Errorf("%+v cannot be passed on: %v", c, err)
			}
		}
	})
}
