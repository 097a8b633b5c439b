// Package endpoint reads HTTP endpoints that somebody else's program offers:
// Prometheus metrics and JSON. It only asks with GET, and what it takes is bounded.
package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxBody is how many bytes of an answer are read.
const maxBody = 4 << 20

// Config says where an endpoint is.
type Config struct {
	// URL is its address; only its query may be added to.
	URL string
	// TokenFile, when set, holds the bearer token to show. It is read at each request.
	TokenFile string
	// Timeout of one request; zero means five seconds.
	Timeout time.Duration
}

// Validate names every wrong setting.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q must begin with http:// or https:// and name a host", c.URL)
	case u.User != nil:
		return errors.New("a password does not belong into the address: use token_file")
	}
	return nil
}

// An Endpoint is one address. It is safe for concurrent use.
type Endpoint struct {
	cfg  Config
	http *http.Client
}

// New returns a client of the endpoint; it connects to nothing yet.
func New(c Config) *Endpoint {
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	return &Endpoint{cfg: c, http: &http.Client{
		Timeout: c.Timeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != via[0].URL.Host {
				return fmt.Errorf("it redirects to another host, %s: give that address if it is meant", req.URL.Host)
			}
			if len(via) >= 5 {
				return errors.New("it redirects in circles")
			}
			return nil
		},
	}}
}

// get reads the endpoint with these parameters added to its query.
func (e *Endpoint) get(ctx context.Context, query url.Values, accept string) ([]byte, http.Header, error) {
	u, err := url.Parse(e.cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	all := u.Query()
	maps.Copy(all, query)
	u.RawQuery = all.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", accept)
	if e.cfg.TokenFile != "" {
		token, err := os.ReadFile(e.cfg.TokenFile)
		if err != nil {
			return nil, nil, fmt.Errorf("token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read %s: %w", e.cfg.URL, err)
	case resp.StatusCode/100 != 2:
		return nil, nil, fmt.Errorf("%s answered %s", e.cfg.URL, resp.Status)
	case len(body) > maxBody:
		return nil, nil, fmt.Errorf("%s answers with more than %d bytes", e.cfg.URL, maxBody)
	}
	return body, resp.Header, nil
}

// JSON reads the endpoint with these parameters added to its query. Numbers are
// float64.
func (e *Endpoint) JSON(ctx context.Context, query url.Values) (any, error) {
	body, _, err := e.get(ctx, query, "application/json")
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("%s does not answer in JSON: %w", e.cfg.URL, err)
	}
	return v, nil
}

// A Sample is one value of a Prometheus metric. Histograms and summaries give their
// _count and _sum.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Prometheus reads the endpoint as Prometheus metrics in the text format.
func (e *Endpoint) Prometheus(ctx context.Context) ([]Sample, error) {
	body, _, err := e.get(ctx, nil, "text/plain;version=0.0.4")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		return nil, fmt.Errorf("%s does not answer with Prometheus metrics: %w", e.cfg.URL, err)
	}
	var out []Sample
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			for suffix, v := range values(f.GetType(), m) {
				out = append(out, Sample{name + suffix, labels, v})
			}
		}
	}
	return out, nil
}

// values returns the values of a metric by what is added to its name.
func values(t dto.MetricType, m *dto.Metric) map[string]float64 {
	switch t {
	case dto.MetricType_COUNTER:
		return map[string]float64{"": m.GetCounter().GetValue()}
	case dto.MetricType_GAUGE:
		return map[string]float64{"": m.GetGauge().GetValue()}
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		return map[string]float64{"_count": float64(m.GetHistogram().GetSampleCount()), "_sum": m.GetHistogram().GetSampleSum()}
	case dto.MetricType_SUMMARY:
		return map[string]float64{"_count": float64(m.GetSummary().GetSampleCount()), "_sum": m.GetSummary().GetSampleSum()}
	default:
		return map[string]float64{"": m.GetUntyped().GetValue()}
	}
}
