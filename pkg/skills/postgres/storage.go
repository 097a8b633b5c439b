package postgres

import (
	"cmp"
	"context"
	"slices"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

func (h *history) tables(order reach.TableOrder) func(context.Context, int) (any, error) {
	return func(ctx context.Context, limit int) (any, error) {
		tables, err := h.server.Tables(ctx, order, limit+1)
		return skills.List(answer{}, "tables", tables, limit), err
	}
}

func (h *history) unusedIndexes(ctx context.Context, limit int) (any, error) {
	indexes, err := h.server.UnusedIndexes(ctx, limit+1)
	if err != nil {
		return nil, err
	}
	all, err := h.server.Unused(ctx)
	a := skills.List(answer{}, "indexes", indexes, limit)
	if all.StatsHours != nil {
		a["stats_hours"] = *all.StatsHours
	}
	return a, err
}

func (h *history) seqScans(ctx context.Context, limit int) (any, error) {
	tables, err := h.server.Tables(ctx, reach.BySeqRows, limit+1)
	if err != nil {
		return nil, err
	}
	f, err := h.server.Facts(ctx)
	if err != nil {
		return nil, err
	}
	a := skills.List(answer{}, "tables", tables, limit).note(f.Note(), f.NoStatements)
	if f.NoStatements != "" {
		return a, nil
	}
	a["queries"], err = h.server.Statements(ctx, "total_time", 5)
	return a, err
}

// A hit is how much of what a database read was in shared_buffers.
type hit struct {
	Database string  `json:"database"`
	Pct      float64 `json:"hit_pct"`
	Reads    float64 `json:"blocks_read"`
}

func (h *history) cacheHit(ctx context.Context) (any, error) {
	c, err := h.server.CacheHits(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{"shared_buffers_mb": c.SharedMB}
	share := func(name string, hits, reads float64) {
		if hits+reads > 0 {
			a[name] = skills.Round(100*hits/(hits+reads), 2)
		}
	}
	share("table_hit_pct", c.TableHits, c.TableReads)
	share("index_hit_pct", c.IndexHits, c.IndexReads)
	if c.Table != "" {
		a["most_read_table"], a["most_read_share_pct"] = c.Table, c.MostPct
	}
	databases, err := h.server.Databases(ctx, mostDatabases)
	slices.SortStableFunc(databases, func(x, y reach.Database) int { return cmp.Compare(y.Reads, x.Reads) })
	var hits []hit
	for _, db := range databases {
		if all := db.Hits + db.Reads; all > 0 {
			hits = append(hits, hit{db.Name, skills.Round(100*db.Hits/all, 2), db.Reads})
		}
	}
	return skills.List(a, "databases", hits, 20), err
}

func (h *history) bloat(ctx context.Context, limit int) (any, error) {
	tables, note, err := h.server.Bloat(ctx, limit+1)
	return skills.List(answer{}, "tables", tables, limit).note(note), err
}

func (h *history) autovacuum(ctx context.Context, limit int) (any, error) {
	tables, err := h.server.Vacuumed(ctx, limit+1)
	if err != nil {
		return nil, err
	}
	running, err := h.server.Vacuums(ctx)
	return h.privileges(ctx, skills.List(skills.List(answer{}, "tables", tables, limit), "vacuums", running, 50), err)
}

func (h *history) wraparound(ctx context.Context, limit int) (any, error) {
	databases, err := h.server.DatabaseAges(ctx, limit)
	if err != nil {
		return nil, err
	}
	tables, err := h.server.TableAges(ctx, limit)
	if err != nil {
		return nil, err
	}
	holders, err := h.server.LongRunning(ctx, 0, limit)
	a := skills.List(answer{}, "databases", databases, limit)
	return h.privileges(ctx, skills.List(skills.List(a, "tables", tables, limit), "holders", holders, limit), err)
}

func (h *history) replication(ctx context.Context) (any, error) {
	replicas, err := h.server.Replicas(ctx)
	if err != nil {
		return nil, err
	}
	slots, err := h.server.Slots(ctx)
	if err != nil {
		return nil, err
	}
	standby, err := h.server.Standby(ctx)
	a := answer{"standby": standby.Standby}
	if standby.Standby {
		a["lag_seconds"], a["lag_mb"], a["receiving"], a["paused"] = standby.LagSeconds, standby.LagMB, standby.Receiving, standby.Paused
	}
	return h.privileges(ctx, skills.List(skills.List(a, "replicas", replicas, 100), "slots", slots, 100), err)
}

func (h *history) checkpoints(ctx context.Context) (any, error) { return h.server.Writes(ctx) }

func (h *history) databases(ctx context.Context, limit int) (any, error) {
	databases, err := h.server.Databases(ctx, limit+1)
	return skills.List(answer{}, "databases", databases, limit), err
}

func (h *history) settings(ctx context.Context) (any, error) {
	settings, err := h.server.Settings(ctx)
	return skills.List(answer{}, "settings", settings, 100), err
}
