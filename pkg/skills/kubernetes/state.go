package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/kubernetes"
)

// A State is how a pod is.
type State string

// States of pods, the worst first.
const (
	crashLoop     State = "crash_loop"
	cannotStart   State = "cannot_start" // its image or configuration is not to be had
	unschedulable State = "unschedulable"
	failed        State = "failed" // it ended, and is not started again
	notReady      State = "not_ready"
	terminating   State = "terminating" // it was deleted and stays
	pending       State = "pending"
	done          State = "done"
	fine          State = "ok"
)

var worst = []State{crashLoop, cannotStart, unschedulable, failed, notReady, terminating, pending, done, fine}

const (
	// recently is how long ago an end counts as recent.
	recently = 15 * time.Minute
	// loops is how many restarts, the last one recent, are a loop even while the
	// container runs for a moment.
	loops = 3
	// settling is how long a new pod may take to get ready, and a deleted one to go.
	settling = 2 * time.Minute
	leaving  = 10 * time.Minute
)

// A finding is what is to be said of one pod.
type finding struct {
	pod       *reach.Pod
	state     State
	container string // that is to blame; empty: none is
	why       string
	restarts  int
	age       time.Duration
}

// unstartable are the reasons of containers that wait in vain.
var unstartable = []string{
	"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError",
}

// judge says how a pod is at a time.
func judge(p *reach.Pod, now time.Time) finding {
	f := finding{pod: p, state: fine, age: max(0, now.Sub(p.Created))}
	all := slices.Concat(p.Status.Init, p.Status.Containers)
	for _, c := range all {
		f.restarts += c.Restarts
	}
	blame := func(s State, container, why string) {
		if slices.Index(worst, s) < slices.Index(worst, f.state) {
			f.state, f.container, f.why = s, container, why
		}
	}
	switch p.Status.Phase {
	case "Succeeded":
		f.state = done
		return f
	case "Failed":
		blame(failed, "", joined(p.Status.Reason, p.Status.Message))
		for _, c := range all {
			if e := c.State.Terminated; e != nil && e.ExitCode != 0 && f.container == "" {
				f.container, f.why = c.Name, joined(f.why, ended(e))
			}
		}
		return f
	}
	for _, c := range all {
		last := c.Last.Terminated
		if last == nil {
			last = c.State.Terminated
		}
		switch wait := c.State.Waiting; {
		case wait != nil && wait.Reason == "CrashLoopBackOff":
			blame(crashLoop, c.Name, again(last, c.Restarts))
		case wait != nil && slices.Contains(unstartable, wait.Reason):
			blame(cannotStart, c.Name, joined(wait.Reason, wait.Message))
		case last != nil && last.ExitCode != 0 && c.Restarts >= loops && now.Sub(last.Finished) < recently:
			blame(crashLoop, c.Name, again(last, c.Restarts))
		}
	}
	scheduled, ready := p.Condition("PodScheduled"), p.Condition("Ready")
	switch {
	case p.Deleted != nil && now.Sub(*p.Deleted) > leaving:
		blame(terminating, "", "it was deleted and does not end: its node is gone, or a finalizer waits")
	case p.Deleted != nil:
	case scheduled.Status == "False" && scheduled.Reason == "Unschedulable":
		blame(unschedulable, "", scheduled.Message)
	case p.Status.Phase == "Pending" && f.age > settling:
		blame(pending, "", joined(scheduled.Reason, scheduled.Message))
	case p.Status.Phase == "Running" && ready.Status != "True" && now.Sub(ready.Since) > settling:
		unready := ""
		for _, c := range p.Status.Containers {
			if !c.Ready && unready == "" {
				unready = c.Name
			}
		}
		blame(notReady, unready, joined(ready.Reason, ready.Message))
	case p.Status.Phase == "Unknown":
		blame(notReady, "", "its node does not answer")
	}
	return f
}

