package sinks

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	_ "embed" // the page of a mail
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/mail"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/fleetlens/fleetlens/internal/gateway/message"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// email hands mails to an SMTP server (RFC 5321): text and HTML, without images. All
// that belong together refer to one message that was never sent, so that mail
// programs show them as one thread.
type email struct {
	settings
	host string
	port int
	// encrypted from the first byte on (smtps); else STARTTLS is required, but on this
	// machine.
	encrypted bool
	trust     *tls.Config // nil: the system's
}

// Ports that are meant where none is given: of submission (RFC 8314).
const (
	submission  = 587
	submissions = 465
)

// mailWithin is how long an answer of the server may take.
const mailWithin = 15 * time.Second

// maxTo bounds the receivers of one mail.
const maxTo = 50

func checkEmail(c Config) error {
	var errs []error
	if _, err := mail.ParseAddress(c.From); c.From != "" && err != nil {
		errs = append(errs, fmt.Errorf("from %q is no address: write it as fleetlens@example.com", c.From))
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			errs = append(errs, fmt.Errorf("to %q is no address: write it as ops@example.com", to))
		}
	}
	if len(c.To) > maxTo {
		errs = append(errs, fmt.Errorf("to has %d addresses (at most %d): use a mailing list", len(c.To), maxTo))
	}
	return errors.Join(errs...)
}

func openEmail(s settings) (Sink, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, errors.New("the url is none: write it as smtp://host:587 or smtps://host:465")
	}
	e := &email{settings: s, host: u.Hostname(), port: submission, encrypted: u.Scheme == "smtps"}
	if e.encrypted {
		e.port = submissions
	}
	if p := u.Port(); p != "" {
		if e.port, err = strconv.Atoi(p); err != nil {
			return nil, errors.New("the url has no port")
		}
	}
	if u.User != nil {
		return nil, errors.New("the url has a user: name the environment variable with user:password by token_env")
	}
	if _, _, ok := strings.Cut(s.token, ":"); s.token != "" && !ok {
		return nil, errors.New("token_env of a sink of type email holds user:password")
	}
	return e, nil
}

// A mail of more than about 100 kB is cut off by Gmail. The limits count bytes of both
// parts.
var emailLimits = message.Limits{Title: 1200, More: 6000, Hypothesis: 6000, Facts: 20000, Lines: 50, Context: 3000, Rest: 8000, Width: mailWidth}

// maxLines bounds the lines of each further list.
const maxLines = 50

// mailWidth is how many bytes a rune takes as text and as HTML, both quoted-printable.
func mailWidth(r rune) int {
	switch {
	case strings.ContainsRune(`&<>'"+`, r):
		return 1 + len("&#34;")
	case r > ' ' && r <= '~' && r != '=' || r == ' ':
		return 2
	}
	return 2 * len("=00") * len(string(r))
}

//go:embed email.html.tmpl
var emailPage string

var emailTemplate = template.Must(template.New("email").Parse(emailPage))

// Send implements Sink.
func (e *email) Send(ctx context.Context, n Note) (Ref, error) {
	m, err := e.compose(n)
	if err != nil {
		return nil, err
	}
	opts := []gomail.Option{gomail.WithPort(e.port), gomail.WithTimeout(mailWithin), gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithTLSPolicy(gomail.TLSMandatory)}
	switch {
	case e.encrypted:
		opts = append(opts, gomail.WithSSL())
	case here(e.host):
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	if e.trust != nil {
		opts = append(opts, gomail.WithTLSConfig(e.trust))
	}
	if user, password, ok := strings.Cut(e.token, ":"); ok {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthPlain), gomail.WithUsername(user), gomail.WithPassword(password))
	}
	// A connection that the client gives up on it leaves open.
	var conn net.Conn
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		var err error
		if conn, err = d.DialContext(ctx, network, address); err != nil || !e.encrypted {
			return conn, err
		}
		trust := e.trust.Clone()
		if trust == nil {
			trust = &tls.Config{ServerName: e.host, MinVersion: tls.VersionTLS12}
		}
		return tls.Client(conn, trust), nil
	}
	opts = append(opts, gomail.WithDialContextFunc(dial))
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	c, err := gomail.NewClient(e.host, opts...)
	if err != nil {
		return nil, e.failed(ctx, err)
	}
	if err := c.DialWithContext(ctx); err != nil {
		return nil, e.failed(ctx, err)
	}
	defer func() { _ = c.Close() }() // what it has it has
	if err := c.Send(m); err != nil {
		return nil, e.failed(ctx, err)
	}
	return Ref{"message_id": m.GetMessageID()}, nil
}

