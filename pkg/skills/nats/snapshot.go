package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A watch asks one server and keeps what its counters were.
type watch struct {
	server *reach.Server
	skills.History[reading]
}

// A reading is what rates are taken of.
type reading struct {
	vars *reach.Vars
	lag  map[string]float64 // of consumers, by path
}

// snapshot fills in what can be read; the error joins the rest. A server that is down or
// hangs is a finding: that much is data.
func (w *watch) snapshot(ctx context.Context) (skills.Data, error) {
	now := time.Now()
	v, err := w.server.Vars(ctx)
	switch {
	case errors.Is(err, reach.ErrUnavailable):
		return skills.Unreachable(err), err
	case err != nil:
		return nil, err
	}
	d := fields{"reachable": 1.0}
	d.serverFields(v)
	cur := reading{vars: v, lag: map[string]float64{}}
	var errs []error
	for _, part := range []func(context.Context, *watch, *reading) error{d.health, d.pending, d.leafs, d.assets} {
		err := part(ctx, w, &cur)
		errs = append(errs, err)
		if errors.Is(err, reach.ErrUnavailable) {
			break // each further question would cost its deadline too
		}
	}
	if base := w.Advance(now, cur); base != nil {
		d.window(base.Value, cur, now.Sub(base.At).Seconds())
	}
	return skills.Data(d), errors.Join(errs...)
}

const mib = 1 << 20

type fields skills.Data

func (d fields) set(name string, v float64, decimals int) { skills.Data(d).Set(name, v, decimals) }
func (d fields) text(name, v string)                      { skills.Data(d).Text(name, v) }

// pct sets a share of what there may be; without a limit it stays absent.
func (d fields) pct(name string, used, most float64) {
	if most > 0 {
		d.set(name, 100*used/most, 1)
	}
}

// serverFields are what the server tells of itself.
func (d fields) serverFields(v *reach.Vars) {
	d.text("server_name", v.Name)
	d.text("server_version", v.Version)
	d.text("cluster_name", v.Cluster.Name)
	d.set("uptime_seconds", v.Now.Sub(v.Start).Seconds(), 0)
	if v.ConfigLoad != nil {
		d.set("config_loaded_seconds", max(0, v.Now.Sub(*v.ConfigLoad).Seconds()), 0)
	}
	d.pct("cpu_used_pct", v.CPU/100, float64(cmp.Or(v.MaxProcs, v.Cores)))
	d.set("memory_mb", v.Mem/mib, 1)
	d.set("connections", v.Connections, 0)
	if v.MaxConnections > 0 {
		d.set("connections_max", v.MaxConnections, 0)
	}
	d.pct("connections_used_pct", v.Connections, v.MaxConnections)
	d.set("connections_total", v.TotalConnections, 0)
	d.set("subscriptions", v.Subscriptions, 0)
	d.set("slow_consumers_total", v.SlowConsumers, 0)
	if v.StaleConnections != nil {
		d.set("stale_connections_total", *v.StaleConnections, 0)
	}
	if v.CertExpires != nil && !v.CertExpires.IsZero() {
		d.set("tls_cert_days_left", v.CertExpires.Sub(v.Now).Hours()/24, 1)
	}
	if len(v.Cluster.URLs) > 0 || v.Cluster.Name != "" {
		d.set("routes", v.Remotes, 0)
	}
	d.set("leaf_nodes", v.Leafs, 0)
	if js := v.JetStream; js.Config != nil && js.Stats != nil {
		d.set("storage_mb", js.Stats.Store/mib, 1)
		d.set("memory_store_mb", js.Stats.Memory/mib, 1)
		if js.Config.MaxStore > 0 {
			d.set("storage_max_mb", js.Config.MaxStore/mib, 1)
		}
		d.pct("storage_used_pct", js.Stats.Store, js.Config.MaxStore)
		d.pct("storage_reserved_pct", js.Stats.ReservedStore, js.Config.MaxStore)
		d.pct("memory_store_used_pct", js.Stats.Memory, js.Config.MaxMemory)
		d.set("api_errors_total", js.Stats.API.Errors, 0)
	}
	if m := v.JetStream.Meta; m != nil {
		d.meta(m)
	}
}

