// Package otlp sends spans, metrics and log records to an OpenTelemetry collector:
// OTLP over HTTP, encoded in JSON, as the OTLP specification 1.x lays down under
// "JSON Protobuf Encoding".
//
// It stands in place of the exporters that come with OpenTelemetry, which link
// gRPC and every message of the protocol: 11 of the 31 MB that a probe was, and 5 MB
// of its memory, on every host (docs/adr/0017).
package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// A client posts what is encoded to one address. It is safe for concurrent use.
type client struct {
	url     string
	headers map[string]string
	gzip    bool
	timeout time.Duration
	http    *http.Client
}

// Attempts and waits of one export: a collector that restarts is back within that.
const (
	attempts  = 5
	firstWait = 200 * time.Millisecond
	longWait  = 5 * time.Second
)

// post sends v, again where the collector says that it may be asked again (429,
// 502, 503, 504, after the Retry-After it gives) or cannot be reached, until the
// time of one export is over.
func (c *client) post(ctx context.Context, v any) error {
	body, err := c.encode(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	wait := firstWait
	for n := 1; ; n++ {
		after, again, err := c.once(ctx, body)
		if err == nil || !again || n == attempts {
			return err
		}
		if after == 0 {
			after, wait = wait, min(2*wait, longWait)
		}
		timer := time.NewTimer(after)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, ctx.Err())
		case <-timer.C:
		}
	}
}

func (c *client) encode(v any) ([]byte, error) {
	var b bytes.Buffer
	var w io.Writer = &b
	var zip *gzip.Writer
	if c.gzip {
		zip = gzip.NewWriter(&b)
		w = zip
	}
	err := json.NewEncoder(w).Encode(v)
	if zip != nil {
		err = errors.Join(err, zip.Close())
	}
	return b.Bytes(), err
}

// maxAnswer is how much of an answer is read: errors are short.
const maxAnswer = 64 << 10

// once sends the body; again says whether it makes sense to repeat it, after how
// long when the collector says so.
func (c *client) once(ctx context.Context, body []byte) (after time.Duration, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return 0, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, true, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			after = time.Duration(s) * time.Second
		}
		return after, true, fmt.Errorf("%s answered %s", c.url, resp.Status)
	}
	if resp.StatusCode/100 != 2 {
		return 0, false, fmt.Errorf("%s answered %s: %.200q", c.url, resp.Status, text)
	}
	return 0, false, partial(text)
}

// partial returns what the collector says it did not take.
func partial(answer []byte) error {
	var r struct {
		PartialSuccess struct {
			RejectedSpans      json.Number `json:"rejectedSpans"`
			RejectedDataPoints json.Number `json:"rejectedDataPoints"`
			RejectedLogRecords json.Number `json:"rejectedLogRecords"`
			ErrorMessage       string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &r) != nil {
		return nil // it took all of it, and says so in another encoding
	}
	p := r.PartialSuccess
	for what, n := range map[string]json.Number{"spans": p.RejectedSpans, "data points": p.RejectedDataPoints, "log records": p.RejectedLogRecords} {
		if n != "" && n != "0" {
			return fmt.Errorf("the collector did not take %s %s: %s", n, what, p.ErrorMessage)
		}
	}
	return nil
}
