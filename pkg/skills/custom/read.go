package custom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/endpoint"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A Database answers SQL, read-only. Args are bound, never put into the text.
type Database interface {
	Query(ctx context.Context, sql string, args []any, limit int) (rows []map[string]any, err error)
}

// A place is where values come from: one of its fields is set.
type place struct {
	prometheus *endpoint.Endpoint
	json       *endpoint.Endpoint
	database   Database
}

// by names the key by which entries say what they read of the place.
func (p place) by() string {
	switch {
	case p.prometheus != nil:
		return "series"
	case p.json != nil:
		return "field"
	}
	return "sql"
}

// maxRows is how many rows or series a callback gives.
const maxRows = 200

// A selector chooses series by name and labels.
type selector struct {
	name   string
	labels map[string]string
}

func (s selector) has(x endpoint.Sample) bool {
	if x.Name != s.name {
		return false
	}
	for k, v := range s.labels {
		if x.Labels[k] != v {
			return false
		}
	}
	return true
}

// parseSelector reads name{label="value",other="value"}.
func parseSelector(text string) (selector, error) {
	name, rest, labelled := strings.Cut(strings.TrimSpace(text), "{")
	s := selector{name: strings.TrimSpace(name), labels: map[string]string{}}
	wrong := fmt.Errorf("%q is no series: write name or name{label=\"value\"}", text)
	if s.name == "" || strings.ContainsAny(s.name, "\"= ,}") {
		return s, wrong
	}
	if !labelled {
		return s, nil
	}
	rest, ok := strings.CutSuffix(rest, "}")
	if !ok {
		return s, wrong
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, ok := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(strings.TrimSpace(after))
		if !ok || err != nil {
			return s, wrong
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return s, wrong
		}
		s.labels[strings.TrimSpace(key)] = value
		rest = strings.TrimSpace(strings.TrimSpace(after)[len(quoted):])
		if rest != "" {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return s, wrong
			}
		}
	}
	return s, nil
}

// lookup follows a path of keys and positions through a JSON value; "#" is how many
// there are.
func lookup(v any, path string) (any, error) {
	if path == "" {
		return v, nil
	}
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			next, ok := x[step]
			if !ok && step == "#" {
				next, ok = float64(len(x)), true
			}
			if !ok {
				return nil, fmt.Errorf("the answer has no %q of %q", step, path)
			}
			v = next
		case []any:
			if step == "#" {
				v = float64(len(x))
				continue
			}
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil, fmt.Errorf("the answer has a list of %d where %q of %q is", len(x), step, path)
			}
			v = x[i]
		default:
			return nil, fmt.Errorf("the answer ends before %q of %q", step, path)
		}
	}
	return v, nil
}

// A reading is what one snapshot has read so far, so that each place is asked once.
type reading struct {
	samples map[string][]endpoint.Sample
	answers map[string]any
	errs    map[string]error
}

// A field reads one metric.
type field struct {
	metric
	place
	sel selector
}

// reader returns how a metric is read.
func (c *compiler) reader(i int, m metric) field {
	p, _ := c.place("metrics", i, m.From, m.Series, m.Field, m.SQL)
	f := field{metric: m, place: p}
	if m.Series != "" {
		var err error
		if f.sel, err = parseSelector(m.Series); err != nil {
			c.fault([]any{"metrics", i, "series"}, "%v", err)
		}
	}
	if m.Combine != "" {
		c.oneOf([]any{"metrics", i, "combine"}, m.Combine, []string{"sum", "max", "min", "avg"})
	}
	return f
}

// A source reads the snapshots of one skill.
type source struct {
	places  map[string]place
	metrics []field
	skills.History[map[string]float64]
}

func (s *source) snapshot(ctx context.Context) (skills.Data, error) {
	r := &reading{samples: map[string][]endpoint.Sample{}, answers: map[string]any{}, errs: map[string]error{}}
	d, counters := skills.Data{}, map[string]float64{}
	var errs []error
	now := time.Now()
	for _, f := range s.metrics {
		v, err := r.value(ctx, f)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
			continue
		}
		switch v := v.(type) {
		case string:
			d.Text(f.Name, v)
		case bool:
			d[f.Name] = v
		case float64:
			if f.Rate {
				counters[f.Name] = v
			} else {
				d.Set(f.Name, v, 6)
			}
		}
	}
	if base := s.Advance(now, counters); base != nil {
		for name, v := range counters {
			if was, ok := base.Value[name]; ok && v >= was { // else it started again
				d.Set(name, (v-was)/now.Sub(base.At).Seconds(), 3)
			}
		}
	}
	return d, errors.Join(errs...)
}

