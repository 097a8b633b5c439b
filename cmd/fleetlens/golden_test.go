package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/internal/triage"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

var update = flag.Bool("update", false, "write the golden files")

// noon is when everything here is printed.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// ways are the ways in which something is printed.
var ways = map[string]look{
	"terminal": {terminal: true, width: 100, zone: time.UTC, now: noon},
	"colour":   {terminal: true, colour: true, width: 100, zone: time.UTC, now: noon},
	"narrow":   {terminal: true, width: 60, zone: time.FixedZone("CEST", 7200), now: noon},
	"piped":    {zone: time.UTC, now: noon},
	"md":       {zone: time.UTC, now: noon, format: "md"},
	"csv":      {terminal: true, width: 100, zone: time.UTC, now: noon, format: "csv"},
	"tsv":      {zone: time.UTC, now: noon, format: "tsv"},
}

// golden compares what is printed in each way with a file.
func golden(t *testing.T, name string, show func(printer), in ...string) {
	t.Helper()
	for _, way := range in {
		l, ok := ways[way]
		if !ok {
			t.Fatalf("no way %q", way)
		}
		var got bytes.Buffer
		show(printer{&got, l})
		if !l.colour && bytes.ContainsRune(got.Bytes(), 0x1b) {
			t.Errorf("%s, %s: it is coloured:\n%q", name, way, &got)
		}
		file := filepath.Join("testdata", name+"."+way+".golden")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s, %s: -want +got\n%s", name, way, diff)
		}
	}
}

func ptr(v float64) *float64 { return &v }

// hostile is text as a host that means ill would report it.
const hostile = "\x1b[2J\x1b]0;owned\x07red\x1b[31m \u202egnp.exe\u202c\ttab\nline \u009b31m"

func someInsights() []protocol.Insight {
	return []protocol.Insight{
		{
			ID: "03aa7be2d44510c1", InvestigationID: "aa10c2a47f19d3e8", CorrelationType: protocol.None, Severity: protocol.SeverityInfo,
			Summary: "Nothing is wrong: every check stands within its threshold.", Grounding: "no hypothesis was made", Confidence: protocol.High,
			Nodes: make([]string, 2140), Figures: []protocol.Figure{{Text: "41 %", Found: true}}, CreatedAt: noon.Add(-30 * time.Hour), Model: "haiku-4.5",
		},
		{
			ID: "77aa7be2d44510c1", InvestigationID: "bb10c2a47f19d3e8", CorrelationType: protocol.Symptomatic, Severity: protocol.SeverityWarning,
			Summary: "/var on log-2 fills: " + hostile, Grounding: "only one node", Confidence: protocol.Medium, RootCauseHypothesis: "A log is not rotated.",
			Nodes: []string{"log-2"}, Figures: []protocol.Figure{{Text: "91 %", Found: true, Evidence: "aa#disk"}, {Text: "3 d"}}, CreatedAt: noon.Add(-3 * time.Hour), Model: protocol.RulesModel,
		},
		theInsight(),
	}
}

func theInsight() protocol.Insight {
	return protocol.Insight{
		ID: "c1f09a7be2d44510", InvestigationID: "5be0c2a47f19d3e8", CorrelationType: protocol.Causal, Severity: protocol.SeverityCritical,
		Summary:             "Checkout is slow because PostgreSQL on db-3 ran out of connections after a deploy",
		RootCauseHypothesis: "The deploy raised checkout's pool from 20 to 80 on 12 hosts.", HypothesisGrounded: true, Grounding: "2 runs, 2 nodes", Confidence: protocol.High,
		Nodes: []string{"db-3", "web-17"}, Skills: []string{"postgres"}, CreatedAt: noon.Add(-12 * time.Minute), Model: "haiku-4.5",
		Usage: protocol.Usage{InputTokens: 4500, OutputTokens: 312, LLMCalls: 5, CostUSD: ptr(0.006)},
		Evidence: []protocol.Evidence{
			{Address: "41bb7c90a0a0a0a0#cpu", Node: "db-3", Name: "cpu", Value: 41.0, Unit: protocol.Percent},
			{Address: "9f3c21a0b7d1e655#connections_used", Node: "db-3", Target: "pg-main", Name: "connections_used", Value: 500.0, Threshold: ptr(475), Baseline: ptr(118)},
		},
		Figures: []protocol.Figure{
			{Text: "500", Value: 500, Found: true, Evidence: "9f3c21a0b7d1e655#connections_used"},
			{Text: "9 ms", Value: 9, Nearest: "1.1 ms at 9f3c21a0b7d1e655#wait"},
		},
		Chain: []protocol.ChainLink{
			{At: noon.Add(-20 * time.Minute), Node: "web-17", What: "deploy", Role: "change"},
			{At: noon.Add(-19 * time.Minute), Node: "db-3", What: "500 of 500 connections", Role: "symptom"},
		},
		RuledOut: []string{"CPU of db-3 (41 %)"}, NotChecked: []string{"network between zones: nobody serves net"}, SuggestedActions: []string{"Roll back checkout."},
	}
}

