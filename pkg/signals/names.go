package signals

import "go.opentelemetry.io/otel/attribute"

// Spans. Those of OpenTelemetry's conventions for generative AI end in the agent's,
// the model's or the tool's name.
const (
	Request       Span = "request"
	Investigation Span = "investigation"
	InvokeAgent   Span = "invoke_agent"
	Iteration     Span = "iteration"
	Chat          Span = "chat"
	ExecuteTool   Span = "execute_tool"
	ProbeCall     Span = "probe call"
)

// Events of every agent.
const (
	DecisionFailed    Event = "fleetlens.agent.decision_failed"
	Instead           Event = "fleetlens.agent.decided_instead"
	ToolRefused       Event = "fleetlens.agent.tool_refused"
	CompactionStart   Event = "fleetlens.agent.compaction_start"
	CompactionStop    Event = "fleetlens.agent.compaction_stop"
	CompactionFailed  Event = "fleetlens.agent.compaction_failed"
	AgentDone         Event = "fleetlens.agent.done"
	AgentFailed       Event = "fleetlens.agent.failed"
	MaxIterations     Event = "fleetlens.agent.max_iterations_reached"
	DeadlineExceeded  Event = "fleetlens.agent.deadline_exceeded"
	Cancelled         Event = "fleetlens.agent.cancelled"
	HandedBack        Event = "fleetlens.agent.handed_back"
	Superseded        Event = "fleetlens.agent.superseded"
	LLMRetry          Event = "fleetlens.llm.retry"
	LLMEndpointClosed Event = "fleetlens.llm.endpoint_left_alone"
)

// Events of operators.
const (
	StateChange        Event = "fleetlens.operator.state_change"
	NotificationSent   Event = "fleetlens.operator.notification_sent"
	NotificationFailed Event = "fleetlens.operator.notification_failed"
)

// Events of coordinators.
const (
	NotificationReceived Event = "fleetlens.coordinator.operator_notification_received"
	OperatorComplete     Event = "fleetlens.coordinator.operator_complete"
	OperatorCrashed      Event = "fleetlens.coordinator.operator_crashed"
	OperatorNotFound     Event = "fleetlens.coordinator.operator_not_found"
	NotChecked           Event = "fleetlens.coordinator.not_checked"
	InsightProduced      Event = "fleetlens.coordinator.insight_produced"
	DoneRejected         Event = "fleetlens.coordinator.done_rejected"
	Scheduled            Event = "fleetlens.coordinator.schedule"
	ScheduleRejected     Event = "fleetlens.coordinator.schedule_rejected"
	ScheduledReinvoke    Event = "fleetlens.coordinator.scheduled_reinvoke"
	TriageAsked          Event = "fleetlens.coordinator.triage_asked"
	ClassifyStart        Event = "fleetlens.coordinator.pipeline_classify_start"
	ClassifyComplete     Event = "fleetlens.coordinator.pipeline_classify_complete"
	SynthesizeStart      Event = "fleetlens.coordinator.pipeline_synthesize_start"
	SynthesizeComplete   Event = "fleetlens.coordinator.pipeline_synthesize_complete"
)

