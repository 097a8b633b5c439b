package budget_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natstest"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func usd(v float64) *float64 { return &v }

// charge is what one answer may take.
func charge(investigation string, tokens int) llm.Charge {
	return llm.Charge{Model: "small", Investigation: investigation, Tokens: tokens, USD: usd(float64(tokens) / 1e6), Within: time.Minute}
}

func used(tokens int) protocol.Usage {
	return protocol.Usage{InputTokens: tokens, LLMCalls: 1, CostUSD: usd(float64(tokens) / 1e6)}
}

func connect(t *testing.T) (*bus.Conn, func(name string) *bus.Conn) {
	t.Helper()
	server := natstest.Run(t)
	conn := natstest.Dial(t, server, "coordinator")
	if _, err := conn.Setup(t.Context(), bus.SetupOptions{}); err != nil {
		t.Fatal(err)
	}
	return conn, func(name string) *bus.Conn { return natstest.Dial(t, server, name) }
}

func TestWithoutLimitsNothingIsCounted(t *testing.T) {
	settle, err := budget.New(nil, budget.Config{}, nil).Reserve(t.Context(), charge("one", 900)) // without a connection
	if err != nil {
		t.Fatal(err)
	}
	settle(used(900))
}

func TestARequestLimitsItsInvestigation(t *testing.T) {
	conn, _ := connect(t)
	for _, tt := range []struct{ ours, request, most int }{{0, 500, 500}, {800, 500, 500}, {300, 500, 300}, {300, 0, 300}} {
		name := fmt.Sprintf("ours %d, the request's %d", tt.ours, tt.request)
		t.Run(name, func(t *testing.T) {
			b := budget.New(conn, budget.Config{TokensPerInvestigation: tt.ours}, natstest.Log(t))
			c := charge(name, tt.most)
			c.InvestigationTokens = tt.request
			settle, err := b.Reserve(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			settle(used(0))
			c.Tokens++
			if _, err := b.Reserve(t.Context(), c); !errors.Is(err, llm.ErrSpent) {
				t.Errorf("one token more: %v", err)
			}
		})
	}
}

func TestARequestLimitsWhatItsInvestigationCosts(t *testing.T) {
	conn, _ := connect(t)
	for _, tt := range []struct{ ours, request, most float64 }{{0, 1, 1}, {2, 1, 1}, {0.5, 1, 0.5}} {
		name := fmt.Sprintf("ours %g, the request's %g", tt.ours, tt.request)
		t.Run(name, func(t *testing.T) {
			b := budget.New(conn, budget.Config{USDPerInvestigation: tt.ours}, natstest.Log(t))
			c, quarter := charge(name, 100), usd(0.25)
			c.USD = quarter
			c.InvestigationUSD = tt.request
			for spent := 0.0; spent < tt.most; spent += *quarter { // by several calls
				settle, err := b.Reserve(t.Context(), c)
				if err != nil {
					t.Fatalf("after %g: %v", spent, err)
				}
				settle(protocol.Usage{InputTokens: 100, LLMCalls: 1, CostUSD: quarter})
			}
			if _, err := b.Reserve(t.Context(), c); !errors.Is(err, llm.ErrSpent) || !strings.Contains(err.Error(), fmt.Sprintf("the budget of %g USD an investigation leaves 0.0000", tt.most)) {
				t.Errorf("one call more: %v", err)
			}
			c.USD = nil
			if _, err := b.Reserve(t.Context(), c); !errors.Is(err, llm.ErrSpent) || !strings.Contains(err.Error(), "no price is known of small") {
				t.Errorf("without a price: %v", err)
			}
		})
	}
}

func TestWhatIsSpentIsRefused(t *testing.T) {
	conn, _ := connect(t)
	for _, tt := range []struct {
		name string
		cfg  budget.Config
		says string
	}{
		{"tokens of an hour", budget.Config{TokensPerHour: 1000}, "the budget of 1000 tokens an hour leaves 200, and the next answer may take 300"},
		{"tokens of a day", budget.Config{TokensPerDay: 1000}, "the budget of 1000 tokens a day leaves 200"},
		{"tokens of an investigation", budget.Config{TokensPerInvestigation: 1000}, "the budget of 1000 tokens an investigation leaves 200"},
		{"dollars of an hour", budget.Config{USDPerHour: 0.001}, "USD an hour leaves 0.0002, and the next answer may cost 0.0003"},
		{"dollars of an investigation", budget.Config{USDPerInvestigation: 0.001}, "USD an investigation leaves 0.0002"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := conn.WriteState(t.Context(), "budget.fleet", struct{}{}, last(t, conn)); err != nil {
				t.Fatal(err)
			}
			b := budget.New(conn, tt.cfg, natstest.Log(t))
			settle, err := b.Reserve(t.Context(), charge(tt.name, 900))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Reserve(t.Context(), charge(tt.name, 300)); !errors.Is(err, llm.ErrSpent) {
				t.Errorf("while the first call is under way: %v", err)
			}
			settle(used(800))
			_, err = b.Reserve(t.Context(), charge(tt.name, 300))
			if !errors.Is(err, llm.ErrSpent) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			if _, err := b.Reserve(t.Context(), charge(tt.name, 200)); err != nil {
				t.Errorf("what just fits: %v", err)
			}
		})
	}
}

