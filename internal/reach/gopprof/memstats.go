package gopprof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// memStats are the fields of runtime.MemStats that are read.
var memStats = map[string]Key{
	"Sys": Sys, "HeapAlloc": HeapAlloc, "HeapSys": HeapSys, "HeapIdle": HeapIdle, "HeapInuse": HeapInuse, "HeapReleased": HeapReleased,
	"HeapObjects": HeapObjects, "StackInuse": StackInuse, "StackSys": StackSys, "MSpanInuse": MSpanInuse, "MSpanSys": MSpanSys,
	"MCacheInuse": MCacheInuse, "MCacheSys": MCacheSys, "BuckHashSys": BuckHashSys, "GCSys": GCSys, "OtherSys": OtherSys, "TotalAlloc": TotalAlloc,
	"NextGC": NextGC, "NumGC": NumGC, "NumForcedGC": NumForcedGC, "GCCPUFraction": GCCPUFraction,
}

// nanoseconds are those that are told in nanoseconds.
var nanoseconds = map[string]Key{"PauseTotalNs": PauseTotal, "LastGC": LastGC}

func (r *Runtime) memStat(name string, v float64) {
	if !finite(v) {
		return
	}
	if k, ok := memStats[name]; ok {
		r.set(k, v)
	} else if k, ok := nanoseconds[name]; ok {
		r.set(k, v/1e9)
	}
}

// readVars reads expvar: a JSON object with the memory statistics among whatever
// the service publishes.
func (r *Runtime) readVars(in *bufio.Reader) error {
	d := json.NewDecoder(in)
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errors.New("its answer is no expvar: not a JSON object"), err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		switch key {
		case "memstats":
			err = r.readMemStats(d)
		case "cmdline":
			var args []string
			if err = d.Decode(&args); err == nil && len(args) > 0 {
				r.Program = program(args[0])
			}
		default:
			err = skipValue(d)
		}
		if err != nil {
			return fmt.Errorf("%v of its expvar: %w", key, err)
		}
	}
	return nil
}

func (r *Runtime) readMemStats(d *json.Decoder) error {
	var fields map[string]json.RawMessage
	if err := d.Decode(&fields); err != nil {
		return err
	}
	for name, raw := range fields {
		if v, err := strconv.ParseFloat(string(raw), 64); err == nil {
			r.memStat(name, v)
		}
	}
	var lengths, ends []int64
	if json.Unmarshal(fields["PauseNs"], &lengths) == nil && json.Unmarshal(fields["PauseEnd"], &ends) == nil {
		r.pauses(lengths, ends)
	}
	return nil
}

// skipValue passes over one JSON value without keeping it.
func skipValue(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// pauses keeps the last pauses; the runtime has them in a ring of 256.
func (r *Runtime) pauses(lengths, ends []int64) {
	if len(lengths) != len(ends) || len(ends) > 256 {
		return
	}
	r.Pause = []Pause{}
	for i, end := range ends {
		if end > 0 && lengths[i] >= 0 {
			r.Pause = append(r.Pause, Pause{time.Unix(0, end).UTC(), time.Duration(lengths[i])})
		}
	}
	slices.SortFunc(r.Pause, func(a, b Pause) int { return b.Ended.Compare(a.Ended) })
}

// readHeapText reads the memory statistics at the end of a heap profile in text.
func (r *Runtime) readHeapText(in *bufio.Reader) error {
	var lengths, ends []int64
	seen := false
	err := lines(in, func(line []byte) bool {
		rest, ok := bytes.CutPrefix(line, []byte("# "))
		if !ok {
			return true
		}
		name, text, ok := strings.Cut(strings.TrimSpace(string(rest)), " = ")
		switch {
		case !ok:
		case name == "PauseNs":
			lengths = numbers(text)
		case name == "PauseEnd":
			ends = numbers(text)
		default:
			seen = r.statLine(name, text) || seen
		}
		return true
	})
	if err == nil && !seen {
		err = errors.New("its answer is no heap profile in text")
	}
	r.pauses(lengths, ends)
	return err
}

// statLine reads one statistic. "Stack = 1 / 2" is in use, and taken from the system.
func (r *Runtime) statLine(name, text string) bool {
	first, second, pair := strings.Cut(text, " / ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return false
	}
	if !pair {
		r.memStat(name, v)
		return true
	}
	r.memStat(name+"Inuse", v)
	if v, err := strconv.ParseFloat(second, 64); err == nil {
		r.memStat(name+"Sys", v)
	}
	return true
}

// numbers reads a list as Go prints it: [1 2 3].
func numbers(text string) []int64 {
	var out []int64
	for word := range strings.FieldsSeq(strings.Trim(text, "[]")) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || len(out) == 256 {
			return nil
		}
		out = append(out, n)
	}
	return out
}

var totalRE = regexp.MustCompile(`^goroutine profile: total (\d{1,12})\s*$`)

// readGoroutineText reads how many goroutines there are: the first line.
func (r *Runtime) readGoroutineText(in *bufio.Reader) error {
	found := false
	err := lines(in, func(line []byte) bool {
		if m := totalRE.FindSubmatch(line); m != nil {
			n, _ := strconv.ParseFloat(string(m[1]), 64)
			r.set(GoroutineCount, n)
			found = true
		}
		return false
	})
	if err == nil && !found {
		err = errors.New("its answer is no goroutine profile in text")
	}
	return err
}

// readCommand reads the name of the program; its arguments may hold secrets and
// are left where they are.
func (r *Runtime) readCommand(in *bufio.Reader) error {
	first, err := in.ReadSlice(0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(first) < 4096 {
		r.Program = program(strings.TrimRight(string(first), "\x00\r\n"))
	}
	return nil
}
