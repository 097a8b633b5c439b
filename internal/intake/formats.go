package intake

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Prefix is what each format's path begins with; its name follows.
const Prefix = "/in/"

// Path is where Alertmanager's webhooks are posted, too.
const Path = "/api/v1/alertmanager"

// A Report is what one request says.
type Report struct {
	Alerts  []protocol.Alert
	Changes []protocol.Change
}

// A request is what came, with a time for what has none.
type request struct {
	header http.Header
	query  url.Values
	kind   string // media type
	body   []byte
	now    time.Time
}

// A format is a row of the table of formats.
type format struct {
	name string
	read func(r request) (Report, error)
	// verify says why a request was signed by none of the secrets; nil: its senders
	// sign nothing.
	verify func(secrets []string, r request) error
	check  func(secret string) error // whether it is one; nil: any is
}

// Names of the formats, which are the sources of alerts, too.
const (
	alertmanager = "alertmanager"
	grafana      = "grafana"
	pagerDuty    = "pagerduty"
	datadog      = "datadog"
	opsgenie     = "opsgenie"
	cloudEvents  = "cloudevents"
	plainChange  = "change"
	gitHub       = "github"
	gitLab       = "gitlab"
)

// formats is the one table of formats.
func formats() []format {
	return []format{
		{name: alertmanager, read: readAlertmanager},
		{name: grafana, read: readGrafana, verify: hexSigned("X-Grafana-Alerting-Signature", "")},
		{name: pagerDuty, read: readPagerDuty, verify: hexSigned("X-PagerDuty-Signature", "v1=")},
		{name: datadog, read: readDatadog},
		{name: opsgenie, read: readOpsgenie},
		{name: cloudEvents, read: readCloudEvents, verify: standardSigned, check: checkStandard},
		{name: plainChange, read: readChange},
		{name: gitHub, read: readGitHub, verify: hexSigned("X-Hub-Signature-256", "sha256=")},
		{name: gitLab, read: readGitLab, verify: tokenGiven("X-Gitlab-Token")},
	}
}

func formatOf(name string) (format, bool) {
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.name == name })
	if i < 0 {
		return format{}, false
	}
	return all[i], true
}

func names() []string {
	var out []string
	for _, f := range formats() {
		out = append(out, f.name)
	}
	return out
}

// Paths returns the path of each format.
func Paths() []string {
	var out []string
	for _, name := range names() {
		out = append(out, Prefix+name)
	}
	return out
}

func signing() []string {
	var out []string
	for _, f := range formats() {
		if f.verify != nil {
			out = append(out, f.name)
		}
	}
	return out
}

// report reads a request. One part that is wrong refuses all, with its number. Texts are
// bounded; alerts that a gateway made of insights are left out.
func (f format) report(in request) (Report, error) {
	r, err := f.read(in)
	if err != nil {
		return Report{}, err
	}
	r.Alerts = slices.DeleteFunc(r.Alerts, ours)
	var errs []error
	for i, a := range r.Alerts {
		if err := a.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("alerts[%d]: %w", i, err))
		}
	}
	for i, c := range r.Changes {
		if err := c.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("changes[%d]: %w", i, err))
		}
		if c.Source == protocol.SourceProbe {
			errs = append(errs, fmt.Errorf("changes[%d]: source %q is that of probes: name the system that deploys", i, c.Source))
		}
	}
	return r, errors.Join(errs...)
}

// ours reports whether an alert is our own word, which is no reason to look again.
func ours(a protocol.Alert) bool {
	return a.Name == protocol.InsightAlert || a.Labels["alertname"] == protocol.InsightAlert
}
