package bus_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/web"
)

const root = "../.."

type service struct {
	Image         string
	Build         string
	Command       []string
	User          string
	PID           string `yaml:"pid"`
	NetworkMode   string `yaml:"network_mode"`
	ContainerName string `yaml:"container_name"`
	Privileged    bool
	ReadOnly      bool     `yaml:"read_only"`
	CapDrop       []string `yaml:"cap_drop"`
	Ports         []string
	Volumes       []string
	Environment   map[string]string
	HealthCheck   *struct{ Test []string }
	DependsOn     map[string]struct{ Condition string } `yaml:"depends_on"`
}

func TestCompose(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	docker, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(file.Services)), []string{"coordinator", "gateway", "nats", "operator", "probe", "sinks", "ui"}; !slices.Equal(got, want) {
		t.Fatalf("the services are %v, want %v", got, want)
	}
	nats, operator, probe, ui := file.Services["nats"], file.Services["operator"], file.Services["probe"], file.Services["ui"]
	// The program, its user when that is no node, and the role whose password it has.
	runs := map[string]struct{ program, role string }{
		"coordinator": {"coordinator", bus.CoordinatorRole},
		"operator":    {"operator", bus.OperatorRole},
		"probe":       {"probe", bus.ProbeRole},
		"ui":          {"fleetlens", bus.ClientRole},
		"gateway":     {"fleetlens", bus.GatewayRole},
		"sinks":       {"fleetlens", bus.CoordinatorRole}, // a gateway may not make durables
	}

	for name, s := range file.Services {
		t.Run(name+" has no more rights than it needs", func(t *testing.T) {
			if s.Privileged || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
				t.Errorf("privileged %v, read-only %v, drops %v", s.Privileged, s.ReadOnly, s.CapDrop)
			}
			if s.User != "" && name != "probe" {
				t.Errorf("it runs as %s", s.User)
			}
		})
		t.Run(name+" has no secret in the file", func(t *testing.T) {
			for k, v := range s.Environment {
				if secret := strings.Contains(k, "PASSWORD") || strings.Contains(k, "KEY") || strings.Contains(k, "WEBHOOK") || strings.Contains(k, "TOKEN"); secret && !strings.HasPrefix(v, "${") {
					t.Errorf("%s is %q", k, v)
				}
			}
		})
		t.Run(name+" keeps what it stores in volumes that exist", func(t *testing.T) {
			for _, v := range s.Volumes {
				from, _, _ := strings.Cut(v, ":")
				if _, ok := file.Volumes[from]; !ok && !strings.HasPrefix(from, "/") && !strings.HasPrefix(from, "./") {
					t.Errorf("volume %s is not declared", from)
				}
			}
		})
		if name == "nats" {
			continue
		}
		t.Run(name+" runs a program that the image has, when what it needs is there", func(t *testing.T) {
			program := runs[name].program
			if s.Build != "." || len(s.Command) == 0 || s.Command[0] != program || !strings.Contains(string(docker), "./cmd/"+program) {
				t.Errorf("build %q, command %v", s.Build, s.Command)
			}
			if s.DependsOn["nats"].Condition != "service_healthy" && (name != "gateway" || s.DependsOn["sinks"].Condition != "service_completed_successfully") {
				t.Errorf("it waits for %v", s.DependsOn)
			}
		})
		t.Run(name+" is the static user of its role", func(t *testing.T) {
			role := runs[name].role
			want := role
			if name == "probe" {
				want = "${FLEETLENS_NODE:-" + bus.ExampleNode + "}"
				if s.Environment["FLEETLENS_NODE"] != want {
					t.Errorf("its node is %q", s.Environment["FLEETLENS_NODE"])
				}
			}
			if s.Environment["NATS_USER"] != want || s.Environment["NATS_PASSWORD"] != "${"+bus.PasswordVariable(role)+"}" {
				t.Errorf("it is %q with %q", s.Environment["NATS_USER"], s.Environment["NATS_PASSWORD"])
			}
		})
	}
	t.Run("nats has the shipped configuration, all passwords, a health check, and listens on loopback", func(t *testing.T) {
		if !strings.HasPrefix(nats.Image, "nats:2.15") || !slices.Contains(nats.Command, "/etc/nats/single.conf") || !slices.Contains(nats.Volumes, "./deploy/nats:/etc/nats:ro") {
			t.Errorf("image %s, command %v, volumes %v", nats.Image, nats.Command, nats.Volumes)
		}
		for _, r := range bus.Roles() {
			v := bus.PasswordVariable(r.Name)
			if !strings.HasPrefix(nats.Environment[v], "${"+v+":?") {
				t.Errorf("%s is %q", v, nats.Environment[v])
			}
			head, _, _ := strings.Cut(string(text), "\nname:")
			if !strings.Contains(head, strings.ToUpper(r.Name)) {
				t.Errorf("the command that makes .env forgets %s", r.Name)
			}
		}
		if nats.HealthCheck == nil || len(nats.HealthCheck.Test) == 0 {
			t.Error("no health check")
		}
	})
	for name, s := range file.Services {
		t.Run(name+" is published on loopback alone", func(t *testing.T) {
			for _, p := range s.Ports {
				if !strings.HasPrefix(p, "127.0.0.1:") {
					t.Errorf("it listens on %s", p)
				}
			}
		})
	}
	t.Run("the ui is asked by the names that browsers use, with a token of .env", func(t *testing.T) {
		var c web.Config
		fs := pflag.NewFlagSet("ui", pflag.ContinueOnError)
		c.Flags(fs)
		if err := fs.Parse(ui.Command[2:]); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(ui.Ports, "127.0.0.1:7422:7422") || !strings.HasSuffix(c.Listen, ":7422") {
			t.Errorf("it listens on %s, published %v", c.Listen, ui.Ports)
		}
		if hosts := ui.Environment[proc.EnvName("ui-host")]; hosts != "${FLEETLENS_UI_HOST:-localhost,127.0.0.1}" {
			t.Errorf("its names are %s", hosts)
		}
		if token := ui.Environment[web.TokenVariable]; !strings.HasPrefix(token, "${"+web.TokenVariable+":?") {
			t.Errorf("its token is %s", token)
		}
		t.Setenv(web.TokenVariable, "a token that is long enough")
		if err := c.Validate(); err != nil {
			t.Errorf("it would not start: %v", err)
		}
	})
	t.Run("the gateway takes alerts on loopback, from who has the token of .env", func(t *testing.T) {
		gw := file.Services["gateway"]
		at := slices.Index(gw.Command, "--alerts")
		if at < 0 || !slices.Contains(gw.Ports, "127.0.0.1:4234:4234") {
			t.Fatalf("command %v, published %v", gw.Command, gw.Ports)
		}
		if token := gw.Environment[intake.TokenVariable]; !strings.HasPrefix(token, "${"+intake.TokenVariable+":?") {
			t.Errorf("its token is %s", token)
		}
		c := intake.DefaultConfig()
		c.Addr = gw.Command[at+1]
		if err := c.Validate(); err == nil || !strings.HasSuffix(c.Addr, ":4234") {
			t.Errorf("without a token it would listen on %s", c.Addr)
		}
		t.Setenv(intake.TokenVariable, "a token that is long enough")
		if err := c.Validate(); err != nil {
			t.Errorf("it would not start: %v", err)
		}
	})
	t.Run("the gateway has the file of its sinks, their environment and their durables", func(t *testing.T) {
		gw := file.Services["gateway"]
		text, err := os.ReadFile(filepath.Join(root, "deploy/compose/gateway.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(gw.Volumes, "./deploy/compose/gateway.yaml:/etc/fleetlens/gateway.yaml:ro") || !slices.Contains(gw.Command, "/etc/fleetlens/gateway.yaml") {
			t.Errorf("volumes %v, command %v", gw.Volumes, gw.Command)
		}
		var cfg struct{ Sinks map[string]sinks.Config }
		if err := yaml.Unmarshal(text, &cfg); err != nil {
			t.Fatal(err)
		}
		for name, sink := range cfg.Sinks {
			if _, ok := gw.Environment[sink.URLEnv]; !ok {
				t.Errorf("%s reads %s, which the service does not have", name, sink.URLEnv)
			}
			t.Setenv(sink.URLEnv, "https://hooks.slack.com/services/T0/B0/x")
			if err := sink.Validate(); err != nil {
				t.Errorf("sink %s: %v", name, err)
			}
			if !slices.Contains(file.Services["sinks"].Command, name) {
				t.Errorf("nobody makes the durable of %s", name)
			}
		}
	})
	t.Run("operators can be scaled", func(t *testing.T) {
		if operator.ContainerName != "" || len(operator.Ports) > 0 || len(operator.Volumes) > 0 || operator.NetworkMode != "" {
			t.Errorf("name %q, ports %v, volumes %v, network %q", operator.ContainerName, operator.Ports, operator.Volumes, operator.NetworkMode)
		}
	})
	t.Run("the probe sees the host and cannot write to it", func(t *testing.T) {
		want := []string{"/proc:/host/proc:ro", "/sys:/host/sys:ro", "/:/host/root:ro,rslave"}
		for _, v := range want {
			if !slices.Contains(probe.Volumes, v) {
				t.Errorf("mount %s is missing", v)
			}
		}
		for _, v := range probe.Volumes {
			if strings.HasPrefix(v, "/") && !slices.Contains(want, v) {
				t.Errorf("mount %s is not wanted", v)
			}
		}
		if probe.PID != "host" || probe.NetworkMode != "host" {
			t.Errorf("pid %q, network %q", probe.PID, probe.NetworkMode)
		}
		if flags := strings.Join(probe.Command, " "); !strings.Contains(flags, "--proc /host/proc --sys /host/sys --root /host/root") {
			t.Errorf("flags %s", flags)
		}
	})
	t.Run("the image runs as an ordinary user and is linked statically", func(t *testing.T) {
		for _, line := range []string{"FROM golang:1.26 AS build", "CGO_ENABLED=0", "USER nonroot", "./cmd/fleetlens"} {
			if !strings.Contains(string(docker), line) {
				t.Errorf("the Dockerfile lacks %q", line)
			}
		}
	})
	t.Run("secrets do not enter the image", func(t *testing.T) {
		ignored, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{".env", "**/*.creds", "**/*.seed"} {
			if !slices.Contains(strings.Split(string(ignored), "\n"), line) {
				t.Errorf(".dockerignore lacks %s", line)
			}
		}
	})
}
