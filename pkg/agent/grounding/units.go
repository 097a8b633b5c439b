package grounding

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// A unit is a name with its dimension and its size in the dimension's base.
type unit struct {
	name   string
	dim    string // "bytes", "seconds", "percent", …; empty: unknown
	factor float64
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// readings is what a unit as people write it may mean, the likeliest first. KB,
// MB and GB are read as binary and as decimal: tools of both habits exist.
var readings = withRates(map[string][]unit{
	"%":    {{"%", "percent", 1}},
	"pp":   {{"pp", "points", 1}},
	"B":    {{"B", "bytes", 1}},
	"KB":   {{"KB", "bytes", kib}, {"KB", "bytes", 1e3}},
	"MB":   {{"MB", "bytes", mib}, {"MB", "bytes", 1e6}},
	"GB":   {{"GB", "bytes", gib}, {"GB", "bytes", 1e9}},
	"TB":   {{"TB", "bytes", tib}, {"TB", "bytes", 1e12}},
	"KiB":  {{"KiB", "bytes", kib}},
	"MiB":  {{"MiB", "bytes", mib}},
	"GiB":  {{"GiB", "bytes", gib}},
	"TiB":  {{"TiB", "bytes", tib}},
	"bit":  {{"bit", "bytes", 1. / 8}},
	"kbit": {{"kbit", "bytes", 1e3 / 8}},
	"Mbit": {{"Mbit", "bytes", 1e6 / 8}},
	"Gbit": {{"Gbit", "bytes", 1e9 / 8}},
	"ns":   {{"ns", "seconds", 1e-9}},
	"us":   {{"us", "seconds", 1e-6}},
	"ms":   {{"ms", "seconds", 1e-3}},
	"s":    {{"s", "seconds", 1}},
	"min":  {{"min", "seconds", 60}},
	"h":    {{"h", "seconds", 3600}},
	"d":    {{"d", "seconds", 86400}},
	"week": {{"week", "seconds", 7 * 86400}},
})

// per is how long what a rate is per takes, by its spelling.
var per = map[string]string{
	"s": "s", "sec": "s", "second": "s", "min": "min", "minute": "min", "h": "h", "hr": "h", "hour": "h", "d": "d", "day": "d",
}

func withRates(plain map[string][]unit) map[string][]unit {
	for _, each := range []string{"s", "min", "h", "d"} {
		time := plain[each][0].factor
		for _, name := range []string{"B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "bit", "kbit", "Mbit", "Gbit"} {
			for _, u := range plain[name] {
				rate := name + "/" + each
				plain[rate] = append(plain[rate], unit{rate, "byterate", u.factor / time})
			}
		}
		plain["/"+each] = []unit{{"/" + each, "rate", 1 / time}}
	}
	return plain
}

// spellings maps how a unit is written to its name in readings. µ is read as u.
var spellings = map[string]string{
	"percent": "%", "pct": "%", "percentage points": "pp", "percentage point": "pp", "percent points": "pp", "points": "pp", "%-points": "pp",
	"byte": "B", "bytes": "B", "kB": "KB", "kb": "KB", "mb": "MB", "Mb": "MB", "gb": "GB", "Gb": "GB", "tb": "TB", "Ki": "KiB", "Mi": "MiB", "Gi": "GiB", "Ti": "TiB", "kiB": "KiB",
	"kilobytes": "KB", "megabytes": "MB", "gigabytes": "GB", "terabytes": "TB", "kibibytes": "KiB", "mebibytes": "MiB", "gibibytes": "GiB", "tebibytes": "TiB",
	"bits": "bit", "Kbit": "kbit", "kilobits": "kbit", "megabits": "Mbit", "gigabits": "Gbit",
	"usec": "us", "microsecond": "us", "microseconds": "us", "nanosecond": "ns", "nanoseconds": "ns", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "mins": "min",
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "weeks": "week",
	"bps": "bit/s", "kbps": "kbit/s", "Kbps": "kbit/s", "Mbps": "Mbit/s", "Gbps": "Gbit/s", "rps": "/s", "qps": "/s", "iops": "/s", "IOPS": "/s",
}

var (
	unitRE = unitPattern()
	// "73 writes per second", "12/min": the noun says nothing about the unit.
	perRE = regexp.MustCompile(`^(?: ?[a-z]+(?: [a-z]+)?)?(?:/| per | a | an |/ )(s|sec|second|min|minute|h|hr|hour|d|day)\b`)
)

func unitPattern() *regexp.Regexp {
	var all []string
	for u := range readings {
		if !strings.Contains(u, "/") {
			all = append(all, regexp.QuoteMeta(u))
		}
	}
	for s := range spellings {
		all = append(all, regexp.QuoteMeta(s))
	}
	slices.SortFunc(all, func(a, b string) int { // the longest first
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return regexp.MustCompile(`^[ -]?(` + strings.Join(all, "|") + `)(?:(?:/| per | a | an )(s|sec|second|min|minute|h|hr|hour|d|day)\b)?`)
}

// unitAt returns the unit that a text begins with, behind a number, and its length there.
func unitAt(rest string) (name string, n int) {
	if m := unitRE.FindStringSubmatchIndex(rest); m != nil {
		name = rest[m[2]:m[3]]
		if canonical, ok := spellings[name]; ok {
			name = canonical
		}
		if m[4] >= 0 {
			if rate := name + "/" + per[rest[m[4]:m[5]]]; readings[rate] != nil {
				return rate, m[1]
			}
		}
		if !startsWord(rest[m[3]:]) {
			return name, m[3]
		}
	}
	if m := perRE.FindStringSubmatchIndex(rest); m != nil {
		return "/" + per[rest[m[2]:m[3]]], m[1]
	}
	return "", 0
}

// isUnit reports whether a word is nothing but a unit.
func isUnit(word string) bool {
	name, n := unitAt(word)
	return name != "" && n == len(word)
}

var byUnit = map[protocol.Unit]unit{
	protocol.Count:          {"count", "count", 1},
	protocol.Load:           {"load", "count", 1},
	protocol.Percent:        {"%", "percent", 1},
	protocol.Ratio:          {"ratio", "percent", 100},
	protocol.Bytes:          {"B", "bytes", 1},
	protocol.Kibibytes:      {"KiB", "bytes", kib},
	protocol.Mebibytes:      {"MiB", "bytes", mib},
	protocol.Seconds:        {"s", "seconds", 1},
	protocol.Milliseconds:   {"ms", "seconds", 1e-3},
	protocol.PerSecond:      {"/s", "rate", 1},
	protocol.BytesPerSecond: {"B/s", "byterate", 1},
}

// suffixes tell the unit of a field that declares none; the first that fits holds.
var suffixes = []struct {
	suffix string
	unit   protocol.Unit
	factor float64
}{
	{"bytes_per_second", protocol.BytesPerSecond, 1}, {"per_second", protocol.PerSecond, 1}, {"_per_s", protocol.PerSecond, 1},
	{"per_minute", protocol.PerSecond, 1. / 60}, {"_per_min", protocol.PerSecond, 1. / 60},
	{"_pct", protocol.Percent, 1}, {"_percent", protocol.Percent, 1}, {"_ratio", protocol.Ratio, 1},
	{"_bytes", protocol.Bytes, 1}, {"_kb", protocol.Kibibytes, 1}, {"_mb", protocol.Mebibytes, 1}, {"_gb", protocol.Mebibytes, kib},
	{"_ms", protocol.Milliseconds, 1}, {"_us", protocol.Milliseconds, 1e-3}, {"_ns", protocol.Milliseconds, 1e-6},
	{"_seconds", protocol.Seconds, 1}, {"_secs", protocol.Seconds, 1}, {"_count", protocol.Count, 1}, {"_total", protocol.Count, 1},
	{"pid", protocol.Count, 1},
}

func unitOf(f Fact) unit {
	if u, ok := byUnit[f.Unit]; ok {
		return u
	}
	for _, s := range suffixes {
		if strings.HasSuffix(f.Name, s.suffix) {
			u := byUnit[s.unit]
			u.factor *= s.factor
			return u
		}
	}
	return unit{factor: 1}
}
