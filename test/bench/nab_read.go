package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// A nabSeries is one metric and the truth about it.
type nabSeries struct {
	name    string
	at      []time.Time
	value   []float64
	windows [][2]int // first and last row of each anomaly
	trial   int      // rows at the start that do not count
}

// nabProfile is what a detection, a miss and a false alarm weigh.
type nabProfile struct{ tp, fn, fp float64 }

// nabProfiles are the names of the three profiles, ours and NAB's.
var nabProfiles = []struct{ name, nab string }{
	{"standard", "standard"}, {"low_fp", "reward_low_FP_rate"}, {"low_fn", "reward_low_FN_rate"},
}

type nabCorpus struct {
	series   []nabSeries
	profiles map[string]nabProfile // by our name
}

// readNAB reads a folder as the Numenta benchmark's: data/*/*.csv with the
// windows of their anomalies and the weights, which lie in the folder or where
// NAB's own repository has them.
func readNAB(folder string) (*nabCorpus, error) {
	var windows map[string][][2]string
	if err := readFirst(&windows, filepath.Join(folder, "windows.json"), filepath.Join(folder, "labels", "combined_windows.json")); err != nil {
		return nil, err
	}
	var weights map[string]struct {
		CostMatrix struct{ TPWeight, FNWeight, FPWeight float64 }
	}
	if err := readFirst(&weights, filepath.Join(folder, "profiles.json"), filepath.Join(folder, "config", "profiles.json")); err != nil {
		return nil, err
	}
	c := &nabCorpus{profiles: map[string]nabProfile{}}
	for _, p := range nabProfiles {
		w, ok := weights[p.nab]
		if !ok {
			return nil, fmt.Errorf("the profiles have no %s", p.nab)
		}
		c.profiles[p.name] = nabProfile{w.CostMatrix.TPWeight, w.CostMatrix.FNWeight, w.CostMatrix.FPWeight}
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(windows)) {
		s, err := readNABSeries(filepath.Join(folder, "data", filepath.FromSlash(name)), windows[name])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
			continue
		}
		s.name = name
		c.series = append(c.series, s)
	}
	if len(c.series) == 0 && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("%s names no series", folder))
	}
	return c, errors.Join(faults...)
}

// readJSON reads the first of files that there is.
func readFirst(into any, files ...string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return nil
	}
	return fmt.Errorf("there is none of %q", files)
}

func readNABSeries(file string, windows [][2]string) (nabSeries, error) {
	f, err := os.Open(file)
	if err != nil {
		return nabSeries{}, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nabSeries{}, err
	}
	if len(rows) < 2 || len(rows[0]) != 2 {
		return nabSeries{}, errors.New("want rows of timestamp,value below a line of names")
	}
	var s nabSeries
	for _, row := range rows[1:] {
		at, err := time.Parse(time.DateTime, row[0])
		if err != nil {
			return s, err
		}
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return s, err
		}
		s.at, s.value = append(s.at, at), append(s.value, v)
	}
	s.trial = nabTrial(len(s.at))
	for _, w := range windows {
		var rows [2]int
		for i, text := range w {
			at, err := time.Parse(time.DateTime, text)
			if err != nil {
				return s, err
			}
			if rows[i] = slices.IndexFunc(s.at, at.Equal); rows[i] < 0 {
				return s, fmt.Errorf("no row at %s, where a window begins or ends", text)
			}
		}
		if rows[1] < rows[0] {
			return s, fmt.Errorf("the window from %s ends before it begins", w[0])
		}
		s.windows = append(s.windows, rows)
	}
	return s, nil
}
