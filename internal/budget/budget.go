// Package budget keeps what the fleet's models may use within limits: per
// investigation, hour and day, over all operators and coordinators. What a call
// may take is reserved before it and settled after it, so that many workers
// together do not overshoot either.
package budget

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// Config is the limits. Every process that asks models must have the same. 0 is
// no limit. An hour and a day are those of the clock, in UTC.
type Config struct {
	TokensPerInvestigation int
	TokensPerHour          int
	TokensPerDay           int
	USDPerInvestigation    float64
	USDPerHour             float64
	USDPerDay              float64
}

// Flags declares the flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.IntVar(&c.TokensPerInvestigation, "tokens-per-investigation", c.TokensPerInvestigation, "tokens that the models of one investigation may use, input and output; then the rules analyst goes on (0: no limit)")
	fs.IntVar(&c.TokensPerHour, "tokens-per-hour", c.TokensPerHour, "tokens that the models of the whole fleet may use in an hour (0: no limit)")
	fs.IntVar(&c.TokensPerDay, "tokens-per-day", c.TokensPerDay, "tokens that the models of the whole fleet may use in a day, UTC (0: no limit)")
	fs.Float64Var(&c.USDPerInvestigation, "usd-per-investigation", c.USDPerInvestigation, "what the models of one investigation may cost, in US dollars (0: no limit)")
	fs.Float64Var(&c.USDPerHour, "usd-per-hour", c.USDPerHour, "what the models of the whole fleet may cost in an hour, in US dollars (0: no limit)")
	fs.Float64Var(&c.USDPerDay, "usd-per-day", c.USDPerDay, "what the models of the whole fleet may cost in a day, UTC, in US dollars (0: no limit)")
}

// Validate names wrong settings.
func (c *Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		flag  string
		value float64
	}{
		{"tokens-per-investigation", float64(c.TokensPerInvestigation)},
		{"tokens-per-hour", float64(c.TokensPerHour)},
		{"tokens-per-day", float64(c.TokensPerDay)},
		{"usd-per-investigation", c.USDPerInvestigation},
		{"usd-per-hour", c.USDPerHour},
		{"usd-per-day", c.USDPerDay},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("--%s %v: it must be 0, for no limit, or more", f.flag, f.value))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) fleet() bool {
	return c.TokensPerHour > 0 || c.TokensPerDay > 0 || c.USDPerHour > 0 || c.USDPerDay > 0
}

func (c *Config) usd() bool { return c.USDPerInvestigation > 0 || c.USDPerHour > 0 || c.USDPerDay > 0 }

// fleetLimits returns the limits of the fleet at a moment; none where there are none.
func (c *Config) fleetLimits(now time.Time) []limit {
	if !c.fleet() {
		return nil
	}
	now = now.UTC()
	return []limit{
		{now.Format("2006-01-02T15Z"), "an hour", amount{c.TokensPerHour, c.USDPerHour}},
		{now.Format("2006-01-02"), "a day", amount{c.TokensPerDay, c.USDPerDay}},
	}
}

// investigationLimits returns the limits of an investigation: of tokens and of dollars
// the smaller one of ours and of its request, which may be 0.
func (c *Config) investigationLimits(request amount) []limit {
	most := amount{smaller(c.TokensPerInvestigation, request.Tokens), smaller(c.USDPerInvestigation, request.USD)}
	if most == (amount{}) {
		return nil
	}
	return []limit{{"investigation", "an investigation", most}}
}

// smaller returns the smaller of two limits, of which 0 is none.
func smaller[N int | float64](a, b N) N {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
