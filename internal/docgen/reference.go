package docgen

// An event is one of Beamlens.
type event struct {
	name   string
	listed bool   // among the 55 that its event_names returns
	how    string // what stands for it, in more words
	none   string // why nothing does
}

// Reasons for events without a counterpart.
const (
	noMessages = "agents here receive no messages of processes: what cannot be read goes to the dead letters, see `fleetlens.bus.deadletters`"
	beginning  = "its start"
	end        = "its end"
	failing    = "its end, with `error.type` and the status"
)

func listed(name string) event        { return event{name: name, listed: true} }
func how(name, text string) event     { return event{name: name, listed: true, how: text} }
func none(name, why string) event     { return event{name: name, listed: true, none: why} }
func unlisted(name, why string) event { return event{name: name, none: why} }
func unlistedBut(name string) event   { return event{name: name} }

// unlistedHow is an event that is not listed, with more words on what stands for it.
func unlistedHow(name, text string) event { return event{name: name, how: text} }

// reference holds every telemetry event of Beamlens 0.4.
var reference = []event{
	how("llm.start", beginning), how("llm.stop", end), how("llm.exception", failing),
	how("tool.start", beginning), how("tool.stop", end), how("tool.exception", failing),

	how("operator.started", beginning), how("operator.iteration_start", beginning), listed("operator.state_change"),
	listed("operator.notification_sent"), listed("operator.notification_failed"), listed("operator.get_notifications"),
	how("operator.take_snapshot", "with `fleetlens.snapshot`"), how("operator.get_snapshot", "with `fleetlens.snapshot`"),
	how("operator.get_snapshots", "with `fleetlens.count`"),
	how("operator.execute_start", beginning), how("operator.execute_complete", end), how("operator.execute_error", failing),
	how("operator.wait", "with `fleetlens.ms`"), how("operator.think", "with `fleetlens.thought`"), listed("operator.done"), listed("operator.llm_error"),
	how("operator.loop_stopped", "which is emitted here"), none("operator.unexpected_message", noMessages),
	{name: "operator.status_change", how: "its start and its end; metric `fleetlens.agent.runs.in_flight`"},

	how("coordinator.started", beginning), how("coordinator.iteration_start", beginning), how("coordinator.get_notifications", "with `fleetlens.status` and `fleetlens.count`"),
	how("coordinator.update_notification_statuses", "with `fleetlens.status` and `fleetlens.count`"), listed("coordinator.insight_produced"),
	how("coordinator.done", "with `fleetlens.unread_notifications`"), unlistedBut("coordinator.done_rejected"),
	how("coordinator.loop_stopped", "which is emitted here"), listed("coordinator.invalid_intent"), listed("coordinator.llm_error"),
	none("coordinator.unexpected_message", noMessages),
	how("coordinator.invoke_operators", "with `fleetlens.skills`"), how("coordinator.message_operator", "with `fleetlens.skill`"), listed("coordinator.get_operator_statuses"),
	how("coordinator.wait", "with `fleetlens.ms`"), how("coordinator.think", "with `fleetlens.thought`"),
	listed("coordinator.operator_notification_received"), listed("coordinator.operator_complete"), listed("coordinator.operator_crashed"),
	unlistedBut("coordinator.operator_not_found"), listed("coordinator.max_iterations_reached"), listed("coordinator.deadline_exceeded"),
	none("coordinator.caller_down", "an investigation does not depend on its caller: it goes on without, and its result is on the stream"),
	listed("coordinator.cancelled"), listed("coordinator.schedule"), listed("coordinator.schedule_rejected"), listed("coordinator.scheduled_reinvoke"),
	listed("coordinator.pipeline_classify_start"), listed("coordinator.pipeline_classify_complete"),
	listed("coordinator.pipeline_synthesize_start"), listed("coordinator.pipeline_synthesize_complete"),

	listed("compaction.start"), listed("compaction.stop"),

	unlistedBut("operator_supervisor.skill_resolution_failed"),

	unlistedHow("anomaly.detector.metric_collection_failed", "of the result `failed`; the log says why"),
	unlisted("anomaly.detector.baseline_calculation_failed", "baselines are arithmetic on each sample as it comes, and cannot fail; what is no finite number is no sample"),
	unlistedHow("anomaly.detector.learning_complete", "and a line in the log, with how long it took"),
	unlistedBut("anomaly.detector.anomaly_detected"),
	unlistedHow("anomaly.detector.escalation", "and a message on `anomalies.<node>.<target>.<skill>` for each metric, with its value, what is usual and its recent series"),
	unlistedHow("anomaly.detector.trigger_rate_limited", "with the results `rules` and `limited`"),
	unlistedHow("anomaly.detector.auto_trigger_started", "which its investigation begins with"),
	unlistedHow("anomaly.detector.auto_trigger_failed", "of the result `failed`; the log says why"),
	unlistedHow("anomaly.detector.cooldown_started", "and a line in the log"), unlistedHow("anomaly.detector.cooldown_complete", "and a line in the log"),
	unlistedHow("anomaly.baseline_store.dets_open_failed", "of `restore` and the result `failed`; the log says why"),
	unlistedHow("anomaly.baseline_store.dets_insert_failed", "of `save` and the result `failed`; the log says why"),
	unlisted("anomaly.baseline_store.dets_delete_failed", "baselines are one file that is replaced whole: nothing is deleted from it"),
}
