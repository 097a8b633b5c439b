package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Service answers requests. `nats micro ls` shows it.
type Service struct {
	Name        string
	Version     string // semantic version
	Description string
	Metadata    map[string]string
	Endpoints   []Endpoint
	// Begun, if not nil, is told the id of this instance before the first request.
	Begun       func(id string)
	Concurrency int           // requests answered at a time; more are refused as busy
	Timeout     time.Duration // of one request
}

// An Endpoint answers the requests of one subject.
type Endpoint struct {
	Name    string
	Subject string
	Handler func(ctx context.Context, r Req) (any, error)
	// Stream, in place of Handler, answers with as many messages as it likes: say sends
	// one. An empty message without headers ends them, after an error too.
	Stream   func(ctx context.Context, r Req, say func(body []byte) error) error
	Queue    string // group that shares the requests; empty: that of all services
	Metadata map[string]string
	Timeout  time.Duration // of one request; 0: the service's
}

// A Req is one request.
type Req struct {
	Subject string
	Data    []byte
	Header  map[string][]string
	part    func(body []byte) error
}

// Part sends a part of the answer before it, to one who asked with RequestParts.
func (r Req) Part(m protocol.Message) error {
	body, err := protocol.Encode(m)
	if err != nil {
		return err
	}
	return r.part(body)
}

// A Refusal is an error with a code, as services give it: 400 for a request that
// is wrong, 404 for something unknown, 429 when busy, 503 when it cannot be done
// now. Other errors are 500.
type Refusal struct {
	Code int
	Err  error
}

// Error implements error.
func (r Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r Refusal) Unwrap() error { return r.Err }

// Refuse returns a Refusal.
func Refuse(code int, format string, args ...any) error {
	return Refusal{Code: code, Err: fmt.Errorf(format, args...)}
}

// Serve starts a service; stop ends it. A handler that panics answers with an error.
func (c *Conn) Serve(ctx context.Context, s Service) (stop func(), err error) {
	if s.Concurrency == 0 {
		s.Concurrency = 16
	}
	svc, err := micro.AddService(c.nc, micro.Config{Name: s.Name, Version: s.Version, Description: s.Description, Metadata: s.Metadata})
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", s.Name, err)
	}
	if s.Begun != nil {
		s.Begun(svc.Info().ID)
	}
	slots := make(chan struct{}, s.Concurrency)
	for _, e := range s.Endpoints {
		handler := micro.HandlerFunc(func(r micro.Request) {
			if !IsInbox(r.Reply()) {
				c.log.Warn("a request wants its answer where no inbox is", "subject", r.Subject(), "reply", r.Reply())
				return
			}
			select {
			case slots <- struct{}{}:
			default:
				c.refuse(r, Refuse(429, "busy: %d requests are being answered", s.Concurrency))
				c.endStream(e, r)
				return
			}
			go func() {
				defer func() { <-slots }()
				c.answer(ctx, cmp.Or(e.Timeout, s.Timeout), e, r)
			}()
		})
		options := []micro.EndpointOpt{micro.WithEndpointSubject(e.Subject)}
		if e.Queue != "" {
			options = append(options, micro.WithEndpointQueueGroup(e.Queue))
		}
		if e.Metadata != nil {
			options = append(options, micro.WithEndpointMetadata(e.Metadata))
		}
		if err := svc.AddEndpoint(e.Name, handler, options...); err != nil {
			return nil, errors.Join(fmt.Errorf("endpoint %s: %w", e.Subject, err), svc.Stop())
		}
	}
	return func() { _ = svc.Stop() }, nil
}

func (c *Conn) answer(ctx context.Context, timeout time.Duration, e Endpoint, r micro.Request) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	defer c.endStream(e, r)
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("a handler panicked", "subject", r.Subject(), "panic", p, "stack", string(debug.Stack()))
			c.refuse(r, fmt.Errorf("internal error: %v", p))
		}
	}()
	ctx = WithTrace(ctx, r.Headers())
	if e.Stream != nil {
		req := Req{Subject: r.Subject(), Data: r.Data(), Header: r.Headers()}
		if err := e.Stream(ctx, req, func(body []byte) error { return r.Respond(body) }); err != nil {
			c.refuse(r, err)
		}
		return
	}
	part := func(body []byte) error {
		return r.Respond(body, micro.WithHeaders(micro.Headers{protocol.HeaderPart: {"1"}}))
	}
	v, err := e.Handler(ctx, Req{Subject: r.Subject(), Data: r.Data(), Header: r.Headers(), part: part})
	if err != nil {
		c.refuse(r, err)
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		c.refuse(r, fmt.Errorf("the answer is not JSON: %w", err))
		return
	}
	if err := r.Respond(body); err != nil {
		c.log.Warn("an answer was not sent", "subject", r.Subject(), "err", err)
	}
}

// endStream says that no more messages come, where more than one may.
func (c *Conn) endStream(e Endpoint, r micro.Request) {
	if e.Stream == nil {
		return
	}
	if err := r.Respond(nil); err != nil {
		c.log.Warn("the end of an answer was not sent", "subject", r.Subject(), "err", err)
	}
}

