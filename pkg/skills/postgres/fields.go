package postgres

import (
	"context"
	"fmt"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// fields is a snapshot being filled. Each of its methods sets what it knows.
type fields skills.Data

func (d fields) set(name string, v float64, decimals int) { skills.Data(d).Set(name, v, decimals) }

func (d fields) text(name, v string) { skills.Data(d).Text(name, v) }

// numbered names something with a number: checkout (4711).
func numbered(name string, n int) string { return fmt.Sprintf("%s (%d)", skills.Cut(name), n) }

func (d fields) connections(ctx context.Context, s *reach.Server) error {
	c, err := s.Connections(ctx)
	if err != nil {
		return err
	}
	d.set("connections", float64(c.Used), 0)
	d.set("connections_max", float64(c.Max-c.Reserved), 0)
	d.set("connections_used_pct", c.UsedPct(), 1)
	if c.Hidden == 0 { // the state of those that may not be seen is unknown
		d.set("connections_active", float64(c.Active), 0)
		d.set("connections_idle", float64(c.Idle), 0)
		d.set("connections_idle_in_transaction", float64(c.IdleInTransaction), 0)
	}
	top, err := s.Groups(ctx, 1)
	if len(top) > 0 {
		d.text("connections_top", numbered(top[0].Name, top[0].Connections))
	}
	return err
}

func (d fields) activity(ctx context.Context, s *reach.Server) error {
	idle, err := s.IdleInTransaction(ctx, 1)
	if err != nil {
		return err
	}
	if len(idle) > 0 && idle[0].StateSeconds != nil {
		d.set("idle_in_transaction_max_seconds", *idle[0].StateSeconds, 1)
		d.text("idle_in_transaction_session", numbered(idle[0].Name, idle[0].PID))
	}
	active, err := s.Active(ctx, 1)
	if err != nil {
		return err
	}
	if len(active) > 0 && active[0].QuerySeconds != nil {
		d.set("longest_query_seconds", *active[0].QuerySeconds, 1)
		d.text("longest_query_session", numbered(active[0].Name, active[0].PID))
		d.text("longest_query", active[0].Query)
	}
	oldest, err := s.LongRunning(ctx, 0, 1)
	if len(oldest) > 0 && oldest[0].TransactionSeconds != nil {
		d.set("oldest_transaction_seconds", *oldest[0].TransactionSeconds, 1)
	}
	return err
}

func (d fields) blocking(ctx context.Context, s *reach.Server) error {
	chains, err := s.Blocking(ctx)
	if err != nil {
		return err
	}
	blocked, depth, longest := map[int]bool{}, 0, 0.0
	for _, c := range chains {
		depth, longest = max(depth, c.Depth), max(longest, c.LongestWait)
		for _, w := range c.Waiters {
			blocked[w.PID] = true
		}
	}
	d.set("blocked_sessions", float64(len(blocked)), 0)
	d.set("blocking_chain_depth", float64(depth), 0)
	if len(chains) == 0 {
		return nil
	}
	root := chains[0]
	d.set("blocked_max_seconds", longest, 1)
	d.text("blocker", numbered(root.Name, root.PID))
	d.text("blocker_state", root.State)
	if root.StateSeconds != nil {
		d.set("blocker_seconds", *root.StateSeconds, 1)
	}
	d.text("blocker_query", root.Query)
	if len(root.Waiters) > 0 {
		d.text("blocked_lock", root.Waiters[0].Lock)
	}
	return nil
}

// leastDead is from how many dead rows on a table is worth a word.
const leastDead = 10_000

func (d fields) tables(ctx context.Context, s *reach.Server) error {
	vacuumed, err := s.Vacuumed(ctx, 50)
	if err != nil {
		return err
	}
	d["dead_tuples_max_pct"] = 0.0
	worst := 0.0
	for _, t := range vacuumed {
		if t.Dead < leastDead || !t.Over || t.DeadPct <= worst {
			continue
		}
		worst = t.DeadPct
		d.set("dead_tuples_max_pct", t.DeadPct, 1)
		d.set("dead_tuples", t.Dead, 0)
		d.text("dead_tuples_table", t.Name)
		d.text("dead_tuples_autovacuum", map[bool]string{true: "off", false: "on"}[t.Disabled])
	}
	unused, err := s.Unused(ctx)
	if err != nil {
		return err
	}
	if unused.StatsHours == nil || *unused.StatsHours >= 24 {
		d.set("unused_indexes", float64(unused.Count), 0)
		d.set("unused_indexes_mb", unused.MB, 1)
		d.text("unused_index_largest", unused.Largest)
	}
	ages, err := s.DatabaseAges(ctx, 1)
	if len(ages) > 0 {
		d.set("wraparound_used_pct", ages[0].UsedPct, 1)
		d.text("wraparound_database", ages[0].Name)
	}
	return err
}

func (d fields) replication(ctx context.Context, s *reach.Server) error {
	replicas, err := s.Replicas(ctx)
	if err != nil {
		return err
	}
	if len(replicas) > 0 && replicas[0].LagMB != nil { // without pg_monitor nothing is told of it
		d.text("replication_replica", replicas[0].Name)
		d.set("replication_lag_mb", *replicas[0].LagMB, 1)
		if *replicas[0].LagMB == 0 {
			d["replication_lag_seconds"] = 0.0
		}
		d.setKnown("replication_lag_seconds", replicas[0].LagSeconds)
	}
	standby, err := s.Standby(ctx)
	if err != nil {
		return err
	}
	if standby.Standby {
		d.text("replication_replica", "this standby")
		d.setKnown("replication_lag_seconds", standby.LagSeconds)
		d.setKnown("replication_lag_mb", standby.LagMB)
	}
	slots, err := s.Slots(ctx)
	if len(slots) > 0 && slots[0].RetainedMB != nil {
		d.set("replication_slot_retained_mb", *slots[0].RetainedMB, 1)
		d.text("replication_slot", skills.Cut(slots[0].Name)+map[bool]string{true: " (in use)", false: " (unused)"}[slots[0].Active])
	}
	return err
}

func (d fields) setKnown(name string, v *float64) {
	if v != nil {
		d.set(name, *v, 1)
	}
}
