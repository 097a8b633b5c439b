package correlate

import (
	"math"
	"time"
)

// What the ranking decides by. There is one set for all cases: none is fitted to a
// data set, and each is a ratio or a count of sigmas, so that units do not matter.
const (
	// Evidence is the logarithm of a shift, so that a node that is 1000 sigmas off in
	// one metric does not outweigh one that is 30 off in three. Resources say where a
	// fault sits; latency, errors and waiting travel to callers; load is most often
	// an effect.
	resourceWeight = 1.0
	symptomWeight  = 0.5
	loadWeight     = 0.25

	// relFloor is the least sigma as a share of the baseline: a change of less than
	// this is no news, however constant the metric was.
	relFloor = 0.05
	// scaleFloor is the same as a share of what nodes usually have of the metric: an idle
	// node that does a little is far from its own baseline, and of no account.
	scaleFloor = 0.01
	// rateFloor is the least sigma of an error rate or availability: half a point.
	rateFloor = 0.005
	// pointFloor is the least sigma of a metric in per cent.
	pointFloor = 1.0
	// countFloor is the least sigma of a count of errors.
	countFloor = 1.0
	// zeroFloor is the least sigma, as a share of the largest value in the incident,
	// of a metric that was zero everywhere: a cap on what such a metric can say.
	zeroFloor = 0.01

	// minShift is the shift in sigmas below which nothing is a symptom: the worst
	// half of a short window of plain noise reaches noiseShift.
	minShift = 4.0
	// noiseShift is what such noise is taken for.
	noiseShift = 3.0
	// mostShift is what any larger shift is taken for: nobody reads on beyond.
	mostShift = 1e6
	// decisiveShift is from where on a shifted resource speaks for itself.
	decisiveShift = 8.0
	// silentShift is what a node is worth that stopped reporting: more than a shift
	// that just decides, less than a resource that is plainly short.
	silentShift = 12.0

	// spikes is the part of a window, one row in so many, that may be spikes.
	spikes = 10

	// quietWindows windows of the baseline, and quietQuantile of their best scores,
	// say what a healthy fleet scores.
	quietWindows  = 40
	quietQuantile = 0.95
	// shortBaseline is the number of rows below which a baseline says nothing.
	shortBaseline = 4
	// fewRows widens sigma by so many parts of the number of rows: by half for ten, as
	// the tail of Student's distribution does, and by nothing to speak of for hundreds.
	fewRows = 5.0

	// commonNodes is how many nodes must share a metric for what they have in common
	// to be taken off each.
	commonNodes = 5

	// explained is how much of a node's evidence a failing dependency takes off it,
	// and supported what each failing dependant adds to the dependency, at most
	// mostSupport of them.
	explained   = 0.6
	supported   = 0.15
	mostSupport = 4
	// unseenShare is the share of its dependants that must suffer for a dependency
	// without metrics to be suspected, and of the sufferers that must depend on it.
	unseenShare = 0.6

	// later, over and alone weigh a node whose deviation began clearly after another's,
	// is over while others last, or that peers do not share.
	later = 0.8
	over  = 0.6
	alone = 1.15

	// changed raises a node that was changed before its onset: enough to decide
	// between alike nodes, too little to make a cause of one without symptoms.
	changed = 1.25
	// changeBefore and changeAfter are how long before its effect a change may lie,
	// and how much after (clocks differ, and onsets are seen in rows).
	changeBefore = 30 * time.Minute
	changeAfter  = time.Minute

	// together is the share of the first node's shift from which on a node with the same
	// metric is of one group with it.
	together = 0.5
)

// Of the excess accounting.
const (
	// An alerted metric that moved by less than this is no symptom: of the error
	// rate, and of the latency as a share of its median.
	leastErrors, leastLatency = 0.003, 0.08
	// A top candidate must exceed ownSigmas of its own excess in the baseline, whose
	// sigma is at least floorErrors or floorLatency (share of the alerted median).
	ownSigmas                 = 4.5
	floorErrors, floorLatency = 0.0005, 0.01
	// blip multiplies that for a symptom of a single row among several: of many rows
	// one is high by chance.
	blip = 1.5
	// reached is the share of the symptom that must flow along an edge.
	reached = 0.02
	// accountWindows windows of the baseline say what a node's own excess is at times.
	accountWindows = 100
	// nearAlert is the part of a window, one in so many rows, that lies around an alert
	// on each side.
	nearAlert = 10
	// lightRow is the share of the symptom's height below which a row does not count,
	// highRow the share that marks its begin, and preRow the one below which a row is
	// still before it.
	lightRow, highRow, preRow = 0.1, 0.5, 0.25
	// mostlyCounts is the share of rows in which a count of errors is at most that of
	// the requests: the two may be read a moment apart.
	mostlyCounts = 0.95
	// newNode is the share of baseline rows with requests below which a node is new.
	newNode = 0.01
	// Nodes that no edge connects to the alert, though they exceed: heads of their
	// own tree that are more concentrated than the best, other heads, the rest.
	orphanBest, orphanHead, orphanRest = 1.1, 0.7, 0.3
	// orphanLeast is the share of the best reached score that a best orphan needs.
	orphanLeast = 0.5
	// inside is the share explained below which a cause is not all of it.
	inside = 0.5
)

// evidence turns a shift in sigmas into evidence. What noise reaches is none, so that
// many metrics that are a little off do not add up to one that is far off.
func evidence(z float64) float64 { return math.Log1p(max(z-noiseShift, 0)) }