func (c *Conn) refuse(r micro.Request, err error) {
	code := 500
	if refusal, ok := errors.AsType[Refusal](err); ok {
		code = refusal.Code
	}
	body, marshalErr := json.Marshal(map[string]any{"error": err.Error(), "code": code})
	if marshalErr != nil {
		body = nil
	}
	text := err.Error()
	if len(text) > 512 {
		text = text[:512] + "…"
	}
	// Not r.Error: the service reads what that leaves behind as soon as the handler
	// has returned, while the answer is still being made.
	said := micro.Headers{micro.ErrorHeader: {oneLine(text)}, micro.ErrorCodeHeader: {fmt.Sprint(code)}}
	if err := r.Respond(body, micro.WithHeaders(said)); err != nil {
		c.log.Warn("a refusal was not sent", "subject", r.Subject(), "err", err)
	}
}

func oneLine(s string) string {
	b := []byte(s)
	for i, ch := range b {
		if ch == '\n' || ch == '\r' {
			b[i] = ' '
		}
	}
	return string(b)
}

// IsInbox reports whether an answer may be sent to a subject: an inbox, or where the
// server sends it on to one of another account. A service may publish where who
// asks it may not, so it must not let him choose any subject.
func IsInbox(subject string) bool {
	return strings.HasPrefix(subject, "_INBOX.") || strings.HasPrefix(subject, InboxPrefix("")) || strings.HasPrefix(subject, "_R_.")
}

// ErrNobody says that nobody answers at a subject.
var ErrNobody = errors.New("nobody answers")

// Request asks and waits for the answer. A service's refusal is a Refusal, no
// responder is ErrNobody.
func (c *Conn) Request(ctx context.Context, subject string, body any) ([]byte, error) {
	data, err := encoded(body)
	if err != nil {
		return nil, err
	}
	ctx, done := c.denied.watch(ctx, subject)
	defer done()
	m, err := c.nc.RequestMsgWithContext(ctx, question(ctx, subject, data))
	return answered(ctx, subject, m, err)
}

// RequestParts is Request for an answer that comes in parts, if whoever answers gives
// it so: part gets each that comes before the answer itself, in their order.
func (c *Conn) RequestParts(ctx context.Context, subject string, body any, part func([]byte)) ([]byte, error) {
	data, err := encoded(body)
	if err != nil {
		return nil, err
	}
	ctx, done := c.denied.watch(ctx, subject)
	defer done()
	q := question(ctx, subject, data)
	q.Reply = c.nc.NewRespInbox()
	sub, err := c.nc.SubscribeSync(q.Reply)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.nc.PublishMsg(q); err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil || m.Header.Get(protocol.HeaderPart) == "" {
			return answered(ctx, subject, m, err)
		}
		part(m.Data)
	}
}

// encoded is the body of a request.
func encoded(body any) ([]byte, error) {
	if m, ok := body.(protocol.Message); ok {
		return protocol.Encode(m)
	}
	if body == nil {
		return nil, nil
	}
	return json.Marshal(body)
}

// answered reads an answer.
func answered(ctx context.Context, subject string, m *nats.Msg, err error) ([]byte, error) {
	err = deniedCause(ctx, err)
	if err == nil && len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		err = nats.ErrNoResponders
	}
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("%s: %w", subject, ErrNobody)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	if text := m.Header.Get(micro.ErrorHeader); text != "" {
		code := 500
		fmt.Sscanf(m.Header.Get(micro.ErrorCodeHeader), "%d", &code) //nolint:errcheck // 500 then
		var full struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(m.Data, &full) == nil && full.Error != "" {
			text = full.Error
		}
		return nil, Refusal{Code: code, Err: errors.New(text)}
	}
	return m.Data, nil
}

// ServeDeferred takes requests whose answer comes later, from whoever has it:
// accept gets the request and the subject that its sender waits at. Processes of
// one group share the requests. An error of accept is answered at once.
func (c *Conn) ServeDeferred(subject, group string, accept func(r Req, reply string) error) (stop func(), err error) {
	sub, err := c.nc.QueueSubscribe(subject, group, func(m *nats.Msg) {
		if !IsInbox(m.Reply) {
			c.log.Warn("a request wants its answer where no inbox is", "subject", m.Subject, "reply", m.Reply)
			return
		}
		go func() {
			err := accept(Req{Subject: m.Subject, Data: m.Data, Header: m.Header}, m.Reply)
			if err == nil || m.Reply == "" {
				return
			}
			code := 500
			if refusal, ok := errors.AsType[Refusal](err); ok {
				code = refusal.Code
			}
			body, marshalErr := json.Marshal(map[string]any{"error": err.Error(), "code": code})
			if marshalErr != nil {
				body = nil
			}
			reply := &nats.Msg{Subject: m.Reply, Data: body, Header: nats.Header{micro.ErrorHeader: {oneLine(err.Error())}, micro.ErrorCodeHeader: {fmt.Sprint(code)}}}
			if err := c.nc.PublishMsg(reply); err != nil {
				c.log.Warn("a refusal was not sent", "subject", m.Subject, "err", err)
			}
		}()
	})
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", subject, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}
