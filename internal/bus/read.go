package bus

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Msg is a message as it was read from a stream or a subscription.
type Msg struct {
	Subject  string
	Data     []byte
	Header   map[string][]string
	Stream   string    // empty on core NATS
	Sequence uint64    // in the stream; 0 on core NATS
	Time     time.Time // when the stream stored it, or when it arrived
}

// ErrNotFound says that no message matches.
var ErrNotFound = errors.New("no such message")

// readBatch is how many messages one direct get asks for.
const readBatch = 512

// Last returns the last message of a subject, from the stream's leader.
func (c *Conn) Last(ctx context.Context, stream, subject string) (Msg, error) {
	return c.get(ctx, stream, map[string]any{"last_by_subj": subject})
}

// Get returns the message of a sequence, from the stream's leader.
func (c *Conn) Get(ctx context.Context, stream string, seq uint64) (Msg, error) {
	return c.get(ctx, stream, map[string]any{"seq": seq})
}

// Range reads the messages of a stream that match a subject filter, from a
// sequence on, oldest first, up to what is stored now. It makes no consumer:
// viewers may read with it, and any number of readers cost the server nothing.
// A stream without direct get is read from its leader, message by message.
func (c *Conn) Range(ctx context.Context, stream, filter string, from uint64) iter.Seq2[Msg, error] {
	row, ok := StreamOf(stream)
	if !ok {
		return func(yield func(Msg, error) bool) { yield(Msg{}, fmt.Errorf("stream %q is not in the table", stream)) }
	}
	if from == 0 {
		from = 1
	}
	if row.Direct {
		return c.rangeDirect(ctx, stream, map[string]any{"seq": from, "next_by_subj": filter, "batch": readBatch})
	}
	return c.RangeLeader(ctx, stream, filter, from)
}

func (c *Conn) get(ctx context.Context, stream string, query map[string]any) (Msg, error) {
	var reply struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  string    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := c.apiRequest(ctx, "STREAM.MSG.GET."+stream, query, &reply); err != nil {
		return Msg{}, fmt.Errorf("read %s: %w", stream, err)
	}
	if reply.Error != nil {
		if reply.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return Msg{}, ErrNotFound
		}
		return Msg{}, fmt.Errorf("read %s: %w", stream, reply.Error)
	}
	m := Msg{Stream: stream, Subject: reply.Message.Subject, Sequence: reply.Message.Seq, Data: reply.Message.Data, Time: reply.Message.Time}
	if reply.Message.Header != "" {
		raw, err := base64.StdEncoding.DecodeString(reply.Message.Header)
		if err != nil {
			return Msg{}, fmt.Errorf("read %s: headers: %w", stream, err)
		}
		h, err := nats.DecodeHeadersMsg(raw)
		if err != nil {
			return Msg{}, fmt.Errorf("read %s: headers: %w", stream, err)
		}
		m.Header = h
	}
	return m, nil
}

func (c *Conn) apiRequest(ctx context.Context, verb string, query, reply any) error {
	var body []byte
	if query != nil {
		var err error
		if body, err = json.Marshal(query); err != nil {
			return err
		}
	}
	ctx, done := c.denied.watch(ctx, c.api+verb)
	defer done()
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		resp, err := c.nc.RequestWithContext(try, c.api+verb, body)
		cancel()
		if err == nil {
			return json.Unmarshal(resp.Data, reply)
		}
		if ctx.Err() != nil || !Transient(err) || !wait(ctx, delay) {
			return deniedCause(ctx, err)
		}
	}
}

// RangeSince is Range from a moment on, of a stream with direct get.
func (c *Conn) RangeSince(ctx context.Context, stream, filter string, since time.Time) iter.Seq2[Msg, error] {
	return c.rangeDirect(ctx, stream, map[string]any{"start_time": since.UTC(), "next_by_subj": filter, "batch": readBatch})
}

