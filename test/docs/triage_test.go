//go:build linux

package docs_test

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/internal/telemetry"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
	"github.com/fleetlens/fleetlens/pkg/skills/anomaly"
)

const triagePage = "docs/explanation/anomalies-and-triage.md"

// tableOf returns the rows of the page whose first cell is a key or an option, by it.
func tableOf(t *testing.T) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for line := range strings.Lines(read(t, triagePage)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		key, ok := strings.CutPrefix(cells[0], "`")
		if key = strings.TrimSuffix(key, "`"); ok && len(cells) > 2 && rows[key] == nil {
			rows[key] = cells[1:]
		}
	}
	return rows
}

// settings reads a probe's configuration.
func settings(t *testing.T, text string) detect.Options {
	t.Helper()
	s := watch.New()
	fs := pflag.NewFlagSet("probe", pflag.ContinueOnError)
	s.Flags(fs)
	configure(t, fs, s, text)
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, k := range s.Skills() {
		if k.Name != anomaly.Name {
			continue
		}
		for _, c := range k.Sources[0].Calls {
			if c.Name == "monitor_get_status" {
				v, err := c.Run(t.Context(), skills.Args{})
				if err != nil {
					t.Fatal(err)
				}
				st := v.(anomaly.Status)
				return detect.Options{ZThreshold: st.ZThreshold, ConsecutiveRequired: st.ConsecutiveRequired, MaxTriggers: st.MaxTriggersPerHour}
			}
		}
	}
	t.Error("there is no anomaly skill")
	return detect.Options{}
}

func TestTheDetectorsSettingsOfThePageAreTaken(t *testing.T) {
	if o := settings(t, blocksOf(t, triagePage, "yaml", 2)[0]); o.ZThreshold != 3.5 {
		t.Errorf("the example is read as %+v", o)
	}
	rows := tableOf(t)
	d := detect.DefaultOptions()
	var proposal strings.Builder
	proposal.WriteString("anomaly:\n")
	for key, want := range map[string]any{
		"enabled": d.Enabled, "collection_interval_ms": d.CollectionInterval.Milliseconds(), "learning_duration_ms": d.LearningDuration.Milliseconds(),
		"z_threshold": d.ZThreshold, "consecutive_required": d.ConsecutiveRequired, "cooldown_ms": d.Cooldown.Milliseconds(), "history_minutes": d.History.Minutes(),
		"auto_trigger": d.AutoTrigger, "max_triggers_per_hour": d.MaxTriggers, "auto_save_interval_ms": d.AutoSaveInterval.Milliseconds(),
	} {
		row := rows[key]
		if len(row) != 3 || row[0] != fmt.Sprintf("`%v`", want) {
			t.Errorf("the page says of %s %q, the default is %v", key, row, want)
			continue
		}
		if example := strings.Trim(row[2], "`"); example != "" {
			fmt.Fprintf(&proposal, "  %s: %s\n", key, example)
		}
	}
	if n := strings.Count(proposal.String(), "\n"); n != 8 {
		t.Errorf("the proposal's example has %d settings, want 7:\n%s", n-1, &proposal)
	}
	if o := settings(t, proposal.String()); o.ZThreshold != 3 || o.ConsecutiveRequired != 3 || o.MaxTriggers != 3 {
		t.Errorf("the proposal's example is read as %+v", o)
	}
}

