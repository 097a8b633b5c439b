package otlp

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Metrics sends metrics, cumulative. It is safe for concurrent use.
type Metrics struct{ client *client }

var _ metric.Exporter = (*Metrics)(nil)

// NewMetrics returns an exporter as the environment wants it.
func NewMetrics() (*Metrics, error) {
	c, err := fromEnv("METRICS")
	return &Metrics{c}, err
}

// Temporality implements metric.Exporter.
func (m *Metrics) Temporality(k metric.InstrumentKind) metricdata.Temporality {
	return metric.DefaultTemporalitySelector(k)
}

// Aggregation implements metric.Exporter.
func (m *Metrics) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(k)
}

// ForceFlush implements metric.Exporter; nothing is held.
func (m *Metrics) ForceFlush(context.Context) error { return nil }

// Shutdown implements metric.Exporter; nothing is held.
func (m *Metrics) Shutdown(context.Context) error { return nil }

// Export implements metric.Exporter.
func (m *Metrics) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	v, err := resourceMetrics(rm)
	if err != nil {
		return err
	}
	return m.client.post(ctx, map[string]any{"resourceMetrics": []any{v}})
}

type metricJSON struct {
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Unit        string       `json:"unit,omitempty"`
	Gauge       *pointsJSON  `json:"gauge,omitempty"`
	Sum         *pointsJSON  `json:"sum,omitempty"`
	Histogram   *bucketsJSON `json:"histogram,omitempty"`
}

type pointsJSON struct {
	Points      []pointJSON `json:"dataPoints"`
	Temporality int         `json:"aggregationTemporality,omitempty"`
	Monotonic   bool        `json:"isMonotonic,omitempty"`
}

type pointJSON struct {
	Attributes []keyValue `json:"attributes,omitempty"`
	Start      count      `json:"startTimeUnixNano,omitempty"`
	Time       count      `json:"timeUnixNano"`
	Int        *int64     `json:"asInt,omitempty,string"`
	Double     *double    `json:"asDouble,omitempty"`
}

type bucketsJSON struct {
	Points      []bucketPointJSON `json:"dataPoints"`
	Temporality int               `json:"aggregationTemporality"`
}

type bucketPointJSON struct {
	Attributes []keyValue `json:"attributes,omitempty"`
	Start      count      `json:"startTimeUnixNano"`
	Time       count      `json:"timeUnixNano"`
	Count      count      `json:"count"`
	Sum        double     `json:"sum"`
	Min        *double    `json:"min,omitempty"`
	Max        *double    `json:"max,omitempty"`
	Buckets    []count    `json:"bucketCounts"`
	Bounds     []double   `json:"explicitBounds"`
}

func resourceMetrics(rm *metricdata.ResourceMetrics) (any, error) {
	type scopeMetrics struct {
		Scope     scopeJSON    `json:"scope"`
		Metrics   []metricJSON `json:"metrics"`
		SchemaURL string       `json:"schemaUrl,omitempty"`
	}
	out := struct {
		Resource  resourceJSON   `json:"resource"`
		Scopes    []scopeMetrics `json:"scopeMetrics"`
		SchemaURL string         `json:"schemaUrl,omitempty"`
	}{Resource: ofResource(rm.Resource), SchemaURL: rm.Resource.SchemaURL()}
	for _, sm := range rm.ScopeMetrics {
		scope := scopeMetrics{Scope: ofScope(sm.Scope), SchemaURL: sm.Scope.SchemaURL}
		for _, m := range sm.Metrics {
			v, err := ofMetric(m)
			if err != nil {
				return nil, err
			}
			scope.Metrics = append(scope.Metrics, v)
		}
		out.Scopes = append(out.Scopes, scope)
	}
	return out, nil
}

// ofMetric knows the aggregations that [metric.DefaultAggregationSelector] gives.
func ofMetric(m metricdata.Metrics) (metricJSON, error) {
	out := metricJSON{Name: m.Name, Description: m.Description, Unit: m.Unit}
	switch a := m.Data.(type) {
	case metricdata.Gauge[int64]:
		out.Gauge = &pointsJSON{Points: points(a.DataPoints)}
	case metricdata.Gauge[float64]:
		out.Gauge = &pointsJSON{Points: points(a.DataPoints)}
	case metricdata.Sum[int64]:
		out.Sum = &pointsJSON{points(a.DataPoints), temporality(a.Temporality), a.IsMonotonic}
	case metricdata.Sum[float64]:
		out.Sum = &pointsJSON{points(a.DataPoints), temporality(a.Temporality), a.IsMonotonic}
	case metricdata.Histogram[int64]:
		out.Histogram = &bucketsJSON{buckets(a.DataPoints), temporality(a.Temporality)}
	case metricdata.Histogram[float64]:
		out.Histogram = &bucketsJSON{buckets(a.DataPoints), temporality(a.Temporality)}
	default:
		return out, fmt.Errorf("metric %s: a %T is not sent", m.Name, a)
	}
	return out, nil
}

// temporality is AggregationTemporality of metrics.proto.
func temporality(t metricdata.Temporality) int {
	if t == metricdata.DeltaTemporality {
		return 1
	}
	return 2
}

func points[N int64 | float64](list []metricdata.DataPoint[N]) []pointJSON {
	out := make([]pointJSON, 0, len(list))
	for _, p := range list {
		v := pointJSON{Attributes: ofIter(p.Attributes.Iter()), Start: nanos(p.StartTime), Time: nanos(p.Time)}
		switch n := any(p.Value).(type) {
		case int64:
			v.Int = &n
		case float64:
			v.Double = new(double(n))
		}
		out = append(out, v)
	}
	return out
}

func buckets[N int64 | float64](list []metricdata.HistogramDataPoint[N]) []bucketPointJSON {
	out := make([]bucketPointJSON, 0, len(list))
	for _, p := range list {
		v := bucketPointJSON{
			Attributes: ofIter(p.Attributes.Iter()), Start: nanos(p.StartTime), Time: nanos(p.Time),
			Count: count(p.Count), Sum: double(p.Sum), Min: extreme(p.Min), Max: extreme(p.Max),
		}
		for _, n := range p.BucketCounts {
			v.Buckets = append(v.Buckets, count(n))
		}
		for _, b := range p.Bounds {
			v.Bounds = append(v.Bounds, double(b))
		}
		out = append(out, v)
	}
	return out
}

func extreme[N int64 | float64](e metricdata.Extrema[N]) *double {
	if v, ok := e.Value(); ok {
		return new(double(v))
	}
	return nil
}
