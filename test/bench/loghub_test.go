package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/internal/reach/logtemplate"
)

func TestLoghubMeasuresTheProductWithItsDefaults(t *testing.T) {
	if got, want := newMiner().Miner, logtemplate.New(logtemplate.DefaultConfig()); !reflect.DeepEqual(got, want) {
		t.Errorf("the benchmark makes %+v, the product %+v", got, want)
	}
}

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoghubReadsOtherSystems(t *testing.T) {
	dir := folder(t, map[string]string{
		"Pump_2k.log_structured.csv": "LineId,Content,EventId,EventTemplate\n" +
			"1,\"pump 1 started, twice\",E1,\"pump <*> started, twice\"\n2,\"pump 2 started, twice\",E1,\"pump <*> started, twice\"\n3,pump is lost,E2,pump is lost\n",
		"Pump_2k.log_templates.csv": "EventId,EventTemplate\nE1,x\n",
	})
	systems, err := readLoghub(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := measureLoghub(t.Context(), systems, io.Discard, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := r.Systems["Pump"]
	if len(r.Systems) != 1 || got.Grouping != 1 || got.F1 != 1 || got.TextF1 != 1 || r.Mean != 1 || !r.Met {
		t.Errorf("report %+v, want all of Pump right", r)
	}
}

func TestLoghubSaysWhatIsWrongWithAFolder(t *testing.T) {
	for _, tt := range []struct{ name, dir, want string }{
		{"it is not there", filepath.Join(t.TempDir(), "none"), "no such file"},
		{"it has no logs", t.TempDir(), "has no *.csv"},
		{"a column is missing", folder(t, map[string]string{"A.csv": "LineId,Content,EventId\n1,x,E1\n"}), "A.csv: no column EventTemplate (have LineId, Content, EventId)"},
		{"a line is short", folder(t, map[string]string{"A.csv": "Content,EventId,EventTemplate\nx,E1\n"}), "A.csv: line 2 has 2 columns, the header has 3"},
		{"a file is empty", folder(t, map[string]string{"A.csv": ""}), "A.csv: read the header"},
		{"a log is empty", folder(t, map[string]string{"A.csv": "Content,EventId,EventTemplate\n"}), "no lines below the header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := readLoghub(tt.dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	truth := map[string]string{"A": "job <*> done", "B": "lost"}
	for _, tt := range []struct {
		name       string
		got        []string
		text       map[string]string
		ga, f1, tf float64
	}{
		{"all right", []string{"1", "1", "1", "2"}, map[string]string{"1": "job <*> done", "2": "lost"}, 1, 1, 1},
		{"a word with a variable in it is one", []string{"1", "1", "1", "2"}, map[string]string{"1": "job blk_<*> done.", "2": "lost"}, 1, 1, 1},
		{"another text", []string{"1", "1", "1", "2"}, map[string]string{"1": "<*> <*> done", "2": "lost"}, 1, 1, 0.5},
		{"one stray line voids a group", []string{"1", "1", "3", "2"}, map[string]string{"1": "job <*> done", "3": "x", "2": "lost"}, 0.25, 0.4, 0.4},
		{"two groups in one", []string{"1", "1", "1", "1"}, map[string]string{"1": "<*>"}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := judge(tt.got, []string{"A", "A", "A", "B"}, tt.text, truth)
			if got, want := fmt.Sprint(v.Grouping, v.F1, v.TextF1), fmt.Sprint(tt.ga, tt.f1, tt.tf); got != want {
				t.Errorf("judged %s, want %s", got, want)
			}
		})
	}
}
