package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// An answer is what a callback tells.
type answer map[string]any

// partly says when not all was read.
func (a answer) partly(partial bool) answer {
	if partial {
		a["partial"] = true
	}
	return a
}

func seconds(d time.Duration) float64 { return skills.Round(max(0, d).Seconds(), 0) }

// row is what is told of a pod among others.
func (f finding) row() answer {
	ready := 0
	for _, c := range f.pod.Status.Containers {
		if c.Ready {
			ready++
		}
	}
	kind, path := f.pod.Workload()
	a := answer{
		"pod": f.pod.Path(), "phase": f.pod.Status.Phase, "state": f.state, "ready": fmt.Sprintf("%d of %d", ready, len(f.pod.Spec.Containers)),
		"restarts": f.restarts, "workload": kind + " " + path, "age_seconds": seconds(f.age),
	}
	for k, v := range map[string]string{"node": f.pod.Spec.Node, "container": f.container, "why": f.why} {
		if v != "" {
			a[k] = skills.Cut(v)
		}
	}
	return a
}

func (w *watch) pods(ctx context.Context, limit int, state, namespace string) (any, error) {
	list, err := w.cluster.Pods(ctx)
	if err != nil {
		return nil, err
	}
	var rows []answer
	for _, f := range judged(list.Items, time.Now()) {
		ill := f.state != fine && f.state != done
		if (namespace == "" || f.pod.Namespace == namespace) && (state == "all" || state == "ill" && ill || state == string(f.state)) {
			rows = append(rows, f.row())
		}
	}
	return skills.List(answer{"total": len(rows)}, "pods", rows, limit).partly(list.Partial), nil
}

