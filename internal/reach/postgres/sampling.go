package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A Sampled is what was seen of one query in several readings of what runs.
type Sampled struct {
	Query    string  `json:"query"`
	User     string  `json:"user,omitempty"`
	Database string  `json:"database,omitempty"`
	Name     string  `json:"name"` // of an application that runs it
	Seen     int     `json:"seen"` // how often, in all readings and sessions
	SeenPct  float64 `json:"seen_pct"`
	MaxMS    float64 `json:"max_time_ms"`    // the longest that it was seen to run, to a tenth of a second
	Wait     string  `json:"wait,omitempty"` // what it was seen to wait for last
}

// Samples are readings of what runs.
type Samples struct {
	Readings int
	Seconds  float64   // over which they were taken
	Queries  []Sampled // those seen most often first
}

// mostActive is how many running queries one reading looks at.
const mostActive = 200

// Sample reads several times what runs, a moment apart. It ends early with ctx.
func (s *Server) Sample(ctx context.Context) (Samples, error) {
	began := time.Now()
	var out Samples
	var seen []Session
	for out.Readings < s.cfg.Samples {
		list, err := s.Active(ctx, mostActive)
		if err != nil && out.Readings == 0 {
			return out, err
		}
		if err != nil {
			break
		}
		out.Readings++
		seen = append(seen, list...)
		if out.Readings == s.cfg.Samples {
			break
		}
		select {
		case <-time.After(s.cfg.SampleEvery):
			continue
		case <-ctx.Done():
		}
		break
	}
	out.Seconds = time.Since(began).Seconds()
	out.Queries = sampled(seen)
	return out, nil
}

// sampled counts what was seen by query, role and database.
func sampled(seen []Session) []Sampled {
	type key struct{ query, user, database string }
	by := map[key]*Sampled{}
	for _, a := range seen {
		k := key{a.Query, a.User, a.Database}
		q := by[k]
		if q == nil {
			q = &Sampled{Query: a.Query, User: a.User, Database: a.Database, Name: a.Name}
			by[k] = q
		}
		q.Seen++
		q.Wait = a.Wait
		if a.QuerySeconds != nil {
			q.MaxMS = max(q.MaxMS, 1000**a.QuerySeconds)
		}
	}
	var out []Sampled
	for _, q := range by {
		q.SeenPct = 100 * float64(q.Seen) / float64(len(seen))
		out = append(out, *q)
	}
	slices.SortFunc(out, func(a, b Sampled) int {
		return cmp.Or(b.Seen-a.Seen, cmp.Compare(b.MaxMS, a.MaxMS), cmp.Compare(a.Query, b.Query))
	})
	return out
}
