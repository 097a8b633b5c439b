package intake

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

// readChange reads a change, or a list of them, as they lie in the stream. Without a time
// it was done now; without an id the same one counts once an hour.
func readChange(r request) (Report, error) {
	var list []protocol.Change
	if body := bytes.TrimSpace(r.body); bytes.HasPrefix(body, []byte("[")) {
		if err := decode(body, &list, "a list of changes"); err != nil {
			return Report{}, err
		}
	} else {
		list = make([]protocol.Change, 1)
		if err := decode(body, &list[0], "a change"); err != nil {
			return Report{}, err
		}
	}
	if len(list) == 0 || len(list) > maxReports {
		return Report{}, fmt.Errorf("%d changes: it is one, or at most %d", len(list), maxReports)
	}
	for i := range list {
		list[i] = changed(list[i], r.now)
	}
	return Report{Changes: list}, nil
}

// changed bounds the texts of a change and adds what it does not say.
func changed(c protocol.Change, now time.Time) protocol.Change {
	for _, s := range []*string{&c.ID, &c.Node, &c.Target, &c.Source, &c.What, &c.Text, &c.From, &c.To} {
		*s = cut(strings.TrimSpace(*s))
	}
	when := ""
	if !c.At.IsZero() {
		when = c.At.UTC().Format(time.RFC3339Nano)
	}
	c.ID = cmp.Or(c.ID, protocol.EffectID(c.Source, c.Node, c.Target, c.What, c.Text, c.From, c.To, when))
	c.At = orNow(c.At, now)
	return c
}

// maxNodes bounds how many nodes one deployment changes.
const maxNodes = 200

// deployed is a change of each node that the query names. Where that names an
// environment too, others are nothing to report.
func deployed(r request, environment string, c protocol.Change) (Report, error) {
	var nodes []string
	for _, list := range r.query["node"] {
		for n := range strings.SplitSeq(list, ",") {
			if n = strings.TrimSpace(n); n != "" {
				nodes = append(nodes, n)
			}
		}
	}
	switch {
	case len(nodes) == 0:
		return Report{}, errNoNodes
	case len(nodes) > maxNodes:
		return Report{}, fmt.Errorf("%d nodes are too many (at most %d)", len(nodes), maxNodes)
	}
	if want := r.query.Get("environment"); want != "" && want != environment {
		return Report{}, nil
	}
	var out Report
	id := c.ID
	for _, n := range nodes {
		c.ID, c.Node = protocol.EffectID(c.Source, id, n), n
		out.Changes = append(out.Changes, changed(c, r.now))
	}
	return out, nil
}

var errNoNodes = errors.New("name the nodes that it deploys to in the webhook's URL: ?node=web-1,web-2")
