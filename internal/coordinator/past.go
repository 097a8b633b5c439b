package coordinator

import (
	"context"
	"time"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/internal/similar"
	"github.com/fleetlens/fleetlens/pkg/agent"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// Bounds of looking into the past: how many of the newest insights are compared, of how
// many people's words are read, and how long it may take. An investigation begins
// without a past rather than late.
const (
	pastRead    = 500
	pastAsked   = 20
	pastWithin  = 3 * time.Second
	pastLabeled = 20 // nodes of an insight whose labels are compared
)

// remembers returns what the investigation is told of insights that are like its signals,
// skills and nodes; without, where that cannot be read. Only those that somebody judged are: what nobody did is the program's own word,
// and would be taken for a proof of itself.
func (inv *investigation) remembers(ctx context.Context, signals []protocol.Notification, skills, nodes []string) []agent.PastInsight {
	past, err := inv.past(ctx, similar.OfSignals(inv.id, signals, skills, nodes))
	if err != nil {
		inv.log.Warn("what is known of similar insights cannot be read", "err", err)
	}
	return past
}

func (inv *investigation) past(ctx context.Context, of similar.Case) ([]agent.PastInsight, error) {
	if len(of.Skills) == 0 { // a question in words is like nothing
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pastWithin)
	defer cancel()
	insights, err := inv.newestInsights(ctx)
	if err != nil {
		return nil, err
	}
	var cases []similar.Case
	byID := map[string]protocol.Insight{}
	for _, i := range insights {
		cases, byID[i.ID] = append(cases, similar.Of(i)), i
	}
	var out []agent.PastInsight
	for _, m := range similar.Find(of, cases, inv.sharedLabels, pastAsked) {
		said, err := inv.feedback(ctx, m.ID)
		if err != nil {
			return out, err
		}
		if len(said) == 0 {
			continue
		}
		if out = append(out, agent.NewPastInsight(byID[m.ID], m.Metrics, said)); len(out) == agent.MaxPast {
			break
		}
	}
	return out, nil
}

func (c *coordinator) newestInsights(ctx context.Context) ([]protocol.Insight, error) {
	state, err := c.Bus.StreamState(ctx, bus.Insights)
	if err != nil {
		return nil, err
	}
	from := uint64(1)
	if state.LastSeq > pastRead {
		from = state.LastSeq - pastRead + 1
	}
	var out []protocol.Insight
	for m, err := range c.Bus.Range(ctx, bus.Insights, "insights.>", from) {
		if err != nil {
			return out, err
		}
		if i, err := protocol.Decode[protocol.Insight](m.Data); err == nil {
			out = append(out, i)
		}
	}
	return out, nil
}

// feedback returns what people said of an insight, oldest first.
func (c *coordinator) feedback(ctx context.Context, id string) ([]protocol.Feedback, error) {
	var out []protocol.Feedback
	for m, err := range c.Bus.Range(ctx, bus.People, protocol.PeopleSubject("feedback", id), 0) {
		if err != nil {
			return nil, err
		}
		if f, err := protocol.Decode[protocol.Feedback](m.Data); err == nil && f.ID == id { // its subject is what a user's rights are about
			out = append(out, f)
		}
	}
	return out, nil
}

// sharedLabels returns the labels that nodes have in common, as they are now.
func (c *coordinator) sharedLabels(nodes []string) []string {
	if len(nodes) == 0 {
		return nil
	}
	var labels []map[string]string
	for _, h := range c.fleet.selectNodes(nodes[:min(len(nodes), pastLabeled)], nil).nodes {
		labels = append(labels, h.Labels)
	}
	return similar.Shared(labels)
}
