package sinks_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// maxMail is what Gmail shows of a mail without cutting it off.
const maxMail = 100 << 10

// A mailServer takes mails as RFC 5321 says, with STARTTLS (RFC 3207) where it has a
// certificate and AUTH PLAIN (RFC 4954). It refuses lines over 1,000 bytes and bare line
// ends.
type mailServer struct {
	t      *testing.T
	net    net.Listener
	tls    *tls.Config // nil: it speaks none
	first  bool        // TLS from the first byte on
	mu     sync.Mutex
	answer map[string]string // instead of what it would say to a command; "drop" ends the connection
	mails  []string
	auth   []string
	clear  []string // commands that came without TLS
}

func newMailServer(t *testing.T, secure, first bool) (*mailServer, *tls.Config) {
	t.Helper()
	s := &mailServer{t: t, answer: map[string]string{}}
	var trust *tls.Config
	if secure {
		web := httptest.NewUnstartedServer(nil) // which has a certificate
		web.StartTLS()
		t.Cleanup(web.Close)
		pool := x509.NewCertPool()
		pool.AddCert(web.Certificate())
		s.tls, s.first = &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}, first
		trust = &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	}
	var err error
	if s.net, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := s.net.Accept()
			if err != nil {
				return
			}
			open.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() { _ = s.net.Close(); open.Wait() })
	return s, trust
}

func (s *mailServer) says(command string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.answer[command]
	return a, ok
}

// instead has the server say something else to a command.
func (s *mailServer) instead(command, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[command] = answer
}

func (s *mailServer) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *mailServer) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	secure := s.first
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if s.first {
		c = tls.Server(c, s.tls)
	}
	r := bufio.NewReaderSize(c, 1000)
	reply := func(command, text string) bool {
		if instead, ok := s.says(command); ok {
			text = instead
		}
		if text == "drop" {
			return false
		}
		_, err := io.WriteString(c, text+"\r\n")
		return err == nil
	}
	line := func() (string, bool) {
		raw, err := r.ReadSlice('\n')
		if err != nil || !bytes.HasSuffix(raw, []byte("\r\n")) {
			if !errors.Is(err, io.EOF) && len(raw) > 0 {
				s.t.Errorf("a line of %d bytes: %v", len(raw), err)
			}
			return "", false
		}
		return strings.TrimSuffix(string(raw), "\r\n"), true
	}
	if !reply("", "220 mail.example ESMTP") {
		return
	}
	for {
		l, ok := line()
		if !ok {
			return
		}
		command, rest, _ := strings.Cut(l, " ")
		if command = strings.ToUpper(command); !secure {
			s.mu.Lock()
			s.clear = append(s.clear, command)
			s.mu.Unlock()
		}
		switch command {
		case "EHLO":
			has := "250-mail.example\r\n250-AUTH PLAIN\r\n"
			if s.tls != nil && !secure {
				has += "250-STARTTLS\r\n"
			}
			ok = reply(command, has+"250 8BITMIME")
		case "STARTTLS":
			if ok = reply(command, "220 go on"); ok {
				c = tls.Server(c, s.tls)
				r, secure = bufio.NewReaderSize(c, 1000), true
			}
		case "AUTH":
			s.mu.Lock()
			s.auth = append(s.auth, rest)
			s.mu.Unlock()
			ok = reply(command, "235 welcome")
		case "MAIL", "RCPT", "RSET", "NOOP":
			ok = reply(command, "250 fine")
		case "DATA":
			if a, refused := s.says(command); refused {
				if !reply(command, a) {
					return
				}
				continue
			}
			ok = reply(command, "354 go on")
			var mail strings.Builder
			for ok {
				var l string
				if l, ok = line(); l == "." || !ok {
					break
				}
				mail.WriteString(strings.TrimPrefix(l, ".") + "\r\n")
			}
			if ok {
				s.mu.Lock()
				s.mails = append(s.mails, mail.String())
				s.mu.Unlock()
				ok = reply(".", "250 queued")
			}
		case "QUIT":
			reply(command, "221 bye")
			return
		default:
			ok = reply(command, "502 what?")
		}
		if !ok {
			return
		}
	}
}

