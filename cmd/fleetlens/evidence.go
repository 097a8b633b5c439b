package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetlens/fleetlens/internal/proc"
	"github.com/fleetlens/fleetlens/internal/reading"
	"github.com/fleetlens/fleetlens/pkg/protocol"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/all"
)

func (a *app) evidence() *cobra.Command {
	return &cobra.Command{
		Use: "evidence ADDRESS", Short: "Print what an address of evidence says, and who cites it",
		Long: `Print what an address of evidence says: the value where it was measured, its thresholds,
what it was before, and which findings and insights cite it. An address always has an
answer: where the snapshot is gone, the copy that an insight keeps; where that is gone too,
that it is. The beginning of an id will do: of those that are cited, else of all
snapshots, which are then read.`,
		Example: "  fleetlens evidence '9f3c21a0#connections_used'\n  fleetlens evidence '5be0c2a47f19d3e8/3#used'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := reading.ParseAddress(args[0]); err != nil {
				return proc.UsageError{Err: err}
			}
			conn, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer conn.Close()
			v, err := reading.Evidence(cmd.Context(), conn, args[0])
			if err != nil {
				return usage(err)
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), v)
			}
			w, err := wordsOf(v.Snapshot)
			if err != nil {
				return err
			}
			out(cmd).evidence(v, w)
			return nil
		},
	}
}

// wordsOf returns the words of the skill that a snapshot is of; of a skill that this
// program does not know, none.
func wordsOf(s *protocol.Snapshot) (protocol.Words, error) {
	registry, err := skills.NewRegistry(all.Skills(all.Options{})...)
	if err != nil || s == nil {
		return protocol.Words{}, err
	}
	for _, w := range registry.Words() {
		if w.Skill == s.Skill && w.Kind == s.Kind {
			return w, nil
		}
	}
	return protocol.Words{}, nil
}

// evidence prints what an address says.
func (p printer) evidence(v reading.EvidenceView, w protocol.Words) {
	_, field, _ := strings.Cut(v.Address, "#")
	switch {
	case v.Snapshot != nil:
		s := v.Snapshot
		p.printf("%s · %s · %s%s\n", clean(s.Ref().String()), clean(s.Skill), p.stamp(s.CapturedAt), ahead(s.Node, v.SkewMS))
		value, has := s.Data[field]
		if !has {
			p.printf("%s  is not in the snapshot\n", p.bold(clean(field)))
			break
		}
		metric, _ := w.Metric(field)
		p.field(field, value, metric.Unit, v.Evidence, w.Checks)
	case v.Evidence != nil:
		e := v.Evidence
		p.printf("%s · the snapshot is gone; this is the copy of the %s\n", clean(target(e.Node, e.Target)), v.From)
		p.field(field, e.Value, e.Unit, e, nil)
	case v.Result != nil:
		p.printf("step %d · %s\n", v.Result.Step, clean(v.Result.Tool))
		p.printf("%s  %s\n", p.bold(clean(field)), clean(shorten(at(v.Result.Content, field), 2000)))
	default:
		p.printf("%s  %s\n", p.bold(clean(v.Address)), clean(v.Note))
	}
	p.series(v.Series)
	p.cites(v)
	p.printf("  %s\n", p.dim(clean(v.Address)))
}

// ahead says how a host's clock goes, where that is more than the way of a message.
func ahead(node string, skewMS int64) string {
	d := time.Duration(skewMS) * time.Millisecond
	switch {
	case d >= 100*time.Millisecond:
		return fmt.Sprintf(" (clock of %s %s ahead)", clean(node), took(d))
	case d <= -time.Second:
		return fmt.Sprintf(" (clock of %s %s behind)", clean(node), took(-d))
	}
	return ""
}

// field prints a value with what it is held against.
func (p printer) field(name string, value any, unit protocol.Unit, e *protocol.Evidence, checks []protocol.Check) {
	text := fmt.Sprint(value)
	if v, ok := value.(float64); ok {
		text = figure(v, unit)
	}
	var against []string
	for _, c := range checks {
		if c.Metric != name {
			continue
		}
		sign := "≥"
		if c.Op == protocol.Below {
			sign = "≤"
		}
		if c.Warn != nil {
			against = append(against, fmt.Sprintf("warn %s %s", sign, figure(*c.Warn, unit)))
		}
		if c.Critical != nil {
			against = append(against, fmt.Sprintf("critical %s %s", sign, figure(*c.Critical, unit)))
		}
	}
	if e != nil && e.Threshold != nil && len(against) == 0 {
		against = append(against, "threshold "+figure(*e.Threshold, unit))
	}
	if e != nil && e.Baseline != nil {
		against = append(against, "usually "+figure(*e.Baseline, unit))
	}
	p.printf("%s  %s    %s\n", p.bold(clean(name)), p.bold(clean(text)), strings.Join(against, " · "))
}

// series draws what is kept of a field.
func (p printer) series(points []protocol.Point) {
	if len(points) < 2 {
		return
	}
	const most = 60
	shown := points[max(0, len(points)-most):]
	every := time.Duration(shown[len(shown)-1].At-shown[0].At) * time.Millisecond / time.Duration(len(shown)-1)
	p.printf("  %s %s %s    last %d values, %s apart\n", figure(shown[0].Value, ""), sparkline(shown), figure(shown[len(shown)-1].Value, ""), len(shown), every.Round(time.Second))
}

// sparkline draws points between their least and their greatest.
func sparkline(points []protocol.Point) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	low, high := points[0].Value, points[0].Value
	for _, x := range points {
		low, high = min(low, x.Value), max(high, x.Value)
	}
	var b strings.Builder
	for _, x := range points {
		i := 0
		if high > low {
			i = int((x.Value - low) / (high - low) * float64(len(bars)-1))
		}
		b.WriteRune(bars[i])
	}
	return b.String()
}

// cites prints who cites the address, and how long a copy is kept.
func (p printer) cites(v reading.EvidenceView) {
	var by []string
	for _, f := range v.Findings {
		mark := "verified"
		if !f.Verified {
			mark = "not verified"
		}
		by = append(by, fmt.Sprintf("%s (%s)", short(f.ID), mark))
	}
	for _, id := range v.CitedBy {
		by = append(by, "insight "+short(id))
	}
	if len(by) == 0 {
		p.printf("cited by nobody\n")
		return
	}
	kept := ""
	if !v.KeptUntil.IsZero() {
		kept = "; kept with the insight until " + v.KeptUntil.In(p.zone).Format(time.DateOnly)
	}
	const most = 8
	if len(by) > most {
		by = append(by[:most:most], fmt.Sprintf("and %d more", len(by)-most))
	}
	p.printf("cited by %s%s\n", strings.Join(by, ", "), kept)
}

// at returns what stands at a path of a JSON text; where it has no such path, all of it.
func at(content, path string) string {
	var v any
	if json.Unmarshal([]byte(content), &v) != nil {
		return content
	}
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok || m[part] == nil {
			return content
		}
		v = m[part]
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return content
	}
	return string(raw)
}
