package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/correlate"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// How the analyst waits for a group that still grows.
const (
	growPause  = 5 * time.Second
	growMargin = 30 * time.Second // before the deadline it concludes in any case
)

// rank returns the calls that rank causes, as long as there are findings to rank and
// what was ranked is not the last word.
func rank(s *agent.CoordinatorState, v agent.View) []protocol.ToolCall {
	switch {
	case !s.Ranks || len(s.Unresolved()) == 0 || len(s.Insights) > 0:
		return nil
	case s.Ranking == nil:
		return []protocol.ToolCall{call("rank_causes", object{})}
	case s.Ranking.Growing && s.Subject.Deadline.Sub(v.Now) > growMargin:
		return []protocol.ToolCall{call("wait", object{"ms": growPause.Milliseconds(), "until": "any"}), call("rank_causes", object{})}
	}
	return nil
}

// groups returns the unresolved findings by what belongs together: as they were ranked,
// and what came after that by itself.
func (a *Analyst) groups(s *agent.CoordinatorState) []agent.FindingGroup {
	left := map[string]protocol.Notification{}
	for _, n := range s.Unresolved() {
		left[n.ID] = n
	}
	var out []agent.FindingGroup
	if s.Ranking != nil {
		for _, g := range s.Ranking.Groups {
			g.NotificationIDs = slices.DeleteFunc(slices.Clone(g.NotificationIDs), func(id string) bool { _, ok := left[id]; return !ok })
			for _, id := range g.NotificationIDs {
				delete(left, id)
			}
			if len(g.NotificationIDs) > 0 {
				out = append(out, g)
			}
		}
	}
	out = oneCause(s, out)
	var rest []correlate.Finding
	for _, n := range s.Unresolved() {
		if _, ok := left[n.ID]; ok {
			rest = append(rest, a.finding(s, n))
		}
	}
	for _, g := range correlate.Groups(rest) {
		group := agent.FindingGroup{Relation: protocol.Correlation(g.Relation), Cause: g.Cause, Why: g.Why}
		for _, f := range g.Findings {
			group.NotificationIDs = append(group.NotificationIDs, f.ID)
			if !slices.Contains(group.Nodes, f.Node) {
				group.Nodes = append(group.Nodes, f.Node)
			}
		}
		group.Affected = len(group.Nodes)
		out = append(out, group)
	}
	return out
}

// oneCause joins groups of several nodes that the ranking explains by the same cause: what
// is short on some nodes and slow on others is told once. So is one without a cause of its
// own whose nodes another has told of. Two things that are short on one node stay two.
func oneCause(s *agent.CoordinatorState, groups []agent.FindingGroup) []agent.FindingGroup {
	var out []agent.FindingGroup
	for _, g := range groups {
		cause := causeOf(s, g)
		i := slices.IndexFunc(out, func(o agent.FindingGroup) bool {
			own := causeOf(s, o)
			same := own == cause || cause == nil && within(g.Nodes, o.Nodes)
			return own != nil && len(g.Nodes) > 1 && len(o.Nodes) > 1 && same
		})
		if i < 0 {
			out = append(out, g)
			continue
		}
		o := &out[i]
		further := max(o.Affected-len(o.Nodes), g.Affected-len(g.Nodes))
		all := slices.Concat(o.Nodes, g.Nodes)
		slices.Sort(all)
		all = slices.Compact(all)
		if len(all) != len(o.Nodes) {
			o.Described = ""
		}
		o.NotificationIDs = append(o.NotificationIDs, g.NotificationIDs...)
		o.Nodes, o.Affected, o.Relation = all, len(all)+further, protocol.Causal
		o.Why += "; " + causeOf(s, *o).Node + " explains the others too (" + g.Cause + ")"
	}
	return out
}

// within reports whether all of some nodes are among others.
func within(some, others []string) bool {
	return !slices.ContainsFunc(some, func(n string) bool { return !slices.Contains(others, n) })
}