// last returns the revision of the fleet's account.
func last(t *testing.T, conn *bus.Conn) uint64 {
	t.Helper()
	var account any
	revision, err := conn.ReadState(t.Context(), "budget.fleet", &account)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestOneInvestigationDoesNotSpendAnothers(t *testing.T) {
	conn, _ := connect(t)
	b := budget.New(conn, budget.Config{TokensPerInvestigation: 1000}, natstest.Log(t))
	for _, id := range []string{"one", "two"} {
		if _, err := b.Reserve(t.Context(), charge(id, 900)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestARefusalOfTheFleetGivesTheInvestigationItsHoldBack(t *testing.T) {
	conn, _ := connect(t)
	b := budget.New(conn, budget.Config{TokensPerInvestigation: 1000, TokensPerHour: 500}, natstest.Log(t))
	if _, err := b.Reserve(t.Context(), charge("one", 900)); !errors.Is(err, llm.ErrSpent) {
		t.Fatalf("got %v", err)
	}
	rich := budget.New(conn, budget.Config{TokensPerInvestigation: 1000, TokensPerHour: 5000}, natstest.Log(t))
	if _, err := rich.Reserve(t.Context(), charge("one", 900)); err != nil {
		t.Errorf("the hold of the call that was refused is still there: %v", err)
	}
}

func TestAModelWithoutAPriceIsNotAskedOnABudgetOfDollars(t *testing.T) {
	conn, _ := connect(t)
	b := budget.New(conn, budget.Config{USDPerDay: 1}, natstest.Log(t))
	_, err := b.Reserve(t.Context(), llm.Charge{Model: "mine", Tokens: 10})
	if !errors.Is(err, llm.ErrSpent) || !strings.Contains(err.Error(), "no price is known of mine") {
		t.Errorf("got %v", err)
	}
}

// TestManyWorkersDoNotOvershoot has workers on connections of their own reserve
// at once, so that each write of one makes those of the others fail.
func TestManyWorkersDoNotOvershoot(t *testing.T) {
	_, dial := connect(t)
	const workers, each, most = 8, 20, 1000
	var spent, granted atomic.Int64
	var wg sync.WaitGroup
	for n := range workers {
		b := budget.New(dial(fmt.Sprintf("operator/%d", n)), budget.Config{TokensPerHour: most, TokensPerDay: most}, natstest.Log(t))
		wg.Go(func() {
			for range each {
				settle, err := b.Reserve(t.Context(), charge("one", 50))
				if errors.Is(err, llm.ErrSpent) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				granted.Add(1)
				spent.Add(40)
				settle(used(40))
			}
		})
	}
	wg.Wait()
	if spent.Load() > most || spent.Load() < most-2*50 {
		t.Errorf("%d tokens were spent of %d, in %d calls", spent.Load(), most, granted.Load())
	}
}

func TestWhatADeadWorkerReservedCountsAsSpentInTheEnd(t *testing.T) {
	conn, _ := connect(t)
	b := budget.New(conn, budget.Config{TokensPerDay: 1000}, natstest.Log(t))
	killed := charge("one", 900)
	killed.Within = -time.Second // it was to be over a second ago
	if _, err := b.Reserve(t.Context(), killed); err != nil {
		t.Fatal(err)
	}
	for range 2 { // counted once, not each time somebody looks
		if _, err := b.Reserve(t.Context(), charge("one", 200)); !errors.Is(err, llm.ErrSpent) || !strings.Contains(err.Error(), "leaves 100") {
			t.Errorf("got %v", err)
		}
	}
}

func TestALateSettlementIsMadeUpFor(t *testing.T) {
	conn, _ := connect(t)
	b := budget.New(conn, budget.Config{TokensPerDay: 1000}, natstest.Log(t))
	slow := charge("one", 900)
	slow.Within = -time.Second
	settle, err := b.Reserve(t.Context(), slow)
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.Reserve(t.Context(), charge("one", 50)) // the first is taken for lost
	if err != nil {
		t.Fatal(err)
	}
	other(used(0))
	settle(used(100))
	if _, err := b.Reserve(t.Context(), charge("one", 900)); err != nil {
		t.Errorf("100 were used of 1000: %v", err)
	}
}

func TestACallerThatEndsIsLeft(t *testing.T) {
	conn, _ := connect(t)
	b := budget.New(conn, budget.Config{TokensPerDay: 1000}, natstest.Log(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Reserve(ctx, charge("one", 1)); err == nil || errors.Is(err, llm.ErrSpent) {
		t.Errorf("got %v, want the caller's end", err)
	}
}

func TestWrongLimitsAreNamed(t *testing.T) {
	cfg := budget.Config{TokensPerHour: -1, USDPerDay: -0.5}
	err := cfg.Validate()
	if err == nil || !strings.Contains(err.Error(), "--tokens-per-hour -1") || !strings.Contains(err.Error(), "--usd-per-day -0.5") {
		t.Errorf("got %v", err)
	}
}
