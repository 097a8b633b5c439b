package nats_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/nats"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// patience is how long something may take until it holds.
const patience = 30 * time.Second

// run starts a server with JetStream and a monitoring port; it ends with the test.
func run(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
		ServerName: "hub", JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stop(s) })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// dial connects a program to the server.
func dial(t *testing.T, s *server.Server, options ...client.Option) (*client.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := client.Connect(s.ClientURL(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// stream makes a stream that has so many messages.
func stream(t *testing.T, js jetstream.JetStream, c jetstream.StreamConfig, messages int) jetstream.Stream {
	t.Helper()
	if c.Subjects == nil {
		c.Subjects = []string{strings.ToLower(c.Name) + ".>"}
	}
	ctx := within(t)
	s, err := js.CreateStream(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if _, err := js.Publish(ctx, fmt.Sprintf("%s.%d", strings.ToLower(c.Name), i), []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A target is one server, looked into by the skill.
type target struct {
	t *testing.T
	skills.Source
}

func open(t *testing.T, c reach.Config) *target {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := reach.New(c)
	t.Cleanup(s.Close)
	return &target{t, skill(s).Sources[0].Open("main")}
}

func skill(s *reach.Server) skills.Skill { return nats.Skill(map[string]*reach.Server{"main": s}) }

func address(s *server.Server) reach.Config {
	return reach.Config{URL: "http://" + s.MonitorAddr().String()}
}

func watch(t *testing.T, s *server.Server) *target {
	t.Helper()
	return open(t, address(s))
}

func (tg *target) snapshot() skills.Data {
	tg.t.Helper()
	d, err := tg.Snapshot(within(tg.t))
	if err != nil {
		tg.t.Fatalf("snapshot: %v", err)
	}
	return d
}

// until takes snapshots until one is as it should be.
func (tg *target) until(what string, holds func(skills.Data) bool) skills.Data {
	tg.t.Helper()
	for end := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		d := tg.snapshot()
		if holds(d) {
			return d
		}
		if time.Now().After(end) {
			tg.t.Fatalf("waited in vain for %s: %v", what, d)
		}
	}
}

func (tg *target) ask(question string) map[string]any {
	tg.t.Helper()
	return skilltest.Object(tg.t, tg.Source, question)
}

// crossed returns what the checks say of a snapshot, by metric.
func (tg *target) crossed(d skills.Data) map[string]string {
	out := map[string]string{}
	for _, x := range skills.Evaluate(tg.Checks, d) {
		out[x.Check.Metric] = x.Says
	}
	return out
}

// says compares what a check says.
func (tg *target) says(d skills.Data, metric, want string) {
	tg.t.Helper()
	if got := tg.crossed(d)[metric]; got != want {
		tg.t.Errorf("%s says %q, want %q", metric, got, want)
	}
}

func rows(a map[string]any, name string) []map[string]any {
	list, _ := a[name].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}
