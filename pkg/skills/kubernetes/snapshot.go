package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

type fields skills.Data

func (d fields) set(name string, v float64, decimals int) { skills.Data(d).Set(name, v, decimals) }
func (d fields) text(name, v string)                      { skills.Data(d).Text(name, v) }

// A look is one snapshot in the making.
type look struct {
	fields
	now       time.Time
	cluster   *reach.Cluster
	pods      []reach.Pod
	found     []finding
	workloads []reach.Workload
	partial   bool
	denied    []string // resources that may not be listed
}

// snapshot fills in what can be read; the error joins the rest. An API server that is down
// or hangs is a finding: that much is data.
func (w *watch) snapshot(ctx context.Context) (skills.Data, error) {
	version, err := w.cluster.Version(ctx)
	switch {
	case errors.Is(err, reach.ErrUnavailable):
		return skills.Unreachable(err), err
	case err != nil:
		return nil, err
	}
	l := &look{fields: fields{"reachable": 1.0}, now: time.Now(), cluster: w.cluster}
	l.text("server_version", version)
	var errs []error
	for _, part := range []func(context.Context) error{l.podFields, l.workloadFields, l.nodeFields, l.eventFields, l.autoscalerFields, l.suspect} {
		err := part(ctx)
		errs = append(errs, err)
		if errors.Is(err, reach.ErrUnavailable) {
			break // each further question would cost its deadline too
		}
	}
	for _, err := range errs {
		l.deny(err)
	}
	l.set("forbidden", float64(len(l.denied)), 0)
	l.text("forbidden_resources", strings.Join(l.denied, ", "))
	l.set("partial", 0, 0)
	if l.partial {
		l.set("partial", 1, 0)
	}
	if l.pods != nil && !l.partial {
		w.restarts(l)
	}
	return skills.Data(l.fields), errors.Join(errs...)
}

// deny notes the resources that an error says may not be listed.
func (l *look) deny(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			l.deny(e)
		}
		return
	}
	if refused, ok := errors.AsType[*reach.ForbiddenError](err); ok && !slices.Contains(l.denied, refused.Resource.Name) {
		l.denied = append(l.denied, refused.Resource.Name)
	}
}

func (l *look) podFields(ctx context.Context) error {
	list, err := l.cluster.Pods(ctx)
	if err != nil {
		return err
	}
	l.partial = l.partial || list.Partial
	if l.pods = list.Items; l.pods == nil {
		l.pods = []reach.Pod{}
	}
	l.found = judged(l.pods, l.now)
	count := map[State]float64{}
	first := map[State]finding{}
	var waits finding
	running := 0.0
	for _, f := range l.found {
		if count[f.state]++; count[f.state] == 1 {
			first[f.state] = f
		}
		if f.pod.Status.Phase == "Running" {
			running++
		}
		if f.pod.Status.Phase == "Pending" && (waits.pod == nil || f.age > waits.age) {
			waits = f
		}
	}
	l.set("pods", float64(len(l.pods)), 0)
	l.set("pods_running", running, 0)
	for _, m := range []struct {
		state            State
		count, who, says string
	}{
		{crashLoop, "pods_crash_looping", "crash_looping", "crash_reason"},
		{cannotStart, "pods_cannot_start", "cannot_start", "cannot_start_reason"},
		{unschedulable, "pods_unschedulable", "unschedulable", "unschedulable_reason"},
		{notReady, "pods_not_ready", "not_ready", "not_ready_reason"},
		{failed, "pods_failed", "failed", "failed_reason"},
		{terminating, "pods_terminating", "terminating", ""},
	} {
		l.set(m.count, count[m.state], 0)
		if f, ok := first[m.state]; ok {
			l.text(m.who, f.place())
			if m.says != "" {
				l.text(m.says, f.why)
			}
		}
	}
	l.set("pending_max_seconds", waits.age.Seconds(), 0)
	if waits.pod != nil {
		l.text("pending_longest", waits.pod.Path())
	}
	killed := 0.0
	for _, r := range restarted(l.pods) {
		if r.recent(l.now) && r.last.Reason == "OOMKilled" {
			if killed++; killed == 1 {
				l.text("oom_killed", r.pod.Path()+" ("+r.container+")")
				if mb := r.limit(); mb > 0 {
					l.set("oom_limit_mb", mb, 0)
				}
			}
		}
	}
	l.set("oom_killed_recent", killed, 0)
	return nil
}

// restarts sets how many there were since the snapshot before.
func (w *watch) restarts(l *look) {
	cur := restarts{}
	for _, r := range restarted(l.pods) {
		cur[r.pod.UID+" "+r.container] = r.times
	}
	base := w.Advance(l.now, cur)
	if base == nil {
		return
	}
	sum, most := 0, 0
	for _, r := range restarted(l.pods) {
		more := max(0, r.times-base.Value[r.pod.UID+" "+r.container])
		if sum += more; more > most {
			most = more
			l.text("restarting", r.pod.Path()+" ("+r.container+")")
		}
	}
	l.set("restarts_recent", float64(sum), 0)
}

