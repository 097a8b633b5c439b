package grounding

import (
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

// readings is what a unit as people write it may mean. KB, MB and GB are read as
// decimal and as binary: tools of both habits exist.
var readings = map[string][]unit{
	"%":     {{"%", "percent", 1}},
	"B":     {{"B", "bytes", 1}},
	"KB":    {{"KB", "bytes", kib}, {"KB", "bytes", 1e3}},
	"MB":    {{"MB", "bytes", mib}, {"MB", "bytes", 1e6}},
	"GB":    {{"GB", "bytes", gib}, {"GB", "bytes", 1e9}},
	"TB":    {{"TB", "bytes", tib}, {"TB", "bytes", 1e12}},
	"KiB":   {{"KiB", "bytes", kib}},
	"MiB":   {{"MiB", "bytes", mib}},
	"GiB":   {{"GiB", "bytes", gib}},
	"TiB":   {{"TiB", "bytes", tib}},
	"ns":    {{"ns", "seconds", 1e-9}},
	"us":    {{"us", "seconds", 1e-6}},
	"ms":    {{"ms", "seconds", 1e-3}},
	"s":     {{"s", "seconds", 1}},
	"min":   {{"min", "seconds", 60}},
	"h":     {{"h", "seconds", 3600}},
	"d":     {{"d", "seconds", 86400}},
	"/s":    {{"/s", "rate", 1}},
	"B/s":   {{"B/s", "byterate", 1}},
	"KB/s":  {{"KB/s", "byterate", kib}, {"KB/s", "byterate", 1e3}},
	"MB/s":  {{"MB/s", "byterate", mib}, {"MB/s", "byterate", 1e6}},
	"GB/s":  {{"GB/s", "byterate", gib}, {"GB/s", "byterate", 1e9}},
	"KiB/s": {{"KiB/s", "byterate", kib}},
	"MiB/s": {{"MiB/s", "byterate", mib}},
	"GiB/s": {{"GiB/s", "byterate", gib}},
}

// spellings maps how a unit is written to its name in readings.
var spellings = map[string]string{
	"percent": "%", "pct": "%", "byte": "B", "bytes": "B", "kB": "KB", "µs": "us", "μs": "us",
	"microsecond": "us", "microseconds": "us", "nanosecond": "ns", "nanoseconds": "ns", "millisecond": "ms", "milliseconds": "ms",
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "mins": "min",
	"hour": "h", "hours": "h", "day": "d", "days": "d", "per second": "/s", "a second": "/s", "bytes/s": "B/s", "bytes per second": "B/s",
	"kB/s": "KB/s",
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
