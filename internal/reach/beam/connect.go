package beam

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/dist"
)

// connect returns the connection there is, or makes one. After a failure it waits
// before it dials again, longer each time, and says the failure meanwhile.
func (n *Node) connect(ctx context.Context) (*dist.Conn, error) {
	select {
	case n.dialing <- struct{}{}:
		defer func() { <-n.dialing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if n.conn != nil {
		select {
		case <-n.conn.Ended():
			n.conn = nil
		default:
			return n.conn, nil
		}
	}
	if time.Now().Before(n.down.until) {
		return nil, n.down.err
	}
	conn, err := n.dial(ctx)
	if err != nil {
		wait := min(longestWait, max(firstWait, 2*n.down.wait))
		n.down = failure{err: err, wait: wait, until: time.Now().Add(wait/2 + rand.N(wait/2))}
		return nil, err
	}
	n.conn, n.down = conn, failure{}
	n.met(conn.Creation())
	return conn, nil
}

// met notes which run of the node answers: another one knows nothing of before.
func (n *Node) met(creation uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.creation == creation {
		return
	}
	if n.creation != 0 {
		n.restarts++
	}
	n.creation, n.forms = creation, nil
	clear(n.answers)
}

// A DialError is why a node cannot be reached.
type DialError struct {
	// Why is one of the Why constants.
	Why string
	Err error
}

// Why a node cannot be reached.
const (
	WhyCookie      = "cookie"          // it has another cookie, or none was found
	WhyNotFound    = "not_distributed" // EPMD does not know it, or nobody listens where it should
	WhySilent      = "silent"          // it takes the connection and does not answer: its schedulers are busy or stuck
	WhyRefused     = "refused"         // it does not want us, or is too old
	WhyUnreachable = "unreachable"     // the network, or TLS
)

// Error implements error.
func (e *DialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

func (n *Node) dial(ctx context.Context) (*dist.Conn, error) {
	address, err := n.address(ctx)
	if err != nil {
		return nil, n.why(ctx, err)
	}
	cookie, err := n.cookie()
	if err != nil {
		return nil, &DialError{WhyCookie, err}
	}
	o := dist.Options{Me: n.me, Node: n.cfg.Node, Address: address, Cookie: cookie}
	if n.cfg.TLS != nil {
		if o.TLS, err = n.cfg.TLS.load(); err != nil {
			return nil, &DialError{WhyUnreachable, err}
		}
	}
	conn, err := dist.Dial(ctx, o)
	if err != nil {
		return nil, n.why(ctx, err)
	}
	return conn, nil
}

// why says an error of the network so that one can act upon it.
func (n *Node) why(ctx context.Context, err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, dist.ErrCookie):
		return &DialError{WhyCookie, fmt.Errorf("%s has another cookie than the one the probe found: name the file with it as cookie_file (%w)", n.cfg.Node, err)}
	case errors.Is(err, dist.ErrNotRegistered):
		return &DialError{WhyNotFound, fmt.Errorf("%s is not there: it does not run, or without -name or -sname (%w)", n.cfg.Node, err)}
	case errors.Is(err, dist.ErrOld), errors.Is(err, dist.ErrRefuse), errors.Is(err, dist.ErrOther):
		return &DialError{WhyRefused, err}
	case ctx.Err() != nil && !errors.As(err, &op):
		return &DialError{WhySilent, fmt.Errorf("%s takes the connection and does not answer within %s: its schedulers are stuck or overloaded, or the process is stopped", n.cfg.Node, n.cfg.Timeout)}
	case errors.As(err, &op) && op.Op == "dial" && !op.Timeout():
		return &DialError{WhyNotFound, fmt.Errorf("nobody listens for %s: %w", n.cfg.Node, err)}
	}
	return &DialError{WhyUnreachable, fmt.Errorf("%s cannot be reached: %w", n.cfg.Node, err)}
}

// address returns where the node listens.
func (n *Node) address(ctx context.Context) (string, error) {
	if n.cfg.Address != "" {
		return n.cfg.Address, nil
	}
	name, host, _ := strings.Cut(n.cfg.Node, "@")
	epmd := cmp.Or(n.cfg.EPMD, net.JoinHostPort(host, dist.EPMDPort))
	port, err := dist.Lookup(ctx, epmd, name)
	if err != nil {
		return "", err
	}
	where, _, err := net.SplitHostPort(epmd)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(where, strconv.Itoa(port)), nil
}

// cookie returns the node's cookie. It is read anew for each connection, and kept nowhere.
func (n *Node) cookie() (string, error) {
	if n.cfg.CookieFile == "" {
		c, err := FindCookie("/proc", n.cfg.Node)
		if err != nil {
			return "", fmt.Errorf("no cookie of %s was found: %w; name a file with it as cookie_file", n.cfg.Node, err)
		}
		return c, nil
	}
	return readCookie(n.cfg.CookieFile)
}

// readCookie reads a cookie as nodes do: a line without its end.
func readCookie(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 1024)
	k, err := f.Read(b)
	if err != nil {
		return "", fmt.Errorf("%s holds no cookie: %w", path, err)
	}
	c := strings.TrimRight(string(b[:k]), "\r\n \x00")
	if c == "" || len(c) > 255 {
		return "", fmt.Errorf("%s holds no cookie: one has 1 to 255 characters", path)
	}
	return c, nil
}

// load reads the files.
func (t *TLS) load() (*tls.Config, error) {
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.ca_file: %s holds no certificate", t.CA)
	}
	c := &tls.Config{
		RootCAs: roots, ServerName: t.ServerName, MinVersion: tls.VersionTLS12,
		// The chain is always checked; the name only where one is given.
		InsecureSkipVerify: t.ServerName == "", //nolint:gosec // see VerifyConnection
	}
	if t.ServerName == "" {
		c.VerifyConnection = func(s tls.ConnectionState) error { return signed(s, roots) }
	}
	if t.Cert == "" {
		return c, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// signed checks who signed a certificate, not whose name it bears.
func signed(s tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// Down says whether an error means that the node itself is gone, or does not work: not
// that it, or the network, keeps the probe away.
func Down(err error) bool {
	d, ok := errors.AsType[*DialError](err)
	return ok && (d.Why == WhyNotFound || d.Why == WhySilent) || errors.Is(err, ErrSilent)
}

// ErrSilent is of a node that is connected and does not answer in time.
var ErrSilent = errors.New("its schedulers are stuck or overloaded, or its process is stopped")
