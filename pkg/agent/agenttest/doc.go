// Package agenttest tests a skill's words, a tool or a whole investigation
// without any provider, NATS or host. It has three pieces:
//
//   - [Script], a decider that follows a list of steps. A step may read the run's
//     state, so it can cite the snapshot that was just taken. It never sees a
//     prompt: use it where the tools are what is tested.
//   - [Model], a chat model of eino's that follows a list of replies. The loop
//     renders prompt, results and tools for it as for any provider: use it where
//     the words are what is tested, through [agent.NewModelDecider].
//   - [Operator], an operator's run in memory, over snapshots and answers that the
//     test gives.
//
// All of them are safe for concurrent use by several runs.
package agenttest