// meta is what there is to say of JetStream's cluster.
func (d fields) meta(m *reach.Meta) {
	present := 1.0
	if m.Leader == "" {
		present = 0
	}
	d.set("meta_leader_present", present, 0)
	d.text("meta_leader", m.Leader)
	d.set("meta_size", float64(m.Size), 0)
	if m.Quorum > 0 {
		d.set("meta_quorum", float64(m.Quorum), 0)
	}
	d.set("api_pending", float64(m.Pending), 0)
	var offline []string
	for _, p := range m.Replicas {
		if p.Offline {
			offline = append(offline, p.Name)
		}
	}
	d.set("peers_offline", float64(len(offline)), 0)
	d.text("peers_offline_names", strings.Join(offline, ", "))
}

func (d fields) health(ctx context.Context, w *watch, _ *reading) error {
	h, err := w.server.Health(ctx)
	if err != nil {
		return err
	}
	d["healthy"] = 1.0
	if !h.OK {
		d["healthy"] = 0.0
		if len(h.Problems) > 0 {
			d.text("health_problem", h.Problems[0].String())
		}
	}
	return nil
}

// pending is the client with most that waits for it.
func (d fields) pending(ctx context.Context, w *watch, cur *reading) error {
	list, _, err := w.server.Connections(ctx, 1, "pending")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return nil
	}
	c := list[0]
	d.set("connection_pending_mb", c.PendingMB, 2)
	d.pct("connection_pending_pct", c.PendingMB*mib, cur.vars.MaxPending)
	d.text("connection_pending", fmt.Sprintf("%s (%d)", c, c.ID))
	return nil
}

// leafs compares the leaf connections there are with those there should be.
func (d fields) leafs(ctx context.Context, w *watch, cur *reading) error {
	should := len(cur.vars.Leaf.Remotes)
	if should == 0 {
		return nil
	}
	list, err := w.server.Leafs(ctx)
	if err != nil {
		return err
	}
	made := 0
	for _, l := range list {
		if l.Outgoing {
			made++
		}
	}
	d.set("leaf_remotes_missing", float64(max(0, should-made)), 0)
	return nil
}

// assets are the worst of streams and consumers.
func (d fields) assets(ctx context.Context, w *watch, cur *reading) error {
	if cur.vars.JetStream.Config == nil {
		return nil
	}
	a, err := w.server.Assets(ctx)
	if err != nil || a.Disabled {
		return err
	}
	d.set("streams", float64(a.Total), 0)
	d.set("consumers", float64(len(a.Consumers)), 0)
	d.accounts(a)
	d.streams(a)
	d.consumers(a, cur.lag)
	return nil
}

// window is what happened since the reading before. A server that was started meanwhile
// counts from nothing again.
func (d fields) window(was, is reading, seconds float64) {
	if seconds <= 0 || was.vars.ID != is.vars.ID || !was.vars.Start.Equal(is.vars.Start) {
		return
	}
	d.set("in_msgs_per_sec", (is.vars.InMsgs-was.vars.InMsgs)/seconds, 1)
	d.set("out_msgs_per_sec", (is.vars.OutMsgs-was.vars.OutMsgs)/seconds, 1)
	d.set("in_bytes_per_sec", (is.vars.InBytes-was.vars.InBytes)/seconds, 0)
	d.set("out_bytes_per_sec", (is.vars.OutBytes-was.vars.OutBytes)/seconds, 0)
	d.set("slow_consumers_recent", is.vars.SlowConsumers-was.vars.SlowConsumers, 0)
	if before, now := was.vars.JetStream.Stats, is.vars.JetStream.Stats; before != nil && now != nil {
		d.set("api_errors_per_sec", (now.API.Errors-before.API.Errors)/seconds, 2)
	}
	if who, ok := d["consumer_lagging"].(string); ok {
		if lag, known := was.lag[who]; known {
			d.set("consumer_lag_growth_per_sec", (is.lag[who]-lag)/seconds, 1)
		}
	}
}