func (l *look) workloadFields(ctx context.Context) error {
	var errs []error
	for _, kind := range []string{reach.Deployment, reach.StatefulSet, reach.DaemonSet} {
		list, err := l.cluster.Workloads(ctx, kind)
		l.workloads = append(l.workloads, list.Items...)
		l.partial = l.partial || list.Partial
		if errs = append(errs, err); errors.Is(err, reach.ErrUnavailable) {
			break
		}
	}
	if err := errors.Join(errs...); len(l.workloads) == 0 && err != nil {
		return err
	}
	order(l.workloads)
	var short, down, stuck, rolling float64
	for _, wl := range l.workloads {
		if wl.Available < wl.Desired {
			if short++; short == 1 {
				l.text("workload_short", name(wl))
				l.set("workload_short_missing", float64(wl.Desired-wl.Available), 0)
				l.set("workload_short_desired", float64(wl.Desired), 0)
			}
		}
		if wl.Available == 0 && wl.Desired > 0 {
			if down++; down == 1 {
				l.text("workload_down", name(wl))
			}
		}
		if why := wl.Stuck(); why != "" {
			if stuck++; stuck == 1 {
				l.text("rollout_stuck", name(wl))
				l.text("rollout_stuck_reason", why)
			}
		}
		if wl.Rolling() {
			rolling++
		}
	}
	l.set("workloads", float64(len(l.workloads)), 0)
	l.set("workloads_short", short, 0)
	l.set("workloads_down", down, 0)
	l.set("rollouts_stuck", stuck, 0)
	l.set("rollouts_running", rolling, 0)
	return errors.Join(errs...)
}

// suspect finds what was rolled out of the workload that fares worst.
func (l *look) suspect(ctx context.Context) error {
	wl := l.worstDeployment()
	if wl == nil {
		return nil
	}
	list, err := l.cluster.Revisions(ctx, wl)
	if err != nil {
		return err
	}
	if len(list.Items) < 2 {
		return nil
	}
	from, to := list.Items[0].Changed(list.Items[1])
	if from == "" {
		return nil
	}
	l.text("suspect_rollout", wl.Path())
	l.text("suspect_image_from", from)
	l.text("suspect_image_to", to)
	l.set("suspect_rollout_seconds", max(0, l.now.Sub(list.Items[0].Created).Seconds()), 0)
	return nil
}

// worstDeployment returns that of the pod that is worst, or else the one whose rollout is
// stuck; nil when all are well.
func (l *look) worstDeployment() *reach.Workload {
	at := func(path string) *reach.Workload {
		for i := range l.workloads {
			if l.workloads[i].Kind == reach.Deployment && l.workloads[i].Path() == path {
				return &l.workloads[i]
			}
		}
		return nil
	}
	for _, f := range l.found {
		if f.state == done || f.state == fine || f.state == failed {
			break
		}
		if kind, path := f.pod.Workload(); kind == reach.Deployment {
			return at(path)
		}
	}
	for i, wl := range l.workloads {
		if wl.Kind == reach.Deployment && wl.Stuck() != "" {
			return &l.workloads[i]
		}
	}
	return nil
}

func (l *look) nodeFields(ctx context.Context) error {
	list, err := l.cluster.Nodes(ctx)
	if err != nil {
		return err
	}
	var down, pressed, cordoned float64
	uses := requested(l.pods)
	most := map[string]float64{}
	for _, n := range list.Items {
		if ready := n.Ready(); ready.Status != "True" {
			if down++; down == 1 {
				l.text("node_not_ready", n.Name)
				l.text("node_not_ready_reason", joined(ready.Reason, ready.Message))
				l.set("node_not_ready_seconds", max(0, l.now.Sub(ready.Since).Seconds()), 0)
			}
		}
		if p := n.Pressure(); len(p) > 0 {
			if pressed++; pressed == 1 {
				l.text("node_pressure", n.Name)
				l.text("node_pressure_of", p[0].Type)
			}
		}
		if n.Spec.Unschedulable {
			cordoned++
		}
		if l.pods == nil || len(l.cluster.Namespaces()) > 0 {
			continue // what others ask for is not known
		}
		for _, r := range []string{"cpu", "memory"} {
			if can := float64(n.Status.Allocatable[r]); can > 0 {
				pct := 100 * uses[n.Name][r] / can
				if pct > most[r] || most[r] == 0 {
					most[r] = pct
					l.set("node_"+r+"_requested_pct", pct, 1)
					l.text("node_"+r+"_requested_most", n.Name)
				}
			}
		}
	}
	l.partial = l.partial || list.Partial
	l.set("nodes", float64(len(list.Items)), 0)
	l.set("nodes_not_ready", down, 0)
	l.set("nodes_under_pressure", pressed, 0)
	l.set("nodes_unschedulable", cordoned, 0)
	return nil
}

func (l *look) eventFields(ctx context.Context) error {
	list, err := l.cluster.Warnings(ctx, "", "")
	if err != nil {
		return err
	}
	l.partial = l.partial || list.Partial
	rows := grouped(list.Items, l.now)
	recent := 0.0
	for _, r := range rows {
		if r.Ago > recently.Seconds() {
			continue
		}
		if recent++; recent == 1 {
			l.text("warning_first", fmt.Sprintf("%s of %s: %s", r.Reason, r.About, r.Message))
			l.set("warning_first_times", float64(r.Times), 0)
		}
	}
	l.set("warnings_recent", recent, 0)
	return nil
}

func (l *look) autoscalerFields(ctx context.Context) error {
	list, err := l.cluster.Autoscalers(ctx)
	if errors.Is(err, reach.ErrNotFound) {
		return nil // an old cluster
	}
	if err != nil {
		return err
	}
	l.partial = l.partial || list.Partial
	limited := 0.0
	for _, a := range list.Items {
		if a.Limited() {
			if limited++; limited == 1 {
				l.text("autoscaler_limited", a.Path())
				l.set("autoscaler_max", float64(a.Spec.Max), 0)
			}
		}
	}
	l.set("autoscalers", float64(len(list.Items)), 0)
	l.set("autoscalers_limited", limited, 0)
	return nil
}
