package reading

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// States of a node.
const (
	Alive  = "alive"
	Silent = "silent"
)

// A Node is a host with a probe.
type Node struct {
	protocol.Heartbeat
	State    string    `json:"state"`     // alive or silent
	LastSeen time.Time `json:"last_seen"` // by the stream's clock
	// SkewMS is how far the host's clock was ahead of the stream's at its last beat,
	// the way included.
	SkewMS int64 `json:"skew_ms"`
}

// NodeOf returns the node of a heartbeat that the stream stored at a moment.
func NodeOf(h protocol.Heartbeat, stored time.Time) Node {
	n := Node{Heartbeat: h, State: Alive, LastSeen: stored, SkewMS: h.SentAt.Sub(stored).Milliseconds()}
	if h.Silent(time.Since(stored)) {
		n.State = Silent
	}
	return n
}

// Nodes returns the hosts that have all of the labels, by name. unreadable counts the
// heartbeats that could not be read, and those under another's name: a probe may write
// under its own only, which the subject proves.
func Nodes(ctx context.Context, conn *bus.Conn, labels map[string]string) (nodes []Node, unreadable int, err error) {
	list, unreadable, err := All[protocol.Heartbeat](ctx, conn, bus.Nodes, protocol.NodeSubject(protocol.Any))
	if err != nil {
		return nil, 0, err
	}
	for _, x := range list {
		switch {
		case x.Msg.Subject != protocol.NodeSubject(x.Value.Node):
			unreadable++
		case has(x.Value.Labels, labels):
			nodes = append(nodes, NodeOf(x.Value, x.Msg.Time))
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Node, b.Node) })
	return nodes, unreadable, nil
}

func has(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// A NodeView is one host.
type NodeView struct {
	Node
	Snapshots []protocol.Snapshot `json:"snapshots"` // the newest of each target and skill
	Links     *protocol.Links     `json:"links,omitempty"`
}

// ViewNode returns a host; a MissingError where no probe of the name reported.
func ViewNode(ctx context.Context, conn *bus.Conn, name string) (NodeView, error) {
	m, err := conn.LastDirect(ctx, bus.Nodes, protocol.NodeSubject(name))
	if errors.Is(err, bus.ErrNotFound) {
		return NodeView{}, &MissingError{fmt.Sprintf("no probe of the node %q has reported", name)}
	}
	if err != nil {
		return NodeView{}, err
	}
	h, err := protocol.Decode[protocol.Heartbeat](m.Data)
	if err != nil {
		return NodeView{}, err
	}
	v := NodeView{Node: NodeOf(h, m.Time), Snapshots: []protocol.Snapshot{}}
	for _, t := range h.Targets {
		for _, skill := range t.Skills {
			m, err := conn.LastDirect(ctx, bus.Snapshots, protocol.SnapshotSubject(name, t.Name, skill))
			if errors.Is(err, bus.ErrNotFound) {
				continue
			}
			if err != nil {
				return NodeView{}, err
			}
			collect(m.Data, &v.Snapshots)
		}
	}
	if m, err := conn.LastDirect(ctx, bus.Nodes, protocol.LinksSubject(name)); err == nil {
		v.Links = decoded[protocol.Links](m.Data)
	}
	return v, nil
}
