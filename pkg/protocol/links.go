package protocol

import (
	"fmt"
	"time"
)

// MaxLinkPeers is how many peers Links has at most: those with the most connections.
const MaxLinkPeers = 256

// MaxLinkAddresses is how many addresses and how many ports of its own Links has at most.
const MaxLinkAddresses = 128

// Links says whom a node talks to, as its sockets tell: addresses and ports, which
// coordinators match across nodes. A probe publishes it when it changed.
type Links struct {
	Node      string     `json:"node"`
	Addresses []string   `json:"addresses"` // of the node itself, without loopback and link-local ones
	Listens   []Listener `json:"listens"`   // ports that other hosts can reach
	Peers     []LinkPeer `json:"peers"`     // where connections that the node opened go to
	At        time.Time  `json:"at"`        // by the host's clock
}

// A Listener is a port that a node listens on.
type Listener struct {
	Port    int    `json:"port"`
	Process string `json:"process,omitempty"` // empty: it could not be read
}

// A LinkPeer is an address and port that a node has connections to.
type LinkPeer struct {
	Address     string `json:"address"`
	Port        int    `json:"port"`
	Process     string `json:"process,omitempty"` // who connects; empty: it could not be read
	Connections int    `json:"connections"`
}

// MessageType implements Message.
func (Links) MessageType() string { return "links" }

// Validate implements Message.
func (l Links) Validate() error {
	var many error
	if len(l.Peers) > MaxLinkPeers || len(l.Addresses) > MaxLinkAddresses || len(l.Listens) > MaxLinkAddresses {
		many = fmt.Errorf("%d peers, %d addresses and %d ports: at most %d, %d and %d", len(l.Peers), len(l.Addresses), len(l.Listens),
			MaxLinkPeers, MaxLinkAddresses, MaxLinkAddresses)
	}
	return problems(required("node", l.Node), requiredTime("at", l.At), many)
}
