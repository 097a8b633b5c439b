package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// run prints a run's journal as a timeline.
func (p printer) run(name string, records []protocol.Record) {
	if !p.terminal || p.format != "" {
		p.runRecords(name, records)
		return
	}
	if len(records) == 0 {
		p.printf("%s · no worker has taken it yet\n", p.bold("run "+clean(name)))
		return
	}
	p.printf("%s\n", strings.Join(append([]string{p.bold("run " + clean(name))}, headOf(records)...), " · "))
	begin := records[0].At
	for i, r := range records {
		if r.Kind == protocol.RecordClaim {
			if text := takeover(records, i); text != "" {
				p.printf("    %s\n", p.paint("33", "·· "+clean(text)))
			}
			continue
		}
		what, text := step(r)
		lasted := "–"
		if i > 0 && (r.Kind == protocol.RecordAnswer || r.Kind == protocol.RecordResult) {
			lasted = took(r.At.Sub(records[i-1].At))
		}
		p.printf("%3d  %s  %7s  %-*s  %s\n", r.N, p.dim(fmt.Sprintf("%+8.2f s", r.At.Sub(begin).Seconds())), lasted, toolWidth, clean(what), clean(shorten(text, max(40, p.width-toolWidth-30))))
	}
	p.printf("     %s\n", p.dim("one in full: fleetlens run show '"+clean(name)+"#3'"))
}

// toolWidth is as wide as most names of tools.
const toolWidth = 18

// runRecords prints a line for each record.
func (p printer) runRecords(name string, records []protocol.Record) {
	s := sheet{header: []string{"Run", "N", "Time", "Took ms", "What", "Text"}}
	for i, r := range records {
		lasted := int64(0)
		if i > 0 {
			lasted = r.At.Sub(records[i-1].At).Milliseconds()
		}
		what, text := step(r)
		if r.Kind == protocol.RecordClaim {
			text = cmp.Or(takeover(records, i), text)
		}
		s.rows = append(s.rows, []any{cmp.Or(r.RunID, name), r.N, both{p.moment(r.At), r.At.UTC().Format(time.RFC3339Nano)}, int(lasted), what, shorten(text, 500)})
	}
	p.sheet(s)
}

// inFull prints a record in full.
func (p printer) inFull(r protocol.Record) {
	p.printf("%s · %s · worker %s\n", p.bold(fmt.Sprintf("run %s#%d", clean(r.RunID), r.N)), p.stamp(r.At), clean(r.Worker))
	what, text := step(r)
	if r.Kind == protocol.RecordStart {
		var s protocol.Start
		if json.Unmarshal(r.Data, &s) == nil {
			text = s.System + "\n\n" + s.User
		}
	}
	p.printf("%s\n", p.bold(clean(what)))
	p.lines(text)
	var pretty any
	if json.Unmarshal(r.Data, &pretty) == nil {
		if raw, err := json.MarshalIndent(pretty, "", "  "); err == nil {
			p.lines(string(raw))
		}
	}
}

// lines prints a text of several lines.
func (p printer) lines(text string) {
	for line := range strings.Lines(text) {
		p.printf("%s\n", clean(strings.TrimRight(line, "\r\n")))
	}
}

// headOf says whose run it is, where, by which worker, how long it took and what it cost.
func headOf(records []protocol.Record) []string {
	var out []string
	var usage protocol.Usage
	finished := "running"
	for i, r := range records {
		switch r.Kind {
		case protocol.RecordStart:
			out = append(out, subjectOf(r)...)
		case protocol.RecordAnswer:
			var a protocol.Answer
			if json.Unmarshal(r.Data, &a) == nil {
				usage = usage.Plus(a.Usage)
			}
		case protocol.RecordCompaction:
			var c protocol.Compaction
			if json.Unmarshal(r.Data, &c) == nil {
				usage = usage.Plus(c.Usage)
			}
		case protocol.RecordFinish:
			finished = took(records[i].At.Sub(records[0].At))
		}
	}
	worker, attempt, lost := "", 0, []string{}
	for i, r := range records {
		var c protocol.Claim
		if r.Kind != protocol.RecordClaim || json.Unmarshal(r.Data, &c) != nil {
			continue
		}
		if worker != "" {
			lost = append(lost, fmt.Sprintf("%s lost at step %d", clean(worker), stepBefore(records, i)))
		}
		worker, attempt = c.Worker, c.Attempt
	}
	if worker != "" {
		text := "worker " + clean(worker)
		if attempt > 1 {
			text += fmt.Sprintf(", attempt %d (%s)", attempt, strings.Join(lost, ", "))
		}
		out = append(out, text)
	}
	return append(out, finished, spending(usage))
}

