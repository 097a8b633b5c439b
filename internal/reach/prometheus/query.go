package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"
)

// A Point is a value at a time.
type Point struct {
	At    time.Time
	Value float64 // may be no number, or without end
}

// UnmarshalJSON reads [1732291200.123, "42"].
func (p *Point) UnmarshalJSON(b []byte) error {
	var pair [2]any
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	at, ok := pair[0].(float64)
	text, ok2 := pair[1].(string)
	if !ok || !ok2 || math.Abs(at) > 1e12 {
		return fmt.Errorf("%.60s is no point", b)
	}
	v, err := strconv.ParseFloat(text, 64)
	p.At, p.Value = time.UnixMilli(int64(at*1000)).UTC(), v
	return err
}

// A Series is what one set of labels has: one point of an instant, several of a range.
type Series struct {
	Labels map[string]string
	Points []Point
}

// A Result is what a query gives.
type Result struct {
	Series   []Series
	Warnings []string
}

// queryTimeout is how long the server may work on one question.
const queryTimeout = "4s"

// Query evaluates an expression now. A scalar is a series without labels.
func (s *Server) Query(ctx context.Context, expr string) (Result, error) {
	return s.query(ctx, "/api/v1/query", url.Values{"query": {expr}, "timeout": {queryTimeout}})
}

// Range evaluates an expression from a time to another, every step.
func (s *Server) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration) (Result, error) {
	at := func(t time.Time) []string {
		return []string{strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64)}
	}
	return s.query(ctx, "/api/v1/query_range", url.Values{
		"query": {expr}, "timeout": {queryTimeout}, "start": at(from), "end": at(to), "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)},
	})
}

func (s *Server) query(ctx context.Context, path string, query url.Values) (Result, error) {
	var told struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	}
	warnings, err := s.ask(ctx, path, query, &told)
	if err != nil {
		return Result{}, err
	}
	series, err := decode(told.Type, told.Result)
	if err != nil {
		return Result{}, fmt.Errorf("prometheus: %w", err)
	}
	return Result{series, warnings}, nil
}

// decode reads a result of one of the types that a query gives. Series of histograms have no points.
func decode(kind string, raw json.RawMessage) ([]Series, error) {
	switch kind {
	case "scalar":
		var p Point
		err := json.Unmarshal(raw, &p)
		return []Series{{Labels: map[string]string{}, Points: []Point{p}}}, err
	case "vector", "matrix":
		var list []struct {
			Metric map[string]string `json:"metric"`
			Value  *Point            `json:"value"`
			Values []Point           `json:"values"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		out := make([]Series, 0, len(list))
		for _, s := range list {
			if s.Value != nil {
				s.Values = []Point{*s.Value}
			}
			out = append(out, Series{s.Metric, s.Values})
		}
		return out, nil
	}
	return nil, fmt.Errorf("the expression gives a %s: write one that gives numbers", kind)
}
