package topology

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fleetlens/fleetlens/internal/keys"
)

// A Given is what a person said: each of From depends on each of To.
type Given struct {
	From, To Selector
	Note     string
}

// A Selector names nodes: one by its name, or all that have some labels.
type Selector struct {
	Name   string
	Labels map[string]string
}

// nodes returns the nodes that are meant, sorted. One that is named need not be known.
func (s Selector) nodes(labels map[string]map[string]string) []string {
	if s.Name != "" {
		return []string{s.Name}
	}
	var out []string
	for name, have := range labels {
		all := true
		for k, v := range s.Labels {
			all = all && have[k] == v
		}
		if all {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// String returns the selector as it is written.
func (s Selector) String() string {
	if s.Name != "" {
		return s.Name
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
		parts = append(parts, k+"="+s.Labels[k])
	}
	return strings.Join(parts, ",")
}

// entry is an entry of the file.
type entry struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
	Note string `yaml:"note"`
}

const (
	maxFile = 1 << 20
	maxNote = 256
)

// Load reads a file of dependencies. The error joins every fault, each with file and line.
func Load(name string) ([]Given, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

const right = `write a list of entries such as {from: role=web, to: db-1, note: orders}`

// Parse reads the text of a file of dependencies; name stands for it in errors.
func Parse(name string, text []byte) ([]Given, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: it has more than %d bytes", name, maxFile)
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil // nothing is given
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s:%d: it is no list: %s", name, max(doc.Line, 1), right)
	}
	root := doc.Content[0]
	if err := keys.Unknown(root, reflect.TypeFor[[]entry](), name, "topology"); err != nil {
		return nil, err
	}
	var out []Given
	var errs []error
	for _, item := range root.Content {
		g, err := readEntry(item)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", name, item.Line, err))
			continue
		}
		out = append(out, g)
	}
	return out, errors.Join(errs...)
}

func readEntry(item *yaml.Node) (Given, error) {
	var e entry
	if item.Kind != yaml.MappingNode {
		return Given{}, fmt.Errorf("it is no entry: %s", right)
	}
	if err := item.Decode(&e); err != nil {
		return Given{}, err
	}
	from, err := parseSelector("from", e.From)
	to, err2 := parseSelector("to", e.To)
	if err := errors.Join(err, err2); err != nil {
		return Given{}, err
	}
	if strings.HasPrefix(from.Name, External) {
		return Given{}, fmt.Errorf("from: %q is outside of the fleet: only to may be", e.From)
	}
	if len(e.Note) > maxNote {
		return Given{}, fmt.Errorf("note: it has %d bytes (at most %d)", len(e.Note), maxNote)
	}
	return Given{From: from, To: to, Note: e.Note}, nil
}

// parseSelector reads the name of a node, or labels: role=web,zone=a.
func parseSelector(key, text string) (Selector, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Selector{}, fmt.Errorf("%s: it is missing: a node's name, or labels (role=web)", key)
	}
	if !strings.Contains(text, "=") {
		return Selector{Name: text}, nil
	}
	s := Selector{Labels: map[string]string{}}
	for part := range strings.SplitSeq(text, ",") {
		k, v, ok := strings.Cut(part, "=")
		if k, v = strings.TrimSpace(k), strings.TrimSpace(v); !ok || k == "" || v == "" {
			return Selector{}, fmt.Errorf("%s: %q are no labels: write role=web or role=web,zone=a", key, text)
		}
		s.Labels[k] = v
	}
	return s, nil
}
