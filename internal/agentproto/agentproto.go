// Package agentproto answers other agents over NATS in the Synadia Agent Protocol, version
// 0.3, as its SDKs speak it (https://github.com/synadia-ai/synadia-agents): who asks a
// fleet something has an investigation, is told what is done, and gets the conclusion.
//
// A coordinator serves it, because one always runs, and may read and ask all that this
// takes. Several of a fleet share the prompts.
package agentproto

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// DefaultFleet is the name of a fleet that nobody named.
const DefaultFleet = "default"

// Flag declares the flag of the fleet's name.
func Flag(fs *pflag.FlagSet, fleet *string) {
	fs.StringVar(fleet, "fleet", *fleet, "`name` of the fleet, by which other agents ask it at agents.prompt.fleetlens.NAME.coordinator (Synadia Agent Protocol); empty: they may not")
}

var fleetName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// CheckFleet says what is wrong with the name of a fleet; an empty one is right.
func CheckFleet(name string) error {
	if name != "" && !fleetName.MatchString(name) {
		return fmt.Errorf("--fleet %.80q: it has 1 to 63 of a-z, 0-9 and -", name)
	}
	return nil
}

// What the protocol fixes.
const (
	agentName       = "fleetlens"
	protocolVersion = "0.3"
	queue           = "agents"
	interval        = 30 * time.Second // between heartbeats, and between signs of life while it works
)

// answerWithin outlasts an investigation with the usual deadline.
const answerWithin = protocol.DefaultDeadline + 30*time.Second

// Serve answers prompts and sends heartbeats until ctx ends or stop is called.
func Serve(ctx context.Context, conn *bus.Conn, fleet, version string) (stop func(), err error) {
	return serve(ctx, conn, fleet, version, interval)
}

func serve(ctx context.Context, conn *bus.Conn, fleet, version string, every time.Duration) (stop func(), err error) {
	if !semantic.MatchString(version) { // as a service of NATS must have it
		version = "0.0.0"
	}
	a := &agent{conn: conn, fleet: fleet, every: every}
	end, err := conn.Serve(ctx, bus.Service{
		Name: bus.AgentsService, Version: version, Description: "finds out why a fleet of machines misbehaves", Timeout: answerWithin,
		Metadata: map[string]string{"agent": agentName, "owner": fleet, "protocol_version": protocolVersion},
		Begun:    func(id string) { a.id = id },
		Endpoints: []bus.Endpoint{
			{
				Name: "prompt", Subject: protocol.AgentSubject(protocol.AgentPrompt, fleet), Queue: queue, Stream: a.prompt,
				Metadata: map[string]string{"max_payload": fmt.Sprintf("%dB", conn.MaxPayload()), "attachments_ok": "false"},
			},
			{
				Name: "status", Subject: protocol.AgentSubject(protocol.AgentStatus, fleet), Queue: queue,
				Handler: func(context.Context, bus.Req) (any, error) { return a.heartbeat(), nil },
			},
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var beats sync.WaitGroup
	beats.Go(func() { a.beat(ctx) })
	return func() { cancel(); beats.Wait(); end() }, nil
}

var semantic = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// agent is one instance of the service.
type agent struct {
	conn  *bus.Conn
	fleet string
	id    string        // of the instance, as NATS knows it
	every time.Duration // signs of life
}

// heartbeat is the protocol's: who has sent none for three intervals is away.
type heartbeat struct {
	Agent     string    `json:"agent"`
	Owner     string    `json:"owner"`
	Instance  string    `json:"instance_id"`
	At        time.Time `json:"ts"`
	IntervalS int       `json:"interval_s"`
}

func (a *agent) heartbeat() heartbeat {
	return heartbeat{agentName, a.fleet, a.id, time.Now().UTC().Truncate(time.Millisecond), int(interval.Seconds())}
}

// beat sends heartbeats, the first at once.
func (a *agent) beat(ctx context.Context) {
	t := time.NewTicker(a.every)
	defer t.Stop()
	for {
		body, err := json.Marshal(a.heartbeat())
		if err == nil {
			_ = a.conn.Send(protocol.AgentSubject(protocol.AgentBeat, a.fleet), body) // the next one comes
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
