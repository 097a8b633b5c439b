//go:build linux

package manifests_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/test/built"
	"github.com/fleetlens/fleetlens/test/e2e/pod"
)

// Parts of the Compose file that are looked at: https://docs.docker.com/reference/compose-file/services/.
type service struct {
	Image       string
	Command     []string
	User        string
	Environment map[string]string
	Volumes     []string
	Tmpfs       []string
	Ports       []string
}

var variable = regexp.MustCompile(`\$\{(\w+)(?::([-?])([^}]*))?\}`)

// compose reads the file, with the variables of an environment.
func compose(t *testing.T, env map[string]string) map[string]service {
	t.Helper()
	text := variable.ReplaceAllStringFunc(read(t, filepath.Join(repo, "docker-compose.yml")), func(v string) string {
		m := variable.FindStringSubmatch(v)
		if value := env[m[1]]; value != "" {
			return value
		}
		if m[2] == "?" {
			t.Fatalf("%s is not set: %s", m[1], m[3])
		}
		return m[3]
	})
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

// pod makes what Docker would of a service. Files of this repository, and of the host,
// may be replaced by others.
func (s service) pod(t *testing.T, name string, replaced map[string]string) started {
	t.Helper()
	p := pod.Pod{Name: name, Programs: built.Programs(t), Command: s.Command, Writable: s.Tmpfs, User: 65532}
	if strings.HasPrefix(s.Image, "nats:") { // its entry point is the server, and its user root
		p.Command, p.User = append([]string{"nats-server"}, s.Command...), 0
	}
	if s.User == "0:0" {
		p.User = 0
	}
	for key, value := range s.Environment {
		p.Env = append(p.Env, key+"="+value)
	}
	for _, v := range s.Volumes {
		parts := strings.Split(v, ":")
		from, to := parts[0], parts[1]
		switch other, ok := replaced[from]; {
		case ok:
			from = other
		case strings.HasPrefix(from, "./"):
			from = filepath.Join(repo, from)
		case !strings.HasPrefix(from, "/"):
			p.Writable = append(p.Writable, to)
			continue
		}
		abs, err := filepath.Abs(from)
		if err != nil {
			t.Fatal(err)
		}
		p.Mounts = append(p.Mounts, pod.Mount{From: abs, To: to})
	}
	return started{Pod: p}
}

// The same from the command lines of the Compose file, with its sink.
func TestOneAlertThroughTheServicesOfTheComposeFileIsOneMessage(t *testing.T) {
	nodes, sick := hosts(t)
	env := map[string]string{"SLACK_WEBHOOK": "http://far.example/slack", "FLEETLENS_UI_TOKEN": strings.Repeat("u", 48), "FLEETLENS_ALERTS_TOKEN": strings.Repeat("a", 48)}
	for _, role := range []string{"PROBE", "OPERATOR", "COORDINATOR", "GATEWAY", "CLIENT", "VIEWER", "CI", "ADMIN"} {
		env["FLEETLENS_"+role+"_PASSWORD"] = "p" + strings.ToLower(role) + strings.Repeat("0", 40)
	}
	// As deploy/nats tells who watches more hosts than one.
	conf := t.TempDir()
	if err := os.CopyFS(conf, os.DirFS(filepath.Join(repo, "deploy/nats"))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(conf, "accounts.conf"), creds(t, t.TempDir(), append([]string{"static"}, slices.Sorted(maps.Keys(nodes))...)...))

	services := compose(t, env)
	f := newFleet(t, "nats:4222")
	server := services["nats"].pod(t, "nats", map[string]string{"./deploy/nats": conf})
	server.says, server.Serves = "Server is ready", map[int]string{4222: f.socket("nats")}
	if !f.start(server) {
		return
	}
	pods := []started{}
	for i := range 2 {
		s := services["coordinator"].pod(t, fmt.Sprintf("coordinator-%d", i), nil)
		s.says = "coordinator takes requests"
		pods = append(pods, s)
	}
	f.start(pods...)
	f.start(services["sinks"].pod(t, "sinks", nil))

	pods = nil
	for i := range 3 {
		s := services["operator"].pod(t, fmt.Sprintf("operator-%d", i), nil)
		s.says, s.Env = "operator serves", append(s.Env, "FLEETLENS_WATCH=false") // the alert is to be the first to tell
		pods = append(pods, s)
	}
	for node, folder := range nodes {
		env["FLEETLENS_NODE"] = node
		s := compose(t, env)["probe"].pod(t, node, map[string]string{"/proc": folder + "/proc", "/sys": folder + "/sys", "/": folder})
		s.says = "probe watches"
		pods = append(pods, s)
	}
	ui := services["ui"].pod(t, "ui", nil)
	ui.says, ui.Serves = "is to be seen at", map[int]string{7422: f.socket("ui")}
	gateway := services["gateway"].pod(t, "gateway", nil)
	gateway.says, gateway.Serves = "gateway sends insights", map[int]string{4234: f.socket("alerts")}
	f.start(append(pods, ui, gateway)...)

	f.alert(f.socket("alerts"), "/in/alertmanager", env["FLEETLENS_ALERTS_TOKEN"], sick)
	f.oneMessageASink(f.connect(nats.UserInfo("admin", env["FLEETLENS_ADMIN_PASSWORD"])), map[string]string{"team": "/slack"}, sick)
	if err := f.get(f.socket("ui"), "/api/v1/insights", env["FLEETLENS_UI_TOKEN"]); err != nil {
		t.Errorf("the UI: %v", err)
	}
}