const mailUser, mailPassword = "fleetlens", "pass:word of mail"

// mailer is a sink for the server.
func mailer(t *testing.T, s *mailServer, scheme string, trust *tls.Config) sinks.Sink {
	t.Helper()
	t.Setenv("SINK_MAIL", mailUser+":"+mailPassword)
	c := sinks.Config{
		Type: "email", URL: scheme + "://" + s.net.Addr().String(),
		From: "Fleetlens <fleetlens@example.com>", To: []string{"ops@example.com", "Night Shift <night@example.com>"},
	}
	if trust != nil { // a password needs TLS
		c.TokenEnv = "SINK_MAIL"
	}
	o, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	if trust != nil {
		sinks.Trust(o.Sink, trust)
	}
	return o.Sink
}

func TestAMailIsWhatItsGoldenFileSays(t *testing.T) {
	s, _ := newMailServer(t, false, false)
	sink := mailer(t, s, "smtp", nil)
	first := note(t, example())
	ref, err := sink.Send(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	first.Again, first.Ref = true, ref
	over := turned(t, protocol.Resolved, first.Insight)
	over.Thread = ref
	for _, n := range []sinks.Note{first, over} {
		if _, err := sink.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.ReplaceAll(strings.Join(s.taken(), "\n"), "\r\n", "\n")
	compare(t, "email.eml", got)
	a, b := parsed(t, s.taken()[0]), parsed(t, s.taken()[1])
	if a.header.Get("Message-Id") != b.header.Get("Message-Id") || strings.Contains(a.subject, "repeat") || !strings.Contains(b.subject, "maybe a repeat") {
		t.Errorf("%s %q and, repeated, %s %q", a.header.Get("Message-Id"), a.subject, b.header.Get("Message-Id"), b.subject)
	}
}

// A parsedMail is a mail as a program that shows it reads it.
type parsedMail struct {
	header     mail.Header
	subject    string
	text, html string
}

func parsed(t *testing.T, raw string) parsedMail {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out := parsedMail{header: m.Header}
	if out.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			if n != 2 {
				t.Errorf("it has %d parts", n)
			}
			return out
		}
		if err != nil || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatal(p, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			out.html = string(body)
		} else {
			out.text = string(body)
		}
	}
}

func TestAMailOfTheLargestInsightsIsShownWhole(t *testing.T) {
	s, _ := newMailServer(t, false, false)
	sink := mailer(t, s, "smtp", nil)
	for _, text := range []string{"a", "ä", "😀", "&", "=", "\"", "."} {
		for _, i := range []protocol.Insight{filled(text, 250<<10/12/6, 1), filled(text, 60, 240<<10/(6*60*max(2, len(text))+400)), filled(text, 1, 300)} {
			n := note(t, i)
			n.Again = true
			if _, err := sink.Send(t.Context(), n); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			mails := s.taken()
			m := parsed(t, mails[len(mails)-1])
			if size := len(mails[len(mails)-1]); size > maxMail || !strings.Contains(m.html, "</html>") || !strings.Contains(m.text, "more fact") && len(i.Evidence) > 1 {
				t.Errorf("%q: %d bytes", text, size)
			}
		}
	}
}

func TestTextOfHostsAddsNoHeaderAndNoPart(t *testing.T) {
	s, _ := newMailServer(t, false, false)
	i := example()
	evil := "x\r\nBcc: victim@example.com\r\n\r\n<script>alert(1)</script>\r\n.\r\nMAIL FROM:<a@b>"
	i.Summary, i.RootCauseHypothesis, i.ID, i.InvestigationID, i.RuledOut = evil, evil, evil, evil, []string{evil}
	if _, err := mailer(t, s, "smtp", nil).Send(t.Context(), note(t, i)); err != nil {
		t.Fatal(err)
	}
	m := parsed(t, s.taken()[0])
	if m.header.Get("Bcc") != "" || strings.Contains(m.html, "<script>") || len(s.taken()) != 1 || !strings.Contains(m.text, "MAIL FROM") {
		t.Errorf("%v\n%s", m.header, m.html)
	}
}

