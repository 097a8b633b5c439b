// Package custom makes skills from YAML files: what a team knows of its own programs,
// read from endpoints that they offer already, without compiling anything.
//
// docs/how-to/write-a-skill.md shows a whole one.
package custom

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/keys"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A file is a skill as somebody writes it.
type file struct {
	// Name is one lower-case word with underscores; callbacks begin with it and "_".
	Name string `yaml:"name"`
	// Title is what people read.
	Title string `yaml:"title"`
	// Description is one line, by which a coordinator chooses.
	Description string `yaml:"description"`
	// Prompt is what a model should know to read the metrics.
	Prompt string `yaml:"prompt"`
	// Read says where values come from, by a name of one's own.
	Read map[string]from `yaml:"read"`
	// Metrics are the fields of a snapshot.
	Metrics []metric `yaml:"metrics"`
	// Checks are thresholds on them.
	Checks []check `yaml:"checks"`
	// Callbacks are questions that an operator may ask.
	Callbacks []callback `yaml:"callbacks"`
}

// A from is one place that values come from: one of its first three is set.
type from struct {
	// Prometheus is the address of metrics in the text format.
	Prometheus string `yaml:"prometheus"`
	// JSON is the address of an endpoint that answers in JSON.
	JSON string `yaml:"json"`
	// Postgres is the name of a server of targets.postgres.
	Postgres string `yaml:"postgres"`
	// TokenFile holds the bearer token to show to an address.
	TokenFile string `yaml:"token_file"`
}

// A metric is one field of the snapshot.
type metric struct {
	// Name is the field's name.
	Name string `yaml:"name"`
	// Doc says what it counts.
	Doc string `yaml:"doc"`
	// Unit is count, percent, ratio, bytes, KiB, MiB, seconds, milliseconds, per_second, bytes_per_second, load or text.
	Unit string `yaml:"unit"`
	// Kind is gauge, counter or info.
	Kind string `yaml:"kind"`
	// From is a name in read.
	From string `yaml:"from"`
	// Series selects Prometheus series: orders_total{status="ok"}.
	Series string `yaml:"series"`
	// Combine makes one value of several series: sum, max, min or avg.
	Combine string `yaml:"combine"`
	// Field is the path in a JSON answer: queue.length, items.0.name, items.# for how many.
	Field string `yaml:"field"`
	// SQL selects one value.
	SQL string `yaml:"sql"`
	// Rate makes a counter's growth per second of it.
	Rate bool `yaml:"rate"`
}

// A check is a threshold on a metric.
type check struct {
	// Metric is the field.
	Metric string `yaml:"metric"`
	// Above holds the levels from which on it is bad.
	Above *levels `yaml:"above"`
	// Below holds the levels down from which it is bad.
	Below *levels `yaml:"below"`
	// Says is what is wrong, with {value} and {other_field} in it.
	Says string `yaml:"says"`
	// Ask is a call of a callback that shows more.
	Ask string `yaml:"ask"`
	// Advice is what a person can do.
	Advice string `yaml:"advice"`
	// Resource is what runs short, by which alike findings are put together.
	Resource string `yaml:"resource"`
}

type levels struct {
	Warning  *float64 `yaml:"warning"`
	Critical *float64 `yaml:"critical"`
}

// A callback is a question. Its answer is what its source gives, bounded.
type callback struct {
	// Name begins with the skill's name and "_".
	Name string `yaml:"name"`
	// Doc says what it answers, field by field.
	Doc string `yaml:"doc"`
	// Example is how it is called.
	Example string `yaml:"example"`
	// Params are its arguments, in order; they are bound to $1, $2, … of SQL.
	Params []param `yaml:"params"`
	// From is a name in read.
	From string `yaml:"from"`
	// Series selects Prometheus series, which are listed with their labels.
	Series string `yaml:"series"`
	// Field is the part of a JSON answer that is given; empty: all of it.
	Field string `yaml:"field"`
	// Query puts arguments into the query of a JSON address, by the name it has there.
	Query map[string]string `yaml:"query"`
	// SQL selects rows.
	SQL string `yaml:"sql"`
}

type param struct {
	Name    string   `yaml:"name"`
	Type    string   `yaml:"type"`
	Doc     string   `yaml:"doc"`
	Default any      `yaml:"default"`
	Min     *float64 `yaml:"min"`
	Max     *float64 `yaml:"max"`
	Enum    []string `yaml:"enum"`
}

// Load reads the skills of all *.yaml files in a folder, sorted by file. Databases are
// the servers that their SQL may name. The error joins every fault of every file, each
// with file and line.
func Load(folder string, databases map[string]Database) ([]skills.Skill, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("custom skills: %s is no folder that can be read", folder)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.y*ml"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []skills.Skill
	var errs []error
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s, err := Parse(name, b, databases)
		errs = append(errs, err)
		out = append(out, s)
	}
	return out, errors.Join(errs...)
}

// maxFile is how many bytes a skill's file has at most: its words travel with tasks.
const maxFile = 64 << 10

// Parse makes a skill of a file's text; name stands for it in errors.
func Parse(name string, text []byte, databases map[string]Database) (skills.Skill, error) {
	if len(text) > maxFile {
		return skills.Skill{}, fmt.Errorf("%s: it has %d bytes (at most %d)", name, len(text), maxFile)
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		return skills.Skill{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return skills.Skill{}, fmt.Errorf("%s: it is no skill: a map with name, title, description, prompt, read, metrics", name)
	}
	root := doc.Content[0]
	if err := keys.Unknown(root, reflect.TypeFor[file](), name, "skill"); err != nil {
		return skills.Skill{}, err
	}
	var f file
	if err := root.Decode(&f); err != nil {
		return skills.Skill{}, fmt.Errorf("%s: %w", name, err)
	}
	c := &compiler{name: name, root: root, file: f, databases: databases}
	return c.compile()
}
