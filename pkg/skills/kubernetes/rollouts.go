package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// name is how a workload is told.
func name(w reach.Workload) string { return w.Kind + " " + w.Path() }

// order sorts workloads: those without a pod first, then those that are stuck, that lack
// pods, and that are being rolled out.
func order(list []reach.Workload) {
	rank := func(w reach.Workload) int {
		switch {
		case w.Desired > 0 && w.Available == 0:
			return 0
		case w.Stuck() != "":
			return 1
		case w.Available < w.Desired:
			return 2
		case w.Rolling():
			return 3
		}
		return 4
	}
	slices.SortStableFunc(list, func(a, b reach.Workload) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(b.Desired-b.Available, a.Desired-a.Available), strings.Compare(name(a), name(b)))
	})
}

// workloads lists all three kinds. Kinds that may not be listed are left out and told.
func (w *watch) workloads(ctx context.Context) (all reach.List[reach.Workload], denied []string, err error) {
	for _, kind := range []string{reach.Deployment, reach.StatefulSet, reach.DaemonSet} {
		list, err := w.cluster.Workloads(ctx, kind)
		if _, refused := errors.AsType[*reach.ForbiddenError](err); refused {
			denied = append(denied, err.Error())
			continue
		}
		if err != nil {
			return all, nil, err
		}
		all.Items = append(all.Items, list.Items...)
		all.Partial = all.Partial || list.Partial
	}
	return all, denied, nil
}

func (w *watch) rollouts(ctx context.Context, limit int) (any, error) {
	list, denied, err := w.workloads(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{"total": len(list.Items)}
	revisions, err := w.cluster.Revisions(ctx, nil)
	if err != nil {
		denied = append(denied, err.Error())
	}
	of := map[string][]reach.Revision{}
	for _, r := range revisions.Items {
		of[r.Deployment] = append(of[r.Deployment], r)
	}
	newest := func(wl reach.Workload) time.Time {
		if r := of[wl.Path()]; wl.Kind == reach.Deployment && len(r) > 0 {
			return r[0].Created
		}
		return wl.Created
	}
	now := time.Now()
	ill := func(wl reach.Workload) int {
		if wl.Available < wl.Desired || wl.Stuck() != "" || wl.Rolling() {
			return 0
		}
		return 1
	}
	order(list.Items)
	slices.SortStableFunc(list.Items, func(x, y reach.Workload) int {
		if d := ill(x) - ill(y); d != 0 || ill(x) == 0 {
			return d
		}
		return newest(y).Compare(newest(x))
	})
	var rows []answer
	for _, wl := range list.Items {
		row := answer{
			"workload": name(wl), "desired": wl.Desired, "updated": wl.Updated, "ready": wl.Ready, "available": wl.Available, "images": images(wl.Images),
			"rolling": wl.Rolling(), "paused": wl.Paused,
		}
		if why := wl.Stuck(); why != "" {
			row["stuck"] = skills.Cut(why)
		}
		if r := of[wl.Path()]; wl.Kind == reach.Deployment && len(r) > 0 {
			row["revision"], row["rolled_out_seconds_ago"] = r[0].Number, seconds(now.Sub(r[0].Created))
			if len(r) > 1 {
				if from, to := r[0].Changed(r[1]); to != "" {
					row["changed"] = skills.Cut(fmt.Sprintf("image %s → %s", from, to))
				}
			}
		}
		rows = append(rows, row)
	}
	if len(denied) > 0 {
		a["errors"] = denied
	}
	return skills.List(a, "workloads", rows, limit).partly(list.Partial || revisions.Partial), nil
}

func images(list []reach.Image) string {
	var out []string
	for _, i := range list {
		out = append(out, i.Container+" "+i.Image)
	}
	return skills.Cut(strings.Join(out, ", "))
}

// mostRevisions is how many revisions are told of a Deployment.
const mostRevisions = 10

func (w *watch) history(ctx context.Context, path string) (any, error) {
	if _, _, err := split(path); err != nil {
		return nil, err
	}
	list, err := w.cluster.Workloads(ctx, reach.Deployment)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		wl := &list.Items[i]
		if wl.Path() != path {
			names = append(names, wl.Path())
			continue
		}
		revisions, err := w.cluster.Revisions(ctx, wl)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		var rows []answer
		for i, r := range revisions.Items {
			row := answer{"revision": r.Number, "replica_set": r.Name, "created_seconds_ago": seconds(now.Sub(r.Created)), "pods": r.Replicas, "ready": r.Ready, "images": images(r.Images)}
			if i+1 < len(revisions.Items) {
				if from, to := r.Changed(revisions.Items[i+1]); to != "" {
					row["changed"] = skills.Cut(fmt.Sprintf("image %s → %s", from, to))
				}
			}
			rows = append(rows, row)
		}
		return skills.List(answer{"workload": name(*wl)}, "revisions", rows, mostRevisions), nil
	}
	slices.Sort(names)
	if more := len(names) - mostRevisions; more > 0 {
		names = append(names[:mostRevisions], fmt.Sprintf("and %d more", more))
	}
	return nil, fmt.Errorf("there is no Deployment %q (has %s)", skills.Cut(path), cmp.Or(strings.Join(names, ", "), "none"))
}