// Metrics.
const (
	Runs              Metric = "fleetlens.agent.runs"
	RunDuration       Metric = "fleetlens.agent.run.duration"
	RunSteps          Metric = "fleetlens.agent.run.steps"
	RunsInFlight      Metric = "fleetlens.agent.runs.in_flight"
	Takeovers         Metric = "fleetlens.agent.takeovers"
	DecisionDuration  Metric = "fleetlens.agent.decision.duration"
	DecisionsFailed   Metric = "fleetlens.agent.decisions.failed"
	ToolCalls         Metric = "fleetlens.agent.tool.calls"
	ToolDuration      Metric = "fleetlens.agent.tool.duration"
	Compactions       Metric = "fleetlens.agent.compactions"
	Cost              Metric = "fleetlens.agent.cost"
	TokenUsage        Metric = "gen_ai.client.token.usage"
	OperationDuration Metric = "gen_ai.client.operation.duration"

	Notifications       Metric = "fleetlens.operator.notifications"
	NotificationsFailed Metric = "fleetlens.operator.notifications.failed"
	ProbeRequests       Metric = "fleetlens.operator.probe.requests"
	WatchSnapshots      Metric = "fleetlens.operator.watch.snapshots"
	WatchNotifications  Metric = "fleetlens.operator.watch.notifications"
	Insights            Metric = "fleetlens.coordinator.insights"
	Investigations      Metric = "fleetlens.coordinator.investigations"
	TimeToInsight       Metric = "fleetlens.coordinator.investigation.duration"
	TriageSignals       Metric = "fleetlens.coordinator.triage.signals"
	TriageLeading       Metric = "fleetlens.coordinator.triage.leading"
	TriageRequests      Metric = "fleetlens.coordinator.triage.requests"
	KnownNodes          Metric = "fleetlens.coordinator.nodes"

	Collections        Metric = "fleetlens.probe.collections"
	CollectionDuration Metric = "fleetlens.probe.collection.duration"
	Calls              Metric = "fleetlens.probe.calls"
	CallDuration       Metric = "fleetlens.probe.call.duration"
	Buffered           Metric = "fleetlens.probe.outbox.buffered"
	Dropped            Metric = "fleetlens.probe.outbox.dropped"
	DetectorState      Metric = "fleetlens.probe.detector.state"
	OddSamples         Metric = "fleetlens.probe.detector.odd"
	Anomalies          Metric = "fleetlens.probe.detector.anomalies"
	Escalations        Metric = "fleetlens.probe.detector.escalations"
	Baselines          Metric = "fleetlens.probe.detector.baselines"

	SinkSent     Metric = "fleetlens.sink.sent"
	SinkFailures Metric = "fleetlens.sink.failures"
	SinkPending  Metric = "fleetlens.sink.pending"

	BusInFlight     Metric = "fleetlens.bus.deliveries.in_flight"
	BusDeliveries   Metric = "fleetlens.bus.deliveries"
	BusRedeliveries Metric = "fleetlens.bus.redeliveries"
	BusDeadLetters  Metric = "fleetlens.bus.deadletters"
	BusConnected    Metric = "fleetlens.bus.connected"
	BusReconnects   Metric = "fleetlens.bus.reconnects"
)

