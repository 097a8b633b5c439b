// Package protocol is the wire: every message and every subject of Fleetlens.
//
// Bodies are JSON. What describes a body travels in headers, CloudEvents 1.0 in
// binary mode (see [Envelope]). A message's type is a string with its version,
// "fleetlens.v1.snapshot": within v1 fields are only added and readers ignore
// what they do not know. A break would be a fleetlens.v2 that is read beside v1.
//
// Who sends what to whom, by stream:
//
//	NODES        Heartbeat                         probe → all
//	SNAPSHOTS    Snapshot                          probe → operators, coordinators, anyone
//	EVENTS       Anomaly, Change, Alert            probe, CI, intake → triage, correlation
//	REQUESTS     Request                           clients → coordinators
//	WORK         Task, and Requests for later      coordinators → operators, coordinators
//	FINDINGS     Notification, Completion, State,
//	             Accepted, Progress, Result        operators, coordinators → anyone
//	INSIGHTS     Insight, Resolution               coordinators → downstream
//	JOURNAL      Record                            an agent → itself, replay, people
//	PEOPLE       Feedback, Ack, Note, Silence      people → triage
//	DEADLETTERS  DeadLetter                        whatever gave up → people
//
// Call, CallReply and Words travel by request and reply.
//
// The package needs only the standard library, so that a client can take it
// alone. Subjects are built and parsed by its functions, never by hand.
package protocol
