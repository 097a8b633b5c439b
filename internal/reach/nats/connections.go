package nats

import (
	"context"
	"slices"
	"strings"
	"time"
)

// A Connection is one client of the server, or one that was.
type Connection struct {
	ID         uint64  `json:"cid"`
	Kind       string  `json:"kind,omitempty"`
	Name       string  `json:"name,omitempty"` // what the client calls itself
	Account    string  `json:"account,omitempty"`
	IP         string  `json:"ip,omitempty"`
	Port       int     `json:"port,omitempty"`
	Lang       string  `json:"lang,omitempty"`
	Version    string  `json:"version,omitempty"`
	PendingMB  float64 `json:"pending_mb"` // that wait to be sent to it
	PendingPct float64 `json:"pending_pct,omitempty"`
	RTT        float64 `json:"rtt_ms,omitempty"`
	InMsgs     float64 `json:"in_msgs"` // from it
	OutMsgs    float64 `json:"out_msgs"`
	InMB       float64 `json:"in_mb"`
	OutMB      float64 `json:"out_mb"`
	Subs       float64 `json:"subscriptions"`
	Stalls     float64 `json:"stalls,omitempty"` // how often it was made to wait for slower ones
	Connected  float64 `json:"connected_seconds"`
	Idle       float64 `json:"idle_seconds,omitempty"`
	Reason     string  `json:"reason,omitempty"` // why it was ended
	Ended      string  `json:"ended,omitempty"`
}

// String is how people tell a connection from others.
func (c Connection) String() string {
	if c.Name != "" {
		return c.Name
	}
	return c.IP
}

// Orders are by what connections may be sorted, the most first; the values are those of the server.
var Orders = map[string]string{
	"pending": "pending", "out_bytes": "bytes_to", "in_bytes": "bytes_from", "out_msgs": "msgs_to", "in_msgs": "msgs_from",
	"subscriptions": "subs", "idle": "idle", "rtt": "rtt",
}

// The shape of /connz. What the client showed to be let in is not read.
type connz struct {
	Now   time.Time `json:"now"`
	Total int       `json:"total"`
	Conns []struct {
		CID      uint64     `json:"cid"`
		Kind     string     `json:"kind"`
		IP       string     `json:"ip"`
		Port     int        `json:"port"`
		Start    time.Time  `json:"start"`
		Last     time.Time  `json:"last_activity"`
		Stop     *time.Time `json:"stop"`
		Reason   string     `json:"reason"`
		RTT      string     `json:"rtt"`
		Pending  float64    `json:"pending_bytes"`
		InMsgs   float64    `json:"in_msgs"`
		OutMsgs  float64    `json:"out_msgs"`
		InBytes  float64    `json:"in_bytes"`
		OutBytes float64    `json:"out_bytes"`
		Stalls   float64    `json:"stalls"`
		Subs     float64    `json:"subscriptions"`
		Name     string     `json:"name"`
		Lang     string     `json:"lang"`
		Version  string     `json:"version"`
		Account  string     `json:"account"`
	} `json:"connections"`
}

// Connections lists at most so many connections, in an order of Orders, and how many
// there are in all.
func (s *Server) Connections(ctx context.Context, limit int, order string) (list []Connection, total int, err error) {
	var told connz
	if err := s.ask(ctx, "/connz", limited(0, limit, "sort", Orders[order], "auth", "true"), &told); err != nil {
		return nil, 0, err
	}
	return told.list(), told.Total, nil
}

// The server remembers 10,000 connections that ended, as a rule.
const (
	closedAtOnce = 1024
	mostClosed   = 10
)

// Slow lists connections that the server ended because they did not take what was sent
// to them, the last to be ended first, of those that it remembers.
func (s *Server) Slow(ctx context.Context, limit int) ([]Connection, error) {
	var out []Connection
	for page := range mostClosed {
		var told connz
		if err := s.ask(ctx, "/connz", limited(page*closedAtOnce, closedAtOnce, "state", "closed", "sort", "stop", "auth", "true"), &told); err != nil {
			return nil, err
		}
		for _, c := range told.list() {
			if strings.HasPrefix(c.Reason, "Slow Consumer") {
				out = append(out, c)
			}
		}
		if len(out) >= limit || len(told.Conns) < closedAtOnce {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b Connection) int { return strings.Compare(b.Ended, a.Ended) })
	return out[:min(limit, len(out))], nil
}

func (z *connz) list() []Connection {
	out := make([]Connection, 0, len(z.Conns))
	for _, c := range z.Conns {
		k := Connection{
			ID: c.CID, Kind: c.Kind, Name: name(c.Name), Account: name(c.Account), IP: name(c.IP), Port: c.Port, Lang: name(c.Lang), Version: name(c.Version),
			PendingMB: c.Pending / mib, InMsgs: c.InMsgs, OutMsgs: c.OutMsgs, InMB: c.InBytes / mib, OutMB: c.OutBytes / mib,
			Subs: c.Subs, Stalls: c.Stalls, Reason: name(c.Reason),
		}
		if rtt, err := time.ParseDuration(c.RTT); err == nil {
			k.RTT = float64(rtt.Microseconds()) / 1e3
		}
		end := z.Now
		if c.Stop != nil {
			end, k.Ended = *c.Stop, c.Stop.UTC().Format(time.RFC3339)
		} else {
			k.Idle = max(0, z.Now.Sub(c.Last).Seconds())
		}
		k.Connected = max(0, end.Sub(c.Start).Seconds())
		out = append(out, k)
	}
	return out
}
