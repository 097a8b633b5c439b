package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Operators that stand in notifications which no skill's operator made.
const (
	alertOperator = "alert"
	silentNode    = "heartbeat"
)

// silenceOf and a node's name is the same when the node falls silent and when it reports again.
const silenceOf = "silence of "

// A report is a signal, or that the alert which was one is over.
type report struct {
	triage.Signal
	Over bool
}

// signal reads a message of triage's streams. One that says nothing to triage has no key.
func (d *desk) signal(m bus.Msg) (report, error) {
	switch first, _, _ := strings.Cut(m.Subject, "."); first {
	case "anomalies":
		a, err := protocol.Decode[protocol.Anomaly](m.Data)
		if err != nil {
			return report{}, err
		}
		if m.Subject != protocol.AnomalySubject(a.Node, a.Target, a.Skill) {
			return report{}, fmt.Errorf("it says that it is of %s/%s, its subject does not", a.Node, a.Target)
		}
		return report{Signal: d.ofAnomaly(a)}, nil
	case "alerts":
		a, err := protocol.Decode[protocol.Alert](m.Data)
		if err != nil {
			return report{}, err
		}
		return report{d.ofAlert(a), a.State != "firing"}, nil
	case "operator":
		n, err := protocol.Decode[protocol.Notification](m.Data)
		if err != nil {
			return report{}, err
		}
		return report{Signal: d.ofNotification(n)}, nil
	}
	return report{}, nil // changes are evidence, and ask for nothing
}

func (d *desk) ofNotification(n protocol.Notification) triage.Signal {
	s := triage.Signal{Kind: triage.Finding, Key: keyOf(n.Operator, n.AnomalyType, n.Target), Node: n.Node, At: n.DetectedAt, From: n.InvestigationID, Note: n,
		Topic: d.topic(n.Operator, n.AnomalyType, n.Target)}
	if n.Origin == protocol.OriginWatch {
		s.Kind, s.From = triage.Watch, ""
	}
	if len(n.Snapshots) > 0 {
		s.At = d.fleet.eventTime(n.Node, n.Snapshots[0].CapturedAt)
	}
	s.Strength = strength(n.Severity, 0)
	return s
}

// strength orders severities, and anomalies of one severity by their scores.
func strength(s protocol.Severity, score float64) float64 {
	return float64(s.Rank()) + min(max(score, 0)/1000, .999)
}

// hostTarget is the target that is the node itself.
const hostTarget = "host"

// keyOf names what a signal is about. Two services of one node with the same fault are
// two matters.
func keyOf(skill, metric, target string) string {
	if target == "" || target == hostTarget {
		return skill + "." + metric
	}
	return skill + "." + metric + " of " + target
}

// topic returns what a metric of a target is about; empty: its name does not tell.
func (d *desk) topic(skill, metric, target string) string {
	r := resourceOf(d.words, skill, metric)
	if r == "" || target == "" || target == hostTarget {
		return r
	}
	return r + " of " + target
}

func (d *desk) ofAnomaly(a protocol.Anomaly) triage.Signal {
	baseline := a.Baseline
	at := d.fleet.eventTime(a.Node, a.Since)
	says := fmt.Sprintf("%s.%s is %s, usually %s", a.Skill, a.Metric, figure(a.Value, a.Unit), figure(a.Baseline, a.Unit))
	context := fmt.Sprintf("%s/%s, since %s", a.Node, a.Target, at.UTC().Format(time.RFC3339))
	if a.Deviations != 0 {
		context += fmt.Sprintf("; %s of its own deviations from its baseline", figure(a.Deviations, ""))
	}
	return triage.Signal{
		Kind: triage.Anomaly, Key: keyOf(a.Skill, a.Metric, a.Target), Node: a.Node, At: at, Strength: strength(a.Severity, a.Score), Quiet: a.Quiet, Topic: d.topic(a.Skill, a.Metric, a.Target),
		Note: protocol.Notification{
			ID: a.ID, RunID: "detector." + a.Node, Operator: a.Skill, Node: a.Node, Target: a.Target, AnomalyType: a.Metric, Severity: a.Severity,
			Context: context, Observation: says, Snapshots: []protocol.Snapshot{}, Verified: true, DetectedAt: a.DetectedAt, Since: a.Since, Origin: protocol.OriginAnomaly,
			Evidence: []protocol.Evidence{{
				Address: a.ID + "#" + a.Metric, Node: a.Node, Target: a.Target, Name: a.Metric, Value: a.Value, Unit: a.Unit, Baseline: &baseline, Series: a.Series,
			}},
		},
	}
}

