package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	reach "github.com/fleetlens/fleetlens/internal/reach/nats"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// An answer is what a callback tells.
type answer map[string]any

// most sorts rows, those with most first, and those with as much by their names.
func most[T any](rows []T, of func(T) float64, name func(T) string) {
	slices.SortStableFunc(rows, func(a, b T) int {
		return cmp.Or(cmp.Compare(of(b), of(a)), strings.Compare(name(a), name(b)))
	})
}

// partly says when not all of the streams were read.
func (a answer) partly(of *reach.Assets) answer {
	if of.Partial {
		a["partial"] = true
	}
	return a
}

// held reads what JetStream holds.
func (w *watch) held(ctx context.Context) (*reach.Assets, error) {
	a, err := w.server.Assets(ctx)
	if err == nil && a.Disabled {
		return nil, errors.New("the server has no JetStream: it has no streams and no consumers")
	}
	return a, err
}

func (w *watch) describe(ctx context.Context) (any, error) {
	v, err := w.server.Vars(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{
		"name": v.Name, "version": v.Version, "cores": cmp.Or(v.MaxProcs, v.Cores), "cpu_pct": skills.Round(v.CPU, 1), "memory_mb": skills.Round(v.Mem/mib, 1),
		"uptime_seconds": skills.Round(v.Now.Sub(v.Start).Seconds(), 0), "connections": v.Connections, "connections_total": v.TotalConnections,
		"subscriptions": v.Subscriptions, "slow_consumers": v.SlowConsumers, "routes": v.Remotes, "leaf_nodes": v.Leafs,
	}
	if v.Cluster.Name != "" {
		a["cluster"] = skills.Cut(v.Cluster.Name)
	}
	if v.StaleConnections != nil {
		a["stale_connections"] = *v.StaleConnections
	}
	if v.StalledClients != nil {
		a["stalled_clients"] = *v.StalledClients
	}
	if js := v.JetStream; js.Config != nil && js.Stats != nil {
		if js.Config.Domain != "" {
			a["domain"] = skills.Cut(js.Config.Domain)
		}
		a["jetstream"] = answer{
			"storage_mb": skills.Round(js.Stats.Store/mib, 1), "memory_mb": skills.Round(js.Stats.Memory/mib, 1), "reserved_storage_mb": skills.Round(js.Stats.ReservedStore/mib, 1),
			"api_requests": js.Stats.API.Total, "api_errors": js.Stats.API.Errors, "api_inflight": js.Stats.API.Inflight, "replicated_assets": js.Stats.HAAssets,
		}
	}
	return a, nil
}

// mostProblems is how many problems are told.
const mostProblems = 50

func (w *watch) health(ctx context.Context) (any, error) {
	h, err := w.server.Health(ctx)
	if err != nil {
		return nil, err
	}
	return skills.List(answer{"ok": h.OK}, "problems", h.Problems, mostProblems), nil
}

// A limit is one thing of which there may be so much.
type limit struct {
	What string  `json:"what"`
	Used float64 `json:"used"`
	Max  float64 `json:"max"`
	Pct  float64 `json:"used_pct"`
}

// mostLimits is how many streams, and how many accounts, are among the limits.
const mostLimits = 10

func (w *watch) limits(ctx context.Context) (any, error) {
	v, err := w.server.Vars(ctx)
	if err != nil {
		return nil, err
	}
	var of []limit
	add := func(to []limit, what string, used, of float64) []limit {
		if of <= 0 {
			return to
		}
		return append(to, limit{what, skills.Round(used, 1), skills.Round(of, 1), skills.Round(100*used/of, 1)})
	}
	of = add(of, "connections", v.Connections, v.MaxConnections)
	of = add(of, "subscriptions", v.Subscriptions, v.MaxSubscriptions)
	of = add(of, "memory of the process in MiB (GOMEMLIMIT)", v.Mem/mib, v.MemLimit/mib)
	a := answer{"max_payload_mb": skills.Round(v.MaxPayload/mib, 2), "max_pending_mb": skills.Round(v.MaxPending/mib, 1), "write_deadline_seconds": v.WriteDeadline / 1e9}
	if js := v.JetStream; js.Config != nil && js.Stats != nil {
		of = add(of, "JetStream's files in MiB", js.Stats.Store/mib, js.Config.MaxStore/mib)
		of = add(of, "JetStream's files reserved by limits of streams in MiB", js.Stats.ReservedStore/mib, js.Config.MaxStore/mib)
		of = add(of, "JetStream's memory in MiB", js.Stats.Memory/mib, js.Config.MaxMemory/mib)
		held, err := w.held(ctx)
		if err != nil {
			return nil, err
		}
		a.partly(held)
		var streams, accounts []limit
		for _, s := range held.Streams {
			streams = add(streams, "messages of stream "+s.Name, s.Messages, s.MaxMessages)
			streams = add(streams, "MiB of stream "+s.Name, s.MB, s.MaxMB)
		}
		for _, u := range accountUse(held) {
			accounts = add(accounts, "MiB in files of account "+u.Account, u.Storage, u.MaxStorage)
			accounts = add(accounts, "MiB in memory of account "+u.Account, u.Memory, u.MaxMemory)
		}
		for _, more := range [][]limit{streams, accounts} {
			fullest(more)
			of = append(of, more[:min(mostLimits, len(more))]...)
		}
	}
	fullest(of)
	a["limits"] = of
	return a, nil
}

func fullest(list []limit) {
	most(list, func(l limit) float64 { return l.Pct }, func(l limit) string { return l.What })
}

// use is what one account uses.
type use struct {
	Account    string   `json:"account"`
	Streams    int      `json:"streams"`
	Storage    float64  `json:"storage_mb"`
	MaxStorage float64  `json:"max_storage_mb,omitempty"`
	StoragePct *float64 `json:"storage_used_pct,omitempty"`
	Memory     float64  `json:"memory_mb"`
	MaxMemory  float64  `json:"max_memory_mb,omitempty"`
	MemoryPct  *float64 `json:"memory_used_pct,omitempty"`
	Requests   float64  `json:"api_requests"`
	Errors     float64  `json:"api_errors"`
}

// nearest is the use of the limit that is nearer.
func (u use) nearest() float64 {
	var most float64
	for _, pct := range []*float64{u.StoragePct, u.MemoryPct} {
		if pct != nil {
			most = max(most, *pct)
		}
	}
	return most
}

// accountUse returns what the accounts use of JetStream.
func accountUse(a *reach.Assets) []use {
	out := make([]use, 0, len(a.Accounts))
	for _, c := range a.Accounts {
		u := use{
			Account: c.Name, Streams: c.Streams, Storage: skills.Round(c.Store/mib, 2), Memory: skills.Round(c.Memory/mib, 2),
			Requests: c.API.Total, Errors: c.API.Errors,
		}
		if c.Limited.Store {
			pct := skills.Round(100*c.Store/c.ReservedStore, 1)
			u.MaxStorage, u.StoragePct = skills.Round(c.ReservedStore/mib, 2), &pct
		}
		if c.Limited.Memory {
			pct := skills.Round(100*c.Memory/c.ReservedMemory, 1)
			u.MaxMemory, u.MemoryPct = skills.Round(c.ReservedMemory/mib, 2), &pct
		}
		out = append(out, u)
	}
	return out
}

func (w *watch) accounts(ctx context.Context, limit int) (any, error) {
	held, err := w.held(ctx)
	if err != nil {
		return nil, err
	}
	rows := accountUse(held)
	most(rows, use.nearest, func(u use) string { return u.Account })
	return skills.List(answer{}, "accounts", rows, limit).partly(held), nil
}

func (w *watch) connections(ctx context.Context, limit int, order string) (any, error) {
	v, err := w.server.Vars(ctx)
	if err != nil {
		return nil, err
	}
	rows, total, err := w.server.Connections(ctx, limit, order)
	if err != nil {
		return nil, err
	}
	a := answer{"connections": clients(rows, v.MaxPending), "total": total}
	if total > len(rows) {
		a["truncated"] = true
	}
	return a, nil
}

// clients rounds what is told of connections.
func clients(rows []reach.Connection, maxPending float64) []reach.Connection {
	for i := range rows {
		c := &rows[i]
		if maxPending > 0 {
			c.PendingPct = skills.Round(100*c.PendingMB*mib/maxPending, 1)
		}
		c.PendingMB, c.InMB, c.OutMB = skills.Round(c.PendingMB, 2), skills.Round(c.InMB, 2), skills.Round(c.OutMB, 2)
		c.Connected, c.Idle = skills.Round(c.Connected, 0), skills.Round(c.Idle, 0)
	}
	return rows
}

// mostWaiting is how many connections are told beside those that were ended.
const mostWaiting = 5

func (w *watch) slow(ctx context.Context, limit int) (any, error) {
	v, err := w.server.Vars(ctx)
	if err != nil {
		return nil, err
	}
	ended, err := w.server.Slow(ctx, limit+1)
	if err != nil {
		return nil, err
	}
	waiting, _, err := w.server.Connections(ctx, mostWaiting, "pending")
	if err != nil {
		return nil, err
	}
	waiting = slices.DeleteFunc(waiting, func(c reach.Connection) bool { return c.PendingMB == 0 })
	a := answer{"slow_consumers": v.SlowConsumers, "waiting": clients(waiting, v.MaxPending)}
	return skills.List(a, "ended", clients(ended, v.MaxPending), limit), nil
}

// notFound says which streams there are.
func notFound(held *reach.Assets, stream string) error {
	var names []string
	for _, s := range held.Streams {
		names = append(names, skills.Cut(s.Name))
	}
	slices.Sort(names)
	const shown = 10
	if len(names) > shown {
		names = append(names[:shown], fmt.Sprintf("and %d more", len(held.Streams)-shown))
	}
	return fmt.Errorf("this server has no stream %q (has %s)", skills.Cut(stream), cmp.Or(strings.Join(names, ", "), "none"))
}
