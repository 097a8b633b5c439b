package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/httpapi"
)

// Assets are what JetStream holds on a server.
type Assets struct {
	At        time.Time
	Disabled  bool       // the server has no JetStream
	Total     int        // streams that there are, those not read among them
	Streams   []Stream   // in no order
	Consumers []Consumer // of those
	Accounts  []Account
	// Partial reports that not all of it was read: it would have been too much.
	Partial bool
}

// An Account is what one account uses of JetStream on a server.
type Account struct {
	Name string
	JetStreamStats
	Limited struct{ Memory, Store bool } // whether the reserved amounts are limits
	Streams int
}

// accountsAtOnce is how many accounts one question is about.
const accountsAtOnce = 64

// Assets reads streams and consumers, or returns what was read a moment ago. It may be
// used by several at once and must not be changed.
func (s *Server) Assets(ctx context.Context) (*Assets, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("NATS is still being asked for its streams: %w", ctx.Err())
	}
	if s.assets != nil && time.Since(s.assets.At) < fresh {
		return s.assets, nil
	}
	a := &Assets{At: time.Now()}
	vars, err := s.Vars(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.read(ctx, s.api, vars.Name, mostStreams); err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	s.assets = a
	return a, nil
}

// read reads page by page, at most so many bytes: a page is some accounts, with all their streams.
func (a *Assets) read(ctx context.Context, api *httpapi.Client, server string, left int64) error {
	for offset, total := 0, 1; offset < total; offset += accountsAtOnce {
		p := page{Assets: a, server: server}
		query := limited(offset, accountsAtOnce, "accounts", "true", "streams", "true", "consumers", "true", "config", "true")
		err := api.Get(ctx, "/jsz", query, left, func(r io.Reader) error {
			counted := &counter{from: r}
			err := p.decode(json.NewDecoder(counted))
			left -= counted.n
			return err
		})
		if errors.Is(err, httpapi.ErrTooLong) || err == nil && left <= 0 && offset+accountsAtOnce < p.accounts {
			a.Partial = true
			return nil
		}
		if err != nil {
			return err
		}
		total = p.accounts
	}
	return nil
}

// A page is one answer of /jsz. It is decoded as it comes, a stream at a time: one
// account may have thousands of them.
type page struct {
	*Assets
	server   string
	accounts int // that there are
}

func (p *page) decode(d *json.Decoder) error {
	return object(d, func(key string) error {
		switch key {
		case "disabled":
			return d.Decode(&p.Disabled)
		case "streams":
			return d.Decode(&p.Total)
		case "total":
			return d.Decode(&p.accounts)
		case "account_details":
			return list(d, func() error { return p.account(d) })
		}
		return skip(d)
	})
}

// account decodes one account; what it has is told before its streams are.
func (p *page) account(d *json.Decoder) error {
	p.Accounts = append(p.Accounts, Account{})
	a := &p.Accounts[len(p.Accounts)-1]
	err := object(d, func(key string) error {
		switch key {
		case "name":
			err := d.Decode(&a.Name)
			a.Name = name(a.Name)
			return err
		case "memory":
			return d.Decode(&a.Memory)
		case "storage":
			return d.Decode(&a.Store)
		case "reserved_memory":
			return d.Decode(&a.ReservedMemory)
		case "reserved_storage":
			return d.Decode(&a.ReservedStore)
		case "api":
			return d.Decode(&a.API)
		case "stream_detail":
			return list(d, func() error { return p.stream(d, a) })
		}
		return skip(d)
	})
	// Without a limit the server tells -1 as a number without a sign.
	const unlimited = 1 << 63
	a.Limited.Memory = a.ReservedMemory > 0 && a.ReservedMemory < unlimited
	a.Limited.Store = a.ReservedStore > 0 && a.ReservedStore < unlimited
	return err
}

func (p *page) stream(d *json.Decoder, a *Account) error {
	var s streamDetail
	if err := d.Decode(&s); err != nil {
		return err
	}
	a.Streams++
	p.Streams = append(p.Streams, s.stream(a.Name, p.server))
	for i := range s.Consumers {
		p.Consumers = append(p.Consumers, s.Consumers[i].consumer(a.Name, p.server))
	}
	return nil
}

// object decodes an object, or null, whose values each takes by their keys.
func object(d *json.Decoder, each func(key string) error) error {
	open, err := begins(d, '{')
	for err == nil && open && d.More() {
		var t json.Token
		if t, err = d.Token(); err == nil {
			err = each(fmt.Sprint(t))
		}
	}
	return ends(d, open, err)
}

// list decodes a list, or null, whose elements each takes.
func list(d *json.Decoder, each func() error) error {
	open, err := begins(d, '[')
	for err == nil && open && d.More() {
		err = each()
	}
	return ends(d, open, err)
}

func begins(d *json.Decoder, with json.Delim) (open bool, err error) {
	t, err := d.Token()
	switch {
	case err != nil:
		return false, err
	case t != nil && t != with:
		return false, fmt.Errorf("it does not answer in the JSON that is expected: %v in the place of %v", t, with)
	}
	return t != nil, nil
}

func ends(d *json.Decoder, open bool, err error) error {
	if err == nil && open {
		_, err = d.Token()
	}
	return err
}

func skip(d *json.Decoder) error {
	var none json.RawMessage
	return d.Decode(&none)
}

// A counter counts the bytes read of an answer.
type counter struct {
	from io.Reader
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