func (c *Conn) rangeDirect(ctx context.Context, stream string, query map[string]any) iter.Seq2[Msg, error] {
	return func(yield func(Msg, error) bool) {
		query := maps.Clone(query)
		for {
			batch, more, err := c.direct(ctx, stream, query)
			for _, m := range batch {
				if !yield(m, nil) {
					return
				}
				delete(query, "start_time")
				query["seq"] = m.Sequence + 1
			}
			if err != nil {
				yield(Msg{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			if !more || len(batch) == 0 {
				return
			}
		}
	}
}

// direct asks for a batch by direct get (NATS ADR-31): messages come one by one
// to an inbox, then an empty one with status 204.
func (c *Conn) direct(ctx context.Context, stream string, query map[string]any) (batch []Msg, more bool, err error) {
	body, err := json.Marshal(query)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ctx, done := c.denied.watch(ctx, c.api+"DIRECT.GET."+stream)
	defer done()
	answers, stop, err := c.askDirect(stream, body)
	if err != nil {
		return nil, false, err
	}
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return batch, false, context.Cause(ctx)
		case a := <-answers:
			m, err := stored(stream, a)
			if err == nil {
				batch = append(batch, m)
				continue
			}
			if errors.Is(err, errEndOfBatch) {
				pending, _ := strconv.Atoi(a.Header.Get("Nats-Num-Pending"))
				return batch, pending > 0, nil
			}
			if errors.Is(err, ErrNotFound) {
				err = nil
			}
			return batch, false, err
		}
	}
}

// askDirect sends a direct get. The answers come on a channel, because NextMsg
// and Request take a stored message with a header Status: 503 for "no responders".
func (c *Conn) askDirect(object string, body []byte) (answers chan *nats.Msg, stop func(), err error) {
	inbox := c.nc.NewInbox()
	answers = make(chan *nats.Msg, readBatch+1)
	sub, err := c.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, nil, err
	}
	stop = func() { _ = sub.Unsubscribe() }
	if err := c.nc.PublishRequest(c.api+"DIRECT.GET."+object, inbox, body); err != nil {
		stop()
		return nil, nil, err
	}
	return answers, stop, nil
}

var errEndOfBatch = errors.New("end of batch")

// stored reads one answer to a direct get. The server's description stands last
// among the headers: what comes before it under the same names, and a Status
// beside it, is the publisher's.
func stored(stream string, m *nats.Msg) (Msg, error) {
	said := func(header string) string {
		v := m.Header[header]
		if len(v) == 0 {
			return ""
		}
		return v[len(v)-1]
	}
	if said("Nats-Sequence") == "" || said("Nats-Stream") == "" {
		switch status := m.Header.Get("Status"); status {
		case "404":
			return Msg{}, ErrNotFound
		case "204":
			return Msg{}, errEndOfBatch
		case "503":
			return Msg{}, nats.ErrNoResponders
		default:
			return Msg{}, fmt.Errorf("%s %s", status, m.Header.Get("Description"))
		}
	}
	seq, err := strconv.ParseUint(said("Nats-Sequence"), 10, 64)
	if err != nil {
		return Msg{}, fmt.Errorf("Nats-Sequence: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, said("Nats-Time-Stamp"))
	if err != nil {
		return Msg{}, fmt.Errorf("Nats-Time-Stamp: %w", err)
	}
	return Msg{Stream: stream, Subject: said("Nats-Subject"), Sequence: seq, Time: at, Data: m.Data, Header: ownHeaders(m.Header)}, nil
}

// ownHeaders drops what the server added to describe a stored message.
func ownHeaders(h nats.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for k, v := range h {
		switch k {
		case "Nats-Sequence", "Nats-Time-Stamp", "Nats-Subject", "Nats-Stream", "Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence":
		default:
			out[k] = v
		}
	}
	return out
}

// LastDirect returns the last message of a subject by direct get, from any
// replica: for readers that may see one a moment old.
func (c *Conn) LastDirect(ctx context.Context, stream, subject string) (Msg, error) {
	answers, stop, err := c.askDirect(stream+"."+subject, nil)
	if err != nil {
		return Msg{}, fmt.Errorf("read %s: %w", stream, err)
	}
	defer stop()
	select {
	case <-ctx.Done():
		return Msg{}, fmt.Errorf("read %s: %w", stream, ctx.Err())
	case a := <-answers:
		m, err := stored(stream, a)
		if err != nil && !errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("read %s: %w", stream, err)
		}
		return m, err
	}
}

// A StreamState is what a stream holds now.
type StreamState struct {
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	Subjects uint64    `json:"num_subjects"`
	FirstSeq uint64    `json:"first_seq"`
	LastSeq  uint64    `json:"last_seq"`
	LastTime time.Time `json:"last_ts"`
	// Consumers are those that the stream has, durable or not.
	Consumers int `json:"consumer_count"`
	// MaxBytes is how much it may hold; -1: there is no limit.
	MaxBytes int64 `json:"max_bytes"`
}

// StreamState returns what a stream holds now.
func (c *Conn) StreamState(ctx context.Context, name string) (StreamState, error) {
	info, err := c.streamInfo(ctx, name)
	if err != nil {
		return StreamState{}, fmt.Errorf("stream %s: %w", name, c.explain(err))
	}
	return info, nil
}

func (c *Conn) streamInfo(ctx context.Context, name string) (StreamState, error) {
	var reply struct {
		Error *jetstream.APIError `json:"error"`
		State StreamState         `json:"state"`

		Config struct {
			MaxBytes int64 `json:"max_bytes"`
		} `json:"config"`
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ctx, done := c.denied.watch(ctx, c.api+"STREAM.INFO."+name)
	defer done()
	m, err := c.nc.RequestWithContext(ctx, c.api+"STREAM.INFO."+name, nil)
	if err != nil {
		return StreamState{}, deniedCause(ctx, err)
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return StreamState{}, err
	}
	if reply.Error != nil {
		if strings.Contains(reply.Error.Description, "stream not found") {
			return StreamState{}, jetstream.ErrStreamNotFound
		}
		return StreamState{}, reply.Error
	}
	reply.State.MaxBytes = reply.Config.MaxBytes
	return reply.State, nil
}

// CountBySubject returns how many messages a stream holds of each subject that matches a
// filter, which must be less than 100,000 subjects.
func (c *Conn) CountBySubject(ctx context.Context, stream, filter string) (map[string]int, error) {
	var reply struct {
		Error *jetstream.APIError `json:"error"`
		State struct {
			Subjects map[string]int `json:"subjects"`
		} `json:"state"`
	}
	if err := c.apiRequest(ctx, "STREAM.INFO."+stream, map[string]any{"subjects_filter": filter}, &reply); err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	if reply.Error != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, reply.Error)
	}
	return reply.State.Subjects, nil
}

