// Package httpapi asks the HTTP interface of a server that somebody else runs: the
// monitoring endpoints of NATS, the API of Prometheus.
//
// It asks with GET alone, one question at a time, goes to the configured address and to
// no other, and what it takes of an answer is bounded, in bytes and in time.
package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrUnavailable marks errors that say something of the server: it is down, or does not
// answer in time. Others are of the configuration, or of one question.
var ErrUnavailable = errors.New("the server cannot be asked")

// ErrTooLong is what reading an answer ends with when it has more bytes than are taken.
var ErrTooLong = errors.New("the answer is longer than what is taken of it")

// A StatusError is an answer with another status than 2xx.
type StatusError struct {
	Code int
	Body []byte // its beginning
	text string
}

func (e *StatusError) Error() string { return e.text }

// longestRefusal is how many bytes are read of an answer that is an error.
const longestRefusal = 64 << 10

// A Client asks one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	keys Keys
	http *http.Client
	turn chan struct{} // holds one token: one question at a time
}

// New returns a client of a server; it connects to nothing yet.
func New(c Config) *Client { return NewWith(c, Keys{}) }

// NewWith is New with keys that stand in no files of their own.
func NewWith(c Config, k Keys) *Client {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	dialer := &net.Dialer{Timeout: c.Timeout}
	return &Client{cfg: c, keys: k, turn: make(chan struct{}, 1), http: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext,
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, _, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				how, err := c.TLS.connection(host, k)
				if err != nil {
					return nil, err
				}
				return (&tls.Dialer{NetDialer: dialer, Config: how}).DialContext(ctx, network, address)
			},
			DisableCompression: true, // or the bound would be of what is not unpacked
			MaxIdleConns:       1, MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends the connection that is kept for further questions.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get asks for a path below the base and hands at most so many bytes of the answer to
// read, which sees ErrTooLong when there are more. What read returns is returned.
func (c *Client) Get(ctx context.Context, path string, query url.Values, most int64, read func(io.Reader) error) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%s is still being asked something else: %w", c.cfg.URL, ctx.Err())
	}
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	err := c.get(limited, path, query, most, read)
	if err == nil {
		return nil
	}
	return c.plainly(ctx, limited, path, err)
}

// JSON is Get for an answer of JSON, which it decodes into v.
func (c *Client) JSON(ctx context.Context, path string, query url.Values, most int64, v any) error {
	return c.Get(ctx, path, query, most, func(r io.Reader) error {
		if err := json.NewDecoder(r).Decode(v); err != nil {
			return fmt.Errorf("it does not answer in the JSON that is expected: %w", err)
		}
		return nil
	})
}

func (c *Client) get(ctx context.Context, path string, query url.Values, most int64, read func(io.Reader) error) error {
	u, err := url.Parse(c.cfg.URL)
	if err != nil {
		return err
	}
	u = u.JoinPath(path)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "fleetlens-probe")
	if err := c.cfg.authorize(r, c.keys); err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return refusal(resp)
	}
	return read(&bounded{from: resp.Body, left: most})
}

// refusal is the error of an answer with another status.
func refusal(resp *http.Response) error {
	e := &StatusError{Code: resp.StatusCode, text: fmt.Sprintf("it answered %q", resp.Status)}
	e.Body, _ = io.ReadAll(io.LimitReader(resp.Body, longestRefusal)) // what came says more than why no more did
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		e.text += ": give the probe token_file, or user and password_file"
	case resp.StatusCode/100 == 3:
		to, err := resp.Location()
		if err == nil {
			e.text += fmt.Sprintf(": it sends to %q: name that address in url, if it is the server", to.Redacted())
		}
	case resp.StatusCode == http.StatusNotFound:
		e.text += ": is url the base of what the server serves over HTTP?"
	default:
		if line, _, _ := strings.Cut(string(e.Body), "\n"); line != "" {
			e.text += fmt.Sprintf(": %.300q", line)
		}
	}
	return e
}

// plainly says what is wrong, and what would be right.
func (c *Client) plainly(ctx, limited context.Context, path string, err error) error {
	at := strings.TrimSuffix(c.cfg.URL, "/") + path
	if u, ok := errors.AsType[*url.Error](err); ok { // it repeats method and address
		err = u.Err
	}
	var op *net.OpError
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", at, ctx.Err()) // whoever had too little time of his own says nothing about the server
	case limited.Err() != nil || errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %s did not finish its answer within %s (timeout): it hangs or is too slow", ErrUnavailable, at, c.cfg.Timeout)
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%w: nothing answers at %s: is the server up, and is url right? %w", ErrUnavailable, c.cfg.URL, err)
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("%s: %w: tls.ca_file names who signs its certificate, tls.server_name the name in it", at, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return fmt.Errorf("%w: %s ended the connection in its answer: %w", ErrUnavailable, at, err)
	}
	return fmt.Errorf("%s: %w", at, err)
}

// bounded reads at most so many bytes, and then says ErrTooLong.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.from.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, ErrTooLong
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
