package postgres

import "context"

// A Replica is a server that streams from this one.
type Replica struct {
	Name       string   `json:"name"`
	PID        int      `json:"pid"`
	Client     string   `json:"client,omitempty"`
	State      string   `json:"state"`
	Sync       string   `json:"sync_state,omitempty"`
	LagSeconds *float64 `json:"lag_seconds,omitempty"` // until it had replayed; absent when it has all, or when none was measured
	LagMB      *float64 `json:"lag_mb,omitempty"`
}

// Replicas returns the servers that stream from this one, the farthest behind first.
func (s *Server) Replicas(ctx context.Context) ([]Replica, error) {
	return rows[Replica](ctx, s, fixed(`SELECT coalesce(nullif(application_name, ''), host(client_addr), 'unknown') AS name, pid, coalesce(host(client_addr), '') AS client, coalesce(state, 'hidden') AS state,
		coalesce(sync_state, '') AS sync_state, round(extract(epoch FROM replay_lag)::numeric, 1) AS lag_seconds, round(pg_wal_lsn_diff(`+lsn+`, replay_lsn) / 1048576.0, 1) AS lag_mb
		FROM pg_stat_replication ORDER BY lag_mb DESC NULLS LAST, name LIMIT 100`))
}

// A Slot keeps the log of writes for somebody who may come back for it.
type Slot struct {
	Name       string   `json:"slot"`
	Kind       string   `json:"type"`
	Database   string   `json:"database,omitempty"`
	Active     bool     `json:"active"`
	RetainedMB *float64 `json:"retained_mb,omitempty"`
	State      string   `json:"wal_status,omitempty"` // PostgreSQL 13
}

// Slots returns the replication slots, the one that keeps most first.
func (s *Server) Slots(ctx context.Context) ([]Slot, error) {
	return rows[Slot](ctx, s, func(f *Facts) string {
		return `SELECT slot_name AS slot, slot_type AS type, coalesce(database, '') AS database, active, round(pg_wal_lsn_diff(` + lsn + `, restart_lsn) / 1048576.0, 1) AS retained_mb, ` + f.slotState() + ` AS wal_status
			FROM pg_replication_slots ORDER BY retained_mb DESC NULLS LAST, slot LIMIT 100`
	})
}

// A Standby is what a server that replays another's log knows of it.
type Standby struct {
	Standby    bool     `json:"standby"`
	LagSeconds *float64 `json:"lag_seconds"` // 0 when all that was received is replayed
	LagMB      *float64 `json:"lag_mb"`
	Receiving  bool     `json:"receiving"`
	Paused     bool     `json:"paused"`
}

// Standby tells how far behind this server is, if it is a standby.
func (s *Server) Standby(ctx context.Context) (Standby, error) {
	return row[Standby](ctx, s, fixed(`SELECT pg_is_in_recovery() AS standby, CASE WHEN pg_is_in_recovery() THEN
			CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 ELSE round(extract(epoch FROM now() - pg_last_xact_replay_timestamp())::numeric, 1) END END AS lag_seconds,
		CASE WHEN pg_is_in_recovery() THEN round(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) / 1048576.0, 1) END AS lag_mb,
		EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) AS receiving, CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS paused`))
}
