package ets

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func ref(n uint32) etf.Ref { return etf.Ref{Len: 1, ID: [5]uint32{n}} }

func table(id uint32, name string, rows int64) beam.Table {
	return beam.Table{ID: ref(id), Name: etf.Atom(name), Size: rows, Memory: 100 * rows}
}

func sizesAt(all bool, list ...beam.Table) sizes {
	s := sizesOf(&beam.Tables{Seen: len(list), List: list})
	s.all = all
	return s
}

func TestGrowthIsTheNewestSizeLessTheOldestTableByTable(t *testing.T) {
	oldest := sizesAt(true, table(1, "sessions", 10), table(2, "orders", 1000), table(3, "twin", 5), table(4, "twin", 500), table(5, "empty", 0))
	now := []beam.Table{
		table(1, "sessions", 5000), table(2, "orders", 100), table(3, "twin", 50), table(4, "twin", 500), table(5, "empty", 7), table(6, "fresh", 3), table(7, "void", 0),
	}
	type row struct {
		name  string
		delta int64
		pct   float64
		new   bool
	}
	want := []row{{"sessions", 4990, 49_900, false}, {"twin", 45, 900, false}, {"empty", 7, 100, false}, {"fresh", 3, 100, true}}
	rows := grown(now, oldest)
	if len(rows) != len(want) {
		t.Fatalf("what grew is %+v", rows)
	}
	for i, r := range rows {
		if got := (row{r.Name, r.Delta, r.Pct, r.New}); got != want[i] {
			t.Errorf("row %d: got %+v, want %+v", i, got, want[i])
		}
	}
	oldest.all = false // tables were left out of it: what it lacks may be old
	if rows := grown(now, oldest); len(rows) != 3 {
		t.Errorf("with an oldest reading that is not whole it is %+v", rows)
	}
}

func TestThatATableOnlyGrowsIsLookedUpBetween(t *testing.T) {
	for name, tt := range map[string]struct {
		before     []int64
		now        int64
		ever, much bool
	}{
		"only grows":             {[]int64{10, 20, 30}, 40, false, false},
		"stays":                  {[]int64{10, 10}, 10, false, false},
		"fell a little":          {[]int64{100, 95, 110}, 120, true, false},
		"fell by much":           {[]int64{100, 50, 110}, 120, true, true},
		"fell by much just now":  {[]int64{100, 200}, 150, true, true},
		"fell little by little":  {[]int64{100, 95, 91, 87}, 120, true, true},
		"nothing is known of it": {nil, 10, false, false},
	} {
		var readings []skills.Reading[sizes]
		for i, rows := range tt.before {
			readings = append(readings, skills.Reading[sizes]{At: time.Unix(int64(i), 0), Value: sizesAt(true, table(9, "other", 5), table(1, "sessions", rows))})
		}
		if ever, much := fell(idOf(ref(1)), readings, tt.now); ever != tt.ever || much != tt.much {
			t.Errorf("%s: fell %v, by much %v", name, ever, much)
		}
	}
}
