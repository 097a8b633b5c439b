package fleet

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A signal is a thing that the product noticed on a node.
type signal struct {
	id, node, key string
	kind          string // the origin of its notification
	at            time.Time
}

// An insight is what the product concluded, and when that could be read.
type insight struct {
	protocol.Insight
	at time.Time
}

// seen is what the product said, in the order in which it did.
type seen struct {
	mu       sync.Mutex
	signals  []signal
	insights []insight
	requests map[string]bool
	stops    []func()
}

func observe(conn *bus.Conn) (*seen, error) {
	o := &seen{requests: map[string]bool{}}
	for subject, take := range map[string]func(bus.Msg){
		protocol.AnomalySubject(protocol.Any, protocol.Any, protocol.Any):      o.anomaly,
		protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any): o.notification,
		protocol.InsightSubject(protocol.Any, protocol.Any, protocol.Any):      o.insight,
		protocol.RequestSubject: o.request,
	} {
		stop, err := conn.Subscribe(subject, func(m bus.Msg) {
			o.mu.Lock()
			defer o.mu.Unlock()
			take(m)
		})
		if err != nil {
			o.stop()
			return nil, err
		}
		o.stops = append(o.stops, stop)
	}
	return o, nil
}

func (o *seen) stop() {
	for _, stop := range o.stops {
		stop()
	}
}

func (o *seen) anomaly(m bus.Msg) {
	if a, err := protocol.Decode[protocol.Anomaly](m.Data); err == nil {
		o.add(signal{a.ID, a.Node, a.Skill + "." + a.Metric, protocol.OriginAnomaly, m.Time})
	}
}

func (o *seen) notification(m bus.Msg) {
	if n, err := protocol.Decode[protocol.Notification](m.Data); err == nil && n.Origin == protocol.OriginWatch {
		o.add(signal{n.ID, n.Node, n.Operator + "." + n.AnomalyType, protocol.OriginWatch, m.Time})
	}
}

// add adds what was not said before: the server drops repeats, those who listen see them.
func (o *seen) add(s signal) {
	if !slices.ContainsFunc(o.signals, func(have signal) bool { return have.id == s.id }) {
		o.signals = append(o.signals, s)
	}
}

func (o *seen) insight(m bus.Msg) {
	i, err := protocol.Decode[protocol.Insight](m.Data)
	if err == nil && !slices.ContainsFunc(o.insights, func(have insight) bool { return have.ID == i.ID }) {
		o.insights = append(o.insights, insight{i, m.Time})
	}
}

// lastInsight returns when the last insight came; zero: none did.
func (o *seen) lastInsight() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.insights) == 0 {
		return time.Time{}
	}
	return o.insights[len(o.insights)-1].at
}

func (o *seen) request(m bus.Msg) {
	if r, err := protocol.ReadRequest(m.Data); err == nil {
		o.requests[r.ID] = true
	}
}

// silences adds the nodes whose silence triage noticed, which nobody publishes.
func (o *seen) silences(groups []*triage.Group) {
	const key = "heartbeat.silent"
	for _, g := range groups {
		for _, node := range g.With([]string{key}) {
			o.signals = append(o.signals, signal{"silent " + node, node, key, protocol.OriginSilence, g.OpenedAt})
		}
	}
}

// notices counts what watching operators told on the stream, by node.
func notices(ctx context.Context, conn *bus.Conn) (map[string]int, error) {
	out := map[string]int{}
	for m, err := range conn.Range(ctx, bus.Findings, protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), 0) {
		if err != nil {
			return nil, err
		}
		if n, err := protocol.Decode[protocol.Notification](m.Data); err == nil && n.Origin == protocol.OriginWatch {
			out[n.Node]++
		}
	}
	return out, nil
}

// score judges what was seen until now.
func (o *seen) score(ctx context.Context, conn *bus.Conn, s *Script, p *Probes, interval time.Duration) (*Score, error) {
	state, err := coordinator.ReadTriage(ctx, conn)
	if err != nil {
		return nil, err
	}
	told, err := notices(ctx, conn)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silences(state.Groups)
	slices.SortStableFunc(o.insights, func(a, b insight) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	j := judge{script: s, zero: time.Unix(0, p.zero.Load()), interval: interval, signals: o.signals, insights: o.insights, groups: state.Groups}
	score := j.score()
	score.Investigations = len(o.requests)
	for _, n := range told {
		score.MostNotifications = max(score.MostNotifications, n)
	}
	score.NotifiedNodes = len(told)
	return score, nil
}