func TestInsightsAsATable(t *testing.T) {
	golden(t, "insights", func(p printer) { p.insights(someInsights(), 48*time.Hour) }, "terminal", "colour", "narrow", "piped", "md", "csv", "tsv")
}

func TestInsightsAsTheyCome(t *testing.T) {
	golden(t, "follow", func(p printer) {
		for _, i := range someInsights() {
			p.insightLine(i)
		}
	}, "terminal", "colour", "piped")
}

func TestOneInsight(t *testing.T) {
	golden(t, "insight", func(p printer) { p.insight(theInsight()) }, "terminal", "colour", "narrow", "piped")
}

// someFleet is 60 nodes: 3 that got a new version are critical, one warns, two are silent.
func someFleet() []nodeView {
	var views []nodeView
	for i := range 60 {
		v := nodeView{
			Heartbeat: protocol.Heartbeat{
				Node: fmt.Sprintf("web-%02d", i), Version: "1.2.3", Labels: map[string]string{"role": "web", "zone": fmt.Sprintf("z%d", i%3), "version": "v1"},
				Targets: []protocol.HeartbeatTarget{{Name: "host", Kind: "host", Skills: []string{"os", "ports"}}},
			},
			State: "alive", Health: "healthy", LastSeen: noon.Add(-time.Duration(i%10) * time.Second),
		}
		switch {
		case i >= 20 && i < 23:
			v.Labels["version"], v.Labels["app"] = "v2", "checkout"
			v.Health, v.StandsOut = "critical", &standsOut{Skill: "os", Target: "host", Metric: "memory_used_pct", Unit: protocol.Percent, Value: 94 + float64(i-20), Threshold: 90, Peers: 59, Median: ptr(31.5)}
		case i == 40:
			v.Health, v.StandsOut = "warning", &standsOut{Skill: "postgres", Target: "orders", Metric: "connections_used", Value: 80, Threshold: 75}
		case i > 57:
			v.State, v.Health, v.LastSeen = "silent", "silent", noon.Add(-time.Hour)
		}
		if i == 7 {
			v.Proposals = []protocol.Proposal{{Kind: "go", Process: "checkout" + hostile, PID: 42, Address: "127.0.0.1:6060", Config: "go: {checkout: {url: http://127.0.0.1:6060}}"}}
		}
		views = append(views, v)
	}
	return views
}

func TestNodesTheWorstFirst(t *testing.T) {
	golden(t, "nodes", func(p printer) { p.nodes(someFleet(), false) }, "terminal", "colour", "narrow", "piped", "md")
	golden(t, "nodes-few", func(p printer) { p.nodes(someFleet()[:3], false) }, "terminal", "piped")
	golden(t, "nodes-none", func(p printer) { p.nodes(nil, false) }, "terminal", "piped")
}

// record makes a record of a journal.
func record(n int, after time.Duration, worker string, kind protocol.RecordKind, data any) protocol.Record {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return protocol.Record{RunID: "5be0c2a47f19d3e8.pg", N: n, Kind: kind, Worker: worker, At: noon.Add(after), Data: raw}
}