// figure writes a value as people read it.
func figure(v float64, u protocol.Unit) string {
	if a := math.Abs(v); a >= 100 {
		v = math.Round(v)
	} else {
		v = math.Round(v*100) / 100
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', -1, 64) + " " + u.Symbol())
}

// nodeLabels are the labels of alerts that name a node, the most exact first.
var nodeLabels = []string{"node", "host", "hostname", "nodename", "kubernetes_node", "instance"}

func (d *desk) ofAlert(a protocol.Alert) triage.Signal {
	node := ""
	for _, label := range nodeLabels {
		host := a.Labels[label]
		if h, _, err := net.SplitHostPort(host); err == nil { // what Prometheus scrapes
			host = h
		}
		if node = cmp.Or(d.fleet.named(host), d.links.links.NodeAt(host)); node != "" {
			break
		}
	}
	says := a.Name
	for _, k := range []string{"summary", "description", "message"} {
		if text := a.Annotations[k]; text != "" {
			says = a.Name + ": " + text
			break
		}
	}
	return triage.Signal{
		Kind: triage.Alert, Key: "alert." + a.Name, Alert: a.Identity(), Node: node, At: a.StartsAt, Strength: strength(a.Severity, 0),
		Note: protocol.Notification{
			// What another system says was checked by none of ours.
			ID: a.ID, RunID: "alert." + a.Source, Operator: alertOperator, Node: orFleet(node), AnomalyType: a.Name, Severity: a.Severity,
			Context: fmt.Sprintf("alert of %s, since %s, labels %v", a.Source, a.StartsAt.UTC().Format(time.RFC3339), a.Labels), Observation: says,
			Snapshots: []protocol.Snapshot{}, DetectedAt: a.StartsAt, Origin: protocol.OriginAlert,
		},
	}
}

// orFleet stands where a notification needs a node and none is known.
func orFleet(node string) string {
	if node == "" {
		return "fleet"
	}
	return node
}

// listen finds the nodes that fell silent.
func (d *desk) listen(ctx context.Context, now time.Time) {
	if !d.conn.Connected() { // it is this coordinator that does not hear
		d.since = now
		return
	}
	d.mu.Lock()
	fell, _ := d.fleet.fellSilent(now, d.since, d.least, stale, d.silent)
	d.mu.Unlock()
	if len(fell) > 0 { // what this coordinator was too busy to hear lies in the stream
		if err := d.fleet.beats.read(ctx); err != nil {
			d.log.Warn("nobody is called silent now: heartbeats cannot be read", "err", err)
			return
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	fell, back := d.fleet.fellSilent(now, d.since, d.least, stale, d.silent)
	for _, name := range back {
		delete(d.silent, name)
		d.resolve(silenceOf + name)
	}
	for _, n := range fell {
		d.silent[n.name] = n.last
		d.add(ctx, report{Signal: triage.Signal{
			Kind: triage.Silence, Key: silentNode + ".silent", Alert: silenceOf + n.name, Node: n.name, At: n.last, Strength: strength(protocol.SeverityCritical, 0),
			Note: protocol.Notification{
				ID: protocol.EffectID("silent", n.name, n.last.UTC().Format(time.RFC3339Nano)), RunID: "heartbeat." + n.name, Operator: silentNode, Node: n.name,
				Target: "host", AnomalyType: "silent", Severity: protocol.SeverityCritical, Verified: true, DetectedAt: now, Since: n.last, Origin: protocol.OriginSilence,
				Context:     fmt.Sprintf("its probe reported every %s, last at %s", n.every, n.last.UTC().Format(time.RFC3339)),
				Observation: "the node no longer reports", Snapshots: []protocol.Snapshot{},
			},
		}})
	}
}

// readSilences reads what people do not want to be asked about.
func (d *desk) readSilences(ctx context.Context) error {
	list := slices.Clone(d.silenced)
	for m, err := range d.conn.Range(ctx, bus.People, protocol.PeopleSubject("silence", protocol.Any), d.people+1) {
		if err != nil {
			return err
		}
		d.people = m.Sequence
		s, err := protocol.Decode[protocol.Silence](m.Data)
		if err != nil {
			d.log.Warn("a silence cannot be read", "subject", m.Subject, "err", err)
			continue
		}
		// The last word on an id counts.
		list = slices.DeleteFunc(list, func(old protocol.Silence) bool { return old.ID == s.ID })
		list = append(list, s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silenced = slices.DeleteFunc(list, func(s protocol.Silence) bool { return time.Now().After(s.Until) })
	return nil
}
