package allocator

import (
	"context"
	_ "embed"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

//go:embed beam.md
var beamPrompt string

// BeamSource returns the source of Erlang and Elixir nodes, by the names of their
// targets.
func BeamSource(nodes map[string]*beam.Node) skills.Source {
	return skills.PerTarget(nodes, func(n *beam.Node) skills.Source {
		w := &beamWatch{node: n}
		return skills.Source{
			Kind: skills.Beam, Prompt: beamPrompt, Metrics: beamMetrics, Checks: beamChecks, Calls: w.calls(), Snapshot: w.snapshot,
		}
	})
}

// beamLargeMB is from how many MiB of carriers on an allocator's ratio says something:
// a small one keeps a carrier or two whatever it has to do.
const beamLargeMB = 16

var beamMetrics = []skills.Metric{
	skills.Gauge("allocator_count", protocol.Count, "Allocators of the node that are in use."),
	skills.Gauge("total_carriers", protocol.Count, "Carriers: the areas that they have from the system."),
	skills.Gauge("total_carrier_mb", protocol.Mebibytes, "Memory of all carriers."),
	skills.Gauge("total_block_mb", protocol.Mebibytes, "What of it is used."),
	skills.Gauge("fragmented_allocators", protocol.Count, "Allocators with 16 MiB of carriers or more of which less than half is used."),
	skills.Gauge("worst_usage_ratio", protocol.Ratio, "The used share of the worst allocator with 16 MiB of carriers or more, 0 to 1; 1 when there is none of that size."),
	skills.Info("worst_allocator", protocol.Text, "That allocator; absent when there is none."),
	skills.Gauge("fragmented_mb", protocol.Mebibytes, "What is unused in those that use less than half, all together."),
	skills.Info("fragmented_allocator", protocol.Text, "The one of them where most is unused; absent without one."),
	skills.Gauge("fragmented_allocator_ratio", protocol.Ratio, "Its used share, 0 to 1."),
}

// Thresholds are of what is lost: a share says nothing of a small allocator.
var beamChecks = []skills.Check{
	skills.Above("fragmented_mb", 128, 1024, "fragmentation",
		"{value} MiB of the node's memory are fragmented: they are in carriers of which less than half is used; most of that in {fragmented_allocator}, used to {fragmented_allocator_ratio} of 1",
		"allocator_problematic()",
		"A peak left few blocks in many carriers: lower the peak (smaller batches, hibernation), let what lives long not mix with what lives short, or restart the node in a quiet hour."),
}

type beamWatch struct{ node *beam.Node }

func beamMiB(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func beamFragmented(a *beam.Allocator) bool {
	return a.CarrierBytes >= beamLargeMB<<20 && a.Usage() < 0.5
}

func (w *beamWatch) snapshot(ctx context.Context) (skills.Data, error) {
	list, err := w.node.Allocators(ctx)
	if err != nil {
		return nil, err
	}
	return beamFields(list), nil
}

func beamFields(list []beam.Allocator) skills.Data {
	d := skills.Data{}
	var carriers, carrierBytes, blockBytes, unused int64
	worst, fragmented, most := 1.0, 0, int64(0)
	for i := range list {
		a := &list[i]
		carriers, carrierBytes, blockBytes = carriers+a.Carriers, carrierBytes+a.CarrierBytes, blockBytes+a.BlockBytes
		if a.CarrierBytes >= beamLargeMB<<20 && a.Usage() < worst {
			worst = a.Usage()
			d.Text("worst_allocator", a.Name)
		}
		if !beamFragmented(a) {
			continue
		}
		fragmented++
		unused += a.Unused()
		if a.Unused() > most {
			most = a.Unused()
			d.Text("fragmented_allocator", a.Name)
			d.Set("fragmented_allocator_ratio", a.Usage(), 3)
		}
	}
	d.Set("allocator_count", float64(len(list)), 0)
	d.Set("total_carriers", float64(carriers), 0)
	d.Set("total_carrier_mb", beamMiB(carrierBytes), 2)
	d.Set("total_block_mb", beamMiB(blockBytes), 2)
	d.Set("fragmented_allocators", float64(fragmented), 0)
	d.Set("worst_usage_ratio", worst, 3)
	d.Set("fragmented_mb", beamMiB(unused), 1)
	return d
}