func TestTheCoordinatorsSettingsOfThePageAreItsDefaults(t *testing.T) {
	cfg := coordinator.DefaultConfig()
	fs := pflag.NewFlagSet("coordinator", pflag.ContinueOnError)
	cfg.Flags(fs)
	rows := tableOf(t)
	for _, name := range []string{"triage", "triage-settle", "triage-silence", "triage-cooldown", "triage-repeat", "max-triggers-per-hour"} {
		if row := rows["--"+name]; len(row) != 2 || row[0] != "`"+fs.Lookup(name).DefValue+"`" {
			t.Errorf("the page says of --%s %q, the default is %s", name, row, fs.Lookup(name).DefValue)
		}
	}
	page := read(t, triagePage)
	o := triage.DefaultOptions()
	for _, want := range []string{
		fmt.Sprintf("something new within %.0f minutes, opened less than %.0f minutes ago", o.Window.Minutes(), o.Spread.Minutes()),
		fmt.Sprintf("When %d groups are open", o.MaxOpen), fmt.Sprintf("the group's %d strongest signals", triage.MaxExamples), intake.DefaultAddr,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// What stands is told again before its group ends: else it would be investigated anew
// each time, and not after --triage-repeat.
func TestAGroupOutlastsTheSilenceOfACheckThatStaysCrossed(t *testing.T) {
	again, ends := operator.DefaultConfig().Cooldown, triage.DefaultOptions().Cooldown
	if 2*again > ends {
		t.Errorf("a check is told again after %s, and a group ends %s after its last signal", again, ends)
	}
}

func TestTheScoresOfThePageAreThoseOfTheThreshold(t *testing.T) {
	var z, scores []string
	for line := range strings.Lines(read(t, triagePage)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		switch {
		case cells[0] == "`z_threshold`" && len(cells) > 4:
			z = cells[1:]
		case cells[0] == "score needed":
			scores = cells[1:]
		}
	}
	if len(z) < 3 || len(z) != len(scores) {
		t.Fatalf("the table has %q and %q", z, scores)
	}
	for i := range z {
		at, err := strconv.ParseFloat(z[i], 64)
		said, err2 := strconv.ParseFloat(scores[i], 64)
		if err != nil || err2 != nil || math.Abs(detect.Threshold(at)-said) > 0.05 {
			t.Errorf("at %s the page says %s, it is %.2f", z[i], scores[i], detect.Threshold(at))
		}
	}
}

var silencing = regexp.MustCompile(`(?m)^nats pub (people\.\S+) '([^']*)'`)

func TestTheSilencesOfThePageAreSilences(t *testing.T) {
	list := silencing.FindAllStringSubmatch(read(t, triagePage), -1)
	if len(list) != 2 {
		t.Fatalf("the page has %d", len(list))
	}
	for _, m := range list {
		s, err := protocol.Decode[protocol.Silence]([]byte(m[2]))
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		if want := protocol.PeopleSubject("silence", s.ID); m[1] != want || len(s.Nodes)+len(s.Labels) == 0 {
			t.Errorf("%+v is published to %s, want %s", s, m[1], want)
		}
	}
}

func TestAlertmanagersConfigurationOfThePageLeadsToTheCoordinator(t *testing.T) {
	var cfg struct {
		Route struct {
			Receiver string `yaml:"receiver"`
		} `yaml:"route"`
		Receivers []struct {
			Name     string `yaml:"name"`
			Webhooks []struct {
				URL    string `yaml:"url"`
				Max    int    `yaml:"max_alerts"`
				Client struct {
					Authorization struct {
						Type  string `yaml:"type"` // Bearer unless it says otherwise
						Token string `yaml:"credentials_file"`
					} `yaml:"authorization"`
				} `yaml:"http_config"`
			} `yaml:"webhook_configs"`
		} `yaml:"receivers"`
	}
	if err := yaml.Unmarshal([]byte(blocksOf(t, triagePage, "yaml", 2)[1]), &cfg); err != nil {
		t.Fatal(err)
	}
	if len(cfg.Receivers) != 1 || cfg.Receivers[0].Name != cfg.Route.Receiver || len(cfg.Receivers[0].Webhooks) != 1 {
		t.Fatalf("it is read as %+v", cfg)
	}
	hook := cfg.Receivers[0].Webhooks[0]
	at, err := url.Parse(hook.URL)
	_, port, _ := strings.Cut(intake.DefaultAddr, ":")
	if err != nil || at.Path != intake.Path || at.Port() != port || hook.Max == 0 || hook.Client.Authorization.Token == "" || hook.Client.Authorization.Type != "" {
		t.Errorf("it posts to %+v", hook)
	}
}

var (
	callbackName = regexp.MustCompile(`\b(monitor_[a-z_]+)\(`)
	checkName    = regexp.MustCompile(`--threshold ([a-z]+)\.([a-z_]+)=`)
)

func TestTheCallbacksAndChecksOfThePageExist(t *testing.T) {
	calls, checks := map[string]bool{}, map[string]bool{}
	for _, k := range all.Skills(all.Options{}) {
		for _, src := range k.Sources {
			for _, c := range src.Calls {
				calls[c.Name] = true
			}
			for _, c := range src.Checks {
				checks[k.Name+"."+c.Metric] = true
			}
		}
	}
	page := read(t, triagePage)
	named := callbackName.FindAllStringSubmatch(page, -1)
	if len(named) < 3 {
		t.Errorf("the test finds %d callbacks", len(named))
	}
	for _, m := range named {
		if !calls[m[1]] {
			t.Errorf("%s is no callback", m[1])
		}
	}
	for _, m := range checkName.FindAllStringSubmatch(page, -1) {
		if !checks[m[1]+"."+m[2]] {
			t.Errorf("%s.%s has no check", m[1], m[2])
		}
	}
}

var metricName = regexp.MustCompile("`(fleetlens_[a-z_]+)`")

func TestTheMetricsOfThePageAreTold(t *testing.T) {
	told := map[string]bool{}
	for _, s := range signals.Table() {
		told[telemetry.PrometheusName(s)] = true
	}
	names := metricName.FindAllStringSubmatch(read(t, triagePage), -1)
	if len(names) < 8 {
		t.Fatalf("the test finds %d", len(names))
	}
	for _, m := range names {
		if !told[m[1]] {
			t.Errorf("%s is no metric", m[1])
		}
	}
}
