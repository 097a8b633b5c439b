package signals

import "go.opentelemetry.io/otel/attribute"

// Buckets of histograms, in seconds: of what takes moments, and of what takes
// minutes.
var (
	moments = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	minutes = []float64{.1, .5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1800, 3600}
	counts  = []float64{1, 2, 3, 5, 8, 13, 20, 25, 40, 60, 100}
)

// Table returns every signal, in the order of the documentation.
func Table() []Signal { return table }

func keys(k ...attribute.Key) []attribute.Key { return k }

var table = []Signal{
	// Spans.
	{
		Name: string(Request), Kind: KindSpan, Attrs: keys(AttrErrorType),
		Doc: "`fleetlens investigate`, from the question to its answer. It is below the span that the environment's `TRACEPARENT` names, if it names one.",
	},
	{
		Name: string(Investigation), Kind: KindSpan,
		Attrs: keys(AttrInvestigation, AttrReason, AttrStrategy, AttrDeliveryNumber, AttrOutcome, AttrInsightsCount, AttrErrorType),
		Doc:   "A request in the hands of a coordinator, from its message to its result. It continues the trace of the message; another coordinator that takes over continues it too.",
		For:   []string{"coordinator.started"},
	},
	{
		Name: string(InvokeAgent), Kind: KindSpan,
		Attrs: keys(AttrOperation, AttrAgentName, AttrConversation, AttrAgent, AttrRun, AttrInvestigation, AttrAttempt, AttrRequestModel,
			AttrOutcome, AttrSteps, AttrInputTokens, AttrOutputTokens, AttrCachedTokens, AttrErrorType),
		Doc: "One worker's part of a run; named for the skill, or `coordinator`. A worker that takes over makes one of its own in the same trace, with its attempt and a link to the first.",
		For: []string{"operator.started", "operator.status_change"},
	},
	{
		Name: string(Iteration), Kind: KindSpan, Attrs: keys(AttrIteration, AttrState),
		Doc: "One turn: what came from outside, the decision, and the calls that it made.",
		For: []string{"operator.iteration_start", "coordinator.iteration_start"},
	},
	{
		Name: string(Chat), Kind: KindSpan,
		Attrs: keys(AttrOperation, AttrProvider, AttrRequestModel, AttrResponseModel, AttrConversation, AttrIteration, AttrContextSize,
			AttrInputTokens, AttrOutputTokens, AttrCachedTokens, AttrToolSelected, AttrIntent, AttrResponse, AttrErrorType),
		Doc: "One request to a model; named for the model. Rules and scripts ask none.",
		For: []string{"llm.start", "llm.stop", "llm.exception"},
	},
	{
		Name: string(ExecuteTool), Kind: KindSpan,
		Attrs: keys(AttrOperation, AttrTool, AttrToolCall, AttrToolType, AttrIteration, AttrCount, AttrSnapshot, AttrMS, AttrThought, AttrCode,
			AttrCallback, AttrSkill, AttrSkills, AttrStatus, AttrErrorType),
		Doc: "One call of a tool; named for the tool. `error.type` is `invalid` for arguments that it does not take, `failed` for the tool's own error.",
		For: []string{
			"tool.start", "tool.stop", "tool.exception",
			"operator.get_notifications", "operator.take_snapshot", "operator.get_snapshot", "operator.get_snapshots",
			"operator.execute_start", "operator.execute_complete", "operator.execute_error", "operator.wait", "operator.think",
			"coordinator.get_notifications", "coordinator.update_notification_statuses", "coordinator.invoke_operators", "coordinator.message_operator",
			"coordinator.get_operator_statuses", "coordinator.wait", "coordinator.think",
		},
	},
	{
		Name: string(ProbeCall), Kind: KindSpan, Attrs: keys(AttrVerb, AttrCallback, AttrSkill, AttrRefusal, AttrErrorType),
		Doc: "A question that a probe answers, where the question belongs to a trace; named for the callback, or for `snapshot` or `words`.",
	},

	// Events of agents.
	{
		Name: string(DecisionFailed), Kind: KindEvent, Attrs: keys(AttrIteration, AttrAttempt, AttrWillRetry, AttrReason),
		Doc: "A decision failed. Without another try the rules analyst goes on, or the run fails.",
		For: []string{"operator.llm_error", "coordinator.llm_error"},
	},
	{Name: string(Instead), Kind: KindEvent, Attrs: keys(AttrDecider, AttrReason), Doc: "Another decider takes the run over: a budget is spent, or the model does not answer."},
	{
		Name: string(ToolRefused), Kind: KindEvent, Attrs: keys(AttrTool, AttrReason),
		Doc: "A call was not made: there is no such tool, or it does not take the arguments.",
		For: []string{"coordinator.invalid_intent"},
	},
	{
		Name: string(CompactionStart), Kind: KindEvent, Attrs: keys(AttrIteration, AttrMessages, AttrStrategy, AttrMaxTokens, AttrKeepLast),
		Doc: "The conversation has grown too long and is being summarised; how many messages it has.",
		For: []string{"compaction.start"},
	},
	{
		Name: string(CompactionStop), Kind: KindEvent, Attrs: keys(AttrIteration, AttrMessages),
		Doc: "It was summarised; how many messages it has now.",
		For: []string{"compaction.stop"},
	},
	{Name: string(CompactionFailed), Kind: KindEvent, Attrs: keys(AttrIteration, AttrReason), Doc: "It could not be summarised and stays as it is."},
	{
		Name: string(AgentDone), Kind: KindEvent, Attrs: keys(AttrUnread),
		Doc: "The run ended as its agent wanted. Of coordinators: how many notifications nobody had looked at.",
		For: []string{"operator.done", "coordinator.done"},
	},
	{Name: string(AgentFailed), Kind: KindEvent, Attrs: keys(AttrReason), Doc: "The run failed."},
	{
		Name: string(MaxIterations), Kind: KindEvent, Attrs: keys(AttrSteps), Doc: "The run made as many steps as it may.",
		For: []string{"coordinator.max_iterations_reached"},
	},
	{
		Name: string(DeadlineExceeded), Kind: KindEvent, Attrs: keys(AttrSteps), Doc: "The run's time was over.",
		For: []string{"coordinator.deadline_exceeded"},
	},
	{Name: string(Cancelled), Kind: KindEvent, Attrs: keys(AttrSteps), Doc: "Somebody ended the run.", For: []string{"coordinator.cancelled"}},
	{
		Name: string(HandedBack), Kind: KindEvent, Attrs: keys(AttrReason),
		Doc: "The worker stopped before the run had ended; another goes on with it.",
		For: []string{"operator.loop_stopped", "coordinator.loop_stopped"},
	},
	{Name: string(Superseded), Kind: KindEvent, Attrs: keys(), Doc: "Another worker had claimed the run meanwhile."},
	{Name: string(LLMRetry), Kind: KindEvent, Attrs: keys(AttrRequestModel, AttrAttempt, AttrReason), Doc: "A model or a set is asked again within one decision."},
	{Name: string(LLMEndpointClosed), Kind: KindEvent, Attrs: keys(AttrEndpoint), Doc: "A provider's endpoint was not asked, because it failed too often."},

	// Events of operators.
	{
		Name: string(StateChange), Kind: KindEvent, Attrs: keys(AttrFrom, AttrTo, AttrReason), Doc: "An operator sees its targets otherwise than before.",
		For: []string{"operator.state_change"},
	},
	{
		Name: string(NotificationSent), Kind: KindEvent, Attrs: keys(AttrNotification, AttrSeverity, AttrVerified), Doc: "A notification is on the stream.",
		For: []string{"operator.notification_sent"},
	},
	{
		Name: string(NotificationFailed), Kind: KindEvent, Attrs: keys(AttrReason), Doc: "A notification was not sent: the fact check sent it back, or it could not be stored.",
		For: []string{"operator.notification_failed"},
	},

	// Events of coordinators.
	{
		Name: string(NotificationReceived), Kind: KindEvent, Attrs: keys(AttrNotification, AttrSkill, AttrSeverity), Doc: "An operator's notification reached the coordinator.",
		For: []string{"coordinator.operator_notification_received"},
	},
	{
		Name: string(OperatorComplete), Kind: KindEvent, Attrs: keys(AttrSkill, AttrRun, AttrOutcome, AttrState), Doc: "An operator's run ended.",
		For: []string{"coordinator.operator_complete"},
	},
	{
		Name: string(OperatorCrashed), Kind: KindEvent, Attrs: keys(AttrSkill, AttrRun, AttrReason), Doc: "An operator's run failed.",
		For: []string{"coordinator.operator_crashed"},
	},
	{
		Name: string(OperatorNotFound), Kind: KindEvent, Attrs: keys(AttrSkill), Doc: "A message was for an operator that was never invoked.",
		For: []string{"coordinator.operator_not_found"},
	},
	{
		Name: string(NotChecked), Kind: KindEvent, Attrs: keys(AttrReason), Doc: "Something could not be looked into: a skill that nobody has or serves, targets past the limit.",
		For: []string{"operator_supervisor.skill_resolution_failed"},
	},
	{
		Name: string(InsightProduced), Kind: KindEvent, Attrs: keys(AttrInsight, AttrSeverity, AttrCorrelation, AttrGrounded, AttrSummary), Doc: "An insight is on the stream.",
		For: []string{"coordinator.insight_produced"},
	},
	{
		Name: string(DoneRejected), Kind: KindEvent, Attrs: keys(AttrRunning), Doc: "The coordinator may not end yet: operators run.",
		For: []string{"coordinator.done_rejected"},
	},
	{
		Name: string(Scheduled), Kind: KindEvent, Attrs: keys(AttrMS, AttrReason), Doc: "The coordinator left a request for later.",
		For: []string{"coordinator.schedule"},
	},
	{
		Name: string(ScheduleRejected), Kind: KindEvent, Attrs: keys(AttrRunning), Doc: "It may not: operators run.",
		For: []string{"coordinator.schedule_rejected"},
	},
	{
		Name: string(ScheduledReinvoke), Kind: KindEvent, Attrs: keys(AttrReason), Doc: "The investigation was left for now by an earlier one, or recurs. It is a trace of its own, linked to the earlier one's.",
		For: []string{"coordinator.scheduled_reinvoke"},
	},
	{
		Name: string(TriageAsked), Kind: KindEvent, Attrs: keys(AttrReason, AttrCount), Doc: "Triage asked for the investigation; how many nodes it names.",
		For: []string{"anomaly.detector.auto_trigger_started"},
	},
	{Name: string(ClassifyStart), Kind: KindEvent, Attrs: keys(), Doc: "The pipeline asks which skills fit.", For: []string{"coordinator.pipeline_classify_start"}},
	{
		Name: string(ClassifyComplete), Kind: KindEvent, Attrs: keys(AttrIntent, AttrSkills), Doc: "It knows.",
		For: []string{"coordinator.pipeline_classify_complete"},
	},
	{Name: string(SynthesizeStart), Kind: KindEvent, Attrs: keys(AttrCount), Doc: "The pipeline has the findings summed up; how many there are.", For: []string{"coordinator.pipeline_synthesize_start"}},
	{Name: string(SynthesizeComplete), Kind: KindEvent, Attrs: keys(), Doc: "They are.", For: []string{"coordinator.pipeline_synthesize_complete"}},

	// Metrics of agents.
	{Name: string(Runs), Kind: KindCounter, Unit: "{run}", Attrs: keys(LabelAgent, LabelSkill, LabelOutcome), Doc: "Runs that ended."},
	{Name: string(RunDuration), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelAgent, LabelSkill, LabelOutcome), Doc: "From a run's start, whoever had it then, to its end.", Buckets: minutes},
	{Name: string(RunSteps), Kind: KindHistogram, Unit: "{step}", Attrs: keys(LabelAgent, LabelSkill), Doc: "Steps of runs that ended.", Buckets: counts},
	{Name: string(RunsInFlight), Kind: KindGauge, Unit: "{run}", Attrs: keys(LabelAgent), Doc: "Runs in this worker's hands, waiting ones included."},
	{Name: string(Takeovers), Kind: KindCounter, Unit: "{run}", Attrs: keys(LabelAgent, LabelSkill), Doc: "Runs that this worker took over from another, or after its own restart."},
	{Name: string(DecisionDuration), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelAgent, LabelDecider), Doc: "Time to one decision, by a model or by rules.", Buckets: minutes},
	{Name: string(DecisionsFailed), Kind: KindCounter, Unit: "{decision}", Attrs: keys(LabelAgent, LabelDecider, LabelWillRetry), Doc: "Decisions that failed."},
	{
		Name: string(ToolCalls), Kind: KindCounter, Unit: "{call}", Attrs: keys(LabelAgent, LabelTool, LabelResult),
		Doc: "Calls of tools. The result is `ok`, `failed` (the tool's own error), `invalid` (no such tool, or arguments it does not take) or `left` (the run ended or moved meanwhile).",
	},
	{Name: string(ToolDuration), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelAgent, LabelTool), Doc: "Time that calls of tools took.", Buckets: moments},
	{Name: string(Compactions), Kind: KindCounter, Unit: "{compaction}", Attrs: keys(LabelAgent, LabelResult), Doc: "Conversations that were summarised (`ok`), or could not be (`failed`)."},
	{Name: string(Cost), Kind: KindCounter, Unit: "{USD}", Attrs: keys(LabelAgent, LabelDecider), Doc: "What models cost, in US dollars, as far as their prices are known. Conversations that were summarised are counted too."},
	{Name: string(TokenUsage), Kind: KindHistogram, Unit: "{token}", Attrs: keys(AttrOperation, AttrProvider, AttrTokenType, AttrRequestModel), Doc: "Number of input and output tokens used."},
	{Name: string(OperationDuration), Kind: KindHistogram, Unit: "s", Attrs: keys(AttrOperation, AttrProvider, AttrRequestModel, AttrErrorType), Doc: "GenAI operation duration."},

	// Metrics of operators and coordinators.
	{Name: string(Notifications), Kind: KindCounter, Unit: "{notification}", Attrs: keys(LabelSkill, LabelSeverity, LabelVerified), Doc: "Notifications sent."},
	{Name: string(NotificationsFailed), Kind: KindCounter, Unit: "{notification}", Attrs: keys(LabelSkill), Doc: "Notifications that the fact check sent back, or that could not be stored."},
	{
		Name: string(ProbeRequests), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelVerb, LabelResult),
		Doc: "Questions to probes. The result is `ok`, `refused`, `nobody` (the probe is not connected), `late` or `failed`.", Buckets: moments,
	},
	{Name: string(Insights), Kind: KindCounter, Unit: "{insight}", Attrs: keys(LabelSeverity, LabelCorrelation), Doc: "Insights published."},
	{Name: string(Investigations), Kind: KindCounter, Unit: "{investigation}", Attrs: keys(LabelState), Doc: "Investigations that ended, by the state of their result."},
	{Name: string(TimeToInsight), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelState), Doc: "Time from the acceptance of a request to its result.", Buckets: minutes},
	{Name: string(WatchSnapshots), Kind: KindCounter, Unit: "{snapshot}", Attrs: keys(LabelSkill), Doc: "Snapshots whose checks a watching operator evaluated."},
	{Name: string(WatchNotifications), Kind: KindCounter, Unit: "{notification}", Attrs: keys(LabelSkill), Doc: "Notifications that it sent because a check stayed crossed. What another worker had sent already counts too."},
	{
		Name: string(TriageSignals), Kind: KindCounter, Unit: "{signal}", Attrs: keys(LabelResult),
		Doc: "Anomalies, notifications, alerts and silent nodes that triage read. The result is `opened` (a group), `joined` (one), `silenced`, `quiet` or `repeated`.",
	},
	{Name: string(TriageLeading), Kind: KindGauge, Doc: "1 while this coordinator does the triage, else 0."},
	{Name: string(KnownNodes), Kind: KindGauge, Unit: "{node}", Attrs: keys(LabelState), Doc: "Nodes that the coordinator knows, `alive` and `silent`. All coordinators know the same: take the maximum, not the sum."},
	{
		Name: string(TriageRequests), Kind: KindCounter, Unit: "{request}", Attrs: keys(LabelResult),
		Doc: "Investigations that triage asked for. The result is `model`, `rules` where `--max-triggers-per-hour` was reached, or `failed`: whoever leads next asks again.",
		For: []string{"anomaly.detector.trigger_rate_limited", "anomaly.detector.auto_trigger_failed"},
	},

	// Metrics of probes.
	{Name: string(Collections), Kind: KindCounter, Unit: "{collection}", Attrs: keys(LabelSkill, LabelResult), Doc: "Snapshots taken. The result is `ok`, `partial` or `failed`.", For: []string{"anomaly.detector.metric_collection_failed"}},
	{Name: string(CollectionDuration), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelSkill), Doc: "Time that taking a snapshot took.", Buckets: moments},
	{Name: string(Calls), Kind: KindCounter, Unit: "{call}", Attrs: keys(LabelCallback, LabelResult), Doc: "Callbacks answered. The result is `ok` or the code of the refusal; a callback that does not exist counts as `unknown`."},
	{Name: string(CallDuration), Kind: KindHistogram, Unit: "s", Attrs: keys(LabelCallback), Doc: "Time that callbacks took.", Buckets: moments},
	{Name: string(Buffered), Kind: KindGauge, Unit: "{message}", Doc: "Messages that NATS does not have yet."},
	{
		Name: string(DetectorState), Kind: KindGauge, Attrs: keys(LabelState), Doc: "1 for the state that the node's detector is in, `learning`, `active` or `cooldown`; 0 for the others.",
		For: []string{"anomaly.detector.learning_complete", "anomaly.detector.cooldown_started", "anomaly.detector.cooldown_complete"},
	},
	{
		Name: string(OddSamples), Kind: KindCounter, Unit: "{sample}", Attrs: keys(LabelSkill), Doc: "Samples that were anomalous, of metrics that were not told yet: enough of them in a row are.",
		For: []string{"anomaly.detector.anomaly_detected"},
	},
	{Name: string(Anomalies), Kind: KindCounter, Unit: "{anomaly}", Attrs: keys(LabelSkill, LabelSeverity), Doc: "Metrics that left their usual course and were told.", For: []string{"anomaly.detector.escalation"}},
	{
		Name: string(Escalations), Kind: KindCounter, Unit: "{escalation}", Attrs: keys(LabelSkill, LabelResult),
		Doc: "Snapshots with such metrics. The result is `asked` (triage shall look into it), `joined` (the skill's escalation before, less than the cooldown ago), `limited` (`max_triggers_per_hour` is reached) or `off` (`auto_trigger` is).",
		For: []string{"anomaly.detector.escalation", "anomaly.detector.trigger_rate_limited"},
	},
	{
		Name: string(Baselines), Kind: KindCounter, Unit: "{file}", Attrs: keys(LabelVerb, LabelResult), Doc: "Times that the file of baselines was read (`restore`) or written (`save`). The result is `ok` or `failed`.",
		For: []string{"anomaly.baseline_store.dets_open_failed", "anomaly.baseline_store.dets_insert_failed"},
	},
	{Name: string(Dropped), Kind: KindCounter, Unit: "{message}", Doc: "Messages dropped because NATS was away for too long."},

	// Metrics of gateways.
	{Name: string(SinkSent), Kind: KindCounter, Unit: "{message}", Attrs: keys(LabelSink), Doc: "Insights, and what became of them, that a sink took."},
	{
		Name: string(SinkFailures), Kind: KindCounter, Unit: "{attempt}", Attrs: keys(LabelSink, LabelResult),
		Doc: "Attempts that failed. The result is `again` (another follows) or `given_up` (it is a dead letter).",
	},
	{Name: string(SinkPending), Kind: KindGauge, Unit: "{message}", Attrs: keys(LabelSink), Doc: "What is still to be sent to a sink, by any gateway, as of a few seconds ago."},

	// Metrics of every process.
	{Name: string(BusInFlight), Kind: KindGauge, Unit: "{message}", Attrs: keys(LabelConsumer), Doc: "Requests or tasks being worked on."},
	{
		Name: string(BusDeliveries), Kind: KindCounter, Unit: "{message}", Attrs: keys(LabelConsumer, LabelVerdict),
		Doc: "Requests or tasks that a handler is done with. The verdict is `ack`, `again`, `handed_back`, `not_mine` or `deadletter`.",
	},
	{Name: string(BusRedeliveries), Kind: KindCounter, Unit: "{message}", Attrs: keys(LabelConsumer), Doc: "Requests or tasks that came again."},
	{Name: string(BusDeadLetters), Kind: KindCounter, Unit: "{message}", Attrs: keys(LabelStream), Doc: "Messages that were given up and went to the dead letters."},
	{Name: string(BusConnected), Kind: KindGauge, Attrs: keys(LabelConnection), Doc: "1 while the connection to NATS is up, else 0."},
	{Name: string(BusReconnects), Kind: KindCounter, Unit: "{reconnect}", Attrs: keys(LabelConnection), Doc: "Times that the connection to NATS came back."},
}
