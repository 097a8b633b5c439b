package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
)

// A Failure is an attempt that may be repeated.
type Failure struct {
	Err   error
	After time.Duration // how long the far side wants to be left alone; 0: it did not say
	// Unknown says that the message may have arrived.
	Unknown bool
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Bounds of one attempt.
const (
	sendWithin = 30 * time.Second
	maxAnswer  = 64 << 10 // bytes of an answer that are read
	maxQuote   = 300      // runes of it in an error
)

// A client posts. Nothing that it says holds a secret.
type client struct {
	http    *http.Client
	secrets []string
}

// newClient returns a client that follows no redirects, and unless private refuses
// addresses that are not public.
func newClient(private bool, secrets []string) *client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if !private {
		dialer.Control = publicOnly
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer,
	}
	return &client{
		secrets: secrets,
		http: &http.Client{
			Transport: transport, Timeout: sendWithin,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

var errPrivate = errors.New("the address is not public; `private: true` allows it")

// shared is the space of carriers (RFC 6598), which netip does not call private.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// publicOnly looks at the address that is dialled, not at the name: a name may lead
// anywhere, and elsewhere the next time it is asked.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || shared.Contains(ip) {
		return errPrivate
	}
	return nil
}

// postJSON posts a value and returns the answer of a 2xx.
func (c *client) postJSON(ctx context.Context, address string, header http.Header, v any) ([]byte, error) {
	body, err := encode(v)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, http.MethodPost, address, header, body)
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// send makes one request with a JSON body and returns the answer of a 2xx.
func (c *client) send(ctx context.Context, method, address string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the url is none") // the cause quotes it
	}
	maps.Copy(r.Header, header)
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("User-Agent", "fleetlens")
	where := method + " " + r.URL.Scheme + "://" + r.URL.Host + "/…"
	res, err := c.http.Do(r)
	if err != nil {
		return nil, c.unsent(ctx, where, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil && res.StatusCode < 300 {
		return nil, &Failure{Err: fmt.Errorf("%s: the answer broke off", where), Unknown: true}
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return answer, nil
	}
	return answer, c.refusal(where, res, answer)
}

// unsent says why there was no answer. What failed before a connection was there has
// sent nothing.
func (c *client) unsent(ctx context.Context, where string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // which is without the URL
	}
	told := fmt.Errorf("%s: %s", where, c.redact(err.Error()))
	if errors.Is(err, errPrivate) {
		return told
	}
	op, ok := errors.AsType[*net.OpError](err)
	return &Failure{Err: told, Unknown: !ok || op.Op != "dial"}
}

// refusal reads an answer that is no 2xx.
func (c *client) refusal(where string, res *http.Response, answer []byte) error {
	told := fmt.Errorf("%s: %s", where, res.Status)
	if quote := c.redact(message.Cut(message.Clean(string(answer)), maxQuote, nil)); quote != "" {
		told = fmt.Errorf("%w: %s", told, quote)
	}
	after := retryAfter(res.Header.Get("Retry-After"), time.Now())
	switch code := res.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return &Failure{Err: told, After: after}
	case code >= 500, code == http.StatusRequestTimeout:
		return &Failure{Err: told, After: after, Unknown: true}
	}
	return told
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date. 0: it
// says nothing.
func retryAfter(s string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil { // Discord has fractions
		if math.IsNaN(n) || n < 0 {
			return 0
		}
		return time.Duration(min(n, most.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(0, at.Sub(now)), most)
	}
	return 0
}

// redact takes the secrets out of text, the path of a secret URL too.
func (c *client) redact(s string) string {
	for _, secret := range c.secrets {
		if secret == "" {
			continue
		}
		s = strings.ReplaceAll(s, secret, "[redacted]")
		if u, err := url.Parse(secret); err == nil && u.Host != "" && len(u.Path) > 1 {
			s = strings.ReplaceAll(s, u.RequestURI(), "/[redacted]")
		}
	}
	return s
}

// bearer is the header that proves who sends; none without a token.
func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}
