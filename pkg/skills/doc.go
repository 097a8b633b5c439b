// Package skills defines what a skill is: a domain of diagnosis (the operating
// system, garbage collection, logs) in one value, words and functions together.
//
// A skill has one source for each kind of target that can answer it. A source
// is a literal: its prompt, its metrics, its thresholds and its callbacks, with
// the functions that read them, so that words cannot drift from code. The words
// travel ([protocol.Words]); the functions stay on the host with the probe.
//
// A source only reads. It may take what it reads from a client of its own or
// from a reader handed to it; it runs no program and changes nothing.
package skills
