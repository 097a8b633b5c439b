package budget

import (
	"fmt"
	"time"
)

// An amount is what models were or will be asked for.
type amount struct {
	Tokens int     `json:"tokens"` // input and output
	USD    float64 `json:"usd"`
}

func (a amount) plus(b amount) amount { return amount{a.Tokens + b.Tokens, a.USD + b.USD} }

// A hold is an amount that was reserved and not settled yet.
type hold struct {
	amount
	Until time.Time `json:"until"` // whoever reserved it is gone by then
}

// An account is what was spent of some limits: the value of one key.
type account struct {
	Spent map[string]amount `json:"spent"` // by window
	Holds map[string]hold   `json:"holds,omitempty"`
}

// A limit is how much may be spent in a window. 0: as much as you like.
type limit struct {
	window string // "2026-11-22T03Z": the name of what it counts
	says   string // "an hour"
	most   amount
}

// reserve puts a hold on the account, or says which limit leaves no room for it.
func (a *account) reserve(limits []limit, id string, want hold, now time.Time) error {
	a.tidy(limits, now)
	held := amount{}
	for _, h := range a.Holds {
		held = held.plus(h.amount)
	}
	for _, l := range limits {
		after := a.Spent[l.window].plus(held).plus(want.amount)
		switch {
		case l.most.Tokens > 0 && after.Tokens > l.most.Tokens:
			return fmt.Errorf("the budget of %d tokens %s leaves %d, and the next answer may take %d",
				l.most.Tokens, l.says, max(0, l.most.Tokens-after.Tokens+want.Tokens), want.Tokens)
		case l.most.USD > 0 && after.USD > l.most.USD:
			return fmt.Errorf("the budget of %g USD %s leaves %.4f, and the next answer may cost %.4f",
				l.most.USD, l.says, max(0, l.most.USD-after.USD+want.USD), want.USD)
		}
	}
	a.Holds[id] = want
	return nil
}

// settle replaces a hold with what was used. A hold that is gone, because it came
// too late, was counted as spent; the difference is made up for.
func (a *account) settle(limits []limit, id string, reserved, used amount, now time.Time) {
	if _, there := a.Holds[id]; there {
		delete(a.Holds, id)
	} else {
		used = amount{used.Tokens - reserved.Tokens, used.USD - reserved.USD}
	}
	a.tidy(limits, now)
	a.spend(limits, used)
}

func (a *account) spend(limits []limit, used amount) {
	for _, l := range limits {
		sum := a.Spent[l.window].plus(used)
		a.Spent[l.window] = amount{max(0, sum.Tokens), max(0, sum.USD)}
	}
}

// tidy forgets windows that are over, and counts holds that nobody settled as
// spent: who made them was killed, and the provider may have been paid.
func (a *account) tidy(limits []limit, now time.Time) {
	current := map[string]amount{}
	for _, l := range limits {
		current[l.window] = a.Spent[l.window]
	}
	a.Spent = current
	if a.Holds == nil {
		a.Holds = map[string]hold{}
	}
	for id, h := range a.Holds {
		if now.After(h.Until) {
			delete(a.Holds, id)
			a.spend(limits, h.amount)
		}
	}
}
