package ets

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/internal/reach/gopprof"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A watch asks one node for its tables and keeps how large they were.
type watch struct {
	node    *reach.Node
	history skills.Recent[sizes]

	mu     sync.Mutex
	run    int            // which run of the node the rest is of
	memory gopprof.Growth // of tables, by their ids
	named  gopprof.Growth // how many there are of a name
}

// sizes are those of the tables at one moment.
type sizes struct {
	tables []size
	all    bool // none was left out
}

type size struct {
	id          uint64
	rows, bytes int64
}

func (s sizes) of(id uint64) (size, bool) {
	for _, x := range s.tables {
		if x.id == id {
			return x, true
		}
	}
	return size{}, false
}

// idOf is what tells tables apart, also those of one name: a hash of the table's
// reference, which is made anew with it.
func idOf(r etf.Ref) uint64 {
	h := fnv.New64a()
	for _, part := range r.ID[:r.Len] {
		_ = binary.Write(h, binary.LittleEndian, part)
	}
	return h.Sum64()
}

func sizesOf(t *reach.Tables) sizes {
	s := sizes{tables: make([]size, 0, len(t.List)), all: len(t.List) >= t.Seen && !t.Truncated}
	for _, x := range t.List {
		s.tables = append(s.tables, size{idOf(x.ID), x.Size, x.Memory})
	}
	return s
}

// read asks for the tables and takes them into the history.
func (w *watch) read(ctx context.Context) (*reach.Tables, time.Time, error) {
	t, err := w.node.Tables(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	now := time.Now()
	_, run := w.node.Run()
	w.mu.Lock()
	if run != w.run {
		w.run, w.memory, w.named = run, gopprof.Growth{}, gopprof.Growth{}
		w.history.Forget()
	}
	w.mu.Unlock()
	w.history.Add(now, sizesOf(t))
	return t, now, nil
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (w *watch) snapshot(ctx context.Context) (skills.Data, error) {
	t, now, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	d := skills.Data{}
	d.Set("table_count", float64(t.Count), 0)
	d.Set("total_memory_mb", mebibytes(t.Memory), 2)
	var largest reach.Table
	for _, x := range t.List {
		if x.Memory > largest.Memory {
			largest = x
		}
	}
	d.Set("largest_table_mb", mebibytes(largest.Memory), 2)
	d.Text("largest_table", largest.Label())
	d.Set("largest_table_rows", float64(largest.Size), 0)
	return d, w.growing(ctx, d, t, now)
}

// What a table has at least to be watched, and has gained to be worth a word; and how
// many more tables of one name are.
const (
	leastWatched = 64 << 10
	leastGrown   = 1 << 20
	leastMore    = 50
)

func (w *watch) growing(ctx context.Context, d skills.Data, t *reach.Tables, now time.Time) error {
	memory, named := map[string]int64{}, map[string]int64{}
	for _, x := range t.List {
		if x.Memory >= leastWatched {
			memory[x.ID.String()] = x.Memory
		}
		named[x.Label()]++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.memory.Observe(now, memory)
	w.named.Observe(now, named)
	for _, g := range w.named.Grown() {
		if g.Steady() && g.Added >= leastMore {
			d.Set("growing_tables", float64(g.Added), 0)
			d.Text("growing_tables_name", g.Key)
			break
		}
	}
	for _, g := range w.memory.Grown() {
		if !g.Steady() || g.Added < leastGrown {
			continue
		}
		for _, x := range t.List {
			if x.ID.String() != g.Key {
				continue
			}
			d.Set("growing_mb", mebibytes(g.Added), 2)
			d.Text("growing_table", x.Label())
			d.Set("growing_table_mb", mebibytes(x.Memory), 2)
			d.Set("growing_table_rows", float64(x.Size), 0)
			d.Set("growing_for_seconds", g.For.Seconds(), 0)
			names, err := w.owners(ctx, []reach.Table{x})
			d.Text("growing_table_owner", names[x.Owner])
			return err
		}
	}
	return nil
}

// owners names the processes that own tables: name (pid).
func (w *watch) owners(ctx context.Context, tables []reach.Table) (map[etf.Pid]string, error) {
	out := map[etf.Pid]string{}
	var pids []etf.Pid
	for _, t := range tables {
		if _, known := out[t.Owner]; !known {
			out[t.Owner] = t.Owner.String()
			pids = append(pids, t.Owner)
		}
	}
	found, err := w.node.Describe(ctx, pids)
	for i := range found {
		if name := found[i].Name(); name != "" {
			out[found[i].PID] = fmt.Sprintf("%s (%s)", name, found[i].PID)
		}
	}
	return out, err
}
