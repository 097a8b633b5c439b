package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

// A grid is a table of measurements: a column for each node and metric.
type grid struct {
	times []time.Time
	cols  []column
}

// A column is one metric of one node, missing rows as NaN.
type column struct {
	node, metric string
	values       []float64
}

// petshop is the data of one level of traffic.
type petshop struct {
	traffic string
	healthy grid
	calls   []correlate.Edge
	issues  []petshopIssue
}

// A petshopIssue is one injected fault.
type petshopIssue struct {
	name  string
	alert correlate.Alert
	truth string
	rows  grid
}

// readPetshop reads a folder as github.com/amazon-science/petshop-root-cause-analysis
// has it: for each level of traffic graph.csv, noissue/metrics.csv and folders of
// issues.
func readPetshop(dir string) ([]petshop, error) {
	graphs, err := filepath.Glob(filepath.Join(dir, "*", "graph.csv"))
	if err != nil {
		return nil, fmt.Errorf("look for levels of traffic: %w", err)
	}
	if len(graphs) == 0 {
		return nil, fmt.Errorf("%s has no folder with graph.csv, noissue/ and issues, as low_traffic is", dir)
	}
	var out []petshop
	for _, g := range graphs {
		level := filepath.Dir(g)
		p := petshop{traffic: strings.TrimSuffix(filepath.Base(level), "_traffic")}
		if p.calls, err = readMatrix(g); err != nil {
			return nil, err
		}
		if p.healthy, err = readPetshopGrid(filepath.Join(level, "noissue", "metrics.csv")); err != nil {
			return nil, err
		}
		targets, err := filepath.Glob(filepath.Join(level, "*", "*", "target.json"))
		if err != nil {
			return nil, fmt.Errorf("look for issues: %w", err)
		}
		for _, t := range targets {
			i, err := readPetshopIssue(t)
			if err != nil {
				return nil, err
			}
			i.name, _ = filepath.Rel(dir, filepath.Dir(t))
			p.issues = append(p.issues, i)
		}
		out = append(out, p)
	}
	return out, nil
}

func readPetshopIssue(file string) (petshopIssue, error) {
	var t struct {
		Target struct {
			Node      string `json:"node"`
			Metric    string `json:"metric"`
			Timestamp int64  `json:"timestamp"`
		} `json:"target"`
		Cause struct {
			Node string `json:"node"`
		} `json:"root_cause"`
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return petshopIssue{}, err
	}
	if err := json.Unmarshal(body, &t); err != nil {
		return petshopIssue{}, fmt.Errorf("%s: %w", file, err)
	}
	rows, err := readPetshopGrid(filepath.Join(filepath.Dir(file), "metrics.csv"))
	alert := correlate.Alert{Node: t.Target.Node, Metric: t.Target.Metric, Time: time.Unix(t.Target.Timestamp, 0)}
	return petshopIssue{alert: alert, truth: t.Cause.Node, rows: rows}, err
}

// readPetshopGrid reads a table with three header lines (node, metric, statistic) and
// one that names the column of times. Of each metric it takes the mean or sum: the
// statistic is part of the metric's name only for percentiles.
func readPetshopGrid(file string) (grid, error) {
	lines, err := readCSV(file)
	if err != nil {
		return grid{}, err
	}
	const header = 4
	if len(lines) <= header || lines[0][0] != "microservice" || lines[1][0] != "metric" || lines[2][0] != "statistic" {
		return grid{}, fmt.Errorf("%s: want lines microservice, metric, statistic and unix_timestamp above the measurements", file)
	}
	var g grid
	for j := 1; j < len(lines[0]); j++ {
		metric := lines[1][j]
		if stat := lines[2][j]; stat != "Average" && stat != "Sum" {
			metric += "_" + stat
		}
		g.cols = append(g.cols, column{node: lines[0][j], metric: metric, values: make([]float64, 0, len(lines)-header)})
	}
	return g, g.fill(file, lines, header)
}

// fill reads the measurements below the header.
func (g *grid) fill(file string, lines [][]string, header int) error {
	for i, line := range lines[header:] {
		at, err := readTime(line[0])
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", file, header+i+1, err)
		}
		g.times = append(g.times, at)
		for j := range g.cols {
			v, err := readValue(line[j+1])
			if err != nil {
				return fmt.Errorf("%s: line %d, column %s:%s: %w", file, header+i+1, g.cols[j].node, g.cols[j].metric, err)
			}
			g.cols[j].values = append(g.cols[j].values, v)
		}
	}
	return nil
}

// readTime reads unix seconds or RFC 3339.
func readTime(s string) (time.Time, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		if math.IsNaN(v) || math.Abs(v) > 1e11 {
			return time.Time{}, fmt.Errorf("time %q is not in unix seconds, as 1681334030 is", s)
		}
		sec, frac := math.Modf(v)
		return time.Unix(int64(sec), int64(frac*1e9)), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q is neither unix seconds (1681334030) nor RFC 3339 (2023-04-12T21:13:50Z)", s)
}

// readValue reads a number; empty is missing.
func readValue(s string) (float64, error) {
	if s = strings.TrimSpace(s); s == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%q is no number (leave it empty where nothing was measured)", s)
	}
	return v, nil
}

// readMatrix reads a graph as a matrix: a row calls the columns that are not 0.
func readMatrix(file string) ([]correlate.Edge, error) {
	lines, err := readCSV(file)
	if err != nil {
		return nil, err
	}
	var out []correlate.Edge
	for i, line := range lines[1:] {
		for j, cell := range line[1:] {
			v, err := readValue(cell)
			if err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", file, i+2, err)
			}
			if v > 0 {
				out = append(out, correlate.Edge{Caller: line[0], Callee: lines[0][j+1]})
			}
		}
	}
	return out, nil
}

// readCSV reads a table whose lines have as many columns as the first.
func readCSV(file string) ([][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(lines) == 0 || len(lines[0]) < 2 {
		return nil, fmt.Errorf("%s: has no columns", file)
	}
	return lines, nil
}

// caseOf makes a case of two tables: series of all columns that either has.
func caseOf(base, incident grid) correlate.Case {
	c := correlate.Case{BaselineTimes: base.times, IncidentTimes: incident.times}
	type key struct{ node, metric string }
	at := map[key]int{}
	for _, col := range base.cols {
		at[key{col.node, col.metric}] = len(c.Series)
		c.Series = append(c.Series, correlate.Series{Node: col.node, Metric: col.metric, Baseline: col.values})
	}
	for _, col := range incident.cols {
		i, ok := at[key{col.node, col.metric}]
		if !ok {
			i = len(c.Series)
			c.Series = append(c.Series, correlate.Series{Node: col.node, Metric: col.metric})
		}
		c.Series[i].Incident = col.values
	}
	return c
}

// window splits a table: rows from..to, and all others.
func (g grid) window(from, to int) (rest, window grid) {
	rest.times, window.times = slices.Concat(g.times[:from], g.times[to:]), g.times[from:to]
	for _, c := range g.cols {
		rest.cols = append(rest.cols, column{c.node, c.metric, slices.Concat(c.values[:from], c.values[to:])})
		window.cols = append(window.cols, column{c.node, c.metric, c.values[from:to]})
	}
	return rest, window
}
