// Package correlate says which findings belong together and how: arithmetic on
// findings, without a clock and without I/O.
package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Finding is one anomaly of one node, as far as correlation needs it.
type Finding struct {
	ID       string
	Node     string
	Skill    string
	Check    string // what was crossed: "memory_used_pct"
	Resource string // what is short: "memory"; empty: unknown
	Severity int    // the higher the worse
	At       time.Time
}

// A Relation says how the findings of a group belong together.
type Relation string

// Relations, by the names of correlation types.
const (
	Temporal    Relation = "temporal"
	Causal      Relation = "causal"
	Symptomatic Relation = "symptomatic"
)

// A Group is findings that belong together.
type Group struct {
	Findings []Finding // causes before effects, then by node
	Relation Relation
	Cause    string // the resource at the root of a causal group
	Why      string
}

// causes is what a shortage of one resource does to others on the same host. It
// follows the memory and I/O paths of the Linux kernel: reclaim writes and swaps,
// swapping waits for disks, and waiting tasks count as load. Whatever is short, what is
// served by the host suffers.
var causes = map[string][]string{
	"memory":  {"swap", "disk_io", "oom", "cpu", requests},
	"swap":    {"disk_io", requests},
	"disk_io": {"cpu", requests},
	"disk":    {"disk_io", requests},
	"threads": {"cpu", requests},
	"cpu":     {requests},
	"network": {requests},
}

// requests is what a host serves: slow, failing, or not asked for.
const requests = "requests"

// ioWords are the begins of words in the names of disk metrics that tell of its work and
// not of its space.
var ioWords = []string{"io", "read", "writ", "util", "busy", "await", "queue"}

// ResourceOf returns what a metric tells of by its name, in the words of the checks'
// resources; empty where the name does not tell.
func ResourceOf(metric string) string {
	io := slices.ContainsFunc(nameWords(metric), func(w string) bool {
		return slices.ContainsFunc(ioWords, func(begin string) bool { return strings.HasPrefix(w, begin) })
	})
	switch class := ClassOf(metric); class {
	case Latency, Errors, Availability, Requests:
		return requests
	case CPU, Memory, Network:
		return string(class)
	case Waiting:
		if io {
			return "disk_io"
		}
		return "cpu"
	case Disk:
		if io {
			return "disk_io"
		}
		return "disk"
	}
	return ""
}

// reaches reports whether a shortage of a leads to one of b.
func reaches(a, b string) bool {
	return slices.Contains(causes[a], b) || slices.ContainsFunc(causes[a], func(next string) bool { return next != a && slices.Contains(causes[next], b) })
}

// Groups is Relate for findings of nodes that nothing is known to depend on.
func Groups(findings []Finding) []Group { return Relate(findings, nil) }

// Relate puts findings into groups: the same resource on one node is one problem; a
// shortage and what it causes on that node are one, and so is what else is odd there and
// of no known resource; nodes whose problems have the same
// root are one; and a problem on a node is one with an earlier problem of what the node
// calls, unless nobody else can cause it. The worst group comes first.
func Relate(findings []Finding, calls []Edge) []Group {
	problems := perNode(findings)
	blamed := blame(problems, calls)
	var groups []Group
	links := map[string][]int{} // root → problems in its group that come from another node
	for i, p := range problems {
		root := rootProblem(i, blamed)
		if root != i {
			p.Cause = problems[root].Cause
			links[p.Cause] = append(links[p.Cause], i)
		}
		at := slices.IndexFunc(groups, func(g Group) bool { return g.Cause == p.Cause })
		if at < 0 {
			groups = append(groups, p)
			continue
		}
		groups[at].Findings = append(groups[at].Findings, p.Findings...)
	}
	for i := range groups {
		groups[i].settle()
		groups[i].follow(problems, links[groups[i].Cause], blamed)
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return worst(b) - worst(a) })
	return groups
}

func worst(g Group) int {
	w := 0
	for _, f := range g.Findings {
		w = max(w, f.Severity)
	}
	return w
}

// perNode returns the problems of each node; Cause is the root resource, or the
// check where the resource is unknown.
func perNode(findings []Finding) []Group {
	var nodes []string
	byNode := map[string][]Finding{}
	for _, f := range findings {
		if byNode[f.Node] == nil {
			nodes = append(nodes, f.Node)
		}
		byNode[f.Node] = append(byNode[f.Node], f)
	}
	slices.Sort(nodes)
	var out []Group
	for _, node := range nodes {
		var roots []Group
		list := byNode[node]
		for _, f := range list {
			root := rootOf(f, list)
			if f.Resource == "" {
				root = rootOf(mainOf(f, list), list)
			}
			i := slices.IndexFunc(roots, func(g Group) bool { return g.Cause == root })
			if i < 0 {
				roots = append(roots, Group{Cause: root})
				i = len(roots) - 1
			}
			roots[i].Findings = append(roots[i].Findings, f)
		}
		out = append(out, roots...)
	}
	return out
}

// mainOf returns the finding that one of no known resource belongs to: the worst that
// did not set in clearly after it, one of a known resource before others.
func mainOf(f Finding, all []Finding) Finding {
	best := f
	for _, o := range all {
		if o.At.After(f.At.Add(onsetSlack)) {
			continue
		}
		known := cmp.Or(compareBool(o.Resource != "", best.Resource != ""), cmp.Compare(o.Severity, best.Severity))
		if known > 0 || known == 0 && cmp.Or(best.At.Compare(o.At), strings.Compare(key(best), key(o))) > 0 {
			best = o
		}
	}
	return best
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// key is what makes two findings one problem.
func key(f Finding) string {
	if f.Resource != "" {
		return f.Resource
	}
	return f.Check
}

// rootOf follows the cause table upwards as far as the node's findings go. A
// cause that set in clearly after its effect is none.
func rootOf(f Finding, all []Finding) string {
	root, at := key(f), f.At
	for range len(causes) {
		up := slices.IndexFunc(all, func(c Finding) bool {
			return slices.Contains(causes[key(c)], root) && !c.At.After(at.Add(onsetSlack))
		})
		if up < 0 {
			break
		}
		root, at = key(all[up]), all[up].At
	}
	return root
}

// onsetSlack is how much later a cause may have been seen than its effect:
// snapshots of one run are seconds apart, in no particular order.
const onsetSlack = time.Minute

// settle orders a group's findings and says how they belong together.
func (g *Group) settle() {
	var nodes, keys []string
	for _, f := range g.Findings {
		nodes, keys = append(nodes, f.Node), append(keys, key(f))
	}
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	slices.SortStableFunc(g.Findings, func(a, b Finding) int {
		switch {
		case key(a) != key(b) && reaches(key(a), key(b)):
			return -1
		case key(a) != key(b) && reaches(key(b), key(a)):
			return 1
		case (a.Resource == "") != (b.Resource == ""):
			return compareBool(b.Resource != "", a.Resource != "")
		case a.Severity != b.Severity:
			return b.Severity - a.Severity
		}
		return strings.Compare(a.Node, b.Node)
	})
	switch {
	case len(keys) > 1:
		g.Relation = Causal
		g.Why = fmt.Sprintf("a shortage of %s leads to the others (%s) on the same node", g.Cause, strings.Join(keys, ", "))
	case len(nodes) > 1:
		g.Relation = Symptomatic
		g.Why = fmt.Sprintf("the same problem (%s) on %d nodes at the same time", g.Cause, len(nodes))
	default:
		g.Relation = Temporal
		g.Why = "one problem on one node"
	}
}