// aRun is one that lost a worker at step 2, whose answer was paid again.
func aRun() []protocol.Record {
	usage := protocol.Usage{InputTokens: 1204, OutputTokens: 88, LLMCalls: 1, CostUSD: ptr(0.0015)}
	subject, err := json.Marshal(map[string]any{"task": protocol.Task{Skill: "postgres", Targets: []protocol.TargetRef{{Node: "db-3", Target: "pg-main"}}}})
	if err != nil {
		panic(err)
	}
	ms := time.Millisecond
	return []protocol.Record{
		record(1, 0, "op-1", protocol.RecordClaim, protocol.Claim{Worker: "op-1", Attempt: 1}),
		record(2, 10*ms, "op-1", protocol.RecordStart, protocol.Start{Agent: protocol.OperatorAgent, User: "Why is checkout slow?\nMore.", Subject: subject, Settings: protocol.RunSettings{Model: "haiku-4.5", Deadline: noon.Add(time.Minute)}}),
		record(3, 1410*ms, "op-1", protocol.RecordAnswer, protocol.Answer{Step: 1, Model: "haiku-4.5", Usage: usage, Calls: []protocol.ToolCall{{Tool: "take_snapshot", Args: "{}"}}}),
		record(4, 1422*ms, "op-1", protocol.RecordResult, protocol.ToolResult{Step: 1, Tool: "take_snapshot", Content: `{"used":500}` + hostile}),
		record(5, 2400*ms, "op-1", protocol.RecordAnswer, protocol.Answer{Step: 2, Model: "haiku-4.5", Usage: usage}),
		record(6, 3300*ms, "op-2", protocol.RecordClaim, protocol.Claim{Worker: "op-2", Attempt: 2}),
		record(7, 4300*ms, "op-2", protocol.RecordAnswer, protocol.Answer{Step: 2, Model: "haiku-4.5", Usage: usage}),
		record(8, 4309*ms, "op-2", protocol.RecordResult, protocol.ToolResult{Step: 2, Tool: "send_notification", Failed: true, Content: `"9 ms" is not in the evidence`}),
		record(9, 4330*ms, "op-2", protocol.RecordFinish, protocol.Finish{Outcome: protocol.OutcomeDone, Steps: 2, Usage: usage}),
	}
}

func TestARunWithATakeover(t *testing.T) {
	golden(t, "run", func(p printer) { p.run("5be0c2/postgres", aRun()) }, "terminal", "colour", "narrow", "piped", "csv")
	golden(t, "run-untaken", func(p printer) { p.run("5be0c2/postgres", nil) }, "terminal", "piped")
	golden(t, "record", func(p printer) { p.inFull(aRun()[3]) }, "terminal", "piped")
}

func TestEvidenceOfEachOrigin(t *testing.T) {
	snap := &protocol.Snapshot{ID: "9f3c21a0b7d1e655", Node: "db-3", Target: "pg-main", Kind: "postgres", Skill: "postgres", CapturedAt: noon.Add(-time.Minute), Data: map[string]any{"connections_used": 500.0, "version": hostile}}
	var points []protocol.Point
	for i, v := range []float64{112, 112, 112, 118, 120, 500, 500} {
		points = append(points, protocol.Point{At: noon.Add(time.Duration(i-7) * 30 * time.Second).UnixMilli(), Value: v})
	}
	words := protocol.Words{
		Metrics: []protocol.Metric{{Name: "connections_used", Unit: protocol.Count}},
		Checks:  []protocol.Check{{Metric: "connections_used", Op: protocol.Above, Warn: ptr(400), Critical: ptr(475)}},
	}
	copied := &protocol.Evidence{Address: "9f3c21a0b7d1e655#connections_used", Node: "db-3", Target: "pg-main", Name: "connections_used", Value: 500.0, Unit: protocol.Count, Threshold: ptr(475), Baseline: ptr(118)}
	for name, v := range map[string]reading.EvidenceView{
		"evidence-snapshot": {
			Address: copied.Address, From: "snapshot", Evidence: copied, Snapshot: snap, Series: points, SkewMS: 140,
			CitedBy: []string{"c1f09a7be2d44510"}, Findings: []reading.CitingFinding{{ID: "77a1000000000000", Verified: true}}, KeptUntil: noon.Add(30 * 24 * time.Hour),
		},
		"evidence-text":    {Address: "9f3c21a0b7d1e655#version", From: "snapshot", Snapshot: snap},
		"evidence-missing": {Address: "9f3c21a0b7d1e655#nothing", From: "snapshot", Snapshot: snap},
		"evidence-copy":    {Address: copied.Address, From: "insight", Evidence: copied, CitedBy: []string{"c1f09a7be2d44510"}},
		"evidence-step":    {Address: "5be0c2a47f19d3e8/3#used", From: "run", Result: &protocol.ToolResult{Step: 3, Tool: "execute", Content: `{"used":{"is":500}}`}},
		"evidence-gone":    {Address: "0000#x", From: "expired", Note: "nothing that is kept has it"},
	} {
		golden(t, name, func(p printer) { p.evidence(v, words) }, "terminal", "colour", "piped")
	}
}