// A ConsumerState is how the workers of a durable keep up.
type ConsumerState struct {
	Waiting int `json:"num_pending"`     // messages that nobody took yet
	Working int `json:"num_ack_pending"` // messages that somebody took
	Free    int `json:"num_waiting"`     // workers that wait for a message
}

// ConsumerState returns how the workers of a durable keep up; ErrNotFound: it was never
// made. Only those who take messages of the stream and administrators may ask.
func (c *Conn) ConsumerState(ctx context.Context, con Consumer) (ConsumerState, error) {
	var reply struct {
		Error *jetstream.APIError `json:"error"`
		ConsumerState
	}
	name := con.Stream + "." + con.Name
	if err := c.apiRequest(ctx, "CONSUMER.INFO."+name, nil, &reply); err != nil {
		return ConsumerState{}, fmt.Errorf("consumer %s: %w", name, err)
	}
	if reply.Error != nil {
		if reply.Error.ErrorCode == jetstream.JSErrCodeConsumerNotFound {
			return ConsumerState{}, ErrNotFound
		}
		return ConsumerState{}, fmt.Errorf("consumer %s: %w", name, reply.Error)
	}
	return reply.ConsumerState, nil
}

// Subscribe calls handler for every message of a subject on core NATS, one at a
// time, until stop is called. A message that comes while the connection is away
// is lost: what must not be lost is read with Range as well.
func (c *Conn) Subscribe(subject string, handler func(Msg)) (stop func(), err error) {
	sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) {
		handler(Msg{Subject: m.Subject, Data: m.Data, Header: m.Header, Time: time.Now()})
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Flush returns when the server has processed what was sent so far.
func (c *Conn) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.nc.FlushWithContext(ctx)
}

// RangeLeader is Range from the stream's leader, message by message: for readers
// that must see what was stored a moment ago.
func (c *Conn) RangeLeader(ctx context.Context, stream, filter string, from uint64) iter.Seq2[Msg, error] {
	return func(yield func(Msg, error) bool) {
		for seq := max(from, 1); ; {
			m, err := c.get(ctx, stream, map[string]any{"seq": seq, "next_by_subj": filter})
			if errors.Is(err, ErrNotFound) {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
			seq = m.Sequence + 1
		}
	}
}

// LastMany returns the last message of each subject that has one, by direct get.
func (c *Conn) LastMany(ctx context.Context, stream string, subjects []string) ([]Msg, error) {
	var out []Msg
	for chunk := range slices.Chunk(subjects, readBatch) {
		batch, _, err := c.direct(ctx, stream, map[string]any{"multi_last": chunk, "batch": len(chunk)})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", stream, err)
		}
		out = append(out, batch...)
	}
	return out, nil
}

// Before returns the last message of a subject that is older than a sequence, by
// direct get.
func (c *Conn) Before(ctx context.Context, stream, subject string, seq uint64) (Msg, error) {
	if seq <= 1 {
		return Msg{}, ErrNotFound
	}
	batch, _, err := c.direct(ctx, stream, map[string]any{"multi_last": []string{subject}, "up_to_seq": seq - 1, "batch": 1})
	switch {
	case err != nil:
		return Msg{}, fmt.Errorf("read %s: %w", stream, err)
	case len(batch) == 0:
		return Msg{}, ErrNotFound
	}
	return batch[0], nil
}

// Created returns when a stream was made.
func (c *Conn) Created(ctx context.Context, stream string) (time.Time, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return time.Time{}, fmt.Errorf("stream %s: %w", stream, c.explain(err))
	}
	return s.CachedInfo().Created, nil
}
