// Package detect finds metrics that left their usual course: arithmetic on
// samples, without a clock and without I/O. Times are arguments; who reads the
// metrics, keeps the file of baselines and publishes what is found is the caller.
//
// A [Model] scores the samples of one metric. Several cheap features of a sample
// are each turned into a tail probability by their rank in the metric's own
// history, so that no distribution is assumed; the surprises of unlike features
// are added up, and the sum is averaged over a few samples. A [Detector] keeps a
// model for each metric of a node and decides what is told: it learns, counts
// anomalous samples of each metric, escalates, and is quiet for a while.
//
// What a metric costs, which tests hold: at most 3.5 KiB in memory with all
// calendars filled, at most 200 bytes on disk with a usual name.
package detect
