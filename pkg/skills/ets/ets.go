// Package ets is the skill that watches the ETS tables of an Erlang or Elixir node:
// their memory and rows, and which of them grow without end.
package ets

import (
	_ "embed"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var prompt string

// Skill returns the ets skill; nodes are the Erlang and Elixir nodes of this host by
// the names of their targets.
func Skill(nodes map[string]*reach.Node) skills.Skill {
	return skills.Skill{
		Name:    "ets",
		Title:   "ETS Tables",
		Summary: "ETS tables of an Erlang or Elixir node: memory, rows, owners, and which of them grow without end.",
		Prefix:  "ets_",
		Sources: []skills.Source{skills.PerTarget(nodes, source)},
	}
}

func source(n *reach.Node) skills.Source {
	w := &watch{node: n}
	return skills.Source{Kind: skills.Beam, Prompt: prompt, Metrics: metrics, Checks: checks, Calls: w.calls(), Snapshot: w.snapshot}
}

var metrics = []skills.Metric{
	skills.Gauge("table_count", protocol.Count, "ETS tables."),
	skills.Gauge("total_memory_mb", protocol.Mebibytes, "Memory of all of them."),
	skills.Gauge("largest_table_mb", protocol.Mebibytes, "Memory of the largest."),
	skills.Info("largest_table", protocol.Text, "Its name."),
	skills.Gauge("largest_table_rows", protocol.Count, "Rows in it."),
	skills.Gauge("growing_mb", protocol.Mebibytes, "How much more memory a table has than when a steady growth began; absent without one."),
	skills.Info("growing_table", protocol.Text, "That table: its name."),
	skills.Gauge("growing_table_mb", protocol.Mebibytes, "Its memory."),
	skills.Gauge("growing_table_rows", protocol.Count, "Rows in it."),
	skills.Info("growing_table_owner", protocol.Text, "The process that owns it: name (pid)."),
	skills.Gauge("growing_for_seconds", protocol.Seconds, "For how long it grows, as far as it was seen."),
	skills.Gauge("growing_tables", protocol.Count, "How many more tables of one name there are than when a steady growth of their number began; absent without one."),
	skills.Info("growing_tables_name", protocol.Text, "That name."),
}

// Thresholds leave alone large tables, and one that fills up after a start.
var checks = []skills.Check{
	skills.Above("growing_mb", 32, 256, "ets",
		"the ETS table {growing_table} has {growing_table_rows} rows and {growing_table_mb} MiB, {value} MiB more than {growing_for_seconds} seconds before, and never less between; {growing_table_owner} owns it",
		"ets_leak_candidates(50)",
		"Nothing takes rows out of it, or too few: bound its size, or let rows expire."),
	skills.Above("growing_tables", 500, 5000, "ets",
		"{value} more ETS tables of the name {growing_tables_name} than before, and their number never fell; there are {table_count} in all",
		`ets_top_tables(10, "size")`,
		"Each is made and never deleted: delete it when it is done with, or let a process that ends own it."),
}
