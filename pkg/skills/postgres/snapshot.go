package postgres

import (
	"context"
	"errors"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/postgres"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A history asks one server and keeps what its counters were.
type history struct {
	server *reach.Server
	skills.History[reading]
}

// A reading is what rates are taken of.
type reading struct {
	counts    map[reach.StatementID]reach.Count
	databases []reach.Database
	scanned   []reach.Scanned
	writes    reach.Writes
}

// snapshot fills in what can be read; the error joins the rest. A server that is
// down or hangs is a finding: that much is data.
func (h *history) snapshot(ctx context.Context) (skills.Data, error) {
	now := time.Now()
	facts, err := h.server.Facts(ctx)
	switch {
	case errors.Is(err, reach.ErrUnavailable):
		return skills.Unreachable(err), err
	case err != nil:
		return nil, err
	}
	d := fields{"reachable": 1.0, "server_version": facts.VersionText}
	d.set("uptime_seconds", float64(facts.UptimeSeconds), 0)
	errs := h.each(ctx, d.connections, d.activity, d.blocking, d.tables, d.replication)
	cur, err := h.read(ctx)
	if err != nil {
		return skills.Data(d), errors.Join(errs, err)
	}
	d.since(cur)
	if base := h.Advance(now, cur); base != nil {
		err = d.window(ctx, h.server, facts, base.Value, cur, now.Sub(base.At))
	}
	return skills.Data(d), errors.Join(errs, err)
}

// each fills in parts of a snapshot, until the server is lost: each further
// question would cost its deadline too.
func (h *history) each(ctx context.Context, parts ...func(context.Context, *reach.Server) error) error {
	var errs []error
	for _, part := range parts {
		err := part(ctx, h.server)
		errs = append(errs, err)
		if errors.Is(err, reach.ErrUnavailable) {
			break
		}
	}
	return errors.Join(errs...)
}

// mostDatabases is how many databases are looked at.
const mostDatabases = 1000

// read reads the counters; all of them, or rates would be of different times.
func (h *history) read(ctx context.Context) (r reading, err error) {
	if r.counts, err = h.server.Counts(ctx); err != nil {
		return r, err
	}
	if r.databases, err = h.server.Databases(ctx, mostDatabases); err != nil {
		return r, err
	}
	if r.scanned, err = h.server.Scanned(ctx, mostScanned); err != nil {
		return r, err
	}
	r.writes, err = h.server.Writes(ctx)
	return r, err
}