func TestAMailGoesEncrypted(t *testing.T) {
	for _, tt := range []struct {
		name, scheme string
		first        bool
		clear        int // commands before it was encrypted
	}{{"from the first byte", "smtps", true, 0}, {"after STARTTLS", "smtp", false, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			s, trust := newMailServer(t, true, tt.first)
			if _, err := mailer(t, s, tt.scheme, trust).Send(t.Context(), note(t, example())); err != nil {
				t.Fatal(err)
			}
			want := "PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+mailUser+"\x00"+mailPassword))
			if len(s.taken()) != 1 || len(s.auth) != 1 || s.auth[0] != want || len(s.clear) != tt.clear {
				t.Errorf("%d mails, auth %q, in the clear %v", len(s.taken()), s.auth, s.clear)
			}
			_, err := mailer(t, s, tt.scheme, &tls.Config{ServerName: "example.com", MinVersion: tls.VersionTLS12}).Send(t.Context(), note(t, example()))
			if err == nil || len(s.taken()) != 1 {
				t.Errorf("to a server that nobody vouches for: %v", err)
			}
		})
	}
}

// TestWhatTheMailServerSaysIsObeyed: 4xx is tried again, 5xx is for good, and what broke
// off may only have arrived after the end of the mail.
func TestWhatTheMailServerSaysIsObeyed(t *testing.T) {
	for _, command := range []string{"", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."} {
		for _, tt := range []struct {
			answer         string
			retry, unknown bool
		}{
			{"451 come later " + mailPassword, true, false},
			{"550 no " + mailPassword, false, false},
			{"drop", true, command == "."},
		} {
			if command == "EHLO" && tt.answer != "drop" {
				continue // HELO would follow
			}
			t.Run(fmt.Sprintf("%q is answered %.3s", command, tt.answer), func(t *testing.T) {
				s, trust := newMailServer(t, true, true)
				s.instead(command, tt.answer)
				_, err := mailer(t, s, "smtps", trust).Send(t.Context(), note(t, example()))
				failure, again := errors.AsType[*sinks.Failure](err)
				if err == nil || again != tt.retry || again && failure.Unknown != tt.unknown || strings.Contains(err.Error(), mailPassword) {
					t.Errorf("again %v, %+v: %v", again, failure, err)
				}
			})
		}
	}
	s, _ := newMailServer(t, false, false)
	s.instead("QUIT", "drop")
	if _, err := mailer(t, s, "smtp", nil).Send(t.Context(), note(t, example())); err != nil {
		t.Errorf("a server that is rude at the end: %v", err)
	}
	_ = s.net.Close()
	_, err := mailer(t, s, "smtp", nil).Send(t.Context(), note(t, example()))
	if failure, again := errors.AsType[*sinks.Failure](err); !again || failure.Unknown {
		t.Errorf("where nobody listens: %v", err)
	}
}

func TestWrongSettingsOfAMailAreNamed(t *testing.T) {
	t.Setenv("SINK_TOKEN", "secret")
	good := sinks.Config{Type: "email", URL: "smtp://mail.example", From: "a@example.com", To: []string{"b@example.com"}}
	for says, change := range map[string]func(c *sinks.Config){
		"smtp://host:587":               func(c *sinks.Config) { c.URL = "https://mail.example" },
		"token_env of a sink of type":   func(c *sinks.Config) { c.TokenEnv = "SINK_TOKEN" },
		"has a user":                    func(c *sinks.Config) { c.URL = "smtp://me:secret@mail.example" },
		"from is required":              func(c *sinks.Config) { c.From = "" },
		"to is required":                func(c *sinks.Config) { c.To = nil },
		"is no address":                 func(c *sinks.Config) { c.To = []string{"nobody"} },
		"at most 50":                    func(c *sinks.Config) { c.To = strings.Fields(strings.Repeat("b@example.com ", 51)) },
		"from means nothing to a sink ": func(c *sinks.Config) { c.Type, c.URL, c.To = "teams", "https://a", nil },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%v, want it to say %s", err, says)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
