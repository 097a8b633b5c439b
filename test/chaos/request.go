//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// burst is how many investigations are asked for at once.
const burst = 5

// request asks for the investigations, in bursts over a time. Each id is in the
// file before its request is sent: the checker knows nothing else of what was
// asked for.
func (f *fleet) request(ctx context.Context, m *monkey, lasts time.Duration) (file string, err error) {
	file = filepath.Join(f.dir, "requested")
	ids, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer func() {
		if e := ids.Close(); err == nil {
			err = e
		}
	}()
	begin := time.Now()
	for i := range f.investigations {
		if err := pause(ctx, time.Until(begin.Add(lasts*time.Duration(i-i%burst)/time.Duration(f.investigations)))); err != nil {
			return "", err
		}
		id := fmt.Sprintf("chaos-%d-%04d", f.seed, i+1)
		if _, err := fmt.Fprintln(ids, id); err != nil {
			return "", err
		}
		if err := f.ask(ctx, id); err != nil {
			return "", err
		}
		if m.roll(5) == 0 {
			m.cancel(ctx, id)
		}
	}
	return file, pause(ctx, time.Until(begin.Add(lasts)))
}

// ask publishes a request until the server has it, as a client would.
func (f *fleet) ask(ctx context.Context, id string) error {
	body, err := json.Marshal(map[string]string{"id": id, "reason": "checkout is slow"})
	if err != nil {
		return err
	}
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		_, err := f.js.PublishMsg(try, &nats.Msg{Subject: "investigate.request", Data: body}, jetstream.WithMsgID(id))
		cancel()
		if err == nil {
			return nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("request %s: %w", id, err)
		}
	}
}
