package fleet

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/keys"
)

// A Scenario is one story with its truth. Times are in snapshot intervals after the
// moment zero, at which the fleet has run healthily for a while.
type Scenario struct {
	Name      string         `yaml:"-"` // of its file
	Family    string         `yaml:"family"`
	Says      string         `yaml:"says"`
	Fleet     string         `yaml:"fleet"`
	Lasts     float64        `yaml:"lasts"` // how long the product is watched after zero
	Operators int            `yaml:"operators"`
	Faults    []Fault        `yaml:"faults"`
	Changes   []ChangeAt     `yaml:"changes"`
	Delivery  []Delivery     `yaml:"delivery"`
	Kill      []KillAt       `yaml:"kill"`
	Truth     Truth          `yaml:"truth"`
	On        *Configuration `yaml:"-"` // the fleet that Fleet names
}

// A Fault is something that goes wrong on some nodes.
type Fault struct {
	Name   string          `yaml:"name"`
	At     float64         `yaml:"at"`
	For    float64         `yaml:"for"` // 0: to the end
	Nodes  Selector        `yaml:"nodes"`
	Moves  map[string]Move `yaml:"moves"` // by skill.metric
	Spread []Spread        `yaml:"spread"`
	Silent bool            `yaml:"silent"` // the probe ends
	Cut    bool            `yaml:"cut"`    // the node cannot reach NATS
	Clock  float64         `yaml:"clock"`  // by how much its clock is ahead, from the start on
}

// A Move says how a metric moves: set, else times, else add, reached after Ramp.
type Move struct {
	Set   *float64 `yaml:"set"`
	Times *float64 `yaml:"times"`
	Add   *float64 `yaml:"add"`
	Ramp  float64  `yaml:"ramp"`
}

// A Spread says who suffers from a fault: the callers of its nodes, or those with the
// same value of a label.
type Spread struct {
	To    string          `yaml:"to"`    // callers, or the name of a label
	Hops  int             `yaml:"hops"`  // of callers, how far; 0: 1
	Delay float64         `yaml:"delay"` // a hop
	Share float64         `yaml:"share"` // of the move that reaches the next hop; 0: all
	Moves map[string]Move `yaml:"moves"`
}

// A ChangeAt is a change that a delivery system reports.
type ChangeAt struct {
	At     float64  `yaml:"at"`
	Nodes  Selector `yaml:"nodes"`
	Source string   `yaml:"source"`
	What   string   `yaml:"what"`
	Text   string   `yaml:"text"`
}

// A Delivery says what happens to the messages of some nodes, each as a share of them.
type Delivery struct {
	Nodes     Selector `yaml:"nodes"`
	Late      float64  `yaml:"late"`
	LateBy    float64  `yaml:"late_by"` // intervals
	Doubled   float64  `yaml:"doubled"`
	Reordered float64  `yaml:"reordered"`
}

// A KillAt kills a process of the product with SIGKILL.
type KillAt struct {
	At      float64 `yaml:"at"`
	Process string  `yaml:"process"` // operator or coordinator
}

// A Selector means nodes: those of another fault, those of some names, or those with
// all of the labels; of them a number or a share, chosen by the seed.
type Selector struct {
	Fault  string            `yaml:"fault"`
	Names  []string          `yaml:"names"`
	Labels map[string]string `yaml:"labels"`
	Count  int               `yaml:"count"`
	Share  float64           `yaml:"share"`
}

// Truth is the right answer.
type Truth struct {
	// Faults are those whose nodes are the root cause; none: there is nothing to find.
	Faults []string `yaml:"faults"`
	// Label is what the insight should call them, when they are a group: "zone=eu-a".
	Label string `yaml:"label"`
}

// Configuration is what a fleet is like.
type Configuration struct {
	Labels  map[string]Weights `yaml:"labels"`
	Metrics map[string]Course  `yaml:"metrics"` // by skill.metric
	Roles   map[string]Role    `yaml:"roles"`
}

// A Role is what some of the nodes do; it is their label role too.
type Role struct {
	Share   float64            `yaml:"share"` // of the nodes, beside those of the other roles
	Count   int                `yaml:"count"` // of nodes, whatever the size of the fleet
	Calls   map[string]int     `yaml:"calls"` // role → how many nodes of it each calls; 0: all
	Labels  map[string]Weights `yaml:"labels"`
	Metrics map[string]Course  `yaml:"metrics"`
}