// here reports whether a host is this machine, whose mail server needs no TLS.
func here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// failed says how a mail was not taken: an answer of 4xx asks to come again, one of 5xx
// is for good (RFC 5321, section 4.2.1). Only who heard nothing after the mail's end does
// not know.
func (e *email) failed(ctx context.Context, err error) error {
	told := fmt.Errorf("smtp %s: %s", net.JoinHostPort(e.host, strconv.Itoa(e.port)), e.client.redact(message.Cut(message.Clean(err.Error()), maxQuote, nil)))
	sent, ok := errors.AsType[*gomail.SendError](err)
	code := 0
	if ok {
		code = sent.ErrorCode()
	} else if answer, ok := errors.AsType[*textproto.Error](err); ok {
		code = answer.Code
	}
	if code >= 500 || errors.Is(err, gomail.ErrPlainAuthNotSupported) {
		return told
	}
	if ctx.Err() != nil && !ok {
		return context.Cause(ctx)
	}
	return &Failure{Err: told, Unknown: ok && code == 0 && sent.Reason == gomail.ErrSMTPDataClose}
}

// compose makes the mail. What is repeated is the same mail by its Message-Id.
func (e *email) compose(n Note) (*gomail.Msg, error) {
	said := n.said()
	for _, list := range []*[]string{&said.Chain, &said.RuledOut, &said.NotChecked, &said.Advice} {
		*list = (*list)[:min(len(*list), maxLines)]
	}
	m := said.Cut(emailLimits)
	var page, text strings.Builder
	lists := rest(m)
	if facts := shown(m); len(facts) > 0 {
		lists = slices.Insert(lists, 0, list{"Facts", facts})
	}
	if err := emailTemplate.Execute(&page, map[string]any{"M": m, "Lists": lists, "Colour": fmt.Sprintf("#%06x", n.colour())}); err != nil {
		return nil, err
	}
	for _, part := range []string{m.Title(), m.More, m.Hypothesis} {
		if part != "" {
			text.WriteString(part + "\n\n")
		}
	}
	for _, l := range lists {
		text.WriteString(l.Title + "\n  " + strings.Join(l.Lines, "\n  ") + "\n\n")
	}
	for _, l := range m.Links {
		text.WriteString(l.Text + ": " + l.URL + "\n")
	}
	text.WriteString(m.Context + "\n")

	// Nobody can write into a text the boundary that follows from all of it.
	sum := sha256.Sum256(append([]byte(page.String()), n.Body...))
	out := gomail.NewMsg(gomail.WithBoundary(fmt.Sprintf("fleetlens-%x", sum[:16])), gomail.WithNoDefaultUserAgent())
	if err := errors.Join(out.From(e.from), out.To(e.to...)); err != nil {
		return nil, err
	}
	from, err := mail.ParseAddress(e.from)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	id := func(kind, id string) string { return protocol.Token(id) + "." + kind + ".fleetlens@" + domain }
	thread := "<" + id("investigation", n.Insight.Thread()) + ">"
	kind := "insight"
	if n.Turn != nil {
		kind = n.Turn.MessageType()
	}
	out.Subject(m.Title())
	out.SetDateWithValue(n.At)
	out.SetMessageIDWithValue(id(kind, n.ID()))
	out.SetGenHeader(gomail.HeaderReferences, thread)
	out.SetGenHeader(gomail.HeaderInReplyTo, thread)
	out.SetGenHeader("List-Id", "Fleetlens insights <insights.fleetlens."+domain+">")
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetBodyString(gomail.TypeTextPlain, text.String())
	out.AddAlternativeString(gomail.TypeTextHTML, page.String())
	return out, nil
}
