package fleet

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fleetlens/fleetlens/internal/detect"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// historySamples is how many healthy samples the detectors know: 25 hours of them.
const historySamples = 25 * 3600 / 30

// stateFile is where a probe keeps its baselines in its state folder.
const stateFile = "baselines"

// A History is the baselines of a fleet's detectors after more than a day in which all
// was well, by node.
type History map[string][]byte

// Learn shows each node's detector, with its default options, the healthy samples of the
// 25 hours before an end, 30 s apart: what a probe would have kept.
func (p *Plan) Learn(ctx context.Context, end time.Time) (History, error) {
	files := make([][]byte, len(p.Nodes))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range p.Nodes {
		g.Go(func() (err error) {
			if ctx.Err() == nil {
				files[i], err = p.learn(i, end)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	h := History{}
	for i, n := range p.Nodes {
		h[n.Name] = files[i]
	}
	return h, ctx.Err()
}

func (p *Plan) learn(i int, end time.Time) ([]byte, error) {
	begin := end.Add(-historySamples * Step)
	d, err := detect.New(detect.DefaultOptions(), begin)
	if err != nil {
		return nil, err
	}
	m := p.machine(i)
	list := Words()
	for n := range int64(historySamples) {
		at := begin.Add(time.Duration(n) * Step)
		for _, s := range list {
			d.Snapshot("host", s.Name, at, samples(s.Sources[0], m.data(s.Name, n, -1, at)))
		}
	}
	return d.Marshal(), nil
}

// samples is what the detector of a probe judges of a snapshot.
func samples(src skills.Source, data skills.Data) []detect.Sample {
	var out []detect.Sample
	for _, m := range src.Metrics {
		v, ok := data[m.Name].(float64)
		if !ok || m.Kind == protocol.Info {
			continue
		}
		var levels []float64
		for _, c := range src.Checks {
			if c.Metric == m.Name && c.Warn != nil {
				levels = append(levels, *c.Warn)
			}
		}
		out = append(out, detect.Sample{Metric: m.Name, Counter: m.Kind == protocol.Counter, Floor: detect.Floor(string(m.Unit), levels...), Value: v})
	}
	return out
}

// write puts the baselines of a node into its state folder.
func (h History) write(node, folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, stateFile), h[node], 0o600)
}
