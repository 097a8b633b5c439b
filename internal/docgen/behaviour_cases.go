package docgen

// A behaviourCase is one case of the reference behaviour. Its tests are found by
// their marks; a case without one says why.
type behaviourCase struct {
	id     string // a number, or "defect 7"
	does   string // what Fleetlens does
	none   string // why nothing outside Elixir can be its counterpart
	awaits string // what has to be built first
}

type behaviourGroup struct {
	title string
	cases []behaviourCase
}

// What cases await. Whoever builds it marks the tests and takes the reason away.
const (
	awaitsDetector = "the anomaly detector and the tracer skill"
)

// behaviourGroups returns the cases of the reference behaviour about agents and databases, then
// its defects. A case that upstream gets wrong stands in its mended form.
func behaviourGroups() []behaviourGroup {
	return []behaviourGroup{
		{"Identifiers and records", []behaviourCase{
			{id: "1", does: "A hundred notifications of one run have a hundred ids of 16 lower-case hex digits, made from run and step."},
			{id: "2", does: "So have a hundred insights, and the snapshots of a probe."},
			{id: "3", does: "Trace ids are 32 lower-case hex digits, and none comes twice."},
			{id: "4", does: "A snapshot holds what its source gave, unchanged, and the moment at which it was taken."},
			{id: "5", does: "On the wire a snapshot's metrics stand under `data`."},
			{id: "6", does: "A notification holds the operator, type, severity, context, observation and snapshots that it was sent with."},
			{id: "7", does: "A notification of a request keeps the id it came with; without one it gets one, the same at every coordinator."},
			{id: "8", does: "A notification tells when its step was decided, the node of its snapshot, and the trace of its investigation."},
			{id: "9", does: "A hypothesis is kept apart from the facts; none was made, none is there."},
			{id: "10", does: "A notification without context, without observation, or with an operator only is refused and each missing field named."},
			{id: "11", does: "On the wire context, observation and hypothesis are three texts."},
			{id: "12", does: "An insight holds all that it was produced with and the moment of its step; the hypothesis may be absent."},
			{id: "13", does: "An insight without one of its six required arguments is refused."},
			{id: "14", does: "On the wire an insight's enumerations and times are text, and its grounding is a boolean."},
			{id: "15", does: "A completion tells its state in words: `healthy`."},
			{id: "16", does: "A completion names its skill, on the wire and in the result of the investigation."},
		}},
		{"Operator: what a tool takes", []behaviourCase{
			{id: "17", does: "`set_state` takes each of the four states, and its reason is told with it."},
			{id: "18", does: "`send_notification` takes each of the three severities and all of its fields."},
			{id: "19", does: "`send_notification` takes a hypothesis that is absent or null."},
			{id: "20", does: "`send_notification` without snapshot ids is refused."},
			{id: "21", does: "`get_notifications`, `take_snapshot` and `done` need no arguments: none, `{}` or null."},
			{id: "22", does: "`get_snapshot` takes an id, `get_snapshots` a limit and an offset, each of which may be absent or null."},
			{id: "23", does: "`execute` runs the code letter for letter, `wait` waits as long as it was told, `think` keeps the thought."},
			{id: "24", does: "A tool that does not exist is refused with the names of those that do."},
			{id: "25", does: "A wait below zero is refused, and the run goes on."},
		}},
		{"Coordinator: what a tool takes", []behaviourCase{
			{id: "26", does: "`get_notifications` takes each status, `all` and none; the last two mean the same."},
			{id: "27", does: "`update_notification_statuses` takes both statuses, with a reason and without; without ids it is refused."},
			{id: "28", does: "`produce_insight` takes each correlation and each confidence, with a root cause and without; what is required is required."},
			{id: "29", does: "`invoke_operators` with context and without, `message_operator`, `get_operator_statuses`, `wait`, `think` and `done` take what they are given."},
			{id: "30", does: "`schedule` needs a time and a reason; a tool that does not exist is refused."},
			{id: "31", does: "The pipeline takes a classification as question or investigation, and a synthesis by its answer."},
		}},
		{"Operator: a run", []behaviourCase{
			{id: "32", does: "A worker that has started answers for its skill."},
			{id: "33", does: "A run begins healthy, at its first step, with nothing found; a run that nobody has taken has neither worker nor step."},
			{id: "34", does: "A worker decides by the models of its configuration; where none is configured there is a default."},
			{id: "35", does: "Each of the four states shows once it is set."},
			{id: "36", does: "Each step is told with the skill and its number, and the trace of the investigation goes with the run."},
			{id: "37", does: "A run counts as running from its start to its completion, and no longer."},
			{id: "38", does: "A snapshot, `set_state` healthy and `done` make a completion that is healthy."},
			{id: "39", does: "A notification about a snapshot that was taken is in the completion by its id, and holds that snapshot."},
			{id: "40", does: "A notification without snapshot ids is refused; nothing is sent, the model reads why, and it cost a step."},
			{id: "41", does: "Of known and unknown snapshot ids only the unknown are named in the refusal."},
			{id: "42", does: "An unknown snapshot is answered as not found with its id; limit and offset cut the list, the oldest first."},
			{id: "43", does: "Who listens sees each notification before the completion, which tells operator, state and outcome."},
			{id: "44", does: "Two tasks at a busy worker are both run to their end."},
			{id: "45", does: "The second run of a worker begins with nothing of the first."},
			{id: "46", does: "A run at its limit of steps keeps what it found and says `max_iterations`."},
			{id: "47", does: "A decision that fails is tried again after 1 s and 2 s; after the third failure the rules analyst decides, and where there is none the run fails."},
			{id: "48", does: "A run that cannot go on completes as failed with its error, and never as healthy; where the rules analyst stood in for a model, the completion says why."},
			{id: "49", does: "A call that no tool takes is answered with the error, and the run goes on; three such answers in a row end it."},
			{id: "50", does: "Everybody who asks for one investigation is answered with its one result; nobody is turned away for being second."},
			{id: "51", does: "A worker without a task asks no model."},
			{id: "52", does: "An unknown skill is refused with the known ones; one that nobody serves fails within seconds and says what to start."},
			{id: "53", does: "A message to an operator that was never invoked is answered with an error, and the run goes on."},
			{id: "54", does: "Conversations are compacted at 50,000 tokens and keep five messages, or as the request says; the instruction asks for anomalies and exact snapshot ids."},
			{id: "55", does: "What a script returns is evidence; a script that fails is answered with its error and changes nothing."},
			{id: "56", does: "A result that JSON cannot express is answered with words that say so, and the run goes on."},
			{id: "57", does: "After a wait the model still reads the reason and all that came before."},
		}},
		{"The conversation", []behaviourCase{
			{id: "58", does: "A result is one message of compact JSON that belongs to its call."},
			{id: "59", does: "A message is added behind those there are, which stay as they were."},
			{id: "60", does: "A value that cannot be written as JSON becomes a message that says so."},
			{id: "61", does: "System, user, assistant and tool messages carry their roles and texts; an empty journal gives the prompt alone."},
			{id: "62", does: "Of an answer of several parts the texts are joined; parts that are no text, and no answer at all, give no text."},
		}},
		{"Processes and skills", []behaviourCase{
			{id: "63", does: "A worker of two skills serves both, and takes tasks of both."},
			{id: "64", does: "The model that a request names decides for its coordinator and for its operators."},
			{id: "65", does: "A worker may be given some of the skills it knows. One that it does not know is a wrong setting, named before anything starts."},
			{id: "66", does: "The skills there are stand with title and summary in the coordinator's prompt and in `fleetlens skills`."},
			{id: "67", does: "The status of a run comes from its journal, so that a busy worker is as good as an idle one; an unknown investigation is not found."},
			{id: "68", does: "A skill is found by its short name."},
			{id: "69", does: "A worker without a list of skills, or with an empty one, serves all it knows."},
			{id: "70", does: "Settings of one skill reach it and leave the others as they are."},
			{id: "71", does: "The tracer and the detector run where they are asked for.", awaits: awaitsDetector},
			{id: "72", does: "Thresholds that are set for any skill are those that its operators judge by."},
		}},
		{"Coordinator: a run", []behaviourCase{
			{id: "73", does: "A request while no coordinator runs fails at once and says so."},
			{id: "74", does: "A coordinator's run begins at its first step with nothing; one unread and one acknowledged notification are two, one of them unread."},
			{id: "75", does: "What operators of the investigation report is unread; what others report is not its own."},
			{id: "76", does: "`get_notifications` costs a step, and a filter lists those of its status only."},
			{id: "77", does: "Statuses of one or several notifications are set; an unknown id is named and makes none."},
			{id: "78", does: "An insight about two acknowledged notifications resolves both, and the model reads its id."},
			{id: "79", does: "`done` is allowed when all is resolved and when something is unread."},
			{id: "80", does: "`done` while an operator runs is refused, costs a step, and the run goes on."},
			{id: "81", does: "A tool that does not exist costs a step, the model reads why, and the run goes on."},
			{id: "82", does: "When its model fails for good the rules analyst concludes and says so; a run that cannot go on answers its caller at once, cancels its operators, and the next request is run."},
			{id: "83", does: "`invoke_operators` says what it started and how many; an unknown skill is named as not started and not counted."},
			{id: "84", does: "`message_operator` reaches an operator that was invoked; one that does not answer, or is not there, is an error, and the run goes on."},
			{id: "85", does: "`get_operator_statuses` lists no run, one at work, one that ended, and one whose status cannot be read."},
			{id: "86", does: "`wait` says how long it waited, and costs a step."},
			{id: "87", does: "An operator that died is no longer running and is reported with its error; others are not touched by it."},
			{id: "88", does: "A completion brings its notifications unread and its result; those that are known keep their status, and a stranger's completion is passed over."},
			{id: "89", does: "Two requests at once are both run, and the second begins with nothing of the first."},
			{id: "90", does: "At the limit of steps the run ends at once, also when operators still run: they are cancelled and named."},
			{id: "91", does: "The first message holds the reason and each key of the context, numbers and booleans as they are, letters unchanged; an empty context adds nothing."},
			{id: "92", does: "A model that hangs does not hold the caller past the deadline; a deadline after the end changes nothing."},
			{id: "93", does: "Who asked may go away: the investigation is run to its end, and its result is on the stream."},
			{id: "94", does: "A cancel ends the investigation and its operators, and the next request is run; a cancel of one that ended or never was changes nothing."},
			{id: "95", does: "A cancel of five operators leaves other runs and the workers alive."},
			{id: "96", does: "`schedule` ends the investigation and its caller is answered; while operators run it is refused."},
			{id: "97", does: "What was scheduled comes as an investigation of its own, with its reason and without a caller."},
			{id: "98", does: "What was scheduled is listed and can be taken off, so that it does not come."},
			{id: "99", does: "A strategy of one's own decides in the same loop; a request may name one, for itself alone."},
			{id: "100", does: "A coordinator's conversation is compacted like an operator's; the instruction asks for notification ids, correlations and insights."},
			{id: "101", does: "Notifications that come with a request are unread from the start, and are not part of its options."},
			{id: "102", does: "The skills and the limit of steps that a request names hold for it."},
			{id: "103", does: "After a cancel in the middle of a wait no model is asked again."},
		}},
		{"Pipeline", []behaviourCase{
			{id: "104", does: "The first stage classifies: the model is asked nothing else and sees no other tool."},
			{id: "105", does: "Of the skills that a classification names the unknown are left out; when none is left it is asked again."},
			{id: "106", does: "While an operator runs the pipeline waits; then it synthesizes, from notifications, or from what the checks met when there are none."},
			{id: "107", does: "The answer is the summary of one insight that resolves every notification; without notifications it names none."},
			{id: "108", does: "An insight of the pipeline is published like any other."},
		}},
		{"Telemetry", []behaviourCase{
			{id: "109", does: "Every event of the reference has its span, event or metric, or a reason for having none."},
			{id: "110", does: "A tool call is a span with its duration; one that fails carries the error."},
			{id: "111", does: "Spans begin, end and fail with their attributes."},
			{id: "112", does: "A model call is a span with trace, step, size of the context and the tools that were chosen."},
			{id: "113", does: "A compaction is told with the number of messages before and after."},
			{id: "114", does: "The log of a process has a level that is set where it starts."},
			{id: "115", does: "The event of an insight carries its summary."},
		}},
		{"Databases", []behaviourCase{
			{id: "147", does: "Queries of 10, 20 and 30 ms are three, 20 ms on average and 30 at most; of 10, 100 and 200 ms two are slow at 50; two transactions that failed are counted."},
			{id: "148", does: "Slow queries come slowest first, as many as asked for, each with its shape, role and database; the threshold is told, and none is listed when all were fast."},
			{id: "149", does: "Waits of 5, 10 and 15 ms are 10 on average and 15 at most; of 10, 60 and 100 ms two are contention; five of ten are five, and that there are more is told."},
			{id: "150", does: "What is no PostgreSQL gives no callback an answer; the twelve callbacks of the reference take what they take there, under both names."},
		}},
		{"Other skills", []behaviourCase{
			{id: "145", does: "A pause of 100 ms counts as one event with 100 ms as the longest, with one of 300 ms more 300 is; times are of the wall clock, and the newest comes first."},
			{id: "157", does: "Twenty thousand goroutines behind a call that blocks are sustained overload of the kind downstream_blocking, and back-pressure is advised; percentiles of the queues are there."},
			{id: "160", does: "Kinds and lengths that a profile cannot have are refused by name; a second one while one is active is refused; a stop tells the count, also when idle; without a result there are no functions; the snapshot tells whether one is active."},
			{id: "161", does: "An allocator's ratio is from 0 to 1, the score is 1 minus the average; the problematic ones are below 0.5, the worst first, and as many as the snapshot says. An unknown allocator is refused with those there are."},
		}},
		{"What logs and exceptions keep", []behaviourCase{
			{id: "138", does: "Without entries every count is zero; the levels are counted apart, and what is graver than an error is an error too."},
			{id: "139", does: "A level, a name and a limit filter; what is no level or no regular expression is refused with words, and no match is an empty list."},
			{id: "140", does: "Of more entries than are kept the newest are."},
			{id: "141", does: "A long message is cut and ends with the mark of that."},
			{id: "142", does: "An entry names who wrote it: program, process and source."},
			{id: "143", does: "Where there is nothing to read counts are zero, lists are empty, and what is asked for by id is not found."},
			{id: "144", does: "Exceptions are counted by kind, language and type; found by a part of their type and by a regular expression; shown with their frames, and those that nobody knows are left out."},
			{id: "146", does: "The newest come first, with the time of the wall clock."},
		}},
		{"Defects", []behaviourCase{
			{id: "defect 1", does: "However a run ends, its caller is answered, its operators are stopped and the way is free for the next request."},
			{id: "defect 2", does: "A wait belongs to its run: after a cancel nothing wakes up."},
			{id: "defect 3", does: "Any number of operators may be cancelled; workers and other runs live on."},
			{id: "defect 4", does: "Arguments that no tool takes, of whatever shape, are an error to the model and nothing else."},
			{id: "defect 5", does: "A script that runs out of memory or time costs its own call; the time of callbacks is counted apart."},
			{id: "defect 6", does: "Negative times are refused, and every run has a deadline."},
			{id: "defect 7", does: "A failure is told as a failure to whoever listens."},
			{id: "defect 8", does: "A completion does not make read notifications unread again."},
			{id: "defect 9", does: "The strategy of one request does not hold for the next."},
			{id: "defect 10", does: "What a request says about skills, steps, tokens, model and compaction reaches its runs."},
			{id: "defect 11", does: "A schedule that a coordinator left can be listed and taken off."},
			{id: "defect 12", does: "A skill of one's own is described to coordinators and to the pipeline's classifier."},
			{id: "defect 13", does: "A question to an operator has a tool of its own, leaves its run undisturbed, and cannot hold its asker past the deadline."},
			{id: "defect 14", does: "A skill that runs is not started twice, and what was not started is not counted as started."},
			{id: "defect 15", does: "A run at its limit of steps ends, whatever becomes of its operators."},
			{id: "defect 16", does: "An insight of the pipeline is on the stream; its grounding is decided by code, as that of every insight."},
			{id: "defect 17", does: "A wait forgets nothing."},
			{id: "defect 18", does: "Lists stand in the order of the run, a completion names its skill, every tool answers, and a limit shows as the outcome."},
			{id: "defect 19", does: "A setting reaches the skill it is for; one for a skill or metric that there is not is an error."},
			{id: "defect 20", does: "A panic of a decider, a tool or a target costs that one attempt, and never the worker."},
		}},
	}
}
