// Package fleet simulates fleets with known faults, to measure how well the product
// finds them. A scenario file says what a fleet is like, what goes wrong when, and what
// the right answer is; see docs/reference/scenarios.md.
//
// The nodes are real probes, each with sources that make their values up and a
// connection of its own through a wire that can be cut and that can delay, double and
// reorder what is sent. NATS, coordinators and operators are processes of their own with
// their default configuration. Values depend on the seed alone; when they are
// taken, and by that how a run goes, depends on the machine.
package fleet