// Weights are the values of a label with how often each is.
type Weights map[string]float64

// UnmarshalYAML reads one value, or values with their weights.
func (w *Weights) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = Weights{n.Value: 1}
		return nil
	}
	return n.Decode((*map[string]float64)(w))
}

// A Course is how a metric goes when all is well.
type Course struct {
	Level  float64 `yaml:"level"`
	Differ float64 `yaml:"differ"` // of one node from another, as a share of the level
	Daily  float64 `yaml:"daily"`  // swing over the day, as a share of the level
	Noise  float64 `yaml:"noise"`  // from sample to sample, as a share of the level
	Wander float64 `yaml:"wander"` // over minutes, as a share of the level
	Spikes float64 `yaml:"spikes"` // share of samples that are two to four times as high
	Max    float64 `yaml:"max"`    // 0: none
}

//go:embed scenarios
var shipped embed.FS

// Shipped returns the scenarios and fleets that come with the simulator.
func Shipped() fs.FS {
	sub, err := fs.Sub(shipped, "scenarios")
	if err != nil {
		panic(err) // the folder is there when this compiles
	}
	return sub
}

// Load returns scenarios by name: "all", names of shipped ones separated by commas, or
// a folder of files. The error joins every fault, each with file and line.
func Load(which string) ([]Scenario, error) {
	if info, err := os.Stat(which); err == nil && info.IsDir() {
		return read(os.DirFS(which), which, nil)
	}
	if which == "all" {
		return read(Shipped(), "", nil)
	}
	return read(Shipped(), "", strings.Split(which, ","))
}

func read(from fs.FS, folder string, names []string) ([]Scenario, error) {
	files, err := fs.Glob(from, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: there is no scenario (*.yaml) in it", folder)
	}
	var have []string
	for _, f := range files {
		have = append(have, strings.TrimSuffix(f, ".yaml"))
	}
	if names == nil {
		names = have
	}
	var out []Scenario
	var errs []error
	for _, n := range names {
		if !slices.Contains(have, n) {
			errs = append(errs, fmt.Errorf("there is no folder and no scenario %q; the nearest is %q", n, keys.Nearest(n, have)))
			continue
		}
		s, err := readScenario(from, folder, n)
		out, errs = append(out, s), append(errs, err)
	}
	return out, errors.Join(errs...)
}

func readScenario(from fs.FS, folder, name string) (Scenario, error) {
	file := name + ".yaml"
	text, err := fs.ReadFile(from, file)
	if err != nil {
		return Scenario{}, err
	}
	shown := filepath.Join(folder, file)
	s, err := Parse(shown, text)
	if err != nil {
		return s, err
	}
	s.Name = name
	fleetFile := path.Join("fleets", s.Fleet+".yaml")
	text, err = fs.ReadFile(from, fleetFile)
	shown = filepath.Join(folder, fleetFile)
	if errors.Is(err, fs.ErrNotExist) { // the shipped fleets are there for all
		shown = fleetFile
		text, err = fs.ReadFile(Shipped(), fleetFile)
	}
	if err != nil {
		return s, fmt.Errorf("%s: fleet: there is no %q: %w", filepath.Join(folder, file), fleetFile, err)
	}
	if s.On, err = ParseFleet(shown, text); err != nil {
		return s, err
	}
	if err := s.fits(); err != nil {
		return s, fmt.Errorf("%s: %w", filepath.Join(folder, file), err)
	}
	return s, nil
}

// Parse reads a scenario; file stands for it in errors.
func Parse(file string, text []byte) (Scenario, error) {
	s := Scenario{Fleet: "shop", Lasts: 45, Operators: 2}
	if err := decode(file, text, &s, "scenario"); err != nil {
		return s, err
	}
	if err := s.valid(); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// ParseFleet reads what a fleet is like; file stands for it in errors.
func ParseFleet(file string, text []byte) (*Configuration, error) {
	c := new(Configuration)
	if err := decode(file, text, c, "fleet"); err != nil {
		return nil, err
	}
	if err := c.valid(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// decode reads YAML of which every key must be known.
func decode(file string, text []byte, into any, what string) error {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s:1: it is no %s: write keys and values", file, what)
	}
	if err := keys.Unknown(doc.Content[0], reflect.TypeOf(into), file, what); err != nil {
		return err
	}
	if err := doc.Content[0].Decode(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
