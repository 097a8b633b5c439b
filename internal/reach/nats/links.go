package nats

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A Link is a server that this one is connected to: of its cluster, or a leaf node.
type Link struct {
	Name        string  `json:"name"`
	IP          string  `json:"ip,omitempty"`
	Account     string  `json:"account,omitempty"`
	Connections int     `json:"connections"` // that make up the link
	Outgoing    bool    `json:"connected_by_us"`
	PendingMB   float64 `json:"pending_mb"`
	RTT         float64 `json:"rtt_ms,omitempty"` // the longest
	InMsgs      float64 `json:"in_msgs"`
	OutMsgs     float64 `json:"out_msgs"`
	InMB        float64 `json:"in_mb"`
	OutMB       float64 `json:"out_mb"`
	Subs        float64 `json:"subscriptions"`
}

// Routes lists the servers of the cluster that this one is connected to, by name.
func (s *Server) Routes(ctx context.Context) ([]Link, error) {
	var told struct {
		Routes []struct {
			link
			Name     string  `json:"remote_name"`
			ID       string  `json:"remote_id"`
			Outgoing bool    `json:"did_solicit"`
			Pending  float64 `json:"pending_size"`
		} `json:"routes"`
	}
	if err := s.ask(ctx, "/routez", nil, &told); err != nil {
		return nil, err
	}
	var out []Link
	for _, r := range told.Routes {
		l := r.of(cmp.Or(r.Name, r.ID), r.Outgoing)
		l.PendingMB = r.Pending / mib
		out = join(out, l)
	}
	return sorted(out), nil
}

// Leafs lists the leaf nodes that this server is connected to, by name.
func (s *Server) Leafs(ctx context.Context) ([]Link, error) {
	var told struct {
		Leafs []struct {
			link
			Name    string `json:"name"`
			Spoke   bool   `json:"is_spoke"`
			Account string `json:"account"`
		} `json:"leafs"`
	}
	if err := s.ask(ctx, "/leafz", nil, &told); err != nil {
		return nil, err
	}
	var out []Link
	for _, f := range told.Leafs {
		l := f.of(f.Name, f.Spoke)
		l.Account = name(f.Account)
		out = append(out, l)
	}
	return sorted(out), nil
}

// The fields that /routez and /leafz share.
type link struct {
	IP       string  `json:"ip"`
	RTT      string  `json:"rtt"`
	InMsgs   float64 `json:"in_msgs"`
	OutMsgs  float64 `json:"out_msgs"`
	InBytes  float64 `json:"in_bytes"`
	OutBytes float64 `json:"out_bytes"`
	Subs     float64 `json:"subscriptions"`
}

func (k link) of(who string, outgoing bool) Link {
	l := Link{
		Name: name(who), IP: name(k.IP), Connections: 1, Outgoing: outgoing,
		InMsgs: k.InMsgs, OutMsgs: k.OutMsgs, InMB: k.InBytes / mib, OutMB: k.OutBytes / mib, Subs: k.Subs,
	}
	if rtt, err := time.ParseDuration(k.RTT); err == nil {
		l.RTT = float64(rtt.Microseconds()) / 1e3
	}
	return l
}

// join adds a route to those of the same server: servers connect several times.
func join(list []Link, l Link) []Link {
	i := slices.IndexFunc(list, func(k Link) bool { return k.Name == l.Name })
	if i < 0 {
		return append(list, l)
	}
	k := &list[i]
	k.Connections++
	k.Outgoing = k.Outgoing || l.Outgoing
	k.RTT = max(k.RTT, l.RTT)
	k.PendingMB += l.PendingMB
	k.InMsgs, k.OutMsgs, k.InMB, k.OutMB, k.Subs = k.InMsgs+l.InMsgs, k.OutMsgs+l.OutMsgs, k.InMB+l.InMB, k.OutMB+l.OutMB, k.Subs+l.Subs
	return list
}

func sorted(list []Link) []Link {
	slices.SortStableFunc(list, func(a, b Link) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.IP, b.IP)) })
	return list
}
