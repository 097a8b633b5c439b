package bus

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// SchemaVersion is the version of the table below. It stands in the metadata of
// each stream, and setup never goes back behind a newer one.
const SchemaVersion = 2

const schemaKey = "fleetlens_schema"

// A Stream is one row of the table: a stream with its limits and consumers.
type Stream struct {
	Name          string        `json:"name"`
	Doc           string        `json:"doc"` // who writes, who reads
	Subjects      []string      `json:"subjects"`
	WorkQueue     bool          `json:"work_queue"`
	MaxAge        time.Duration `json:"max_age_ns"`
	MaxPerSubject int64         `json:"max_per_subject"` // 0: no limit
	MaxBytes      int64         `json:"max_bytes"`
	Duplicates    time.Duration `json:"duplicate_window_ns"`
	DiscardNew    bool          `json:"discard_new"`
	Compress      bool          `json:"compress"`
	Direct        bool          `json:"direct_get"` // direct get: reads by subject without a consumer
	Schedules     bool          `json:"schedules"`  // messages that the server delivers later
	Consumers     []Consumer    `json:"consumers"`
}

// A Consumer is a durable that several processes share.
type Consumer struct {
	Stream  string        `json:"stream"`
	Name    string        `json:"name"`
	Filter  string        `json:"filter"`
	AckWait time.Duration `json:"ack_wait_ns"`
	// Latest begins a new durable with the last message of each subject, not with all
	// that the stream holds.
	Latest bool `json:"latest,omitempty"`
	// New begins a new durable with what comes from now on.
	New bool `json:"new,omitempty"`
}

// Names of the streams.
const (
	Nodes       = "FL_NODES"
	Snapshots   = "FL_SNAPSHOTS"
	Events      = "FL_EVENTS"
	Intake      = "FL_REQUESTS"
	Work        = "FL_WORK"
	Findings    = "FL_FINDINGS"
	Insights    = "FL_INSIGHTS"
	Journal     = "FL_JOURNAL"
	People      = "FL_PEOPLE"
	DeadLetters = "FL_DEADLETTERS"
	// State is the stream under the KV bucket StateBucket.
	State = "KV_" + StateBucket
	// Sent is the stream under the KV bucket SentBucket.
	Sent = "KV_" + SentBucket
)

// StateBucket is the KV bucket of coordinators and operators: `nats kv ls` shows it.
const StateBucket = "fl_state"

// SentBucket is the KV bucket of gateways. It stands apart from StateBucket: who talks
// to other systems must not be able to fill, or change, what coordinators share.
const SentBucket = "fl_sinks"

const (
	day = 24 * time.Hour
	mib = 1 << 20
	gib = 1 << 30
	// effectWindow outlasts the longest deadline, so that an effect repeated by a
	// worker that took a run over is dropped. A stream must keep messages as long.
	effectWindow = 25 * time.Hour
)

// ackWait is how long the server waits for a sign of life of a worker before it
// gives its message to another.
const ackWait = 30 * time.Second

// Requests is the durable of the coordinators.
var Requests = Consumer{Stream: Intake, Name: "coordinator", Filter: protocol.RequestSubject, AckWait: ackWait}

// ScheduledSubject is what a schedule publishes requests to. The server wants it
// in the stream of the schedules.
const ScheduledSubject = "scheduled.request"

// Scheduled is the durable of the coordinators for the requests of schedules.
var Scheduled = Consumer{Stream: Work, Name: "coordinator", Filter: ScheduledSubject, AckWait: ackWait}

// Tasks returns the durable that the operators of one skill share.
func Tasks(skill string) Consumer {
	return Consumer{Stream: Work, Name: "operator_" + protocol.Token(skill), Filter: protocol.TaskSubject(skill), AckWait: ackWait}
}

// Watched returns the durable by which the operators of one skill share its snapshots.
func Watched(skill string) Consumer {
	return Consumer{
		Stream: Snapshots, Name: "watch_" + protocol.Token(skill), Filter: protocol.SnapshotSubject(protocol.Any, protocol.Any, skill),
		AckWait: ackWait, Latest: true,
	}
}

// Sink returns the durable by which gateways share the insights for one sink, and what
// becomes of them, in order. What was concluded before the sink was set up is not sent.
func Sink(name string) Consumer {
	return Consumer{Stream: Insights, Name: sinkPrefix + protocol.Token(name), Filter: ">", AckWait: ackWait, New: true}
}

const (
	insightsFilter = "insights.>"
	sinkPrefix     = "sink_"
)

// triageAckWait is short: what a coordinator took and did not finish is soon with
// the one that stands in for it.
const triageAckWait = 5 * time.Second

// The durables of triage, which one coordinator at a time reads.
var (
	TriageEvents   = Consumer{Stream: Events, Name: "triage", Filter: ">", AckWait: triageAckWait}
	TriageFindings = Consumer{
		Stream: Findings, Name: "triage", Filter: protocol.NotificationSubject(protocol.Any, protocol.Any, protocol.Any), AckWait: triageAckWait,
	}
)

