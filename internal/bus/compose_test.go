package bus_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/bus"
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
	if got, want := slices.Sorted(maps.Keys(file.Services)), []string{"coordinator", "nats", "operator", "probe"}; !slices.Equal(got, want) {
		t.Fatalf("the services are %v, want %v", got, want)
	}
	nats, operator, probe := file.Services["nats"], file.Services["operator"], file.Services["probe"]

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
				if secret := strings.Contains(k, "PASSWORD") || strings.Contains(k, "KEY"); secret && !strings.HasPrefix(v, "${") {
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
		t.Run(name+" runs the binary of its name, which the image has, when NATS is healthy", func(t *testing.T) {
			if s.Build != "." || len(s.Command) == 0 || s.Command[0] != name || !strings.Contains(string(docker), "./cmd/"+name) {
				t.Errorf("build %q, command %v", s.Build, s.Command)
			}
			if s.DependsOn["nats"].Condition != "service_healthy" {
				t.Errorf("it waits for %v", s.DependsOn)
			}
		})
		t.Run(name+" is the static user of its role", func(t *testing.T) {
			want := name
			if name == "probe" {
				want = "${FLEETLENS_NODE:-" + bus.ExampleNode + "}"
				if s.Environment["FLEETLENS_NODE"] != want {
					t.Errorf("its node is %q", s.Environment["FLEETLENS_NODE"])
				}
			}
			if s.Environment["NATS_USER"] != want || s.Environment["NATS_PASSWORD"] != "${"+bus.PasswordVariable(name)+"}" {
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
		for _, p := range nats.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("it listens on %s", p)
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