func (a *Analyst) finding(s *agent.CoordinatorState, n protocol.Notification) correlate.Finding {
	c, _ := a.check(s, n)
	return correlate.Finding{
		ID: n.ID, Node: n.Node, Skill: n.Operator, Check: n.AnomalyType, Resource: c.Resource, Severity: n.Severity.Rank(), At: n.DetectedAt,
	}
}

// maxSpelled is how many observations a summary spells out.
const maxSpelled = 5

// conclude returns the insight of one group.
func (a *Analyst) conclude(s *agent.CoordinatorState, g agent.FindingGroup) protocol.ToolCall {
	var notes []protocol.Notification
	for _, id := range g.NotificationIDs {
		for _, n := range s.Unresolved() {
			if n.ID == id {
				notes = append(notes, n)
			}
		}
	}
	cause := causeOf(s, g)
	hypothesis := hypothesis(notes, cause, beginsAt(s, cause))
	confidence := protocol.High
	if slices.ContainsFunc(notes, func(n protocol.Notification) bool { return !n.Verified }) {
		confidence = protocol.Medium
	}
	var observations []string
	for _, n := range notes {
		observations = append(observations, n.Observation)
	}
	args := object{
		"notification_ids": g.NotificationIDs, "correlation_type": g.Relation, "summary": a.summary(s, g, notes), "matched_observations": observations,
		"hypothesis_grounded": hypothesis != "", "supporting_ids": g.NotificationIDs, "confidence": confidence,
	}
	if hypothesis != "" {
		args["root_cause_hypothesis"] = hypothesis
	}
	if chain := chain(s, notes, cause); len(chain) > 1 {
		args["chain"] = chain
	}
	if advice := append(a.advice(s, notes), remember(s, notes)...); len(advice) > 0 {
		args["suggested_actions"] = advice
	}
	return call("produce_insight", args)
}

// summary spells out what was observed, and on how many nodes of which kind.
func (a *Analyst) summary(s *agent.CoordinatorState, g agent.FindingGroup, notes []protocol.Notification) string {
	var spelled []string
	told := 0
	for _, n := range notes {
		if a.retold(s, n, notes) {
			continue
		}
		if told++; len(spelled) < maxSpelled {
			spelled = append(spelled, place(n)+": "+n.Observation)
		}
	}
	summary := strings.Join(spelled, "; ")
	if told > len(spelled) || g.Affected > told {
		summary += "; and more of the same"
	}
	if g.Affected < 2 {
		return summary
	}
	of := s.Subject.Matched
	if s.Ranking != nil {
		of = s.Ranking.Fleet
	}
	where := fmt.Sprintf("%d of %d nodes", g.Affected, of)
	if g.Described != "" {
		where += ", those with " + g.Described
	}
	if g.Relation == protocol.Causal {
		return fmt.Sprintf("%s and what follows from it on %s. %s", strings.ReplaceAll(g.Cause, "_", " "), where, summary)
	}
	return fmt.Sprintf("The same problem (%s) on %s. %s", strings.ReplaceAll(g.Cause, "_", " "), where, summary)
}

// retold reports whether an operator's run tells of the same as what began the
// investigation: it knows more.
func (a *Analyst) retold(s *agent.CoordinatorState, n protocol.Notification, notes []protocol.Notification) bool {
	if n.Origin == "" {
		return false
	}
	own := a.finding(s, n)
	return slices.ContainsFunc(notes, func(o protocol.Notification) bool {
		if o.Origin != "" || o.Node != n.Node || o.Target != n.Target || o.Operator != n.Operator {
			return false
		}
		f := a.finding(s, o)
		return f.Check == own.Check || f.Resource != "" && f.Resource == own.Resource
	})
}

// causeOf returns the first candidate that is among a group's nodes, or stands outside
// of all groups: what they depend on. Nil: none was found.
func causeOf(s *agent.CoordinatorState, g agent.FindingGroup) *agent.RankedCause {
	if s.Ranking == nil {
		return nil
	}
	for i, c := range s.Ranking.Causes {
		elsewhere := slices.ContainsFunc(s.Ranking.Groups, func(o agent.FindingGroup) bool { return slices.Contains(o.Nodes, c.Node) })
		if slices.Contains(g.Nodes, c.Node) || !elsewhere {
			return &s.Ranking.Causes[i]
		}
	}
	return nil
}

