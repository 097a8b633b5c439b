package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shopFiles writes a shop whose cart gets slow: three nodes, one issue.
func shopFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, "low_traffic", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table := func(rows int, slow float64) string {
		var b strings.Builder
		b.WriteString("microservice,shop,shop,shop,cart,cart,mail,mail\nmetric,latency,latency,requests,latency,requests,latency,requests\n" +
			"statistic,Average,p90,Sum,Average,Sum,Average,Sum\nunix_timestamp,,,,,,,\n")
		for i := range rows {
			more := 0.0
			if i == 2 || i == 3 {
				more = slow
			}
			wobble := 1 + 0.02*float64(i*7%5)
			fmt.Fprintf(&b, "%d,%g,%g,100,%g,100,%g,\n", 1000+300*i, wobble*0.2+more, wobble*0.4+more, wobble*0.1+more, 3*wobble)
		}
		return b.String()
	}
	write("graph.csv", ",shop,cart,mail\nshop,0.0,1.0,0.0\ncart,0.0,0.0,0.0\nmail,0.0,0.0,0.0\n")
	write("noissue/metrics.csv", table(60, 0))
	write("test/issue_0/metrics.csv", table(5, 0.3))
	write("test/issue_0/target.json", `{"target":{"node":"shop","metric":"latency","agg":"Average","timestamp":1500},"root_cause":{"node":"cart","metric":null}}`)
	return dir
}

func TestPetshopReadsAndCounts(t *testing.T) {
	levels, err := readPetshop(shopFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	if l := levels[0]; len(levels) != 1 || l.traffic != "low" || len(l.calls) != 1 || len(l.issues) != 1 || len(l.healthy.times) != 60 || l.healthy.cols[1].metric != "latency_p90" {
		t.Fatalf("read %+v", levels)
	}
	r, err := measurePetshop(t.Context(), levels, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Top1 != 1 || r.Top3 != 1 || r.Issues != 1 || r.By["latency/low"].Top1 != 1 || r.Windows != 28 || r.Healthy != 0 {
		t.Errorf("report %+v, want the cart first and no healthy window raised", r)
	}
	if len(r.Rivals) != 2 || len(r.Without) != len(lessKnown) {
		t.Errorf("rivals %v, without %v", r.Rivals, r.Without)
	}
}

func TestPetshopSaysWhatIsWrongWithAFolder(t *testing.T) {
	broken := func(name, text string) string {
		dir := shopFiles(t)
		if err := os.WriteFile(filepath.Join(dir, "low_traffic", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"it is empty", t.TempDir(), "has no folder with graph.csv"},
		{"a table without its header", broken("noissue/metrics.csv", "time,a:cpu\n1,2\n"), "want lines microservice, metric, statistic"},
		{"a word in a table", broken("noissue/metrics.csv", "microservice,a\nmetric,latency\nstatistic,Average\nunix_timestamp,\n1000,slow\n"), `metrics.csv: line 5, column a:latency: "slow" is no number`},
		{"a word in the graph", broken("graph.csv", ",a\na,yes\n"), `graph.csv: line 2: "yes" is no number`},
		{"a target that is no JSON", broken("test/issue_0/target.json", "{"), "target.json: unexpected end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := readPetshop(tt.dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to say %q", err, tt.want)
			}
		})
	}
}
