// Package agent is a loop that finds something out step by step and can stop
// and go on anywhere.
//
// A [Decider] chooses the next step: a language model, or rules. A [Tool] does
// it. The [Journal] is the run: every decision is written before it is acted
// upon, every result before the next decision, so that another worker goes on
// from the last record. A tool computes an effect and a fold applies it to the
// run's state; live and on replay the state is made by the same folds.
//
// The package holds the tools of both agents, over the interfaces they need
// ([Probes], [Findings], [Fleet], [Operators]); it knows no NATS.
package agent
