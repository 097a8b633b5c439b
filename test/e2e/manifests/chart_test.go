//go:build linux

package manifests_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.yaml.in/yaml/v3"
)

// sinksOfTheTest are one of each kind, and the path at which it arrives at the far side.
var sinksOfTheTest = map[string]struct {
	path   string
	config map[string]any
}{
	"webhook":      {"/webhook", map[string]any{"type": "webhook", "url": "http://far.example/webhook", "private": true, "secret_envs": []string{"WEBHOOK_SECRET"}}},
	"alertmanager": {"/am/api/v2/alerts", map[string]any{"type": "alertmanager", "url": "http://far.example/am"}},
	"team":         {"/slack", map[string]any{"type": "slack", "url_env": "SLACK_WEBHOOK"}},
	"incidents":    {"/api/chat.postMessage", map[string]any{"type": "slack", "url": "http://far.example/api", "token_env": "TOKEN", "channel": "C0123456789"}},
	"oncall":       {"/v2/enqueue", map[string]any{"type": "pagerduty", "url": "http://far.example/v2/enqueue", "token_env": "TOKEN", "when": map[string]any{"min_confidence": "low"}}},
	"teams":        {"/teams", map[string]any{"type": "teams", "url_env": "TEAMS_WEBHOOK"}},
	"discord":      {"/discord", map[string]any{"type": "discord", "url_env": "DISCORD_WEBHOOK"}},
	"mattermost":   {"/mattermost", map[string]any{"type": "mattermost", "url_env": "MATTERMOST_WEBHOOK"}},
	"grafana":      {"/grafana/api/annotations", map[string]any{"type": "grafana", "url": "http://far.example/grafana", "token_env": "TOKEN"}},
	"github":       {"/github/repos/acme/ops/issues", map[string]any{"type": "github", "url": "http://far.example/github", "token_env": "TOKEN", "channel": "acme/ops"}},
	"mail":         {"mail", map[string]any{"type": "email", "url": "smtp://localhost:2525", "from": "fleetlens@example.com", "to": []string{"ops@example.com"}}},
	"jira":         {"/jira/rest/api/2/issue", map[string]any{"type": "jira", "url": "http://far.example/jira", "token_env": "USER_TOKEN", "channel": "OPS"}},
}

var secretsOfTheSinks = map[string]string{
	"WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "TOKEN": "secret-token-0123456789", "USER_TOKEN": "me@example.com:secret-token-0123456789",
	"SLACK_WEBHOOK": "http://far.example/slack", "TEAMS_WEBHOOK": "http://far.example/teams", "DISCORD_WEBHOOK": "http://far.example/discord", "MATTERMOST_WEBHOOK": "http://far.example/mattermost",
}

// Two coordinators, three operators, ten probes, a gateway with a sink of each kind and
// the UI, as the chart renders them: one alert in, one message out per sink.
func TestOneAlertThroughTheChartsPodsIsOneMessageASink(t *testing.T) {
	nodes, sick := hosts(t)
	sinks, paths := map[string]any{}, map[string]string{}
	for name, s := range sinksOfTheTest {
		sinks[name], paths[name] = s.config, s.path
	}
	values, err := yaml.Marshal(map[string]any{
		"gateway":     map[string]any{"secret": "sinks", "uiURL": "https://fleetlens.example", "sinks": sinks},
		"coordinator": map[string]any{"replicas": 2, "alerts": true},
		"operator":    map[string]any{"replicas": 3, "config": map[string]any{"watch": false}}, // the alert is to be the first to tell
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, string(values))
	c := render(t, file)

	keys := filepath.Join(t.TempDir(), "fleet-keys")
	creds(t, keys, "init")
	c.secret("fleetlens-accounts", map[string]string{"resolver.conf": read(t, filepath.Join(keys, "resolver.conf"))})
	for secret, role := range map[string]string{"fleetlens-operator": "operator", "fleetlens-coordinator": "coordinator", "fleetlens-gateway": "gateway", "fleetlens-ui": "client"} {
		c.secret(secret, map[string]string{"nats.creds": creds(t, keys, "mint", role, role+"-1")})
	}
	probes := map[string]string{}
	for node := range nodes {
		probes[node+".creds"] = creds(t, keys, "mint", "probe", node)
	}
	c.secret("fleetlens-probe", probes)
	const token = "0123456789abcdef"
	c.secret("fleetlens-tokens", map[string]string{"http": token, "ui": token, "alerts": token})
	c.secret("sinks", secretsOfTheSinks)
	admin := filepath.Join(t.TempDir(), "admin.creds")
	write(t, admin, creds(t, keys, "mint", "admin", "me"))

	f := newFleet(t, "fleetlens-nats.fleetlens.svc:4222")
	server := c.pods("StatefulSet fleetlens-nats", nil)[0]
	server.says, server.Serves = "Server is ready", map[int]string{4222: f.socket("nats")}
	if !f.start(server) {
		return
	}
	coordinators := c.pods("Deployment fleetlens-coordinator", nil)
	coordinators[1].Serves = map[int]string{4234: f.socket("alerts")} // the Service leads to either
	if !f.start(coordinators...) {
		return
	}
	setup := coordinators[0]
	setup.Name, setup.Serves, setup.port = "setup", nil, 0
	setup.Command = []string{"fleetlens", "setup", "--sink", strings.Join(slices.Sorted(maps.Keys(sinks)), ",")}
	f.start(setup)
	ui := c.pods("Deployment fleetlens-ui", nil)
	ui[0].says, ui[0].Serves = "is to be seen at", map[int]string{7422: f.socket("ui")}
	pods := slices.Concat(c.pods("Deployment fleetlens-operator", nil), c.pods("DaemonSet fleetlens-probe", nodes), c.pods("Deployment fleetlens-gateway", nil), ui)
	if len(coordinators) != 2 || len(pods) != 3+10+1+1 {
		t.Fatalf("%d coordinators and %d other pods", len(coordinators), len(pods))
	}
	f.start(pods...)

	f.alert(f.socket("alerts"), "/api/v1/alertmanager", token, sick)
	f.oneMessageASink(f.connect(nats.UserCredentials(admin)), paths, sick)
	if err := f.get(f.socket("ui"), "/api/v1/insights", token); err != nil {
		t.Errorf("the UI: %v", err)
	}
}
