// Package rollouts says what was rolled out in the Kubernetes clusters that a probe looks
// into: the changes that their Deployments' revisions tell of.
package rollouts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/protocol"
)

const (
	// what is how the changes are called.
	what = "deploy"
	// kept is the name under which the revisions seen last are kept.
	kept = "rollouts"
	// before is how long ago a rollout may be that is found by the first look.
	before = time.Hour
	// mostChanges is how many rollouts of a cluster one look reports; those beyond are
	// counted in one more.
	mostChanges = 20
)

// A Keeper keeps what must outlast a restart, by name. Read returns nil for what was never
// written.
type Keeper interface {
	Read(name string) ([]byte, error)
	Write(name string, data []byte) error
}

// A Watch looks for rollouts in the clusters of one node's probe. It is for one caller at
// a time.
type Watch struct {
	node     string
	clusters map[string]*kubernetes.Cluster
	seen     map[string]map[string]string // by cluster and Deployment: the revision
}

// New returns a watch of the clusters by the names of their targets.
func New(node string, clusters map[string]*kubernetes.Cluster) *Watch {
	return &Watch{node: node, clusters: clusters}
}

// Changes returns what was rolled out since the last time, by what keep holds; the first
// time what was in the last hour. done keeps what was seen: it is to be called once the
// changes are on their way, and what was not kept is found again with the same ids. The
// error says which clusters could not be read; the changes are those of the rest.
func (w *Watch) Changes(ctx context.Context, keep Keeper) (found []protocol.Change, done func() error, err error) {
	if len(w.clusters) == 0 {
		return nil, func() error { return nil }, nil
	}
	var faults []error
	if w.seen == nil {
		b, err := keep.Read(kept)
		if err == nil && b != nil {
			err = json.Unmarshal(b, &w.seen)
		}
		faults = append(faults, err)
	}
	now := map[string]map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(w.clusters)) {
		list, err := w.clusters[name].Revisions(ctx, nil)
		if err != nil {
			faults = append(faults, fmt.Errorf("rollouts of %s: %w", name, err))
			if w.seen[name] != nil {
				now[name] = w.seen[name]
			}
			continue
		}
		changes, seen := w.compare(name, list.Items, time.Now().UTC())
		found, now[name] = append(found, changes...), seen
	}
	done = func() error {
		w.seen = now
		b, err := json.Marshal(now)
		if err != nil {
			return err
		}
		return keep.Write(kept, b)
	}
	return found, done, errors.Join(faults...)
}

// compare returns what was rolled out in one cluster, and what is there now. Revisions are
// sorted by Deployment, the newest first.
func (w *Watch) compare(cluster string, list []kubernetes.Revision, now time.Time) (found []protocol.Change, seen map[string]string) {
	seen = map[string]string{}
	last := w.seen[cluster]
	more := 0
	for i, r := range list {
		if _, older := seen[r.Deployment]; older {
			continue
		}
		id := strconv.Itoa(r.Number) + " " + r.UID
		seen[r.Deployment] = id
		at := r.Created.UTC()
		switch was, known := last[r.Deployment]; {
		case was == id:
			continue
		case last == nil && now.Sub(at) > before:
			continue
		case known && now.Sub(at) > before: // what ran before runs again: when is not told
			at = now
		}
		if at.After(now) {
			at = now
		}
		c := protocol.Change{
			ID:   protocol.EffectID("change", w.node, what, cluster, r.Deployment, id),
			Node: w.node, Target: cluster, Source: protocol.SourceProbe, What: what, At: at, Text: r.Deployment + " was rolled out for the first time",
		}
		if i+1 < len(list) && list[i+1].Deployment == r.Deployment {
			if c.From, c.To = r.Changed(list[i+1]); c.To != "" {
				c.Text = fmt.Sprintf("%s was rolled out: image %s → %s", r.Deployment, c.From, c.To)
			} else {
				c.Text = r.Deployment + " was rolled out with the same images: its settings changed"
			}
		}
		if len(found) == mostChanges {
			more++
			continue
		}
		found = append(found, c)
	}
	if more > 0 {
		found = append(found, protocol.Change{
			ID:   protocol.EffectID("change", w.node, what, cluster, "more", now.Format(time.RFC3339Nano)),
			Node: w.node, Target: cluster, Source: protocol.SourceProbe, What: what, At: now, Text: fmt.Sprintf("%d more Deployments of %s were rolled out", more, cluster),
		})
	}
	return found, seen
}
