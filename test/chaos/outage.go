//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// An outage is one time without a NATS server.
type outage struct {
	at    float64 // the share of the test after which it begins
	lasts time.Duration
	how   syscall.Signal
}

// outages are two restarts, and one time away that outlasts the duplicate window
// and every acknowledgement's. They begin while investigations of a burst are
// under way, also when there are twenty only.
var outages = []outage{
	{0.27, 300 * time.Millisecond, syscall.SIGTERM},
	{0.52, duplicate + 2*time.Second, syscall.SIGKILL},
	{0.77, 300 * time.Millisecond, syscall.SIGKILL},
}

// stopServers takes NATS away; of a cluster, the server that leads the journals.
func (m *monkey) stopServers(ctx context.Context, lasts time.Duration) {
	begin := time.Now()
	for _, o := range outages {
		if pause(ctx, time.Until(begin.Add(time.Duration(o.at*float64(lasts))))) != nil {
			return
		}
		s := m.servers[0]
		if m.cluster {
			s = m.leader(ctx)
		}
		fmt.Fprintf(m.say, "%s ends with %v for %s\n", s.name, o.how, o.lasts)
		s.end(o.how)
		m.counts.restarts.Add(1)
		time.Sleep(o.lasts)
		if err := s.up(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(m.say, err)
		}
	}
}

// leader returns the server that leads the stream of the journals, or any.
func (m *monkey) leader(ctx context.Context) *natsServer {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if stream, err := m.js.Stream(ctx, "FL_JOURNAL"); err == nil && stream.CachedInfo().Cluster != nil {
		for _, s := range m.servers {
			if s.name == stream.CachedInfo().Cluster.Leader {
				return s
			}
		}
	}
	return m.servers[m.roll(len(m.servers))]
}
