package nats

import (
	"context"
	"errors"
	"time"
)

// Vars are what /varz tells of the server itself.
type Vars struct {
	ID      string `json:"server_id"`
	Name    string `json:"server_name"`
	Version string `json:"version"`
	Cluster struct {
		Name string   `json:"name"`
		URLs []string `json:"urls"`
	} `json:"cluster"`
	Leaf struct {
		Remotes []struct{} `json:"remotes"` // that this server connects to
	} `json:"leaf"`
	Start      time.Time  `json:"start"`
	Now        time.Time  `json:"now"`
	ConfigLoad *time.Time `json:"config_load_time"`

	CPU      float64 `json:"cpu"` // percent of one core
	Cores    int     `json:"cores"`
	MaxProcs int     `json:"gomaxprocs"`
	Mem      float64 `json:"mem"` // bytes resident
	MemLimit float64 `json:"gomemlimit"`

	Connections      float64 `json:"connections"`
	MaxConnections   float64 `json:"max_connections"`
	TotalConnections float64 `json:"total_connections"`
	Subscriptions    float64 `json:"subscriptions"`
	MaxSubscriptions float64 `json:"max_subscriptions"`
	MaxPayload       float64 `json:"max_payload"`
	MaxPending       float64 `json:"max_pending"` // bytes that may wait for one connection
	WriteDeadline    float64 `json:"write_deadline"`
	Remotes          float64 `json:"remotes"`   // servers of the cluster with a route
	Leafs            float64 `json:"leafnodes"` // connections of leaf nodes

	InMsgs   float64 `json:"in_msgs"`
	InBytes  float64 `json:"in_bytes"`
	OutMsgs  float64 `json:"out_msgs"`
	OutBytes float64 `json:"out_bytes"`

	SlowConsumers    float64  `json:"slow_consumers"`
	StaleConnections *float64 `json:"stale_connections"` // 2.12
	StalledClients   *float64 `json:"stalled_clients"`

	JetStream struct {
		Config *struct {
			MaxMemory float64 `json:"max_memory"`
			MaxStore  float64 `json:"max_storage"`
			Domain    string  `json:"domain"`
		} `json:"config"`
		Stats *JetStreamStats `json:"stats"`
		Meta  *Meta           `json:"meta"`
	} `json:"jetstream"`
	CertExpires *time.Time `json:"tls_cert_not_after"`
}

// JetStreamStats are the use of JetStream, of a server or of an account.
type JetStreamStats struct {
	Memory         float64 `json:"memory"`
	Store          float64 `json:"storage"`
	ReservedMemory float64 `json:"reserved_memory"`
	ReservedStore  float64 `json:"reserved_storage"`
	HAAssets       float64 `json:"ha_assets"`
	API            struct {
		Total    float64 `json:"total"`
		Errors   float64 `json:"errors"`
		Inflight float64 `json:"inflight"`
	} `json:"api"`
}

// Meta is the group of servers that decides where streams are.
type Meta struct {
	Name     string `json:"name"`
	Leader   string `json:"leader"` // empty: there is none, and nothing is created or moved
	Size     int    `json:"cluster_size"`
	Quorum   int    `json:"quorum_needed"` // 0: a server too old to tell
	Pending  int    `json:"pending"`
	Replicas []Peer `json:"replicas"`
}

// A Peer is another server of a group.
type Peer struct {
	Name    string        `json:"name"`
	Current bool          `json:"current"` // seen lately, and caught up
	Offline bool          `json:"offline"`
	Active  time.Duration `json:"active"` // since it was last seen
	Lag     float64       `json:"lag"`    // operations it is behind
}

// Vars reads what the server tells of itself. An endpoint that tells something else is an error.
func (s *Server) Vars(ctx context.Context) (*Vars, error) {
	var v Vars
	if err := s.ask(ctx, "/varz", nil, &v); err != nil {
		return nil, err
	}
	if v.ID == "" || v.Version == "" {
		return nil, errors.New("NATS: /varz below url tells no server_id: url must be the monitoring port of a NATS server (http_port, 8222 as a rule)")
	}
	v.Name = name(v.Name)
	return &v, nil
}
