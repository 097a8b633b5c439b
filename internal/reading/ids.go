package reading

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetlens/fleetlens/internal/bus"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// An AmbiguousError says that the beginning of an id is that of several.
type AmbiguousError struct {
	Prefix     string
	Candidates []string // in the order in which they were found, each once
}

// Error implements error. It lists the candidates, of very many the first.
func (e *AmbiguousError) Error() string {
	const most = 10
	list, more := e.Candidates, ""
	if len(list) > most {
		list, more = list[:most], fmt.Sprintf(" and %d more", len(list)-most)
	}
	return fmt.Sprintf("%q is the beginning of %d ids: %s%s; give more of it", e.Prefix, len(e.Candidates), strings.Join(list, ", "), more)
}

// Match returns the id that is the prefix or, as the only one, begins with it; empty:
// none does. The error is an AmbiguousError.
func Match(prefix string, ids []string) (string, error) {
	var found []string
	for _, id := range ids {
		if id == prefix {
			return id, nil
		}
		if prefix != "" && strings.HasPrefix(id, prefix) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", &AmbiguousError{prefix, found}
}

// Insights returns all insights that are kept, the oldest first, with the messages that
// hold them. What cannot be read is left out.
func Insights(ctx context.Context, conn *bus.Conn) (list []protocol.Insight, msgs []bus.Msg, err error) {
	for m, err := range conn.Range(ctx, bus.Insights, "insights.>", 0) {
		if err != nil {
			return nil, nil, err
		}
		if i, err := protocol.Decode[protocol.Insight](m.Data); err == nil {
			list, msgs = append(list, i), append(msgs, m)
		}
	}
	return list, msgs, nil
}

// Among returns the insight of a list whose id is the prefix or alone begins with it;
// bus.ErrNotFound when none does, or an AmbiguousError.
func Among(list []protocol.Insight, prefix string) (protocol.Insight, error) {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	id, err := Match(prefix, ids)
	if err != nil {
		return protocol.Insight{}, err
	}
	if n := slices.Index(ids, id); id != "" && n >= 0 {
		return list[n], nil
	}
	return protocol.Insight{}, fmt.Errorf("insight %q: %w", prefix, bus.ErrNotFound)
}

// A RunRef names a run of an agent, as the findings do.
type RunRef struct {
	ID            string
	Investigation string
	Skill         string // empty: the coordinator's
}

// Runs returns the runs that the findings of the last week name, each once.
func Runs(ctx context.Context, conn *bus.Conn) ([]RunRef, error) {
	var runs []RunRef
	seen := map[string]bool{}
	add := func(r RunRef) {
		if r.ID != "" && !seen[r.ID] {
			seen[r.ID] = true
			runs = append(runs, r)
		}
	}
	for _, subject := range []string{
		protocol.InvestigationSubject(protocol.Any, protocol.PhaseAccepted),
		protocol.StateSubject(protocol.Any, protocol.Any), protocol.CompletionSubject(protocol.Any, protocol.Any),
	} {
		for m, err := range conn.Range(ctx, bus.Findings, subject, 0) {
			if err != nil {
				return nil, err
			}
			if a, err := protocol.Decode[protocol.Accepted](m.Data); err == nil && strings.HasPrefix(m.Subject, "investigations.") {
				add(RunRef{ID: a.RunID, Investigation: a.InvestigationID})
			} else if s, err := protocol.Decode[protocol.State](m.Data); err == nil && strings.HasPrefix(m.Subject, "operator.state.") {
				add(RunRef{ID: s.RunID, Investigation: s.InvestigationID, Skill: s.Skill})
			} else if c, err := protocol.Decode[protocol.Completion](m.Data); err == nil {
				add(RunRef{ID: c.RunID, Investigation: c.InvestigationID, Skill: c.Skill})
			}
		}
	}
	return runs, nil
}

// InvestigationID returns the id of the investigation that alone begins with the prefix;
// the prefix itself where none of the last week does, for whoever is asked to say so.
// The error may be an AmbiguousError.
func InvestigationID(ctx context.Context, conn *bus.Conn, prefix string) (string, error) {
	ids, err := Investigations(ctx, conn)
	if err != nil {
		return "", err
	}
	id, err := Match(prefix, ids)
	if err == nil && id == "" {
		id = prefix
	}
	return id, err
}

// Investigations returns the ids of those that coordinators took in the last week.
func Investigations(ctx context.Context, conn *bus.Conn) (ids []string, err error) {
	for m, err := range conn.Range(ctx, bus.Findings, protocol.InvestigationSubject(protocol.Any, protocol.PhaseAccepted), 0) {
		if err != nil {
			return nil, err
		}
		if a, err := protocol.Decode[protocol.Accepted](m.Data); err == nil {
			ids = append(ids, a.InvestigationID)
		}
	}
	return ids, nil
}