func TestTriageAsATable(t *testing.T) {
	board := coordinator.Triage{
		Groups: []*triage.Group{{
			ID: "5be0c2a47f19d3e8", OpenedAt: noon.Add(-time.Hour), Keys: []string{"os.memory_used_pct", hostile}, Nodes: map[string]uint32{"web-1": 1, "web-2": 1}, Kinds: map[string]int{"watch": 2},
			Repeats: 1234, Severity: protocol.SeverityCritical, Limited: "3 investigations used the model in the last hour, of at most 3",
		}},
		Ledger: triage.Ledger{Silenced: map[string]int{"db-move": 2500, "canary": 1}, Quiet: 2},
	}
	golden(t, "triage", func(p printer) {
		notes := p
		if !p.terminal {
			notes = printer{new(bytes.Buffer), p.look}
		}
		p.triage(board, notes)
	}, "terminal", "colour", "piped")
}

func TestSilencesAsATable(t *testing.T) {
	golden(t, "silences", func(p printer) {
		p.silences([]silenceView{
			{protocol.Silence{ID: "db-move", Nodes: []string{"db-1", "db-2"}, Skills: []string{"os"}, Until: noon.Add(time.Hour), Reason: "new disks" + hostile, By: "ops"}, true, 2500},
			{protocol.Silence{ID: "0123456789abcdef", Labels: map[string]string{"role": "canary"}, Until: noon.Add(-time.Hour), Reason: "load test", By: "ops"}, false, 0},
			{protocol.Silence{ID: "all", Until: noon, Reason: "moving", By: "ops"}, false, 1},
		})
	}, "terminal", "colour", "piped", "csv")
}

func TestAnAnswerToAQuestion(t *testing.T) {
	golden(t, "ask", func(p printer) {
		p.reply(protocol.AskReply{InvestigationID: "5be0c2a47f19d3e8", RunID: "run-1", Summary: "db-3 was first." + hostile, Findings: []string{"500 of 500 at 11:40"}, Concerns: []string{"one clock is off"},
			Figures: [][]protocol.Figure{{}, {{Text: "500", Value: 500, Found: true, Evidence: "aa#connections"}, {Text: "9 ms", Value: 9, Nearest: "1.1 ms at aa#latency_ms" + hostile}}, {}}, Model: "haiku-4.5"})
	}, "terminal", "colour", "piped")
}

func TestPipedIsOneLineARecord(t *testing.T) {
	for name, want := range map[string]int{"insights": 3, "nodes": 60, "run": 9, "triage": 1, "silences": 3, "follow": 3, "nodes-none": 0} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".piped.golden"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
		if len(raw) == 0 {
			lines = nil
		}
		if len(lines) != want {
			t.Errorf("%s has %d lines, want %d", name, len(lines), want)
		}
		for _, l := range lines {
			if strings.Count(l, "\t") != strings.Count(lines[0], "\t") {
				t.Errorf("%s: %q has not as many fields as %q", name, l, lines[0])
			}
		}
	}
}
