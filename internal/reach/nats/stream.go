package nats

import (
	"cmp"
	"time"
)

// A Stream is one stream, as this server holds it.
type Stream struct {
	Account string `json:"account"`
	Name    string `json:"stream"`
	Leader  string `json:"leader,omitempty"` // of its replicas; empty: there is none, and nothing is stored
	Here    bool   `json:"led_here"`         // this server leads it: what it tells of it is the newest

	Messages    float64 `json:"messages"`
	MB          float64 `json:"mb"`
	UsedPct     float64 `json:"used_pct"` // of the limit that is nearest; 0 when it has none
	Limit       string  `json:"limit,omitempty"`
	MaxMessages float64 `json:"max_messages,omitempty"` // 0: no limit
	MaxMB       float64 `json:"max_mb,omitempty"`
	MaxAge      float64 `json:"max_age_seconds,omitempty"`
	// Discard says what happens when it is full: "old" drops its oldest messages, "new" refuses further ones.
	Discard   string  `json:"discard,omitempty"`
	Retention string  `json:"retention,omitempty"`
	Storage   string  `json:"storage,omitempty"`
	Replicas  int     `json:"replicas,omitempty"`
	Consumers float64 `json:"consumers"`
	Subjects  float64 `json:"subjects"` // different ones among its messages
	Deleted   float64 `json:"deleted_messages,omitempty"`
	Lost      float64 `json:"lost_messages,omitempty"` // by damage of its files
	Sealed    bool    `json:"sealed,omitempty"`

	FirstSeq    float64    `json:"first_seq"`
	LastSeq     float64    `json:"last_seq"`
	LastMessage *time.Time `json:"last_message,omitempty"`
	Peers       []Follower `json:"followers,omitempty"`
	Copies      []Copied   `json:"copied_from,omitempty"`
}

// Refuses reports whether a full stream refuses what is published to it.
func (s *Stream) Refuses() bool { return s.Discard == "new" }

// A Follower is another server that holds a stream, as its leader sees it.
type Follower struct {
	Server  string  `json:"server"`
	Current bool    `json:"current"`
	Offline bool    `json:"offline,omitempty"`
	Lag     float64 `json:"lag,omitempty"` // operations
	Seen    float64 `json:"seen_seconds_ago"`
}

// Copied is a stream from which another takes its messages, as mirror or source.
type Copied struct {
	Stream string  `json:"stream"`
	Lag    float64 `json:"lag"` // messages
	Seen   float64 `json:"seen_seconds_ago"`
	Error  string  `json:"error,omitempty"`
}

// A Consumer is one consumer of a stream, as this server knows it.
type Consumer struct {
	Account string `json:"account"`
	Stream  string `json:"stream"`
	Name    string `json:"consumer"`
	Leader  string `json:"leader,omitempty"`
	Here    bool   `json:"led_here"`

	Lag           float64 `json:"lag"` // messages of the stream that it has not been given
	AckPending    float64 `json:"ack_pending"`
	MaxAckPending float64 `json:"max_ack_pending,omitempty"` // 0: no limit
	AckPct        float64 `json:"ack_pending_used_pct"`
	Redelivered   float64 `json:"redelivered"` // of those, given more than once
	Waiting       float64 `json:"waiting_pulls"`
	Push          bool    `json:"push,omitempty"`
	Bound         bool    `json:"bound,omitempty"` // somebody takes what is pushed
	Paused        bool    `json:"paused,omitempty"`
	AckWait       float64 `json:"ack_wait_seconds,omitempty"`
	MaxDeliver    float64 `json:"max_deliver,omitempty"`
	// Idle is how long nothing was given to it, in seconds.
	Idle float64 `json:"idle_seconds"`
}

// Attended reports whether somebody is there to take messages.
func (c *Consumer) Attended() bool { return c.Push && c.Bound || !c.Push && c.Waiting > 0 }

