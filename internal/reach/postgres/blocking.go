package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// A Waiter is a session in a chain of sessions that wait for one another.
type Waiter struct {
	Session
	Depth       int      `json:"depth"` // levels down from who blocks them all; 1: it blocks
	BlockedBy   []int    `json:"blocked_by,omitempty"`
	Lock        string   `json:"lock,omitempty"` // what it waits for
	WaitSeconds *float64 `json:"wait_seconds,omitempty"`
}

// A Chain is a session that blocks others and waits for none, with all that wait
// for it, directly or not.
type Chain struct {
	Waiter
	Depth       int      `json:"depth"`   // levels of sessions, itself included
	Blocked     int      `json:"blocked"` // sessions that wait for it
	LongestWait float64  `json:"longest_wait_seconds"`
	Cycle       bool     `json:"cycle,omitempty"` // they wait for each other: a deadlock that the server is about to end
	Waiters     []Waiter `json:"waiters"`         // nearest to it first
}

// maxWaiters is how many waiting sessions are looked at.
const maxWaiters = 500

// Blocking returns the chains of sessions that wait for locks, the one with most
// waiters first.
func (s *Server) Blocking(ctx context.Context) ([]Chain, error) {
	list, err := rows[Waiter](ctx, s, func(f *Facts) string {
		return fmt.Sprintf(`WITH waits AS (
			SELECT DISTINCT ON (l.pid) l.pid, l.mode || ' on ' || l.locktype || coalesce(' of ' || r.relation::regclass, '') AS lock, %s AS since
			FROM pg_locks l LEFT JOIN pg_locks r ON r.pid = l.pid AND r.database = (SELECT oid FROM pg_database WHERE datname = current_database())
				AND (r.locktype = 'tuple' AND r.granted OR r.locktype IN ('relation', 'tuple') AND NOT r.granted)
			WHERE NOT l.granted ORDER BY l.pid LIMIT %d),
		blocked AS MATERIALIZED (SELECT *, pg_blocking_pids(pid) AS by FROM waits)
		SELECT %s, b.by AS blocked_by, b.lock, CASE WHEN b.pid IS NOT NULL THEN %s END AS wait_seconds
		FROM pg_stat_activity a LEFT JOIN blocked b ON b.pid = a.pid
		WHERE b.pid IS NOT NULL OR a.pid IN (SELECT unnest(by) FROM blocked) ORDER BY a.pid`,
			f.waitStart(), maxWaiters, f.sessionColumns(), seconds("coalesce(b.since, a.query_start)"))
	})
	for i := range list {
		list[i].shape()
	}
	return Chains(list), err
}

// preparedTransaction is the pid that the server gives for a transaction without a session.
const preparedTransaction = 0

// Chains arranges sessions by who blocks whom.
func Chains(list []Waiter) []Chain {
	byPID := map[int]*Waiter{}
	below := map[int][]int{} // who waits for a session
	for i := range list {
		w := &list[i]
		byPID[w.PID] = w
		slices.Sort(w.BlockedBy)
		w.BlockedBy = slices.Compact(w.BlockedBy)
		for _, by := range w.BlockedBy {
			below[by] = append(below[by], w.PID)
		}
	}
	var roots []int
	for by := range below {
		if byPID[by] == nil {
			byPID[by] = &Waiter{Session: Session{PID: by, Name: "ended"}}
			if by == preparedTransaction {
				byPID[by].Name = "prepared transaction"
			}
		}
		if len(byPID[by].BlockedBy) == 0 {
			roots = append(roots, by)
		}
	}
	slices.Sort(roots)
	var out []Chain
	seen := map[int]bool{}
	for _, pid := range roots {
		out = append(out, chain(pid, byPID, below, seen))
	}
	// Whoever is in no chain so far waits for himself, over others.
	for _, w := range list {
		if len(w.BlockedBy) > 0 && !seen[w.PID] {
			c := chain(w.PID, byPID, below, seen)
			c.Cycle = true
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Chain) int {
		return cmp.Or(b.Blocked-a.Blocked, cmp.Compare(b.LongestWait, a.LongestWait))
	})
	return out
}

// chain collects who waits for a session, level by level.
func chain(root int, byPID map[int]*Waiter, below map[int][]int, seen map[int]bool) Chain {
	c := Chain{Waiter: *byPID[root], Depth: 1, Waiters: []Waiter{}}
	depth := map[int]int{root: 1}
	seen[root] = true
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range below[queue[0]] {
			if depth[pid] > 0 {
				continue
			}
			depth[pid] = depth[queue[0]] + 1
			seen[pid] = true
			queue = append(queue, pid)
			w := *byPID[pid]
			w.Depth = depth[pid]
			c.Depth = max(c.Depth, w.Depth)
			if w.WaitSeconds != nil {
				c.LongestWait = max(c.LongestWait, *w.WaitSeconds)
			}
			c.Waiters = append(c.Waiters, w)
		}
	}
	c.Blocked = len(c.Waiters)
	return c
}

// A Lock is one lock, held or waited for.
type Lock struct {
	Name               string   `json:"name"`
	PID                int      `json:"pid"`
	User               string   `json:"user,omitempty"`
	Relation           string   `json:"relation,omitempty"` // absent for one of another database
	Kind               string   `json:"locktype"`
	Mode               string   `json:"mode"`
	Granted            bool     `json:"granted"`
	State              string   `json:"state,omitempty"`
	TransactionSeconds *float64 `json:"transaction_seconds,omitempty"`
}

// Locks returns the locks on tables and rows: those waited for first, then the
// strongest, of the oldest transactions.
func (s *Server) Locks(ctx context.Context, limit int) ([]Lock, error) {
	return rows[Lock](ctx, s, fixed(fmt.Sprintf(`SELECT %s AS name, l.pid, a.usename AS "user",
		CASE WHEN l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) THEN l.relation::regclass::text END AS relation,
		l.locktype, l.mode, l.granted, a.state, %s AS transaction_seconds
		FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.pid IS NOT NULL AND l.pid <> pg_backend_pid() AND l.locktype <> 'virtualxid' AND NOT (l.locktype = 'transactionid' AND l.granted)
		ORDER BY l.granted, array_position(ARRAY['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock', 'ShareUpdateExclusiveLock', 'RowExclusiveLock'], l.mode) NULLS LAST, a.xact_start NULLS LAST, l.pid
		LIMIT %d`, sessionName, seconds("a.xact_start"), limit)))
}
