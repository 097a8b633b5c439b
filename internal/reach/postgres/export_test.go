package postgres

import "context"

// Ask asks any question of the session.
func Ask(ctx context.Context, s *Server, sql string) ([]map[string]any, error) {
	return rows[map[string]any](ctx, s, fixed(sql))
}

// SQL are the questions that differ by version, for a server of one.
func SQL(version int, extension string) map[string]string {
	f := &Facts{Version: version, Extension: extension, Schema: "public"}
	return map[string]string{
		"time": f.execTime("total"), "checkpoints": f.checkpoints(), "wal": f.wal(), "wait": f.waitStart(), "scan": f.lastIndexScan(), "reserved": f.reserved(), "slot": f.slotState(), "read": f.readAll(),
	}
}
