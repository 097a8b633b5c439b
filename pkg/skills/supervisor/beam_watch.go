package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// A beamWatch remembers what one node's supervisors kept. It is safe for concurrent use.
type beamWatch struct {
	node *beam.Node

	mu  sync.Mutex
	run uint32 // of the node: another one has other processes of the same numbers
	beamMemory
}

// A beamMemory is of one run of a node.
type beamMemory struct {
	restarts beamRestarts
	last     *beam.Supervisors
	strays   time.Time // when supervisors beside the applications are looked for again
	lone     *beam.Unsupervised
	before   *beam.Unsupervised
	loneNext time.Time
	seen     map[etf.Pid]time.Time // orphans
	hung     carried
	failing  carried
}

// A carried count is that of the snapshot before.
type carried struct{ before int }

// next takes in a count, and returns what there was before too.
func (c *carried) next(now int) int {
	out := min(c.before, now)
	c.before = now
	return out
}

func newBeamWatch(n *beam.Node) *beamWatch { return &beamWatch{node: n} }

// share is how much of the time a scan of all processes may take.
const share = 200 // a two-hundredth

func (w *beamWatch) snapshot(ctx context.Context) (skills.Data, error) {
	d := skills.Data{}
	s, err := w.look(ctx)
	if s != nil {
		w.fill(ctx, d, s)
	}
	return d, errors.Join(err, w.unsupervised(ctx, d))
}

// look asks the supervisors and takes in what changed.
func (w *beamWatch) look(ctx context.Context) (*beam.Supervisors, error) {
	w.mu.Lock()
	others, known := !time.Now().Before(w.strays), w.tops()
	w.mu.Unlock()
	s, err := w.node.Supervisors(ctx, known, others)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if run, _ := w.node.Run(); run != w.run {
		w.run, w.beamMemory = run, beamMemory{}
	}
	if others {
		w.strays = s.At.Add(share * time.Duration(s.Took) * time.Millisecond)
	}
	w.last = s
	w.restarts.observe(s)
	return s, nil
}

// tops returns the supervisors that were not found below another one.
func (w *beamMemory) tops() (pids []etf.Pid) {
	if w.last == nil {
		return nil
	}
	for i := range w.last.List {
		if s := &w.last.List[i]; s.Parent == nil {
			pids = append(pids, s.PID)
		}
	}
	return pids
}

func (w *beamWatch) fill(ctx context.Context, d skills.Data, s *beam.Supervisors) {
	children, hung, failing := 0, []*beam.Supervisor{}, 0
	var largest, fails *beam.Supervisor
	for i := range s.List {
		sup := &s.List[i]
		children += sup.Total
		failing += sup.Restarting
		if largest == nil || sup.Total > largest.Total {
			largest = sup
		}
		if sup.Restarting > 0 && fails == nil {
			fails = sup
		}
		if !sup.Answers {
			hung = append(hung, sup)
		}
	}
	d.Set("supervisor_count", float64(len(s.List)), 0)
	d.Set("total_children", float64(children), 0)
	if largest != nil {
		d.Text("largest_supervisor", supervisorLabel(largest))
		d.Set("largest_supervisor_children", float64(largest.Total), 0)
	}
	if s.Truncated {
		d.Text("supervisors_truncated", "yes")
	}
	w.mu.Lock()
	nHung, nFailing := w.hung.next(len(hung)), w.failing.next(failing)
	worst := w.restarts.worst(s.At)
	w.mu.Unlock()
	d.Set("supervisors_unresponsive", float64(nHung), 0)
	d.Set("children_restarting", float64(nFailing), 0)
	if len(hung) > 0 {
		d.Text("unresponsive_supervisor", supervisorLabel(hung[0]))
		d.Text("unresponsive_function", w.where(ctx, hung[0]))
	}
	if fails != nil {
		d.Text("restarting_supervisor", supervisorLabel(fails))
		for _, c := range fails.Children {
			if c.PID == etf.Term(etf.Atom("restarting")) {
				d.Text("restarting_child", c.Name())
				break
			}
		}
	}
	w.looping(ctx, d, worst)
}

// where says where a supervisor stands that does not answer.
func (w *beamWatch) where(ctx context.Context, s *beam.Supervisor) string {
	if list, err := w.node.Describe(ctx, []etf.Pid{s.PID}); err == nil && len(list) > 0 {
		return list[0].Sits()
	}
	return s.Function.String()
}