// Attributes of spans and events. Those that begin with gen_ai are of
// OpenTelemetry's conventions, version 1.41.
const (
	AttrOperation      attribute.Key = "gen_ai.operation.name"
	AttrProvider       attribute.Key = "gen_ai.provider.name"
	AttrAgentName      attribute.Key = "gen_ai.agent.name"
	AttrConversation   attribute.Key = "gen_ai.conversation.id"
	AttrRequestModel   attribute.Key = "gen_ai.request.model"
	AttrResponseModel  attribute.Key = "gen_ai.response.model"
	AttrInputTokens    attribute.Key = "gen_ai.usage.input_tokens"
	AttrOutputTokens   attribute.Key = "gen_ai.usage.output_tokens"
	AttrCachedTokens   attribute.Key = "gen_ai.usage.cache_read.input_tokens"
	AttrTokenType      attribute.Key = "gen_ai.token.type"
	AttrTool           attribute.Key = "gen_ai.tool.name"
	AttrToolCall       attribute.Key = "gen_ai.tool.call.id"
	AttrToolType       attribute.Key = "gen_ai.tool.type"
	AttrErrorType      attribute.Key = "error.type"
	AttrAgent          attribute.Key = "fleetlens.agent"         // operator or coordinator
	AttrRun            attribute.Key = "fleetlens.run"           // its id
	AttrInvestigation  attribute.Key = "fleetlens.investigation" // its id
	AttrAttempt        attribute.Key = "fleetlens.attempt"       // from 1
	AttrWillRetry      attribute.Key = "fleetlens.will_retry"
	AttrIteration      attribute.Key = "fleetlens.iteration" // from 1
	AttrOutcome        attribute.Key = "fleetlens.outcome"
	AttrDecider        attribute.Key = "fleetlens.decider"
	AttrSteps          attribute.Key = "fleetlens.steps"
	AttrContextSize    attribute.Key = "fleetlens.context_size"  // messages that the model reads
	AttrToolSelected   attribute.Key = "fleetlens.tool_selected" // of several the first
	AttrResponse       attribute.Key = "fleetlens.response"      // what the model said beside its calls, cut
	AttrReason         attribute.Key = "fleetlens.reason"
	AttrState          attribute.Key = "fleetlens.state"
	AttrFrom           attribute.Key = "fleetlens.from"
	AttrTo             attribute.Key = "fleetlens.to"
	AttrSkill          attribute.Key = "fleetlens.skill"
	AttrSkills         attribute.Key = "fleetlens.skills"
	AttrNotification   attribute.Key = "fleetlens.notification" // its id
	AttrInsight        attribute.Key = "fleetlens.insight"      // its id
	AttrSeverity       attribute.Key = "fleetlens.severity"
	AttrVerified       attribute.Key = "fleetlens.verified"
	AttrCorrelation    attribute.Key = "fleetlens.correlation_type"
	AttrGrounded       attribute.Key = "fleetlens.hypothesis_grounded"
	AttrSummary        attribute.Key = "fleetlens.summary"
	AttrRunning        attribute.Key = "fleetlens.running_operators"
	AttrUnread         attribute.Key = "fleetlens.unread_notifications"
	AttrMS             attribute.Key = "fleetlens.ms"
	AttrCount          attribute.Key = "fleetlens.count"
	AttrSnapshot       attribute.Key = "fleetlens.snapshot" // its id; of several the first
	AttrStatus         attribute.Key = "fleetlens.status"
	AttrThought        attribute.Key = "fleetlens.thought"
	AttrCode           attribute.Key = "fleetlens.code"
	AttrCallback       attribute.Key = "fleetlens.callback"
	AttrVerb           attribute.Key = "fleetlens.verb" // call, snapshot or words
	AttrRefusal        attribute.Key = "fleetlens.refusal"
	AttrMessages       attribute.Key = "fleetlens.messages"
	AttrStrategy       attribute.Key = "fleetlens.strategy"
	AttrMaxTokens      attribute.Key = "fleetlens.compaction_max_tokens"
	AttrKeepLast       attribute.Key = "fleetlens.compaction_keep_last"
	AttrIntent         attribute.Key = "fleetlens.intent"
	AttrInsightsCount  attribute.Key = "fleetlens.insights"
	AttrEndpoint       attribute.Key = "fleetlens.endpoint"
	AttrDeliveryNumber attribute.Key = "fleetlens.delivery" // how often the message came, from 1
)

// Attributes of metrics, which become labels of Prometheus. None of them takes a
// name or an id of a node, a run or a person: their number is bounded.
const (
	LabelAgent       attribute.Key = "agent"
	LabelSkill       attribute.Key = "skill"
	LabelOutcome     attribute.Key = "outcome"
	LabelTool        attribute.Key = "tool"
	LabelResult      attribute.Key = "result"
	LabelDecider     attribute.Key = "decider"
	LabelWillRetry   attribute.Key = "will_retry"
	LabelSeverity    attribute.Key = "severity"
	LabelVerified    attribute.Key = "verified"
	LabelCorrelation attribute.Key = "correlation_type"
	LabelState       attribute.Key = "state"
	LabelVerb        attribute.Key = "verb"
	LabelCallback    attribute.Key = "callback"
	LabelConsumer    attribute.Key = "consumer"
	LabelVerdict     attribute.Key = "verdict"
	LabelStream      attribute.Key = "stream"
	LabelConnection  attribute.Key = "connection"
	LabelSink        attribute.Key = "sink"
)
