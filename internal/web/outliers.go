package web

import (
	"context"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An Outlier is what a node stands out by: its strongest anomaly of the last hour,
// beside what its peers have.
type Outlier struct {
	Node       string            `json:"node"`
	Target     string            `json:"target"`
	Skill      string            `json:"skill"`
	Metric     string            `json:"metric"`
	Value      float64           `json:"value"`
	Baseline   float64           `json:"baseline"` // what it usually is on this node
	Unit       protocol.Unit     `json:"unit,omitempty"`
	Severity   protocol.Severity `json:"severity"`
	DetectedAt time.Time         `json:"detected_at"`
	// PeersMedian is the median of the peers' newest values; missing: none has any.
	PeersMedian *float64 `json:"peers_median,omitempty"`
	Peers       int      `json:"peers"`           // of how many
	Among       string   `json:"among,omitempty"` // the label that they share, such as role=web
}

// Outliers are the nodes that stand out, the strongest first.
type Outliers struct {
	Items []Outlier `json:"items"`
	// Uncompared is how many stand out without a median: peers are read for the strongest,
	// of at most mostPeerGroups groups.
	Uncompared int `json:"uncompared,omitempty"`
	Unreadable int `json:"unreadable,omitempty"`
}

// Bounds of what is read: how far back, and how many groups of peers.
const (
	outliersSince  = time.Hour
	mostPeerGroups = 20
)

// sharedOutliers are those that were read last. Any number of pages ask when anomalies
// are found: one read at a time answers all that asked before it began.
type sharedOutliers struct {
	mu    sync.Mutex
	list  Outliers
	begun time.Time
}

func (s *Server) outliers(ctx context.Context, _ *query) (any, error) {
	shared, asked := &s.standOut, time.Now()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.begun.After(asked) {
		return shared.list, nil
	}
	begun := time.Now()
	list, err := s.readOutliers(ctx)
	if err != nil {
		return nil, err
	}
	shared.list, shared.begun = list, begun
	return list, nil
}

func (s *Server) readOutliers(ctx context.Context) (Outliers, error) {
	list, unreadable, err := reading.Since[protocol.Anomaly](ctx, s.bus, bus.Events, protocol.AnomalySubject(protocol.Any, protocol.Any, protocol.Any), time.Now().Add(-outliersSince))
	if err != nil {
		return Outliers{}, err
	}
	out := Outliers{Items: []Outlier{}, Unreadable: unreadable}
	found, skills := reading.Strongest(list), map[string]bool{}
	if len(found) == 0 {
		return out, nil
	}
	for _, a := range found {
		skills[a.Skill] = true
	}
	p, err := s.peersOf(ctx, func(skill string) bool { return skills[skill] })
	if err != nil {
		return Outliers{}, err
	}
	read := map[peerGroup][]protocol.Snapshot{}
	for _, a := range found {
		o := Outlier{Node: a.Node, Target: a.Target, Skill: a.Skill, Metric: a.Metric, Value: a.Value, Baseline: a.Baseline, Unit: a.Unit, Severity: a.Severity, DetectedAt: a.DetectedAt}
		g := p.of(a.Node, a.Kind, a.Skill)
		snapshots, known := read[g]
		if !known && len(read) < mostPeerGroups {
			if snapshots, err = p.read(ctx, s, g); err != nil {
				return Outliers{}, err
			}
			read[g], known = snapshots, true
		}
		if known {
			o.Among = g.String()
			o.PeersMedian, o.Peers = medianOf(snapshots, a.Node, a.Metric)
		} else {
			out.Uncompared++
		}
		out.Items = append(out.Items, o)
	}
	return out, nil
}