// value returns a metric's value as its unit has it.
func (r *reading) value(ctx context.Context, f field) (any, error) {
	v, err := r.raw(ctx, f)
	if err != nil {
		return nil, err
	}
	text := f.Unit == string(protocol.Text)
	switch x := v.(type) {
	case nil:
		return nil, nil // absent, not zero
	case string:
		if text {
			return x, nil
		}
		n, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", skills.Cut(x))
		}
		return n, nil
	case bool:
		if text {
			return strconv.FormatBool(x), nil
		}
		return x, nil
	case float64:
		if text {
			return strconv.FormatFloat(x, 'f', -1, 64), nil
		}
		return x, nil
	}
	return nil, fmt.Errorf("it is a list or a map, not one value")
}

func (r *reading) raw(ctx context.Context, f field) (any, error) {
	if err := r.errs[f.From]; err != nil {
		return nil, err // it was asked already
	}
	switch {
	case f.prometheus != nil:
		if _, ok := r.samples[f.From]; !ok {
			if r.samples[f.From], r.errs[f.From] = f.prometheus.Prometheus(ctx); r.errs[f.From] != nil {
				return nil, r.errs[f.From]
			}
		}
		return combine(f.Combine, f.sel, r.samples[f.From])
	case f.json != nil:
		if _, ok := r.answers[f.From]; !ok {
			if r.answers[f.From], r.errs[f.From] = f.json.JSON(ctx, nil); r.errs[f.From] != nil {
				return nil, r.errs[f.From]
			}
		}
		return lookup(r.answers[f.From], f.Field)
	}
	rows, err := f.database.Query(ctx, f.SQL, nil, 2)
	switch {
	case err != nil:
		return nil, err
	case len(rows) != 1 || len(rows[0]) != 1:
		return nil, errors.New("its SQL must select one row of one column")
	}
	for _, v := range rows[0] {
		return v, nil
	}
	return nil, nil
}

func combine(how string, sel selector, all []endpoint.Sample) (any, error) {
	var values []float64
	for _, s := range all {
		if sel.has(s) && !math.IsNaN(s.Value) {
			values = append(values, s.Value)
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch how {
	case "max":
		return slices.Max(values), nil
	case "min":
		return slices.Min(values), nil
	case "avg":
		return sum / float64(len(values)), nil
	}
	return sum, nil
}

// answer returns what a callback does.
func (p place) answer(k callback, sel selector) func(context.Context, skills.Args) (any, error) {
	return func(ctx context.Context, a skills.Args) (any, error) {
		arg := func(x param) any {
			switch x.Type {
			case "string":
				return a.String(x.Name)
			case "boolean":
				return a.Bool(x.Name)
			case "integer":
				return int64(a.Number(x.Name))
			}
			return a.Number(x.Name)
		}
		switch {
		case p.prometheus != nil:
			all, err := p.prometheus.Prometheus(ctx)
			if err != nil {
				return nil, err
			}
			return listed(all, sel), nil
		case p.json != nil:
			query := url.Values{}
			for name, of := range k.Query {
				i := slices.IndexFunc(k.Params, func(x param) bool { return x.Name == of })
				query.Set(name, fmt.Sprint(arg(k.Params[i])))
			}
			v, err := p.json.JSON(ctx, query)
			if err != nil {
				return nil, err
			}
			return lookup(v, k.Field)
		}
		args := make([]any, len(k.Params))
		for i, x := range k.Params {
			args[i] = arg(x)
		}
		rows, err := p.database.Query(ctx, k.SQL, args, maxRows)
		if err != nil {
			return nil, err
		}
		return map[string]any{"rows": rows}, nil
	}
}

// listed returns the series that are selected, largest first.
func listed(all []endpoint.Sample, sel selector) any {
	chosen := slices.DeleteFunc(all, func(s endpoint.Sample) bool { return !sel.has(s) || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) })
	slices.SortStableFunc(chosen, func(a, b endpoint.Sample) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return strings.Compare(fmt.Sprint(a.Labels), fmt.Sprint(b.Labels))
	})
	rows := []map[string]any{}
	for _, s := range chosen[:min(maxRows, len(chosen))] {
		rows = append(rows, map[string]any{"labels": s.Labels, "value": s.Value})
	}
	return map[string]any{"series": rows, "total": len(chosen)}
}
