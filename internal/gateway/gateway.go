// Package gateway takes insights to where people already are: chats, pagers, trackers and
// other programs; and what those report, alerts and changes, to the fleet. Any number of gateways share the work; one durable a sink says what is
// still to be sent, and a key a message what was.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/gateway/sinks"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/signals"
)

// Config is a gateway's configuration.
type Config struct {
	Sinks map[string]sinks.Config // by a name of one's own
	UI    string                  // address of the web UI that messages link to; empty: no links
	// Alerts is where alerts and changes of other systems are taken.
	Alerts intake.Config
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Alerts: intake.DefaultConfig()} }

// Flags declares the flags but those of Alerts, which a coordinator has, too.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.UI, "ui-url", c.UI, "`address` of the web UI as people reach it, which messages link to: https://fleetlens.example")
}

// Sections returns the parts of the configuration file that are no flags.
func (c *Config) Sections() map[string]any {
	sections := c.Alerts.Sections()
	sections["sinks"] = &c.Sinks
	return sections
}

// maxSinks bounds how many durables a gateway works on.
const maxSinks = 100

// Validate names wrong settings. It reads the environment variables that the sinks name.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Sinks) > maxSinks {
		errs = append(errs, fmt.Errorf("sinks: %d are too many (at most %d)", len(c.Sinks), maxSinks))
	}
	if c.UI != "" {
		if u, err := url.Parse(c.UI); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			errs = append(errs, fmt.Errorf("--ui-url %q: write it as https://host", c.UI))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sinks)) {
		if err := c.Sinks[name].Validate(); err != nil {
			errs = append(errs, fmt.Errorf("sinks.%s: %w", name, err))
		}
	}
	return errors.Join(append(errs, c.Alerts.Validate())...)
}

// Idle says that a gateway has nothing to do; nil: it has.
func (c *Config) Idle() error {
	if len(c.Sinks) > 0 || c.Alerts.Asked() {
		return nil
	}
	return errors.New("there are no sinks: name some in the section sinks of the file of --config; to take alerts alone name an address by --alerts")
}

// Deps is what a gateway works with.
type Deps struct {
	Log *slog.Logger
	Bus *bus.Conn
	// Telemetry takes metrics; zero: none are taken.
	Telemetry signals.Providers
	Ready     func() // when set, is called once insights are taken
}

// setupWithin is how long a gateway tries to make its durables. One that may not waits
// for whoever may.
const setupWithin = 3 * time.Second

// Run sends insights and takes reports until ctx ends, then ends what it is sending.
func Run(ctx context.Context, cfg Config, deps Deps) error {
	if err := cfg.Idle(); err != nil {
		return err
	}
	if err := deps.Bus.Wait(ctx, bus.Insights, bus.Sent, bus.Events); err != nil {
		return err
	}
	opened := map[string]sinks.Opened{}
	for name, c := range cfg.Sinks {
		var err error
		if opened[name], err = c.Open(); err != nil {
			return fmt.Errorf("sinks.%s: %w", name, err)
		}
	}
	_, stopAlerts, err := cfg.Alerts.Serve(ctx, deps.Log, intake.To(deps.Bus))
	if err != nil {
		return err
	}
	defer stopAlerts()
	tells := newTells(deps.Telemetry)
	by := "gateway-" + protocol.NewID()[:8]
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range slices.Sorted(maps.Keys(cfg.Sinks)) {
		try, cancel := context.WithTimeout(ctx, setupWithin)
		err := deps.Bus.EnsureConsumer(try, bus.Sink(name))
		cancel()
		if err != nil {
			deps.Log.Info("this user may not make the sink's durable: `fleetlens setup --sink NAME` does", "sink", name, "err", err)
		}
		o := &outlet{
			name: name, cfg: cfg.Sinks[name], Opened: opened[name], ui: cfg.UI, by: by, conn: deps.Bus,
			log: deps.Log.With("sink", name), tells: tells, now: time.Now,
		}
		g.Go(func() error { return deps.Bus.Consume(ctx, 1, []bus.Consumer{bus.Sink(name)}, o.handle) })
		g.Go(func() error { tells.watch(ctx, deps.Bus, name); return context.Cause(ctx) })
	}
	for name, c := range cfg.Sinks {
		if lacks := c.Lacks(); lacks != "" {
			deps.Log.Info("a sink could do more", "sink", name, "lacks", lacks)
		}
	}
	deps.Log.Info("gateway sends insights", "sinks", slices.Sorted(maps.Keys(cfg.Sinks)))
	if deps.Ready != nil {
		deps.Ready()
	}
	g.Go(func() error { <-ctx.Done(); return context.Cause(ctx) }) // it goes on without sinks, too
	return g.Wait()
}
