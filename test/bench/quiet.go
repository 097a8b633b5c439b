package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/allinone"
	"github.com/fleetlens/fleetlens/internal/budget"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/llm"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/internal/programs/watch"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// quietReport is what was raised on this host while nobody did anything to it.
type quietReport struct {
	Minutes         float64  `json:"minutes"`
	LearningMinutes float64  `json:"learning_minutes"` // of them; the product's default is 120
	IntervalSeconds float64  `json:"interval_s"`       // the product's default is 30
	Snapshots       int      `json:"snapshots"`
	Anomalies       int      `json:"anomalies"`
	Asking          int      `json:"anomalies_that_ask"`
	Notifications   int      `json:"notifications"`
	Investigations  int      `json:"investigations"`
	Insights        int      `json:"insights"`
	Raised          []string `json:"raised"`
}

func quietCommand() *cobra.Command {
	var long, interval, learning time.Duration
	cmd := subcommand("quiet", "What everything in one process raises on this host while nobody asks",
		`Run NATS, a probe of this host, an operator and a coordinator, ask nothing, and count
what is raised. All settings but the interval and the time of learning are the
product's defaults. What else runs on the host counts as what happens to it.`,
		func(ctx context.Context, b *bench) (any, error) {
			if learning == 0 {
				learning = long / 6
			}
			return b.quiet(ctx, long, interval, learning)
		})
	cmd.Flags().DurationVar(&long, "for", time.Hour, "how long, learning included")
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "time between two snapshots")
	cmd.Flags().DurationVar(&learning, "learning", 0, "how long the detector learns (default: a sixth of the time)")
	return cmd
}

// quiet runs everything for a while and counts what is raised.
func (b *bench) quiet(ctx context.Context, long, interval, learning time.Duration) (*quietReport, error) {
	probe := watch.New()
	ms := learning.Milliseconds()
	probe.Interval, probe.Anomaly.LearningDurationMS = interval, &ms
	if err := probe.Validate(); err != nil {
		return nil, err
	}
	stack, err := allinone.Start(ctx, allinone.Options{
		Listen: "127.0.0.1", Port: 0, Probe: probe, Operator: operator.DefaultConfig(), Coordinator: coordinator.DefaultConfig(),
		LLM: llm.DefaultConfig(), Budget: budget.Config{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer stack.Stop()
	nc, err := nats.Connect(stack.Server.URL())
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	messages := make(chan *nats.Msg, 4096)
	for _, subject := range []string{"snapshots.>", "anomalies.>", "operator.notification.>", protocol.RequestSubject, "insights.>"} {
		if _, err := nc.ChanSubscribe(subject, messages); err != nil {
			return nil, err
		}
	}
	r := &quietReport{Minutes: round(long.Minutes()), LearningMinutes: round(learning.Minutes()), IntervalSeconds: interval.Seconds(), Raised: []string{}}
	end := time.After(long)
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-end:
			return r, nil
		case m := <-messages:
			if text := r.take(m); text != "" {
				text = time.Now().UTC().Format(time.TimeOnly) + " " + text
				r.Raised = append(r.Raised, text)
				b.say("%s", text)
			}
		}
	}
}

// take counts a message and returns what it raises; empty: nothing.
func (r *quietReport) take(m *nats.Msg) string {
	switch first, _, _ := strings.Cut(m.Subject, "."); first {
	case "snapshots":
		r.Snapshots++
	case "anomalies":
		a, err := decoded[protocol.Anomaly](m)
		if err != nil {
			return ""
		}
		r.Anomalies++
		if !a.Quiet {
			r.Asking++
		}
		return fmt.Sprintf("anomaly %s.%s is %.4g, usually %.4g, score %.1f, asks: %v", a.Skill, a.Metric, a.Value, a.Baseline, a.Score, !a.Quiet)
	case "operator":
		n, err := decoded[protocol.Notification](m)
		if err != nil || n.Origin != protocol.OriginWatch {
			return ""
		}
		r.Notifications++
		return "check " + n.Observation
	case "investigate":
		q, err := decoded[protocol.Request](m)
		if err != nil {
			return ""
		}
		r.Investigations++
		return "investigation " + q.Reason
	case "insights":
		i, err := decoded[protocol.Insight](m)
		if err != nil {
			return ""
		}
		r.Insights++
		return "insight " + i.Summary
	}
	return ""
}

func decoded[T any](m *nats.Msg) (T, error) {
	var v T
	err := json.Unmarshal(m.Data, &v)
	return v, err
}
