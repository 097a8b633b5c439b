package budget

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A Ledger keeps the accounts in the bucket that the processes share. It is safe
// for concurrent use.
type Ledger struct {
	conn *bus.Conn
	cfg  Config
	log  *slog.Logger
	now  func() time.Time
}

var _ llm.Budget = (*Ledger)(nil)

// New returns the ledger of a configuration. What has no limit is not counted.
func New(conn *bus.Conn, cfg Config, log *slog.Logger) *Ledger {
	return &Ledger{conn: conn, cfg: cfg, log: log, now: time.Now}
}

// fleetKey is the account of the fleet, investigationKey that of an investigation.
const fleetKey = "budget.fleet"

func investigationKey(id string) string { return "budget.investigation." + protocol.Token(id) }

// settleWithin is how long writing down what was used may take. What is not
// written stays reserved, and counts as spent in the end.
const settleWithin = 10 * time.Second

// Reserve implements llm.Budget.
func (l *Ledger) Reserve(ctx context.Context, c llm.Charge) (func(protocol.Usage), error) {
	if c.USD == nil && l.cfg.usd() {
		return nil, fmt.Errorf("%w: no price is known of %s, and the fleet has a budget in US dollars: give it a price in the section models", llm.ErrSpent, c.Model)
	}
	if c.USD == nil && c.InvestigationUSD > 0 {
		return nil, fmt.Errorf("%w: no price is known of %s, and the request has a max_cost: give it a price in the section models", llm.ErrSpent, c.Model)
	}
	want := amount{Tokens: c.Tokens}
	if c.USD != nil {
		want.USD = *c.USD
	}
	id := protocol.NewID()
	h := hold{want, l.now().Add(c.Within).UTC()}
	var held []entry
	for _, e := range l.entries(c) {
		err := l.change(ctx, e, func(a *account, limits []limit, now time.Time) error {
			if err := a.reserve(limits, id, h, now); err != nil {
				return fmt.Errorf("%w: %w", llm.ErrSpent, err)
			}
			return nil
		})
		if err != nil {
			l.settle(ctx, held, id, want, amount{})
			return nil, err
		}
		held = append(held, e)
	}
	return func(u protocol.Usage) {
		used := amount{Tokens: u.InputTokens + u.OutputTokens}
		if u.CostUSD != nil {
			used.USD = *u.CostUSD
		}
		l.settle(ctx, held, id, want, used)
	}, nil
}

// An entry is an account that a call is taken from.
type entry struct {
	key    string
	limits func(now time.Time) []limit
}

// entries returns the accounts that have limits for a call.
func (l *Ledger) entries(c llm.Charge) []entry {
	var out []entry
	if limits := l.cfg.investigationLimits(amount{c.InvestigationTokens, c.InvestigationUSD}); limits != nil && c.Investigation != "" {
		out = append(out, entry{investigationKey(c.Investigation), func(time.Time) []limit { return limits }})
	}
	if l.cfg.fleet() {
		out = append(out, entry{fleetKey, l.cfg.fleetLimits})
	}
	return out
}

func (l *Ledger) settle(ctx context.Context, entries []entry, id string, reserved, used amount) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	for _, e := range entries {
		err := l.change(ctx, e, func(a *account, limits []limit, now time.Time) error {
			a.settle(limits, id, reserved, used, now)
			return nil
		})
		if err != nil {
			l.log.Warn("what a model used was not written down: it counts as what was reserved", "key", e.key, "err", err)
		}
	}
}

// change applies f to an account and writes it, unless another process was
// faster: then f gets what that one wrote.
func (l *Ledger) change(ctx context.Context, e entry, f func(*account, []limit, time.Time) error) error {
	for {
		var a account
		revision, err := l.conn.ReadState(ctx, e.key, &a)
		if err != nil {
			return err
		}
		now := l.now()
		if err := f(&a, e.limits(now), now); err != nil {
			return err
		}
		_, err = l.conn.WriteState(ctx, e.key, a, revision)
		if !errors.Is(err, bus.ErrWrongLast) {
			return err
		}
		t := time.NewTimer(rand.N(10 * time.Millisecond)) //nolint:gosec // apart from the others, no secret
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// A Line is what was spent in one window.
type Line struct {
	Window string  `json:"window"` // an hour "2026-11-22T03Z" or a day "2026-11-22"
	Tokens int     `json:"tokens"`
	USD    float64 `json:"usd"`
	// Held is what calls under way may use still.
	HeldTokens int     `json:"held_tokens"`
	HeldUSD    float64 `json:"held_usd"`
}

// Read returns what the fleet spent in the last hour and day in which it asked a
// model under a budget, by window; none when it never did.
func Read(ctx context.Context, conn *bus.Conn) ([]Line, error) {
	var a account
	if _, err := conn.ReadState(ctx, fleetKey, &a); err != nil {
		return nil, err
	}
	held := amount{}
	for _, h := range a.Holds {
		held = held.plus(h.amount)
	}
	lines := []Line{}
	for _, window := range slices.Sorted(maps.Keys(a.Spent)) {
		spent := a.Spent[window]
		lines = append(lines, Line{window, spent.Tokens, spent.USD, held.Tokens, held.USD})
	}
	return lines, nil
}
