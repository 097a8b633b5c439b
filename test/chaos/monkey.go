//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// A monkey breaks what it can, by chance from a seed, until it is stopped; then
// everything runs again.
type monkey struct {
	*fleet
	say    io.Writer
	run    sync.WaitGroup
	counts counts

	mu     sync.Mutex
	chance *rand.Rand
	owner  map[string]string // by run: the worker that claimed it last
	struck time.Time         // when a worker was last killed for what it published
}

// counts is what the monkey did.
type counts struct {
	kills, killsAtPublish, freezes, restarts, repeats, cancels atomic.Int64
}

func newMonkey(f *fleet, say io.Writer) *monkey {
	return &monkey{fleet: f, say: say, chance: rand.New(rand.NewPCG(f.seed, 2)), owner: map[string]string{}}
}

// roll returns a number below n.
func (m *monkey) roll(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chance.IntN(n)
}

// between returns a duration by chance.
func (m *monkey) between(least, most time.Duration) time.Duration {
	return least + time.Duration(m.roll(int((most-least)/time.Millisecond)))*time.Millisecond
}

// play breaks things until ctx ends, and returns when everything runs again.
func (m *monkey) play(ctx context.Context, lasts time.Duration) error {
	stop, err := m.listen(ctx)
	if err != nil {
		return err
	}
	m.run.Go(func() { m.killWorkers(ctx) })
	m.run.Go(func() { m.freezeWorkers(ctx) })
	m.run.Go(func() { m.stopServers(ctx, lasts) })
	<-ctx.Done()
	stop()
	m.run.Wait()
	for _, p := range m.workers {
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

// revive starts a process again after a while.
func (m *monkey) revive(p *process, after time.Duration) {
	m.run.Go(func() {
		time.Sleep(after)
		if err := p.start(); err != nil {
			fmt.Fprintln(m.say, "cannot start", p.name, err)
		}
	})
}

func (m *monkey) killWorkers(ctx context.Context) {
	for pause(ctx, m.between(600*time.Millisecond, 2500*time.Millisecond)) == nil {
		p := m.workers[m.roll(len(m.workers))]
		if p.kill() {
			m.counts.kills.Add(1)
			m.revive(p, m.between(50*time.Millisecond, 1500*time.Millisecond))
		}
	}
}

// freezeWorkers holds a worker for longer than its work waits for it.
func (m *monkey) freezeWorkers(ctx context.Context) {
	for pause(ctx, m.between(500*time.Millisecond, 3*time.Second)) == nil {
		thaw := m.workers[m.roll(len(m.workers))].freeze()
		if thaw == nil {
			continue
		}
		m.counts.freezes.Add(1)
		_ = pause(ctx, ackWait+m.between(500*time.Millisecond, 3*time.Second)) // it thaws also when the test ends
		thaw()
	}
}

// listen watches what goes over the wire: it learns who owns each run, kills
// workers right when they publish, and publishes tasks and requests again.
func (m *monkey) listen(ctx context.Context) (stop func(), err error) {
	var subs []*nats.Subscription
	stop = func() {
		for _, s := range subs {
			closed := make(chan struct{})
			s.SetClosedHandler(func(string) { close(closed) })
			if s.Drain() == nil { // what came is handled to its end
				<-closed
			}
		}
	}
	for subject, hear := range map[string]func(*nats.Msg){
		"journal.*.*":             m.learn,
		"operator.notification.>": m.strike,
		"operator.completion.>":   m.strike,
		"insights.>":              m.strike,
		"investigations.*.*":      m.strike,
		"operator.task.*":         func(msg *nats.Msg) { m.repeat(ctx, msg) },
		"investigate.request":     func(msg *nats.Msg) { m.repeat(ctx, msg) },
	} {
		s, err := m.nc.Subscribe(subject, hear)
		if err != nil {
			stop()
			return nil, err
		}
		subs = append(subs, s)
	}
	return stop, nil
}

// learn remembers who claims a run.
func (m *monkey) learn(msg *nats.Msg) {
	var r struct {
		Run    string `json:"run_id"`
		Kind   string `json:"kind"`
		Worker string `json:"worker"`
	}
	if json.Unmarshal(msg.Data, &r) != nil || r.Kind != "claim" {
		return
	}
	name, _, _ := strings.Cut(r.Worker, "#")
	m.mu.Lock()
	m.owner[r.Run] = name
	m.mu.Unlock()
}

// strike kills now and then the worker that has just published: before it can
// write down in its journal that it did, or acknowledge its task.
func (m *monkey) strike(msg *nats.Msg) {
	var body struct {
		Run           string `json:"run_id"`
		Investigation string `json:"investigation_id"`
	}
	if strings.HasSuffix(msg.Subject, ".progress") || json.Unmarshal(msg.Data, &body) != nil {
		return
	}
	run := body.Run
	if run == "" || strings.HasPrefix(msg.Subject, "investigations.") {
		run = body.Investigation
	}
	m.mu.Lock()
	name := m.owner[run]
	now := time.Since(m.struck) > time.Second && m.chance.IntN(4) == 0
	if now {
		m.struck = time.Now()
	}
	m.mu.Unlock()
	if !now {
		return
	}
	for _, p := range m.workers {
		if p.name == name && p.kill() {
			m.counts.kills.Add(1)
			m.counts.killsAtPublish.Add(1)
			m.revive(p, m.between(50*time.Millisecond, time.Second))
		}
	}
}

// again marks what the monkey published itself.
const again = "Chaos-Again"

// repeat publishes a message a second time now and then, without its id, so that
// the server takes it for another one.
func (m *monkey) repeat(ctx context.Context, msg *nats.Msg) {
	if msg.Header.Get(again) != "" || m.roll(5) > 0 {
		return
	}
	after := m.between(0, 2*duplicate)
	m.run.Go(func() {
		if pause(ctx, after) != nil {
			return
		}
		out := &nats.Msg{Subject: msg.Subject, Data: msg.Data, Header: nats.Header{again: {"1"}}}
		if m.nc.PublishMsg(out) == nil {
			m.counts.repeats.Add(1)
		}
	})
}

// cancel asks for the end of an investigation after a while.
func (m *monkey) cancel(ctx context.Context, id string) {
	after := m.between(0, 2*time.Second)
	m.run.Go(func() {
		if pause(ctx, after) != nil {
			return
		}
		body, err := json.Marshal(map[string]string{"id": id, "reason": "chaos", "by": "chaos"})
		if err != nil {
			return
		}
		// Whether anybody hears it is part of the chaos.
		if msg, err := m.nc.Request("investigate.cancel", body, 3*time.Second); err == nil && msg.Header.Get("Nats-Service-Error-Code") == "" {
			m.counts.cancels.Add(1)
		}
	})
}
