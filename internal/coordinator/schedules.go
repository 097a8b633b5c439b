package coordinator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// schedules stores requests for later.
type schedules struct{ conn *bus.Conn }

var _ agent.Schedules = schedules{}

// Schedule implements agent.Schedules.
func (s schedules) Schedule(ctx context.Context, id string, at time.Time, r protocol.Request) error {
	return s.conn.Schedule(ctx, bus.Schedule{ID: id, When: bus.At(at), Request: r})
}

// A Recurring investigation is asked for again and again: Every or Cron.
type Recurring struct {
	Every    time.Duration     `yaml:"every"`    // time between two, at least a second; give it or cron
	Cron     string            `yaml:"cron"`     // six fields: second minute hour day month weekday
	Zone     string            `yaml:"zone"`     // of cron, such as Europe/Berlin; empty: UTC
	Reason   string            `yaml:"reason"`   // what to find out
	Nodes    []string          `yaml:"nodes"`    // only these
	Labels   map[string]string `yaml:"labels"`   // only nodes with these
	Skills   []string          `yaml:"skills"`   // only these
	Strategy string            `yaml:"strategy"` // agent_loop or pipeline
	Model    string            `yaml:"model"`    // a name from models or sets, or rules
	Deadline time.Duration     `yaml:"deadline"` // 0: that of requests
}

func (r Recurring) validate() error {
	var errs []error
	if (r.Every == 0) == (r.Cron == "") {
		errs = append(errs, errors.New("give either every or cron"))
	}
	if r.Every != 0 && r.Every < time.Second {
		errs = append(errs, fmt.Errorf("every %s: it must be at least 1s", r.Every))
	}
	if r.Cron != "" && len(strings.Fields(r.Cron)) != 6 {
		errs = append(errs, fmt.Errorf("cron %q: it has six fields: second minute hour day month weekday", r.Cron))
	}
	if r.Zone != "" {
		if _, err := time.LoadLocation(r.Zone); err != nil || r.Cron == "" {
			errs = append(errs, fmt.Errorf("zone %q: it is a time zone such as Europe/Berlin, and goes with cron", r.Zone))
		}
	}
	return errors.Join(append(errs, r.request().Validate())...)
}

func (r Recurring) request() protocol.Request {
	return protocol.Request{
		Reason: r.Reason, Nodes: r.Nodes, Labels: r.Labels, Skills: r.Skills, Strategy: r.Strategy, Model: r.Model, DeadlineMS: r.Deadline.Milliseconds(),
	}
}

func (r Recurring) when() string {
	if r.Cron != "" {
		return r.Cron
	}
	return "@every " + r.Every.String()
}

// recur stores the configured investigations as schedules. One that is there
// already and unchanged keeps its next time. One that is no longer configured
// stays until somebody removes it: another coordinator may have it configured.
func (c *coordinator) recur(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Recurring)) {
		r := c.cfg.Recurring[name]
		if err := c.Bus.Schedule(ctx, bus.Schedule{ID: "recurring-" + name, When: r.when(), Zone: r.Zone, Request: r.request()}); err != nil {
			return fmt.Errorf("recurring.%s: %w", name, err)
		}
	}
	return nil
}

func (c *coordinator) schedulesRequest(ctx context.Context, _ bus.Req) (any, error) {
	list, err := c.Bus.Schedules(ctx)
	return map[string]any{"schedules": list}, err
}

func (c *coordinator) unscheduleRequest(ctx context.Context, r bus.Req) (any, error) {
	req, err := readID(r.Data)
	if err != nil {
		return nil, err
	}
	err = c.Bus.Unschedule(ctx, req.ID)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, bus.Refuse(404, "nothing is scheduled as %q", req.ID)
	}
	return map[string]string{"id": req.ID, "state": "cancelled"}, err
}