// ended says how a container ended.
func ended(e *reach.Ended) string {
	if e == nil {
		return "it ended"
	}
	return fmt.Sprintf("%s, exit code %d", cmp.Or(e.Reason, "ended"), e.ExitCode)
}

// again says how a container ends time after time.
func again(e *reach.Ended, restarts int) string {
	return fmt.Sprintf("%s, started again %d times", ended(e), restarts)
}

// joined joins what is there of some texts.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), ": ")
}

// place names a pod's container.
func (f finding) place() string {
	if f.container == "" {
		return f.pod.Path()
	}
	return f.pod.Path() + " (" + f.container + ")"
}

// judged judges pods, the worst first; of those alike the one with most restarts, then
// the one that is so longest.
func judged(pods []reach.Pod, now time.Time) []finding {
	out := make([]finding, 0, len(pods))
	for i := range pods {
		out = append(out, judge(&pods[i], now))
	}
	slices.SortStableFunc(out, func(a, b finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(worst, a.state), slices.Index(worst, b.state)),
			cmp.Compare(b.restarts, a.restarts), cmp.Compare(b.age, a.age), strings.Compare(a.pod.Path(), b.pod.Path()),
		)
	})
	return out
}

// A restart is a container that ended at least once.
type restart struct {
	pod       *reach.Pod
	container string
	times     int
	last      *reach.Ended // nil: not known
}

// restarted returns the containers that were started again, the last one first.
func restarted(pods []reach.Pod) []restart {
	var out []restart
	for i := range pods {
		for _, c := range slices.Concat(pods[i].Status.Init, pods[i].Status.Containers) {
			last := c.Last.Terminated
			if last == nil && c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 {
				last = c.State.Terminated
			}
			if c.Restarts > 0 || last != nil {
				out = append(out, restart{&pods[i], c.Name, c.Restarts, last})
			}
		}
	}
	at := func(r restart) time.Time {
		if r.last == nil {
			return time.Time{}
		}
		return r.last.Finished
	}
	slices.SortStableFunc(out, func(a, b restart) int {
		return cmp.Or(at(b).Compare(at(a)), cmp.Compare(b.times, a.times), strings.Compare(a.pod.Path(), b.pod.Path()))
	})
	return out
}

// recent reports whether the last end was of late.
func (r restart) recent(now time.Time) bool {
	return r.last != nil && now.Sub(r.last.Finished) < recently
}

// limit returns a container's limit of memory in MiB; 0: it has none.
func (r restart) limit() float64 {
	for _, c := range slices.Concat(r.pod.Spec.Init, r.pod.Spec.Containers) {
		if c.Name == r.container {
			return float64(c.Resources.Limits["memory"]) / mib
		}
	}
	return 0
}

const mib = 1 << 20

// requested sums what the pods of each node, by its name, have asked for.
func requested(pods []reach.Pod) map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for _, p := range pods {
		if p.Spec.Node == "" || p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
			continue
		}
		if out[p.Spec.Node] == nil {
			out[p.Spec.Node] = map[string]float64{}
		}
		for name, v := range asks(p) {
			out[p.Spec.Node][name] += v
		}
		out[p.Spec.Node]["pods"]++
	}
	return out
}

// asks is what the scheduler sets aside for a pod: the sum of its containers, and of init
// containers that go on running; or the largest other init container, if that is more.
func asks(p reach.Pod) map[string]float64 {
	sum, once := map[string]float64{}, map[string]float64{}
	for _, c := range p.Spec.Containers {
		for k, v := range c.Resources.Requests {
			sum[k] += float64(v)
		}
	}
	for _, c := range p.Spec.Init {
		for k, v := range c.Resources.Requests {
			if c.RestartPolicy == "Always" {
				sum[k] += float64(v)
			} else {
				once[k] = max(once[k], float64(v))
			}
		}
	}
	for k, v := range once {
		sum[k] = max(sum[k], v)
	}
	return sum
}
