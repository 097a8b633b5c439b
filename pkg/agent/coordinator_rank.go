package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Causes ranks, by arithmetic, what may be behind findings.
type Causes interface {
	Rank(ctx context.Context, q RankQuery) (Ranking, error)
}

// A RankQuery says what is to be explained.
type RankQuery struct {
	Group    string // the triage group of the request; empty: none
	Findings []protocol.Notification
	Custom   []protocol.Words // of skills that probes bring themselves
}

// A Ranking is what arithmetic says about findings.
type Ranking struct {
	// Joined are findings that came to the triage group since the run began.
	Joined []protocol.Notification `json:"-"`
	// Past are judged insights of other investigations that are like the findings.
	Past []PastInsight `json:"-"`
	// Growing says that more joined the group a moment ago: a conclusion may be early.
	Growing  bool           `json:"growing,omitempty"`
	Affected int            `json:"affected_nodes"`
	Fleet    int            `json:"fleet_nodes"`
	Groups   []FindingGroup `json:"groups"`
	Causes   []RankedCause  `json:"causes"`
	Why      string         `json:"why,omitempty"` // how the ranking came about
	// Together are the nodes that show the same as the first cause: it is theirs together.
	Together  []string `json:"together,omitempty"`
	Described string   `json:"described,omitempty"` // the label that those nodes have and others have not
	// None says why no cause is named; empty: there is one.
	None string `json:"none,omitempty"`
}

// A FindingGroup is findings that belong together.
type FindingGroup struct {
	NotificationIDs []string             `json:"notification_ids"` // causes before effects
	Relation        protocol.Correlation `json:"correlation_type"`
	Cause           string               `json:"cause"` // what is short at its root: "memory"
	Why             string               `json:"why"`
	// Nodes are all that it concerns, those among them of which the group was only told a
	// number left out; Affected counts them too.
	Nodes     []string `json:"nodes"`
	Affected  int      `json:"affected_nodes"`
	Described string   `json:"described,omitempty"` // the label that these nodes have and others have not: "role=db"
}

// A RankedCause is a candidate root cause.
type RankedCause struct {
	Node    string           `json:"node"`
	Metric  string           `json:"metric,omitempty"` // that speaks most for it: "os.memory_used_pct"
	Score   float64          `json:"score"`
	Share   float64          `json:"share,omitempty"` // of the symptom that it explains, from 0 to 1; 0: not known
	Reasons []string         `json:"reasons"`
	Onset   time.Time        `json:"onset,omitzero"`
	Change  *protocol.Change `json:"change,omitempty"` // what was done to it before
}

// ranked is the effect of rank_causes.
type ranked struct {
	Ranking Ranking                 `json:"ranking"`
	Joined  []protocol.Notification `json:"joined,omitempty"`
	Past    []PastInsight           `json:"past,omitempty"` // that were not known before
}

func (c *CoordinatorTools) rank(ctx context.Context, _ Call, _ none) (Outcome, error) {
	var all []protocol.Notification
	for _, n := range c.state.Notifications {
		all = append(all, n.Notification)
	}
	r, err := c.deps.Causes.Rank(ctx, RankQuery{Group: c.state.Subject.Request.Group, Findings: all, Custom: c.state.Subject.Custom})
	if err != nil {
		return Outcome{}, err
	}
	var joined []protocol.Notification
	for _, n := range r.Joined {
		if _, known := c.state.notification(n.ID); !known {
			joined = append(joined, n)
		}
	}
	type view struct {
		Joined []string `json:"joined_since,omitempty"`
		Ranking
		Past string `json:"past,omitempty"`
	}
	fresh := slices.DeleteFunc(slices.Clone(r.Past), func(p PastInsight) bool {
		return slices.ContainsFunc(c.state.Past, func(known PastInsight) bool { return known.ID == p.ID })
	})
	v := view{Ranking: r, Past: describePast(fresh, func(text string) string { return text })} // a result is data already
	v.Together = bounded(r.Together, 20)
	v.Groups = slices.Clone(r.Groups)
	for i := range v.Groups {
		v.Groups[i].Nodes = bounded(v.Groups[i].Nodes, 20)
	}
	for _, n := range joined {
		v.Joined = append(v.Joined, fmt.Sprintf("notification %s: %s on %s/%s: %s: %s", n.ID, n.Operator, n.Node, n.Target, n.Severity, n.Observation))
	}
	return Outcome{Content: v, Effect: ranked{Ranking: r, Joined: joined, Past: fresh}}, nil
}

func (c *CoordinatorTools) foldRanked(e ranked) error {
	for _, n := range e.Joined {
		if _, known := c.state.notification(n.ID); !known {
			c.state.Notifications = append(c.state.Notifications, Received{Notification: n, Status: Unread})
		}
	}
	c.state.Ranking = &e.Ranking
	c.state.learn(e.Past)
	return nil
}

// groupsOf returns the groups that have one of the notifications.
func (s *CoordinatorState) groupsOf(ids []string) []FindingGroup {
	if s.Ranking == nil {
		return nil
	}
	var out []FindingGroup
	for _, g := range s.Ranking.Groups {
		if slices.ContainsFunc(g.NotificationIDs, func(id string) bool { return slices.Contains(ids, id) }) {
			out = append(out, g)
		}
	}
	return out
}

// affected returns the nodes that notifications concern: their own, and those of their
// groups; count is larger where some are not known by name.
func (s *CoordinatorState) affected(ids []string) (nodes []string, count int) {
	nodes = []string{}
	for _, id := range ids {
		if n, ok := s.notification(id); ok {
			nodes = append(nodes, n.Node)
		}
	}
	further := 0
	for _, g := range s.groupsOf(ids) {
		nodes = append(nodes, g.Nodes...)
		further += g.Affected - len(g.Nodes)
	}
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	return nodes, len(nodes) + further
}
