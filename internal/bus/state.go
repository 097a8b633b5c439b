package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BudgetKeys matches the keys of StateBucket that operators may write.
const BudgetKeys = "budget.>"

// TriageLedger is the key of StateBucket under which triage keeps what it counts.
const TriageLedger = "triage.ledger"

// keySubject is where a key of a bucket lies. A key is made of tokens and dots.
func keySubject(bucket, key string) string { return "$KV." + bucket + "." + key }

func stateSubject(key string) string { return keySubject(StateBucket, key) }

// ReadState is ReadKey of StateBucket.
func (c *Conn) ReadState(ctx context.Context, key string, v any) (revision uint64, err error) {
	return c.ReadKey(ctx, StateBucket, key, v)
}

// WriteState is WriteKey of StateBucket.
func (c *Conn) WriteState(ctx context.Context, key string, v any, revision uint64) (uint64, error) {
	return c.WriteKey(ctx, StateBucket, key, v, revision)
}

// ReadKey reads a key of a bucket into v, from the stream's leader. revision is what
// WriteKey wants: 0 where there is no such key, and v is left as it is.
func (c *Conn) ReadKey(ctx context.Context, bucket, key string, v any) (revision uint64, err error) {
	m, err := c.Last(ctx, "KV_"+bucket, keySubject(bucket, key))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(m.Data) == 0 { // somebody deleted it
		return m.Sequence, nil
	}
	if err := json.Unmarshal(m.Data, v); err != nil {
		return 0, fmt.Errorf("key %s of %s: %w", key, bucket, err)
	}
	return m.Sequence, nil
}

// WriteKey writes a key of a bucket whose last revision must be the given one, and
// returns the new one; else it returns ErrWrongLast.
func (c *Conn) WriteKey(ctx context.Context, bucket, key string, v any, revision uint64) (uint64, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("key %s of %s: %w", key, bucket, err)
	}
	msg := &nats.Msg{Subject: keySubject(bucket, key), Data: body, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
	}}
	got, err := c.store(ctx, msg)
	return got.Sequence, err
}

// A StateEntry is one key of StateBucket.
type StateEntry struct {
	Key      string
	Value    []byte // JSON
	Revision uint64
}

// ListState returns the keys that begin with prefix, which ends in a dot, from the
// stream's leader.
func (c *Conn) ListState(ctx context.Context, prefix string) ([]StateEntry, error) {
	var out []StateEntry
	for m, err := range c.RangeLeader(ctx, State, stateSubject(prefix+">"), 0) {
		if err != nil {
			return nil, err
		}
		if len(m.Data) > 0 { // else somebody deleted it
			out = append(out, StateEntry{Key: strings.TrimPrefix(m.Subject, stateSubject("")), Value: m.Data, Revision: m.Sequence})
		}
	}
	return out, nil
}
