package all

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/internal/reach/prometheus"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// Targets are what there is to look into on a host besides the host itself, by
// names of one's own.
type Targets struct {
	// Go are services written in Go.
	Go map[string]gopprof.Config `yaml:"go"`
	// Postgres are PostgreSQL servers.
	Postgres map[string]postgres.Config `yaml:"postgres"`
	// NATS are NATS servers.
	NATS map[string]nats.Config `yaml:"nats"`
	// Prometheus are Prometheus servers.
	Prometheus map[string]prometheus.Config `yaml:"prometheus"`
	// Kubernetes are clusters.
	Kubernetes map[string]kubernetes.Config `yaml:"kubernetes"`
	// Beam are Erlang and Elixir nodes.
	Beam map[string]beam.Config `yaml:"beam"`
}

// List returns the targets, sorted by kind and name.
func (t Targets) List() []skills.Target {
	var out []skills.Target
	for _, name := range slices.Sorted(maps.Keys(t.Go)) {
		out = append(out, skills.Target{Name: name, Kind: skills.Go})
	}
	for _, name := range slices.Sorted(maps.Keys(t.Postgres)) {
		out = append(out, skills.Target{Name: name, Kind: skills.Postgres})
	}
	for _, name := range slices.Sorted(maps.Keys(t.NATS)) {
		out = append(out, skills.Target{Name: name, Kind: skills.NATS})
	}
	for _, name := range slices.Sorted(maps.Keys(t.Prometheus)) {
		out = append(out, skills.Target{Name: name, Kind: skills.Prometheus})
	}
	for _, name := range slices.Sorted(maps.Keys(t.Kubernetes)) {
		out = append(out, skills.Target{Name: name, Kind: skills.Kubernetes})
	}
	for _, name := range slices.Sorted(maps.Keys(t.Beam)) {
		level := cmp.Or(t.Beam[name].Level, beam.Observe)
		out = append(out, skills.Target{Name: name, Kind: skills.Beam, Level: string(level)})
	}
	return out
}

// Addresses returns where the targets are: host:port, or the path of a socket. Clusters
// are not of this machine.
func (t Targets) Addresses() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(t.Go)) {
		out = append(out, t.Go[name].Addresses()...)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Postgres)) {
		out = append(out, t.Postgres[name].Addresses()...)
	}
	for _, name := range slices.Sorted(maps.Keys(t.NATS)) {
		out = append(out, t.NATS[name].Addresses()...)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Prometheus)) {
		out = append(out, t.Prometheus[name].Addresses()...)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Beam)) {
		out = append(out, t.Beam[name].Addresses()...)
	}
	return out
}

var targetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Validate names every wrong setting.
func (t Targets) Validate() error {
	var errs []error
	seen := map[string]skills.Kind{string(skills.Host): skills.Host}
	for _, target := range t.List() {
		at := fmt.Sprintf("targets.%s.%s", target.Kind, target.Name)
		if !targetName.MatchString(target.Name) {
			errs = append(errs, fmt.Errorf("%s: a target's name has letters, digits, dots, hyphens and underscores, at most 64", at))
		}
		if kind, taken := seen[target.Name]; taken {
			errs = append(errs, fmt.Errorf("%s: a target of kind %s has this name already", at, kind))
		}
		seen[target.Name] = target.Kind
	}
	return errors.Join(append(errs, validate("go", t.Go), validate("postgres", t.Postgres), validate("nats", t.NATS), validate("prometheus", t.Prometheus), validate("kubernetes", t.Kubernetes), validate("beam", t.Beam))...)
}

func validate[C interface{ Validate() error }](kind string, of map[string]C) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if err := of[name].Validate(); err != nil {
			errs = append(errs, fmt.Errorf("targets.%s.%s: %w", kind, name, err))
		}
	}
	return errors.Join(errs...)
}

// Clients are the targets, each with one client, whatever the skill that asks it.
type Clients struct {
	Go         map[string]*gopprof.Service
	Postgres   map[string]*postgres.Server
	NATS       map[string]*nats.Server
	Prometheus map[string]*prometheus.Server
	Kubernetes map[string]*kubernetes.Cluster
	Beam       map[string]*beam.Node
}

// Open returns a client of each target. It connects to nothing yet.
func (t Targets) Open() Clients {
	return Clients{
		Go: clients(t.Go, gopprof.New), Postgres: clients(t.Postgres, postgres.New), NATS: clients(t.NATS, nats.New),
		Prometheus: clients(t.Prometheus, prometheus.New), Kubernetes: clients(t.Kubernetes, kubernetes.New), Beam: clients(t.Beam, beam.New),
	}
}

// clients returns the client of each target.
func clients[C, T any](of map[string]C, open func(C) T) map[string]T {
	out := make(map[string]T, len(of))
	for name, c := range of {
		out[name] = open(c)
	}
	return out
}
