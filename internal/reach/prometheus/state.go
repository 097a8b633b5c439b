package prometheus

import (
	"context"
	"net/url"
	"time"
)

// A Target is something that the server scrapes.
type Target struct {
	Job      string    `json:"job"`
	Instance string    `json:"instance"`
	Pool     string    `json:"pool"`
	Health   string    `json:"health"` // up, down or unknown
	Error    string    `json:"error,omitempty"`
	Scraped  time.Time `json:"last_scrape"`
	Seconds  float64   `json:"scrape_seconds"`
}

// Targets lists what the server scrapes now.
func (s *Server) Targets(ctx context.Context) ([]Target, error) {
	var told struct {
		Active []struct {
			Labels     map[string]string `json:"labels"`
			Pool       string            `json:"scrapePool"`
			Health     string            `json:"health"`
			LastError  string            `json:"lastError"`
			LastScrape time.Time         `json:"lastScrape"`
			Duration   float64           `json:"lastScrapeDuration"`
		} `json:"activeTargets"`
	}
	if _, err := s.ask(ctx, "/api/v1/targets", url.Values{"state": {"active"}}, &told); err != nil {
		return nil, err
	}
	out := make([]Target, 0, len(told.Active))
	for _, t := range told.Active {
		out = append(out, Target{t.Labels["job"], t.Labels["instance"], t.Pool, t.Health, t.LastError, t.LastScrape, t.Duration})
	}
	return out, nil
}

// An Alert is one that is pending or fires.
type Alert struct {
	Name        string            `json:"alert"`
	State       string            `json:"state"` // firing or pending
	Severity    string            `json:"severity,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Since       time.Time         `json:"since"`
	Value       string            `json:"value"`
}

// Alerts lists the alerts that are pending or fire.
func (s *Server) Alerts(ctx context.Context) ([]Alert, error) {
	var told struct {
		Alerts []struct {
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
			State       string            `json:"state"`
			ActiveAt    time.Time         `json:"activeAt"`
			Value       string            `json:"value"`
		} `json:"alerts"`
	}
	if _, err := s.ask(ctx, "/api/v1/alerts", nil, &told); err != nil {
		return nil, err
	}
	out := make([]Alert, 0, len(told.Alerts))
	for _, a := range told.Alerts {
		out = append(out, Alert{a.Labels["alertname"], a.State, a.Labels["severity"], a.Labels, a.Annotations, a.ActiveAt, a.Value})
	}
	return out, nil
}

// A Rule is a rule of the server that could not be evaluated.
type Rule struct {
	Group string `json:"group"`
	Name  string `json:"rule"`
	Error string `json:"error"`
}

// Rules lists the rules whose last evaluation failed, and how many rules there are.
func (s *Server) Rules(ctx context.Context) (failed []Rule, total int, err error) {
	var told struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Name   string `json:"name"`
				Health string `json:"health"`
				Error  string `json:"lastError"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if _, err := s.ask(ctx, "/api/v1/rules", nil, &told); err != nil {
		return nil, 0, err
	}
	for _, g := range told.Groups {
		total += len(g.Rules)
		for _, r := range g.Rules {
			if r.Health == "err" {
				failed = append(failed, Rule{g.Name, r.Name, r.Error})
			}
		}
	}
	return failed, total, nil
}

// Head is what the server's database has in memory.
type Head struct {
	Series  float64     `json:"numSeries"`
	Chunks  float64     `json:"chunkCount"`
	Largest []NameCount // metrics with most series
}

// A NameCount is how many series a metric has.
type NameCount struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Head tells of the database.
func (s *Server) Head(ctx context.Context) (Head, error) {
	var told struct {
		Head    Head        `json:"headStats"`
		Largest []NameCount `json:"seriesCountByMetricName"`
	}
	if _, err := s.ask(ctx, "/api/v1/status/tsdb", nil, &told); err != nil {
		return Head{}, err
	}
	told.Head.Largest = told.Largest
	return told.Head, nil
}

// Build is what the server is, and how long it runs.
type Build struct {
	Version  string
	Start    time.Time
	ReloadOK bool // whether its configuration could be read the last time
}

// Build tells what the server is.
func (s *Server) Build(ctx context.Context) (Build, error) {
	var b struct {
		Version string `json:"version"`
	}
	if _, err := s.ask(ctx, "/api/v1/status/buildinfo", nil, &b); err != nil {
		return Build{}, err
	}
	var r struct {
		Start    time.Time `json:"startTime"`
		ReloadOK bool      `json:"reloadConfigSuccess"`
	}
	if _, err := s.ask(ctx, "/api/v1/status/runtimeinfo", nil, &r); err != nil {
		return Build{}, err
	}
	return Build{b.Version, r.Start, r.ReloadOK}, nil
}
