package correlate

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Class says what a metric measures, and by that which direction is bad and what
// a deviation is worth.
type Class string

// Classes of metrics. Latency in any unit of time; errors as a count, a rate from 0
// to 1 or per cent; availability as a share or per cent of successes; requests as a
// count or rate; waiting is time lost to others (steal, I/O wait, pressure, queues).
const (
	Latency      Class = "latency"
	Errors       Class = "errors"
	Availability Class = "availability"
	Requests     Class = "requests"
	Waiting      Class = "waiting"
	CPU          Class = "cpu"
	Memory       Class = "memory"
	Disk         Class = "disk"
	Network      Class = "network"
	Other        Class = "other"
)

// classWords are the begins of words in the names of metrics, in the order in which
// they are asked: "cpu_steal_pct" is time waited for, "tcp_retransmits" are errors.
var classWords = []struct {
	class Class
	words []string
}{
	{Availability, []string{"availability", "success"}},
	{Latency, []string{"latency", "duration", "response", "rtt", "delay"}},
	{Waiting, []string{"steal", "iowait", "wait", "pressure", "psi", "queue", "load", "blocked", "throttl"}},
	{Errors, []string{"err", "fail", "retrans", "drop", "loss", "5xx", "timeout", "oom"}},
	{Requests, []string{"request", "workload", "qps", "rps", "throughput", "hits"}},
	{CPU, []string{"cpu", "processor"}},
	{Memory, []string{"mem", "rss", "heap", "swap"}},
	{Disk, []string{"disk", "inode", "iops", "filesystem", "storage", "fs"}},
	{Network, []string{"net", "socket", "tcp", "conn", "rx", "tx"}},
}

// ClassOf returns the class that the name of a metric tells, Other when it tells
// none: "latency_p90" is Latency, "memory_used_pct" Memory.
func ClassOf(metric string) Class {
	words := nameWords(metric)
	for _, c := range classWords {
		for _, prefix := range c.words {
			if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, prefix) }) {
				return c.class
			}
		}
	}
	return Other
}

// nameWords returns the words of a name, in small letters.
func nameWords(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// A Series is one metric of one node. A missing row is NaN.
type Series struct {
	Node   string
	Metric string
	Class  Class // empty: ClassOf(Metric)
	// Baseline and Incident are rows of the case's two windows; a slice may be
	// shorter than its window, the rest is missing then. Counters come as rates.
	Baseline, Incident []float64
}

// An Edge says that Caller depends on Callee.
type Edge struct{ Caller, Callee string }

// An Alert is the symptom that is to be explained. Any field may be empty.
type Alert struct {
	Node   string
	Metric string // a metric or a class
	Time   time.Time
}

// A Change is something that was done to a node: a deploy, a restart, a new
// configuration.
type Change struct {
	Node string    `json:"node"`
	Time time.Time `json:"time"`
	Kind string    `json:"kind,omitempty"`
	Text string    `json:"text,omitempty"`
}

// An Onset is when a detector saw a node's trouble begin, give or take Within.
type Onset struct {
	Time   time.Time
	Within time.Duration
}

// A Case is what Rank judges: how the nodes were, how they are, and what is known
// of them beside. Everything but Series may be missing.
type Case struct {
	Series []Series
	// BaselineTimes and IncidentTimes are the begins of the rows, oldest first.
	// Without them no onset is known but those given.
	BaselineTimes, IncidentTimes []time.Time
	Calls                        []Edge
	Alert                        *Alert
	Changes                      []Change
	Onsets                       map[string]Onset  // by node; they go before onsets seen in the series
	Silent                       map[string]bool   // nodes that are known to have fallen silent, whatever the series show
	Peers                        map[string]string // node → role; nodes of one role are expected to be alike
}

// class returns the series' class.
func (s Series) class() Class {
	if s.Class != "" {
		return s.Class
	}
	return ClassOf(s.Metric)
}

// percent reports whether a metric is told in per cent.
func percent(metric string) bool {
	name := strings.ToLower(metric)
	return strings.HasSuffix(name, "pct") || strings.HasSuffix(name, "percent")
}

// direction returns which way is bad: 1 up, -1 down, 0 both.
func direction(metric string, class Class) float64 {
	name := strings.ToLower(metric)
	rest := strings.Contains(name, "free") || strings.Contains(name, "available") || strings.Contains(name, "idle")
	switch {
	case class == Availability || rest && (class == Memory || class == Disk || class == CPU):
		return -1
	case class == Requests || class == Network || class == Other:
		return 0
	}
	return 1
}

// weight returns what the evidence of a class counts.
func weight(class Class) float64 {
	switch class {
	case Latency, Errors, Availability, Waiting:
		return symptomWeight
	case Requests:
		return loadWeight
	}
	return resourceWeight
}

// resource reports whether a class says where a fault sits rather than who feels it.
func resource(class Class) bool { return weight(class) == resourceWeight }

var percentile = regexp.MustCompile(`(?i)(^|[^a-z0-9])(p|q|pct|percentile)?[_-]?(50|75|9[0-9]+)([^0-9]|$)|(median|max|min)`)

// isPercentile reports whether a metric is a percentile: those do not add up along
// calls as means do.
func isPercentile(metric string) bool { return percentile.MatchString(metric) }
