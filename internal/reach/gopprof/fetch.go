package gopprof

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// What one answer may have at most: as it comes, and unpacked.
const (
	maxBody     = 16 << 20
	maxUnpacked = 64 << 20
)

// errAbsent is what an address that does not exist answers.
var errAbsent = errors.New("404 Not Found")

// newClient returns a client that goes to no proxy and to no other host.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:        (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			DisableCompression: true, // what is compressed is unpacked here, within a bound
			MaxIdleConns:       1, MaxConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme:
				return fmt.Errorf("it sends to another address (%s): name that one in the configuration, if it is the service", r.URL.Host)
			case len(via) > 3:
				return errors.New("it sends from one address to the next without end")
			}
			return nil
		},
	}
}

// fetch asks for an address and hands what it answers to read, which may return
// before the end. The answer has the service's timeout, and more where extra says.
// The error says what is wrong and what would be right. It needs the turn, but for
// profiles over a time.
func (s *Service) fetch(ctx context.Context, address string, extra time.Duration, read func(*bufio.Reader) error) error {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout+extra)
	defer cancel()
	began := time.Now()
	body := &bounded{left: maxBody}
	err := s.do(limited, address, body, read)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled): // nobody waits for it any more
		return fmt.Errorf("%s: %w", address, ctx.Err())
	case errors.Is(err, errAbsent):
		return err
	case limited.Err() != nil || isTimeout(err):
		err = fmt.Errorf("%s did not finish its answer within %s (%d bytes came): it hangs or is too slow", address, time.Since(began).Round(100*time.Millisecond), body.read)
	case isDial(err):
		err = fmt.Errorf("%s: nothing answers there, is the service up and the address right? %w", address, plainly(err))
	default:
		return fmt.Errorf("%s: %w", address, plainly(err))
	}
	if extra == 0 && ctx.Err() == nil { // whoever had too little time of his own says nothing about the service
		s.down = failure{err, time.Now()}
	}
	return err
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// plainly takes away what an HTTP client repeats: method and address.
func plainly(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func (s *Service) do(ctx context.Context, address string, body *bounded, read func(*bufio.Reader) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "fleetlens-probe")
	if address == s.address(s.cfg.Metrics) {
		r.Header.Set("Accept", "text/plain;version=0.0.4")
	}
	if err := s.authorize(r); err != nil {
		return err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body.from = resp.Body
	in := bufio.NewReaderSize(body, 32<<10)
	if err := judge(resp, in); err != nil {
		return err
	}
	return read(in)
}

// authorize adds the bearer token there is.
func (s *Service) authorize(r *http.Request) error {
	if s.cfg.TokenFile == "" {
		return nil
	}
	f, err := os.Open(s.cfg.TokenFile)
	if err != nil {
		return fmt.Errorf("token_file: %w", err)
	}
	defer f.Close()
	token, err := io.ReadAll(io.LimitReader(f, 16<<10))
	if err != nil {
		return fmt.Errorf("token_file: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}

// judge refuses what is no answer to the question.
func judge(resp *http.Response, in *bufio.Reader) error {
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return errAbsent
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("it answered %q: give the probe a token with token_file", resp.Status)
	case resp.StatusCode != http.StatusOK:
		line, _ := in.Peek(200)
		return fmt.Errorf("it answered %q: %q", resp.Status, line)
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
		return errors.New("it answered a web page: url must be the address of net/http/pprof, not of the service's pages")
	}
	return nil
}

// bounded reads at most so many bytes, and says when there are more.
type bounded struct {
	from io.Reader
	read int
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("its answer has more than %d MiB", maxBody>>20)
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.read += n
	b.left -= n
	return n, err
}

// lines hands each line of an answer over, until each returns false. Of a line
// longer than 1 MiB the rest is left out.
func lines(in *bufio.Reader, each func(line []byte) bool) error {
	const longest = 1 << 20
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(long) < longest {
				long = append(long, part...)
			}
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
			long = nil
		}
		if len(line) > 0 && !each(line) {
			return nil
		}
		if err != nil {
			return nil
		}
	}
}

// there asks an address that may not exist; that it does not is remembered for a
// while. It reports whether it was there.
func (s *Service) there(ctx context.Context, at string, read func(*bufio.Reader) error) (bool, error) {
	if at == "-" {
		return false, nil
	}
	address := s.address(at)
	if when, known := s.absent[address]; known && time.Since(when) < 5*time.Minute {
		return false, nil
	}
	err := s.fetch(ctx, address, 0, read)
	if errors.Is(err, errAbsent) {
		s.absent[address] = time.Now()
		return false, nil
	}
	return err == nil, err
}

// noPprof says what to do about a service without net/http/pprof.
func noPprof(address string) error {
	return fmt.Errorf(`%s does not exist (404): let the service import _ "net/http/pprof" and serve http.DefaultServeMux there, or set pprof to its path`, address)
}