func (w *beamWatch) looping(ctx context.Context, d skills.Data, worst []beamChild) {
	all := 0
	for _, c := range worst {
		all += len(c.again)
	}
	d.Set("restarts_all_5m", float64(all), 0)
	d.Set("restarts_5m", 0, 0)
	if len(worst) == 0 {
		return
	}
	d.Set("restarts_5m", float64(len(worst[0].again)), 0)
	d.Text("crash_loop_child", worst[0].id+" ("+w.origin(ctx, worst[0].pid)+")")
	d.Text("crash_loop_supervisor", worst[0].supervisor)
}

// origin says what a process began as, and which it is.
func (w *beamWatch) origin(ctx context.Context, pid etf.Pid) string {
	if list, err := w.node.Describe(ctx, []etf.Pid{pid}); err == nil && len(list) > 0 {
		return list[0].Origin() + " " + pid.String()
	}
	return pid.String()
}

// sampled is how many processes of a kind a snapshot looks at to say what they are.
const sampled = 20

// unsupervised tells of processes that nobody looks after. All processes are looked
// through for it, as often as that is cheap.
func (w *beamWatch) unsupervised(ctx context.Context, d skills.Data) error {
	w.mu.Lock()
	due := !time.Now().Before(w.loneNext)
	w.mu.Unlock()
	if due {
		u, err := w.node.Unsupervised(ctx, true, sampled)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.loneNext = u.At.Add(share * time.Duration(u.Took) * time.Microsecond)
		w.before, w.lone = w.lone, u
		w.mu.Unlock()
	}
	w.mu.Lock()
	now, before := w.lone, w.before
	w.mu.Unlock()
	if now == nil || before == nil {
		return nil // a process between its start and its first link is neither
	}
	d.Set("orphans", float64(min(now.Orphans, before.Orphans)), 0)
	d.Set("unlinked_processes", float64(min(now.Unlinked, before.Unlinked)), 0)
	return errors.Join(w.orphanWords(ctx, d, now), w.loneWords(ctx, d, now))
}

func (w *beamWatch) loneWords(ctx context.Context, d skills.Data, u *beam.Unsupervised) error {
	list, err := w.node.Describe(ctx, u.Lone)
	names, places := []string{}, []string{}
	for i := range list {
		names, places = append(names, list[i].Name()), append(places, list[i].Sits())
	}
	d.Text("unlinked_process", commonest(names))
	d.Text("unlinked_function", commonest(places))
	return err
}

func (w *beamWatch) orphanWords(ctx context.Context, d skills.Data, u *beam.Unsupervised) error {
	pids, left := []etf.Pid{}, []string{}
	for i := range u.Left {
		pids = append(pids, u.Left[i].PID)
		left = append(left, u.Left[i].By())
	}
	list, err := w.node.Describe(ctx, pids)
	names := []string{}
	for i := range list {
		names = append(names, list[i].Name())
	}
	d.Text("orphan_process", commonest(names))
	d.Text("orphan_ancestor", commonest(left))
	return err
}

// commonest returns the text that comes most often; the first of several.
func commonest(list []string) string {
	counts := map[string]int{}
	for _, s := range list {
		counts[s]++
	}
	best := ""
	for _, s := range list {
		if best == "" || counts[s] > counts[best] {
			best = s
		}
	}
	return best
}

// find returns a supervisor by its registered name, its process, or the name it is
// listed by, with so many levels below it.
func (w *beamWatch) find(ctx context.Context, name string, depth, most int) (*beam.Branch, error) {
	b, err := w.node.Tree(ctx, name, depth, most)
	if b != nil || err != nil {
		return b, err
	}
	w.mu.Lock()
	last := w.last
	w.mu.Unlock()
	if last != nil {
		for i := range last.List {
			if s := &last.List[i]; name == s.Name() || name == supervisorLabel(s) {
				return w.node.Tree(ctx, s.PID.String(), depth, most)
			}
		}
	}
	return nil, nil
}

func notFound(name string) error {
	return fmt.Errorf("supervisor_not_found: %q is no supervisor of this node: use a name or pid of sup_list", skills.Cut(name))
}

// sameName reports whether a dead ancestor is the one that somebody names.
func sameName(ancestor etf.Term, name string) bool {
	text, ok := etf.Text(ancestor)
	return ok && (text == strings.TrimPrefix(name, "#PID") || beam.Label(ancestor) == name || cmp.Compare(text, "Elixir."+name) == 0)
}