// subjectOf names the agent of a run and its targets.
func subjectOf(r protocol.Record) []string {
	var s protocol.Start
	var subject struct {
		Task protocol.Task `json:"task"`
	}
	if json.Unmarshal(r.Data, &s) != nil {
		return nil
	}
	_ = json.Unmarshal(s.Subject, &subject) // a coordinator's has no task
	out := []string{clean(cmp.Or(subject.Task.Skill, s.Agent))}
	switch n := len(subject.Task.Targets); n {
	case 0:
	case 1:
		out = append(out, clean(subject.Task.Targets[0].String()))
	default:
		out = append(out, count(n, "target"))
	}
	return out
}

// stepBefore is the last step that was decided before a record.
func stepBefore(records []protocol.Record, i int) int {
	for i--; i >= 0; i-- {
		var a protocol.Answer
		if records[i].Kind == protocol.RecordAnswer && json.Unmarshal(records[i].Data, &a) == nil {
			return a.Step
		}
	}
	return 0
}

// takeover tells of the worker that was lost before a claim, and what it cost; empty:
// the claim is the first.
func takeover(records []protocol.Record, i int) string {
	var c protocol.Claim
	if json.Unmarshal(records[i].Data, &c) != nil {
		return ""
	}
	before := ""
	known := map[int]bool{} // steps that were decided before
	for _, r := range records[:i] {
		var was protocol.Claim
		var a protocol.Answer
		switch {
		case r.Kind == protocol.RecordClaim && json.Unmarshal(r.Data, &was) == nil:
			before = was.Worker
		case r.Kind == protocol.RecordAnswer && json.Unmarshal(r.Data, &a) == nil:
			known[a.Step] = true
		}
	}
	if before == "" {
		return ""
	}
	twice := 0
	for _, r := range records[i:] {
		var a protocol.Answer
		if r.Kind == protocol.RecordAnswer && json.Unmarshal(r.Data, &a) == nil && known[a.Step] {
			twice++
		}
	}
	return fmt.Sprintf("%s lost; %s went on after %s, %s paid twice", before, c.Worker, took(records[i].At.Sub(records[i-1].At)), count(twice, "answer"))
}

// step says what a record is and what it holds, in a line.
func step(r protocol.Record) (what, text string) {
	read := func(v any) bool { return json.Unmarshal(r.Data, v) == nil }
	switch r.Kind {
	case protocol.RecordStart:
		var s protocol.Start
		if read(&s) {
			first, _, _ := strings.Cut(s.User, "\n")
			return "start", fmt.Sprintf("%s · %s · decided by %s · deadline %s", s.Agent, first, s.Settings.Model, s.Settings.Deadline.UTC().Format(time.RFC3339))
		}
	case protocol.RecordClaim:
		var c protocol.Claim
		if read(&c) {
			return "claim", fmt.Sprintf("worker %s, attempt %d", c.Worker, c.Attempt)
		}
	case protocol.RecordAnswer:
		var a protocol.Answer
		if read(&a) {
			return "model", answer(a)
		}
	case protocol.RecordResult:
		var res protocol.ToolResult
		if read(&res) {
			how := ""
			switch {
			case res.Invalid:
				how = "invalid: "
			case res.Failed:
				how = "failed: "
			}
			return res.Tool, how + res.Content
		}
	case protocol.RecordInput:
		var in protocol.Input
		if read(&in) {
			return "input", strings.Join(append(in.Said, in.Text), " ")
		}
	case protocol.RecordCompaction:
		var c protocol.Compaction
		if read(&c) {
			return "compaction", fmt.Sprintf("after step %d the conversation up to record %d is a summary: %s", c.Step, c.Upto, c.Summary)
		}
	case protocol.RecordRetry:
		var t protocol.Retry
		if read(&t) {
			return "retry", fmt.Sprintf("step %d, attempt %d failed: %s; again in %d ms", t.Step, t.Attempt, t.Error, t.DelayMS)
		}
	case protocol.RecordCancel:
		var c protocol.Cancel
		if read(&c) {
			return "cancel", fmt.Sprintf("by %s %s", c.By, c.Reason)
		}
	case protocol.RecordFinish:
		var f protocol.Finish
		if read(&f) {
			return string(f.Outcome), strings.TrimSpace(fmt.Sprintf("after %s, %s %s", count(f.Steps, "step"), spending(f.Usage), f.Error))
		}
	}
	return string(r.Kind), string(r.Data)
}

// answer says what a model was paid for, and what it decided.
func answer(a protocol.Answer) string {
	parts := []string{a.Model}
	if a.Usage.LLMCalls > 0 {
		parts = append(parts, thousands(a.Usage.InputTokens)+" in", thousands(a.Usage.OutputTokens)+" out")
		if a.Usage.CostUSD != nil {
			parts = append(parts, dollars(*a.Usage.CostUSD))
		}
	}
	if a.Instead != "" {
		parts = append(parts, "instead of the run's model: "+a.Instead)
	}
	for _, c := range a.Calls {
		parts = append(parts, c.Tool+" "+c.Args)
	}
	if a.Text != "" {
		parts = append(parts, a.Text)
	}
	return strings.Join(parts, " · ")
}

func shorten(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n]) + "…"
}
