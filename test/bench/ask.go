package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/bus/natsd"
	"github.com/fleetlens/fleetlens/internal/operator"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

// askReport is how long one script over a fleet takes.
type askReport struct {
	Probes   int     `json:"probes"`
	Runs     int     `json:"runs"`
	P50      figure  `json:"fleet_ms_p50"`
	P99      float64 `json:"fleet_ms_p99"`
	Hanging  int     `json:"hanging"`
	Deadline float64 `json:"callback_deadline_ms"`
	Late     figure  `json:"fleet_with_hanging_ms_p50"`
	LateP99  float64 `json:"fleet_with_hanging_ms_p99"`
}

// askScript is what is run.
const askScript = `return fleet("system_get_memory")`

func askCommand() *cobra.Command {
	var hanging, runs int
	cmd := subcommand("ask", "One script that asks fifty probes",
		`Run a script in the sandbox that asks fifty probes for their memory at once, and
again where some of them hang. NATS and the probes, all of this host, run in this
process, each on a connection of its own. Each run is checked: one table with a row
for each probe, and a reason where one did not answer.`,
		func(ctx context.Context, b *bench) (any, error) { return b.ask(ctx, hanging, runs) })
	cmd.Flags().IntVar(&hanging, "hanging", 3, "probes that never answer, in the second part")
	cmd.Flags().IntVar(&runs, "runs", 40, "runs of the first part; the second has a fourth as many")
	return cmd
}

func (b *bench) ask(ctx context.Context, hanging, runs int) (_ *askReport, err error) {
	server, err := natsd.Start(natsd.Options{StoreDir: filepath.Join(b.dir, "nats")})
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	conn, err := b.dial(ctx, bus.Config{InProcess: server})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Setup(ctx, bus.SetupOptions{Skills: []string{"os"}}); err != nil {
		return nil, err
	}
	var targets []protocol.TargetRef
	var probes []process
	for n := range protocol.MaxTaskTargets {
		node := fmt.Sprintf("bench-%02d", n)
		targets, probes = append(targets, protocol.TargetRef{Node: node, Target: "host", Kind: "host"}), append(probes, b.hostProbe(node))
	}
	b.say("starting %d probes", len(probes))
	stop, err := b.together(ctx, server, probes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	const deadline = time.Second
	took, err := b.askRuns(ctx, conn, targets, deadline, runs, 0)
	if err != nil {
		return nil, err
	}
	for i := range hanging { // nobody serves these: they take questions and never answer
		targets[i].Node = fmt.Sprintf("hanging-%02d", i)
		unsubscribe, err := conn.Subscribe(protocol.ProbeSubject(targets[i].Node, "call"), func(bus.Msg) {})
		if err != nil {
			return nil, err
		}
		defer unsubscribe()
	}
	late, err := b.askRuns(ctx, conn, targets, deadline, max(1, runs/4), hanging)
	if err != nil {
		return nil, err
	}
	return &askReport{
		Probes: len(targets), Runs: runs, P50: atMost(ms(percentile(took, 50)), 200), P99: ms(percentile(took, 99)),
		Hanging: hanging, Deadline: ms(deadline), Late: atMost(ms(percentile(late, 50)), ms(deadline+200*time.Millisecond)), LateP99: ms(percentile(late, 99)),
	}, nil
}

// askRuns runs the script and checks what it gave.
func (b *bench) askRuns(ctx context.Context, conn *bus.Conn, targets []protocol.TargetRef, deadline time.Duration, runs, hanging int) ([]time.Duration, error) {
	words, err := skills.Words(all.Skills(all.Options{}), nil)
	if err != nil {
		return nil, err
	}
	scripts := operator.NewSandbox(b.log)
	defer scripts.Close()
	var took []time.Duration
	for n := range runs {
		if n%10 == 0 {
			b.say("run %d of %d, %d hanging", n, runs, hanging)
		}
		calls := &agent.FleetCalls{Targets: targets, Docs: words[0].Calls, Probes: operator.NewProbes(conn, deadline)}
		began := time.Now()
		value, _, err := scripts.Run(ctx, askScript, calls.Names(), calls.Call)
		took = append(took, time.Since(began))
		if err != nil {
			return nil, err
		}
		table, _ := value.(map[string]any)
		failed := 0
		for target, row := range table {
			said, _ := row.(map[string]any)["error"].(string)
			if said != "" && !strings.Contains(said, strings.TrimSuffix(target, "/host")) {
				return nil, fmt.Errorf("%s failed without its name: %s", target, said)
			}
			if said != "" {
				failed++
			}
		}
		if len(table) != len(targets) || failed != hanging {
			return nil, fmt.Errorf("the table has %d rows, %d of them failed; want %d and %d", len(table), failed, len(targets), hanging)
		}
	}
	return took, nil
}