// hypothesis says what is behind findings: the candidate that ranks first, and whom the
// operators name.
func hypothesis(notes []protocol.Notification, cause *agent.RankedCause, where string) string {
	who, by := "", protocol.Notification{}
	for _, n := range notes {
		if n.Hypothesis != "" && (who == "" || better(n, by, cause)) {
			who, by = n.Hypothesis+" on "+place(n), n
		}
	}
	if cause == nil || len(cause.Reasons) == 0 {
		return who
	}
	alone := !slices.ContainsFunc(notes, func(n protocol.Notification) bool { return n.Node != cause.Node })
	if alone && where == cause.Node && cause.Change == nil && who != "" {
		return who
	}
	text := fmt.Sprintf("It begins at %s: %s", where, strings.Join(cause.Reasons, "; "))
	if who != "" {
		text += ". " + who
	}
	return text
}

// better reports whether a finding names the culprit better than another does: on the
// node of the cause, and at the end of a chain of waiting.
func better(n, than protocol.Notification, cause *agent.RankedCause) bool {
	holds, held := strings.Contains(n.Hypothesis, holding), strings.Contains(than.Hypothesis, holding)
	if holds != held && n.Node == than.Node {
		return holds
	}
	return cause != nil && n.Node == cause.Node
}

// maxNames is how many nodes of a shared cause are named, if no label does it.
const maxNames = 10

// beginsAt names the node of a cause, or all that have it together: by the label that
// they have, else by their names.
func beginsAt(s *agent.CoordinatorState, cause *agent.RankedCause) string {
	if cause == nil {
		return ""
	}
	together := s.Ranking.Together
	if len(together) < 2 || !slices.Contains(together, cause.Node) {
		return cause.Node
	}
	text := fmt.Sprintf("%d nodes at once", len(together))
	if s.Ranking.Described != "" {
		return text + ", those with " + s.Ranking.Described
	}
	text += " (" + strings.Join(together[:min(maxNames, len(together))], ", ")
	if more := len(together) - maxNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ")"
}

// chain tells the story: what was done, what it did there, and who suffered.
func chain(s *agent.CoordinatorState, notes []protocol.Notification, cause *agent.RankedCause) []protocol.ChainLink {
	if cause == nil {
		return nil
	}
	var out []protocol.ChainLink
	if c := cause.Change; c != nil {
		out = append(out, protocol.ChainLink{At: c.At, Node: c.Node, What: c.Text, Role: "change", Evidence: "change " + c.ID})
	}
	var symptoms []protocol.ChainLink
	for _, n := range notes {
		link := protocol.ChainLink{At: n.DetectedAt, Node: n.Node, What: n.Observation, Role: "symptom"}
		if len(n.Evidence) > 0 {
			link.Evidence = n.Evidence[0].Address
		}
		switch {
		case n.Node != cause.Node && slices.Contains(s.Ranking.Together, cause.Node) && slices.Contains(s.Ranking.Together, n.Node):
			// It is the same there: the one link stands for all.
		case n.Node == cause.Node && (len(out) == 0 || out[len(out)-1].Role == "change"):
			link.Role = "effect"
			if !cause.Onset.IsZero() {
				link.At = cause.Onset
			}
			out = append(out, link)
		case n.Node != cause.Node && len(symptoms) < maxSpelled:
			symptoms = append(symptoms, link)
		}
	}
	slices.SortStableFunc(symptoms, func(a, b protocol.ChainLink) int { return a.At.Compare(b.At) })
	return append(out, symptoms...)
}

func (a *Analyst) advice(s *agent.CoordinatorState, notes []protocol.Notification) []string {
	var out []string
	for _, n := range notes {
		if c, ok := a.check(s, n); ok && c.Advice != "" && !slices.Contains(out, c.Advice) {
			out = append(out, c.Advice)
		}
	}
	return out
}
