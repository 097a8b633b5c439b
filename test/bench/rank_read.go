package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// A rankCase is a case in the format of docs/reference/ranking-cases.md.
type rankCase struct {
	name  string
	input correlate.Case
	truth []string // none: a healthy case
}

// readRankCases reads every folder below dir, and dir itself, that has a truth.json
// or an incident.csv.
func readRankCases(dir string) ([]rankCase, error) {
	var folders []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); !d.IsDir() && (name == "truth.json" || name == "incident.csv") {
			folders = append(folders, filepath.Dir(path))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for cases: %w", err)
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	if len(folders) == 0 {
		return nil, fmt.Errorf("%s has no cases: want folders with baseline.csv, incident.csv and truth.json", dir)
	}
	var out []rankCase
	var faults []error
	for _, f := range folders {
		c, err := readRankCase(f)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if c.name, err = filepath.Rel(dir, f); err != nil || c.name == "." {
			c.name = filepath.Base(f)
		}
		out = append(out, c)
	}
	return out, errors.Join(faults...)
}

func readRankCase(dir string) (c rankCase, err error) {
	var truth struct {
		Nodes []string `json:"nodes"`
	}
	if err := readJSON(filepath.Join(dir, "truth.json"), &truth, `{"nodes": ["cart"]}`); err != nil {
		return c, err
	}
	c.truth = truth.Nodes
	base, err := readGrid(filepath.Join(dir, "baseline.csv"))
	if err != nil {
		return c, err
	}
	incident, err := readGrid(filepath.Join(dir, "incident.csv"))
	if err != nil {
		return c, err
	}
	c.input = caseOf(base, incident)
	if c.input.Calls, err = readCalls(filepath.Join(dir, "graph.csv")); err != nil {
		return c, err
	}
	c.input.Alert, err = readAlert(filepath.Join(dir, "alert.json"))
	return c, err
}

// readGrid reads a table whose first column is time and whose others are node:metric.
func readGrid(file string) (grid, error) {
	lines, err := readCSV(file)
	if err != nil {
		return grid{}, err
	}
	head := lines[0]
	if strings.TrimPrefix(head[0], "\ufeff") != "time" {
		return grid{}, fmt.Errorf("%s: line 1: the first column is %q, want time", file, head[0])
	}
	var g grid
	seen := map[string]bool{}
	for i, name := range head[1:] {
		at := strings.LastIndexByte(name, ':')
		if at <= 0 || at == len(name)-1 {
			return grid{}, fmt.Errorf("%s: line 1, column %d: %q is not node:metric, as cart:latency is", file, i+2, name)
		}
		if seen[name] {
			return grid{}, fmt.Errorf("%s: line 1, column %d: %q is there twice", file, i+2, name)
		}
		seen[name] = true
		g.cols = append(g.cols, column{node: name[:at], metric: name[at+1:]})
	}
	if len(lines) == 1 {
		return grid{}, fmt.Errorf("%s: has no rows below its header", file)
	}
	if err := g.fill(file, lines, 1); err != nil {
		return grid{}, err
	}
	for i := 1; i < len(g.times); i++ {
		if g.times[i].Before(g.times[i-1]) {
			return grid{}, fmt.Errorf("%s: line %d: its time lies before that of the line above; want the oldest first", file, i+2)
		}
	}
	return g, nil
}

// readCalls reads lines caller,callee below a header; nil without the file.
func readCalls(file string) ([]correlate.Edge, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lines, err := readCSV(file)
	if err != nil {
		return nil, err
	}
	if h := lines[0]; len(h) != 2 || strings.TrimPrefix(h[0], "\ufeff") != "caller" || h[1] != "callee" {
		return nil, fmt.Errorf("%s: line 1: want the header caller,callee, have %s", file, strings.Join(lines[0], ","))
	}
	var out []correlate.Edge
	for i, l := range lines[1:] {
		if l[0] == "" || l[1] == "" {
			return nil, fmt.Errorf("%s: line %d: want two names, caller,callee", file, i+2)
		}
		out = append(out, correlate.Edge{Caller: l[0], Callee: l[1]})
	}
	return out, nil
}

// readAlert reads alert.json; nil without the file.
func readAlert(file string) (*correlate.Alert, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var a struct {
		Node   string          `json:"node"`
		Metric string          `json:"metric"`
		Time   json.RawMessage `json:"time"`
	}
	if err := readJSON(file, &a, `{"node": "shop", "metric": "latency", "time": 1681334030}`); err != nil {
		return nil, err
	}
	out := &correlate.Alert{Node: a.Node, Metric: a.Metric}
	if text := strings.Trim(string(a.Time), `"`); text != "" && text != "null" {
		at, err := readTime(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out.Time = at
	}
	return out, nil
}

func readJSON(file string, into any, example string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w; want as in %s", file, err, example)
	}
	return nil
}
