package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/correlate"
)

func TestRankMeasuresTheProductWithItsDefaults(t *testing.T) {
	if reflect.ValueOf(judged).Pointer() != reflect.ValueOf(correlate.Rank).Pointer() {
		t.Error("the benchmarks judge by another function than correlate.Rank")
	}
	if n := reflect.TypeOf(correlate.Rank).NumIn(); n != 1 {
		t.Errorf("correlate.Rank takes %d arguments: a benchmark could have settings of its own", n)
	}
}

func TestRankOfTheShippedCases(t *testing.T) {
	cases, err := readRankCases(filepath.Join("testdata", "rank"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range cases {
		r := judged(c.input)
		got[c.name] = strings.Join(causeNames(r), " ")
		if r.None != (len(r.Causes) == 0) || r.Why == "" {
			t.Errorf("%s: %+v is none without saying why, or has causes and is none", c.name, r)
		}
	}
	want := map[string]string{"healthy": "", "memory-leak": "10.0.0.4:9100", "slow-dependency": "stock shop"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	r, err := measureRank(t.Context(), cases, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Top1 != 1 || r.Top3 != 1 || r.Avg5 != 1 || r.Silent != 0.3333 || r.Cases != 3 || r.Healthy != 1 {
		t.Errorf("%+v", r)
	}
}

func TestRankCountsHits(t *testing.T) {
	for _, tt := range []struct {
		name       string
		said       string
		truth      string
		top1, top3 float64
		avg5       float64
	}{
		{"first", "a b c", "a", 1, 1, 1},
		{"third", "b c a", "a", 0, 1, 0.6},
		{"not said", "b c", "a", 0, 0, 0},
		{"silence", "", "a", 0, 0, 0},
		{"silence when nothing is wrong", "", "", 1, 1, 1},
		{"a cause when nothing is wrong", "a", "", 0, 0, 0},
		{"both of two", "a b", "b a", 1, 1, 1},
		{"one of two", "a c", "b a", 1, 0.5, 0.6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s rankSum
			s.add(strings.Fields(tt.said), strings.Fields(tt.truth))
			if got, want := s.figure(1), (rankFigure{tt.top1, tt.top3, tt.avg5}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestRankReadsWhatIsDocumented(t *testing.T) {
	c, err := readRankCase(folder(t, map[string]string{
		"baseline.csv": "time,10.0.0.1:9100:cpu,b:latency_p90\n1700000000,1,\n1700000015.5,2,0.25\n",
		"incident.csv": "time,10.0.0.1:9100:cpu,new:errors\n2023-11-14T22:14:00Z,3,1e3\n",
		"graph.csv":    "caller,callee\nb,10.0.0.1:9100\n",
		"alert.json":   `{"node":"b","time":"2023-11-14T22:14:00Z"}`,
		"truth.json":   `{"nodes":["10.0.0.1:9100"]}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.input.Series {
		got = append(got, fmt.Sprintf("%s %s %v %v", s.Node, s.Metric, s.Baseline, s.Incident))
	}
	got = append(got, fmt.Sprint(c.input.Calls, c.input.Alert.Node, c.input.Alert.Time.Unix(), c.truth, c.input.BaselineTimes[1].UnixMilli()))
	want := []string{"10.0.0.1:9100 cpu [1 2] [3]", "b latency_p90 [NaN 0.25] []", "new errors [] [1000]", "[{b 10.0.0.1:9100}]b1700000040 [10.0.0.1:9100] 1700000015500"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRankSaysWhatIsWrongWithACase(t *testing.T) {
	good := map[string]string{
		"baseline.csv": "time,a:cpu\n1,1\n", "incident.csv": "time,a:cpu\n2,1\n", "truth.json": `{"nodes":[]}`,
	}
	for _, tt := range []struct{ name, file, text, want string }{
		{"no baseline", "baseline.csv", "", "baseline.csv"},
		{"no truth", "truth.json", "", "truth.json"},
		{"truth is no object", "truth.json", `["a"]`, `want as in {"nodes": ["cart"]}`},
		{"the first column is not time", "incident.csv", "when,a:cpu\n2,1\n", `incident.csv: line 1: the first column is "when", want time`},
		{"a column without metric", "incident.csv", "time,a\n2,1\n", `incident.csv: line 1, column 2: "a" is not node:metric`},
		{"a column twice", "incident.csv", "time,a:cpu,a:cpu\n2,1,1\n", `incident.csv: line 1, column 3: "a:cpu" is there twice`},
		{"no rows", "incident.csv", "time,a:cpu\n", "incident.csv: has no rows below its header"},
		{"a time nobody reads", "incident.csv", "time,a:cpu\nyesterday,1\n", `incident.csv: line 2: time "yesterday" is neither unix seconds`},
		{"milliseconds", "incident.csv", "time,a:cpu\n1700000000000,1\n", `not in unix seconds`},
		{"newest first", "incident.csv", "time,a:cpu\n5,1\n2,1\n", "incident.csv: line 3: its time lies before"},
		{"a word for a number", "incident.csv", "time,a:cpu\n2,high\n", `incident.csv: line 2, column a:cpu: "high" is no number`},
		{"a short line", "incident.csv", "time,a:cpu,b:cpu\n2,1\n", "incident.csv: record on line 2: wrong number of fields"},
		{"a graph without header", "graph.csv", "a,b\n", "graph.csv: line 1: want the header caller,callee, have a,b"},
		{"half an edge", "graph.csv", "caller,callee\na,\n", "graph.csv: line 2: want two names"},
		{"an alert's time", "alert.json", `{"time":"noon"}`, `alert.json: time "noon" is neither`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, good)
			path := filepath.Join(dir, tt.file)
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if tt.text != "" {
				if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := readRankCases(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to say %q", err, tt.want)
			}
		})
	}
	if _, err := readRankCases(t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no cases: want folders with baseline.csv") {
		t.Errorf("error %v of an empty folder", err)
	}
}