// The shapes of /jsz.
type (
	group struct {
		Leader   string `json:"leader"`
		Replicas []Peer `json:"replicas"`
	}
	streamDetail struct {
		Name    string `json:"name"`
		Cluster *group `json:"cluster"`
		Config  struct {
			Retention string  `json:"retention"`
			MaxMsgs   float64 `json:"max_msgs"`
			MaxBytes  float64 `json:"max_bytes"`
			MaxAge    float64 `json:"max_age"`
			Discard   string  `json:"discard"`
			Storage   string  `json:"storage"`
			Replicas  int     `json:"num_replicas"`
			Sealed    bool    `json:"sealed"`
		} `json:"config"`
		State struct {
			Msgs     float64   `json:"messages"`
			Bytes    float64   `json:"bytes"`
			FirstSeq float64   `json:"first_seq"`
			LastSeq  float64   `json:"last_seq"`
			LastTime time.Time `json:"last_ts"`
			Subjects float64   `json:"num_subjects"`
			Deleted  float64   `json:"num_deleted"`
			Lost     *struct {
				Msgs []uint64 `json:"msgs"`
			} `json:"lost"`
			Consumers float64 `json:"consumer_count"`
		} `json:"state"`
		Consumers []consumerDetail `json:"consumer_detail"`
		Mirror    *sourceDetail    `json:"mirror"`
		Sources   []sourceDetail   `json:"sources"`
	}
	sourceDetail struct {
		Name   string        `json:"name"`
		Lag    float64       `json:"lag"`
		Active time.Duration `json:"active"`
		Error  *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	consumerDetail struct {
		Stream  string    `json:"stream_name"`
		Name    string    `json:"name"`
		Created time.Time `json:"created"`
		Config  struct {
			AckWait        time.Duration `json:"ack_wait"`
			MaxDeliver     float64       `json:"max_deliver"`
			MaxAckPending  float64       `json:"max_ack_pending"`
			DeliverSubject string        `json:"deliver_subject"`
		} `json:"config"`
		Delivered struct {
			Last *time.Time `json:"last_active"`
		} `json:"delivered"`
		AckPending  float64   `json:"num_ack_pending"`
		Redelivered float64   `json:"num_redelivered"`
		Waiting     float64   `json:"num_waiting"`
		Pending     float64   `json:"num_pending"`
		Cluster     *group    `json:"cluster"`
		PushBound   bool      `json:"push_bound"`
		Paused      bool      `json:"paused"`
		At          time.Time `json:"ts"`
	}
)

// led returns who leads a group, and whether this server does. What is in no group is led
// by the server that holds it.
func (g *group) led(server string) (leader string, here bool) {
	if g == nil {
		return server, true
	}
	return g.Leader, g.Leader == server
}

const mib = 1 << 20

// stream makes of what /jsz tells what is kept of it.
func (d *streamDetail) stream(account, server string) Stream {
	leader, here := d.Cluster.led(server)
	s := Stream{
		Account: account, Name: d.Name, Leader: leader, Here: here,
		Messages: d.State.Msgs, MB: d.State.Bytes / mib,
		MaxMessages: max(0, d.Config.MaxMsgs), MaxMB: max(0, d.Config.MaxBytes) / mib, MaxAge: d.Config.MaxAge / 1e9,
		Discard: d.Config.Discard, Retention: d.Config.Retention, Storage: d.Config.Storage, Replicas: d.Config.Replicas, Sealed: d.Config.Sealed,
		Consumers: d.State.Consumers, Subjects: d.State.Subjects, Deleted: d.State.Deleted,
		FirstSeq: d.State.FirstSeq, LastSeq: d.State.LastSeq,
	}
	if d.State.Lost != nil {
		s.Lost = float64(len(d.State.Lost.Msgs))
	}
	if !d.State.LastTime.IsZero() && d.State.LastTime.Year() > 1 {
		s.LastMessage = &d.State.LastTime
	}
	if s.MaxMessages > 0 {
		s.UsedPct, s.Limit = 100*s.Messages/s.MaxMessages, "messages"
	}
	if s.MaxMB > 0 && 100*s.MB/s.MaxMB > s.UsedPct {
		s.UsedPct, s.Limit = 100*s.MB/s.MaxMB, "bytes"
	}
	if d.Cluster != nil {
		for _, p := range d.Cluster.Replicas {
			s.Peers = append(s.Peers, Follower{name(p.Name), p.Current, p.Offline, p.Lag, p.Active.Seconds()})
		}
	}
	if d.Mirror != nil {
		d.Sources = append(d.Sources, *d.Mirror)
	}
	for _, from := range d.Sources {
		c := Copied{Stream: from.Name, Lag: from.Lag, Seen: from.Active.Seconds()}
		if from.Error != nil {
			c.Error = name(cmp.Or(from.Error.Description, "unknown"))
		}
		s.Copies = append(s.Copies, c)
	}
	return s
}

// consumer is stream for a consumer.
func (d *consumerDetail) consumer(account, server string) Consumer {
	leader, here := d.Cluster.led(server)
	c := Consumer{
		Account: account, Stream: d.Stream, Name: d.Name, Leader: leader, Here: here,
		Lag: d.Pending, AckPending: d.AckPending, MaxAckPending: max(0, d.Config.MaxAckPending), Redelivered: d.Redelivered, Waiting: d.Waiting,
		Push: d.Config.DeliverSubject != "", Bound: d.PushBound, Paused: d.Paused,
		AckWait: d.Config.AckWait.Seconds(), MaxDeliver: max(0, d.Config.MaxDeliver),
	}
	if c.MaxAckPending > 0 {
		c.AckPct = 100 * c.AckPending / c.MaxAckPending
	}
	since := d.Created
	if d.Delivered.Last != nil {
		since = *d.Delivered.Last
	}
	if !d.At.IsZero() && !since.IsZero() {
		c.Idle = max(0, d.At.Sub(since).Seconds())
	}
	return c
}