// pathPattern is namespace/name of a thing.
var pathPattern = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,62})/([a-z0-9][a-z0-9.-]{0,252})$`)

func split(path string) (namespace, name string, err error) {
	m := pathPattern.FindStringSubmatch(path)
	if m == nil {
		return "", "", fmt.Errorf("%q is no namespace/name: write it as shop/checkout-5d8f7c9b64-2xk8p", skills.Cut(path))
	}
	return m[1], m[2], nil
}

// mostEvents is how many events are told beside a pod.
const mostEvents = 10

func (w *watch) pod(ctx context.Context, path string) (any, error) {
	namespace, name, err := split(path)
	if err != nil {
		return nil, err
	}
	if only := w.cluster.Namespaces(); len(only) > 0 && !slices.Contains(only, namespace) {
		return nil, fmt.Errorf("namespace %q is not looked into (namespaces has %s)", namespace, strings.Join(only, ", "))
	}
	p, err := w.cluster.Pod(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	a := judge(&p, now).row()
	a["containers"] = containers(p, now)
	conditions := []answer{}
	for _, c := range p.Status.Conditions {
		if c.Status != "True" {
			conditions = append(conditions, answer{"condition": c.Type, "status": c.Status, "why": skills.Cut(joined(c.Reason, c.Message)), "seconds": seconds(now.Sub(c.Since))})
		}
	}
	a["conditions"] = conditions
	events, err := w.cluster.Warnings(ctx, namespace, name)
	if err != nil {
		a["events_error"] = skills.Cut(err.Error())
		return a, nil //nolint:nilerr // the pod is told, and what is not known of it
	}
	return skills.List(a, "events", grouped(events.Items, now), mostEvents), nil
}

// containers tells of each container of a pod.
func containers(p reach.Pod, now time.Time) []answer {
	out := []answer{}
	for _, s := range slices.Concat(p.Spec.Init, p.Spec.Containers) {
		a := answer{"container": s.Name, "image": skills.Cut(s.Image)}
		for k, q := range map[string]reach.Quantity{
			"memory_request_mb": s.Resources.Requests["memory"] / mib, "memory_limit_mb": s.Resources.Limits["memory"] / mib,
			"cpu_request_cores": s.Resources.Requests["cpu"], "cpu_limit_cores": s.Resources.Limits["cpu"],
		} {
			if q > 0 {
				a[k] = skills.Round(float64(q), 3)
			}
		}
		for _, c := range slices.Concat(p.Status.Init, p.Status.Containers) {
			if c.Name != s.Name {
				continue
			}
			a["ready"], a["restarts"] = c.Ready, c.Restarts
			switch st := c.State; {
			case st.Waiting != nil:
				a["state"] = skills.Cut(joined("waiting", st.Waiting.Reason, st.Waiting.Message))
			case st.Running != nil:
				a["state"], a["running_seconds"] = "running", seconds(now.Sub(st.Running.Started))
			case st.Terminated != nil:
				a["state"] = "ended: " + ended(st.Terminated)
			}
			if e := c.Last.Terminated; e != nil {
				a["last_end"], a["last_end_seconds_ago"], a["last_ran_seconds"] = ended(e), seconds(now.Sub(e.Finished)), seconds(e.Finished.Sub(e.Started))
			}
		}
		out = append(out, a)
	}
	return out
}

func (w *watch) restartsOf(ctx context.Context, limit int) (any, error) {
	list, err := w.cluster.Pods(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var rows []answer
	for _, r := range restarted(list.Items) {
		kind, path := r.pod.Workload()
		a := answer{"pod": r.pod.Path(), "container": r.container, "restarts": r.times, "workload": kind + " " + path, "node": r.pod.Spec.Node}
		if r.last != nil {
			a["why"], a["exit_code"], a["ended_seconds_ago"] = ended(r.last), r.last.ExitCode, seconds(now.Sub(r.last.Finished))
			a["ran_seconds"] = seconds(r.last.Finished.Sub(r.last.Started))
			if mb := r.limit(); mb > 0 {
				a["memory_limit_mb"] = skills.Round(mb, 0)
			}
		}
		rows = append(rows, a)
	}
	return skills.List(answer{"total": len(rows)}, "containers", rows, limit).partly(list.Partial), nil
}

func (w *watch) pending(ctx context.Context, limit int) (any, error) {
	list, err := w.cluster.Pods(ctx)
	if err != nil {
		return nil, err
	}
	found := judged(list.Items, time.Now())
	found = slices.DeleteFunc(found, func(f finding) bool { return f.pod.Status.Phase != "Pending" })
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(b.age, a.age) })
	var rows []answer
	for _, f := range found {
		a := f.row()
		wants := asks(*f.pod)
		a["cpu_request_cores"], a["memory_request_mb"] = skills.Round(wants["cpu"], 3), skills.Round(wants["memory"]/mib, 0)
		rows = append(rows, a)
	}
	return skills.List(answer{"total": len(rows)}, "pods", rows, limit).partly(list.Partial), nil
}

// An event is what was said of one thing, perhaps many times.
type event struct {
	About   string  `json:"about"` // Pod shop/checkout-…
	Reason  string  `json:"reason"`
	Message string  `json:"why"`
	Times   int     `json:"times"`
	Ago     float64 `json:"seconds_ago"` // the last time
	Since   float64 `json:"since_seconds"`
}

// grouped returns events with those that say the same of one thing together; those said
// of late first, of these those said most.
func grouped(list []reach.Event, now time.Time) []event {
	at := map[[3]string]int{}
	var out []event
	for _, e := range list {
		last, times := e.Seen()
		about := e.Of.Kind + " " + strings.TrimPrefix(e.Of.Namespace+"/"+e.Of.Name, "/")
		since := e.First
		if since.IsZero() {
			since = e.Created
		}
		row := event{skills.Cut(about), skills.Cut(e.Reason), skills.Cut(e.Message), times, seconds(now.Sub(last)), seconds(now.Sub(since))}
		key := [3]string{row.About, row.Reason, row.Message}
		if i, there := at[key]; there {
			out[i].Times += times
			out[i].Ago, out[i].Since = min(out[i].Ago, row.Ago), max(out[i].Since, row.Since)
			continue
		}
		at[key] = len(out)
		out = append(out, row)
	}
	old := func(e event) int {
		if e.Ago > recently.Seconds() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(out, func(a, b event) int {
		return cmp.Or(old(a)-old(b), cmp.Compare(b.Times, a.Times), cmp.Compare(a.Ago, b.Ago), strings.Compare(a.About, b.About))
	})
	return out
}

func (w *watch) events(ctx context.Context, limit int, about string) (any, error) {
	namespace, name := "", ""
	if about != "" {
		var err error
		if namespace, name, err = split(about); err != nil {
			return nil, err
		}
	}
	list, err := w.cluster.Warnings(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	rows := grouped(list.Items, time.Now())
	return skills.List(answer{"total": len(rows)}, "events", rows, limit).partly(list.Partial), nil
}

func (w *watch) nodes(ctx context.Context, limit int) (any, error) {
	list, err := w.cluster.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	a := answer{}
	uses := map[string]map[string]float64{}
	if len(w.cluster.Namespaces()) == 0 {
		pods, err := w.cluster.Pods(ctx)
		if err != nil {
			a["pods_error"] = skills.Cut(err.Error())
		}
		uses = requested(pods.Items)
		a.partly(pods.Partial)
	}
	now := time.Now()
	rank := func(n reach.Node) int {
		switch {
		case n.Ready().Status != "True":
			return 0
		case len(n.Pressure()) > 0:
			return 1
		case n.Spec.Unschedulable:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(list.Items, func(x, y reach.Node) int {
		return cmp.Or(rank(x)-rank(y), cmp.Compare(uses[y.Name]["memory"], uses[x.Name]["memory"]), strings.Compare(x.Name, y.Name))
	})
	var rows []answer
	for _, n := range list.Items {
		ready := n.Ready()
		row := answer{"node": n.Name, "ready": ready.Status, "unschedulable": n.Spec.Unschedulable, "kubelet": n.Status.Info.Kubelet}
		var why []string
		if ready.Status != "True" {
			row["not_ready_seconds"] = seconds(now.Sub(ready.Since))
			why = append(why, joined(ready.Reason, ready.Message))
		}
		for _, c := range n.Pressure() {
			why = append(why, joined(c.Type, c.Message))
		}
		if len(why) > 0 {
			row["why"] = skills.Cut(strings.Join(why, "; "))
		}
		row["cpu_allocatable_cores"], row["memory_allocatable_mb"] = skills.Round(float64(n.Status.Allocatable["cpu"]), 2), skills.Round(float64(n.Status.Allocatable["memory"])/mib, 0)
		if u := uses[n.Name]; u != nil {
			row["pods"], row["cpu_requested_cores"], row["memory_requested_mb"] = u["pods"], skills.Round(u["cpu"], 2), skills.Round(u["memory"]/mib, 0)
			for _, r := range []string{"cpu", "memory"} {
				if can := float64(n.Status.Allocatable[r]); can > 0 {
					row[r+"_requested_pct"] = skills.Round(100*u[r]/can, 1)
				}
			}
		}
		rows = append(rows, row)
	}
	return skills.List(a, "nodes", rows, limit).partly(list.Partial), nil
}

func (w *watch) autoscalers(ctx context.Context, limit int) (any, error) {
	list, err := w.cluster.Autoscalers(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list.Items, func(a, b reach.Autoscaler) int {
		full := func(x reach.Autoscaler) float64 { return float64(x.Status.Current) / max(1, float64(x.Spec.Max)) }
		return cmp.Or(cmp.Compare(full(b), full(a)), strings.Compare(a.Path(), b.Path()))
	})
	var rows []answer
	for _, h := range list.Items {
		row := answer{
			"autoscaler": h.Path(), "of": h.Spec.Of.Kind + " " + h.Namespace + "/" + h.Spec.Of.Name, "pods": h.Status.Current, "wanted": h.Status.Desired,
			"max": h.Spec.Max, "limited": h.Limited(),
		}
		if h.Spec.Min != nil {
			row["min"] = *h.Spec.Min
		}
		if c := h.Condition("ScalingActive"); c.Status == "False" {
			row["why"] = skills.Cut(joined(c.Reason, c.Message))
		}
		rows = append(rows, row)
	}
	return skills.List(answer{"total": len(rows)}, "autoscalers", rows, limit).partly(list.Partial), nil
}

// access tells of each resource whether it may be listed.
func (w *watch) access(ctx context.Context) (any, error) {
	rows := []answer{}
	for _, r := range reach.Resources() {
		err := w.cluster.Try(ctx, r)
		if errors.Is(err, reach.ErrUnavailable) {
			return nil, err
		}
		row := answer{"resource": r.Name, "allowed": err == nil}
		if err != nil {
			row["why"] = skills.Cut(err.Error())
		}
		rows = append(rows, row)
	}
	return answer{"resources": rows}, nil
}
