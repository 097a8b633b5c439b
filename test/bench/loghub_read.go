package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A labelled log is a system's lines and the truth about them.
type labelledLog struct {
	name   string
	lines  []string
	events []string          // the true group of each line
	text   map[string]string // of a true group
}

func readLoghub(folder string) ([]labelledLog, error) {
	if _, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("the folder of labelled logs: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.csv"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no *.csv: it must hold labelled logs as those of Loghub", folder)
	}
	var list []labelledLog
	var faults []error
	for _, file := range files {
		if strings.HasSuffix(file, "_templates.csv") {
			continue // Loghub's list of templates stands beside the log
		}
		l, err := readLabelled(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
			continue
		}
		list = append(list, l)
	}
	return list, errors.Join(faults...)
}

func readLabelled(file string) (l labelledLog, err error) {
	f, err := os.Open(file)
	if err != nil {
		return l, err
	}
	defer func() { _ = f.Close() }() // it was only read
	l = labelledLog{text: map[string]string{}}
	l.name, _, _ = strings.Cut(strings.TrimSuffix(filepath.Base(file), ".csv"), "_2k")
	l.name, _, _ = strings.Cut(l.name, ".log")
	r := csv.NewReader(f)
	r.LazyQuotes, r.FieldsPerRecord = true, -1
	head, err := r.Read()
	if err != nil {
		return l, fmt.Errorf("read the header: %w", err)
	}
	head[0] = strings.TrimPrefix(head[0], "\ufeff") // a mark of spreadsheets
	at := map[string]int{}
	for _, name := range []string{"Content", "EventId", "EventTemplate"} {
		at[name] = slices.Index(head, name)
		if at[name] < 0 {
			return l, fmt.Errorf("no column %s (have %s)", name, strings.Join(head, ", "))
		}
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return l, err
		}
		if len(row) < len(head) {
			return l, fmt.Errorf("line %d has %d columns, the header has %d", len(l.lines)+2, len(row), len(head))
		}
		event := row[at["EventId"]]
		l.lines, l.events = append(l.lines, row[at["Content"]]), append(l.events, event)
		l.text[event] = row[at["EventTemplate"]]
	}
	if len(l.lines) == 0 {
		return l, errors.New("no lines below the header")
	}
	return l, nil
}
