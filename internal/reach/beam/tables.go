package beam

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Tables are the ETS tables of a node.
type Tables struct {
	Count     int   `erl:"count"`
	Limit     int   `erl:"limit"`
	Seen      int   `erl:"seen"`
	Truncated bool  `erl:"truncated"` // not all were looked at
	Memory    int64 `erl:"memory"`    // bytes of all that were
	// List are those with most memory and those with most rows: all where there are at
	// most 250.
	List []Table `erl:"tables"`
}

// A Table is one ETS table.
type Table struct {
	Name       etf.Atom `erl:"name"`
	ID         etf.Ref  `erl:"id"`
	Named      bool     `erl:"named"` // its name is its id too
	Owner      etf.Pid  `erl:"owner"`
	Type       string   `erl:"type"`
	Protection string   `erl:"protection"`
	Size       int64    `erl:"size"`   // rows
	Memory     int64    `erl:"memory"` // bytes
	Compressed bool     `erl:"compressed"`
	Read       bool     `erl:"read_concurrency"`
	Write      bool     `erl:"write_concurrency"`
}

// Label is its name as people write it.
func (t *Table) Label() string { return Module(t.Name) }

// Tables looks through the tables, or returns those of a moment ago.
func (n *Node) Tables(ctx context.Context) (*Tables, error) {
	return once[Tables](ctx, n, "ets_tables")
}

// Table returns the tables that a text names, by name or printed reference, at most 20,
// and how many it names.
func (n *Node) Table(ctx context.Context, name string) ([]Table, int, error) {
	type found struct {
		Matches int     `erl:"matches"`
		Tables  []Table `erl:"tables"`
	}
	f, err := ask[found](ctx, n, "ets_table", args{"Name": name})
	if err != nil {
		return nil, 0, err
	}
	return f.Tables, f.Matches, nil
}