// Streams is the one table of streams. Setup applies it; fleetlens streams and
// docs/reference/streams.md print it.
func Streams() []Stream {
	return []Stream{
		{
			Name: Nodes, Doc: "Heartbeats, and whom a node talks to: probes write, all read.",
			Subjects: []string{"nodes.*", "links.*"}, MaxAge: 30 * day, MaxPerSubject: 1, MaxBytes: 64 * mib, Direct: true,
		},
		{
			Name: Snapshots, Doc: "Metrics: probes write; operators, coordinators and anyone read.",
			Subjects: []string{"snapshots.*.*.*"}, MaxAge: day, MaxPerSubject: 120, MaxBytes: 2 * gib, Compress: true, Direct: true,
		},
		{
			Name: Events, Doc: "Anomalies, changes and alerts: probes, delivery systems and intake write; triage reads.",
			Subjects: []string{"anomalies.*.*.*", "changes.*.*", "alerts.*"}, MaxAge: 30 * day, MaxBytes: 256 * mib,
			Duplicates: time.Hour, Direct: true, Consumers: []Consumer{TriageEvents},
		},
		{
			// Apart from Work: whoever writes a stream with schedules can erase it, and
			// publish under all of its subjects, by headers.
			Name: Intake, Doc: "Requests: clients and coordinators write; coordinators take.",
			Subjects: []string{protocol.RequestSubject}, WorkQueue: true, MaxAge: effectWindow, MaxBytes: 128 * mib,
			Duplicates: effectWindow, Consumers: []Consumer{Requests},
		},
		{
			Name: Work, Doc: "Tasks and schedules: coordinators write; operators and coordinators take.",
			Subjects: []string{"operator.task.*", "schedule.>", ScheduledSubject}, WorkQueue: true, MaxAge: effectWindow, MaxBytes: 256 * mib,
			Duplicates: effectWindow, Schedules: true, Consumers: []Consumer{Scheduled},
		},
		{
			Name: Findings, Doc: "Notifications, completions, states and phases: operators and coordinators write, anyone reads.",
			Subjects: []string{"operator.notification.*.*.*", "operator.completion.*.*", "operator.state.*.*", "investigations.*.*"},
			MaxAge:   7 * day, MaxBytes: 512 * mib, Duplicates: effectWindow, Direct: true,
			Consumers: []Consumer{TriageFindings},
		},
		{
			Name: Insights, Doc: "Conclusions, and that what they are about is over: coordinators write, downstream reads.",
			Subjects: []string{"insights.*.*.*", "resolutions.*"}, MaxAge: 30 * day, MaxBytes: 256 * mib, Duplicates: effectWindow, Direct: true,
		},
		{
			Name: Journal, Doc: "Runs: an agent writes its own; whoever resumes, replays or shows it reads.",
			Subjects: []string{"journal.coordinator.*", "journal.operator.*"}, MaxAge: 7 * day, MaxBytes: gib, DiscardNew: true, Compress: true,
		},
		{
			Name: People, Doc: "Feedback, acknowledgements, notes and silences: people write; triage reads.",
			Subjects: []string{"people.*.*"}, MaxAge: 365 * day, MaxBytes: 64 * mib,
		},
		{
			Name: DeadLetters, Doc: "What nobody could handle, with the reason: whatever gave up writes, people read.",
			Subjects: []string{"deadletters.*"}, MaxAge: 30 * day, MaxBytes: 128 * mib, Duplicates: time.Hour, Direct: true,
		},
		{
			// Not made as a bucket: those let whoever may write one key erase all of
			// them by a header.
			Name: State, Doc: "The KV bucket " + StateBucket + ": budgets, which operators and coordinators write, and what coordinators share.",
			Subjects: []string{"$KV." + StateBucket + ".>"}, MaxAge: 7 * day, MaxPerSubject: 1, MaxBytes: 64 * mib, DiscardNew: true,
		},
		{
			Name: Sent, Doc: "The KV bucket " + SentBucket + ": what gateways are sending and have sent, which they alone write and read.",
			Subjects: []string{"$KV." + SentBucket + ".>"}, MaxAge: 30 * day, MaxPerSubject: 1, MaxBytes: 64 * mib,
		},
	}
}

// StreamOf returns the row of a stream.
func StreamOf(name string) (Stream, bool) {
	for _, s := range Streams() {
		if s.Name == name {
			return s, true
		}
	}
	return Stream{}, false
}

func (s Stream) config(replicas int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: s.Name, Description: s.Doc, Subjects: s.Subjects, MaxAge: s.MaxAge, MaxMsgsPerSubject: s.MaxPerSubject,
		MaxBytes: s.MaxBytes, MaxMsgSize: protocol.MaxMessage, Duplicates: s.Duplicates, AllowDirect: s.Direct,
		AllowMsgSchedules: s.Schedules, Replicas: replicas, Storage: jetstream.FileStorage,
	}
	if s.MaxPerSubject == 0 {
		c.MaxMsgsPerSubject = -1
	}
	if s.WorkQueue {
		c.Retention = jetstream.WorkQueuePolicy
	}
	if s.DiscardNew {
		c.Discard = jetstream.DiscardNew
	}
	if s.Compress {
		c.Compression = jetstream.S2Compression
	}
	if s.Duplicates == 0 {
		c.Duplicates = min(2*time.Minute, s.MaxAge)
	}
	// A stream that probes may write refuses rollups and purges by header: one of
	// them would erase what other nodes published.
	c.AllowRollup = false
	return c
}

func (c Consumer) config() jetstream.ConsumerConfig {
	out := jetstream.ConsumerConfig{
		Durable: c.Name, FilterSubject: c.Filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.AckWait,
		MaxDeliver: -1, MaxAckPending: 10_000,
	}
	if c.Latest {
		out.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
	}
	if c.New {
		out.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	return out
}
