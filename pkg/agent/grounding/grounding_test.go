package grounding_test

import (
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/agent/grounding"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestCheck(t *testing.T) {
	facts := []grounding.Fact{
		{Address: "s1#memory_used_pct", Name: "memory_used_pct", Value: 91.24, Unit: protocol.Percent},
		{Address: "s1#memory_total_mb", Name: "memory_total_mb", Value: 32014.25, Unit: protocol.Mebibytes},
		{Address: "s1#pool_wait_ms", Name: "pool_wait_ms", Value: 3902, Unit: protocol.Milliseconds},
		{Address: "s1#processes", Name: "processes", Value: 1204, Unit: protocol.Count},
		{Address: "s1#hit_ratio", Name: "hit_ratio", Value: 0.985, Unit: protocol.Ratio},
		{Address: "s1#net_rx", Name: "net_rx", Value: 13_107_200, Unit: protocol.BytesPerSecond},
		{Address: "s1#top", Name: "top_memory_process", Text: "java (48213)"},
		{Address: "s1#log", Name: "message", Text: "checkpoint took 41.7 s"},
		{Address: "r/2#share", Name: "share", Value: 37.5},
	}
	for _, tt := range []struct{ name, text, want string }{
		{"as it is", "memory is 91.24 % used", "91.24 %+"},
		{"rounded", "memory is 91.2% used", "91.2%+"},
		{"rounded to a whole number", "memory is 91 percent used", "91 percent+"},
		{"cut instead of rounded", "hit ratio 98 %", "98 %+"},
		{"rounded wrongly", "memory is 92 % used", "92 %-"},
		{"with thousands separators", "1,204 processes", "1,204+"},
		{"in another unit of the dimension", "31.3 GiB of memory", "31.3 GiB+"},
		{"milliseconds as seconds", "waiting took 3.9 s", "3.9 s+"},
		{"milliseconds taken for seconds", "waiting took 3902 s", "3902 s-"},
		{"a percentage in another dimension", "waiting took 91 ms", "91 ms-"},
		{"a ratio as a percentage", "98.5 % of reads hit", "98.5 %+"},
		{"a byte rate", "12.5 MiB/s arrive", "12.5 MiB/s+"},
		{"invented", "4711 connections are open", "4711-"},
		{"small whole numbers are not checked", "3 of 5 disks", ""},
		{"small numbers with a unit are", "it rose by 2 %", "2 %-"},
		{"a pid in a text fact", "java (48213) is the largest", "48213+"},
		{"another pid", "java (48214) is the largest", "48214-"},
		{"a figure with its unit in a text fact", "a checkpoint took 41.7 s", "41.7 s+"},
		{"a derived figure that a script returned", "37.5 % of it", "37.5 %+"},
		{"identifiers", "web-12, node42, i-0abc123, 10.0.0.12 and sha256:99", ""},
		{"versions, dates and times", "v1.25.3 since 2026-11-21T14:03:48Z, at 14:03, on 2026-11-22 too", ""},
		{"quotes", `it logged "512 connections" and 'took 99 s'`, ""},
		{"an apostrophe opens no quote", "the host's 77 % and the disk's 1204", "77 %- 1204+"},
		{"a range", "between 80-91 %", "80 %- 91 %+"},
		{"k for thousands", "about 1.2k processes", "1.2k+"},
		{"at the end of a sentence", "processes: 1204.", "1204+"},
		{"invented with a magnitude", "250k requests", "250k-"},
		{"a multiple", "15x as much", "15-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range grounding.Check(tt.text, facts) {
				mark := "-"
				if f.Found {
					mark = "+"
				}
				got = append(got, f.Text+mark)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("Check(%q) = %q, want %q", tt.text, s, tt.want)
			}
		})
	}
}

func TestNearestIsTold(t *testing.T) {
	facts := []grounding.Fact{{Address: "s#wait_ms", Name: "wait_ms", Value: 1.1}, {Address: "s#load", Name: "load", Value: 9, Unit: protocol.Load}}
	got := grounding.Check("it waits 9 ms", facts)
	if len(got) != 1 || got[0].Found || got[0].Nearest != "1.1 ms (wait_ms)" {
		t.Errorf("got %+v", got)
	}
}

func TestFlatten(t *testing.T) {
	got := grounding.Flatten("r1/2#web-1/host", map[string]any{"rows": []any{map[string]any{"pid": 12.0, "name": "java"}}})
	if len(got) != 2 || got[1].Address != "r1/2#web-1/host.rows.0.pid" || got[0].Text != "java" {
		t.Errorf("got %+v", got)
	}
	if got := grounding.Flatten("r1/3#", map[string]any{"a": 1.0}); got[0].Address != "r1/3#a" {
		t.Errorf("got %+v", got)
	}
}

func TestHedges(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a fact", "memory is 91 % used since May", ""},
		{"a guess", "it is probably a leak and might grow", "probably might"},
		{"a guess that somebody else logged", `the log says "disk may be failing"`, ""},
		{"words that only contain one", "mightily dismayed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(grounding.Hedges(tt.text), " "); got != tt.want {
				t.Errorf("Hedges(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("memory is 91.24 % used, 1,204 processes, 3e9 B, 80-95 %")
	f.Add("'\"`“1.2.3.4:5-6--7%%kB/s")
	f.Fuzz(func(_ *testing.T, text string) {
		grounding.Check(text, []grounding.Fact{{Address: "a", Name: "x_ms", Value: 12}, {Address: "b", Text: text}})
		grounding.Hedges(text)
	})
}
