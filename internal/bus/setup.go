package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// SetupOptions adjust the table to a server.
type SetupOptions struct {
	Replicas int              // of each stream; 0: as it is, 1 for a new one
	MaxBytes map[string]int64 // by stream; absent: as it is, the table's for a new one
	Skills   []string         // whose operators' durables are made: of tasks, and of snapshots
	Readers  []string         // durables of INSIGHTS, one for each reader downstream
	Sinks    []string         // of gateways, whose durables are made
}

// A SetupChange is one thing that setup did.
type SetupChange struct {
	What string `json:"what"` // "stream FL_WORK"
	Did  string `json:"did"`  // created, updated, kept, "left: it is of schema 3"
}

// Setup makes the streams and the consumers of the table, or brings
// them up to date. A stream of a newer schema is left as it is. It may be run by
// several processes at once.
func (c *Conn) Setup(ctx context.Context, opts SetupOptions) ([]SetupChange, error) {
	var done []SetupChange
	for _, s := range Streams() {
		did, err := c.setupStream(ctx, s, opts)
		for begin := time.Now(); forming(err) && time.Since(begin) < formWithin && wait(ctx, 250*time.Millisecond); {
			did, err = c.setupStream(ctx, s, opts)
		}
		if err != nil {
			return done, fmt.Errorf("stream %s: %w", s.Name, c.explain(err))
		}
		done = append(done, SetupChange{"stream " + s.Name, did})
		for _, con := range s.Consumers {
			if err := c.EnsureConsumer(ctx, con); err != nil {
				return done, err
			}
			done = append(done, SetupChange{"consumer " + con.Stream + "/" + con.Name, "ready"})
		}
	}
	var shared []Consumer
	for _, skill := range opts.Skills {
		shared = append(shared, Tasks(skill))
		if skill != protocol.CustomSkill { // which stands for skills of many names
			shared = append(shared, Watched(skill))
		}
	}
	for _, name := range opts.Sinks {
		shared = append(shared, Sink(name))
	}
	for _, con := range shared {
		if err := c.EnsureConsumer(ctx, con); err != nil {
			return done, err
		}
		done = append(done, SetupChange{"consumer " + con.Stream + "/" + con.Name, "ready"})
	}
	for _, name := range opts.Readers {
		if err := c.EnsureConsumer(ctx, Consumer{Stream: Insights, Name: name, Filter: insightsFilter, AckWait: ackWait}); err != nil {
			return done, err
		}
		done = append(done, SetupChange{"consumer " + Insights + "/" + name, "ready"})
	}
	return done, nil
}

func (c *Conn) setupStream(ctx context.Context, s Stream, opts SetupOptions) (string, error) {
	want := s.config(max(1, opts.Replicas))
	if n, ok := opts.MaxBytes[s.Name]; ok {
		want.MaxBytes = n
	}
	want.Metadata = map[string]string{schemaKey: strconv.Itoa(SchemaVersion)}
	have, err := c.js.Stream(ctx, s.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = c.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
			return "kept", nil
		}
		return "created", err
	}
	if err != nil {
		return "", err
	}
	cfg := have.CachedInfo().Config
	version, err := strconv.Atoi(cfg.Metadata[schemaKey])
	if err != nil {
		return "", fmt.Errorf("it exists and was not made by Fleetlens (its metadata has no %s): rename or delete it", schemaKey)
	}
	if version > SchemaVersion {
		return fmt.Sprintf("left: it is of schema %d, this program knows %d", version, SchemaVersion), nil
	}
	if opts.Replicas == 0 {
		want.Replicas = cfg.Replicas
	}
	if _, ok := opts.MaxBytes[s.Name]; !ok {
		want.MaxBytes = cfg.MaxBytes
	}
	if version == SchemaVersion && want.Replicas == cfg.Replicas && want.MaxBytes == cfg.MaxBytes && slices.Equal(want.Subjects, cfg.Subjects) {
		return "kept", nil
	}
	_, err = c.js.UpdateStream(ctx, want)
	return "updated", err
}

// EnsureConsumer makes a shared durable if it is not there. A consumer that
// exists is left as it is. A user who may not make it is told so at once.
func (c *Conn) EnsureConsumer(ctx context.Context, con Consumer) error {
	if _, err := c.js.Consumer(ctx, con.Stream, con.Name); err == nil {
		return nil
	}
	ctx, done := c.denied.watch(ctx, c.api+"CONSUMER.CREATE."+con.Stream+"."+con.Name+"."+con.Filter)
	defer done()
	_, err := c.js.CreateConsumer(ctx, con.Stream, con.config())
	if err != nil && !errors.Is(err, jetstream.ErrConsumerExists) {
		return fmt.Errorf("consumer %s/%s: %w", con.Stream, con.Name, c.explain(deniedCause(ctx, err)))
	}
	return nil
}

// Wait returns when the named streams exist, for processes that do not make
// them. It says what it waits for, once and then every ten seconds.
func (c *Conn) Wait(ctx context.Context, streams ...string) error {
	for tries := 0; ; tries++ {
		missing := ""
		var cause error
		for _, name := range streams {
			if _, err := c.streamInfo(ctx, name); err != nil {
				missing, cause = name, err
				break
			}
		}
		if missing == "" {
			return nil
		}
		if !errors.Is(cause, jetstream.ErrStreamNotFound) && !Transient(cause) {
			return fmt.Errorf("stream %s: %w", missing, c.explain(cause))
		}
		if tries%20 == 0 {
			c.log.Info("waiting for a stream: a coordinator or `fleetlens setup` makes it", "stream", missing, "err", cause)
		}
		if !wait(ctx, 500*time.Millisecond) {
			return fmt.Errorf("stream %s is not there (%w): start a coordinator or run `fleetlens setup`", missing, c.explain(cause))
		}
	}
}

// explain adds what helps to the errors that setup meets.
func (c *Conn) explain(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the NATS server %s has no JetStream: start it with `nats-server -js`, or add `jetstream {}` to its configuration (with leaf nodes, name the domain with --js-domain): %w", c.URL(), err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("JetStream is not enabled for this account: add `jetstream: enabled` to the account, or limits to its JWT: %w", err)
	case errors.As(err, &api) && api.ErrorCode == 10113:
		return fmt.Errorf("the account demands max_bytes for every stream and bucket: set it with `fleetlens setup --max-bytes STREAM=SIZE`: %w", err)
	case errors.As(err, &api) && (api.ErrorCode == 10047 || api.ErrorCode == 10028 || api.ErrorCode == 10023):
		return fmt.Errorf("the server has no room for it: raise max_file_store (or the account's limit), or ask for less with `fleetlens setup --max-bytes STREAM=SIZE`: %w", err)
	case errors.Is(err, nats.ErrPermissionViolation):
		return fmt.Errorf("this user may not do it: use the admin or coordinator credentials: %w", err)
	}
	return err
}

// formWithin is how long setup waits for the servers of a cluster that has only
// just begun.
const formWithin = 20 * time.Second

// forming reports whether a cluster has a leader already, but does not see enough
// of its servers yet: no suitable peers (10005), some of them offline.
func forming(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == 10005 && strings.Contains(api.Description, "offline")
}

// passing are the codes of the JetStream API for what a cluster mends itself: no
// leader yet, a message id whose first message is still under way, a subject
// whose last sequence is not known yet.
var passing = []jetstream.ErrorCode{10008, 10158, 10163}

// Transient reports whether an error of NATS may go away by itself.
func Transient(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && slices.Contains(passing, api.ErrorCode) {
		return true
	}
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrReconnectBufExceeded)
}
