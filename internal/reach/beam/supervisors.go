package beam

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Supervisors are those of a node.
type Supervisors struct {
	List      []Supervisor `erl:"supervisors"` // a parent before its children
	Truncated bool         `erl:"truncated"`   // there are, or may be, more
	Took      int64        `erl:"ms"`
	At        time.Time
}

// A Supervisor is one of them, and what it keeps.
type Supervisor struct {
	PID        etf.Pid  `erl:"pid"`
	Registered etf.Term `erl:"name"`
	Module     etf.Atom `erl:"module"` // whose init says what it keeps
	Parent     *etf.Pid `erl:"parent"` // nil at the top, and where it is not known
	App        *string  `erl:"app"`
	Answers    bool     `erl:"answers"`  // false: it did not within half a second
	Function   *MFA     `erl:"function"` // where it is when it does not answer
	Total      int      `erl:"total"`    // children
	Active     int      `erl:"active"`   // those that run
	// Dynamic: its children come and go as somebody asks for them. They are counted, not listed.
	Dynamic    bool    `erl:"dynamic"`
	Children   []Child `erl:"children"`
	Restarting int     `erl:"restarting"`
	Undefined  int     `erl:"undefined"`
}

// A Child is what a supervisor keeps.
type Child struct {
	ID   etf.Term `erl:"id"`
	Key  int64    `erl:"key"` // of its id, where that is not told: texts within ids are not
	PID  etf.Term `erl:"pid"` // a process, or the atom undefined or restarting
	Type string   `erl:"type"`
}

// Name is its registered name, else its module.
func (s *Supervisor) Name() string { return supervisorName(s.Registered, s.Module) }

func supervisorName(registered etf.Term, module etf.Atom) string {
	if s := Label(registered); s != "" {
		return s
	}
	return Module(module)
}

// Name is the child's id as people write it.
func (c *Child) Name() string { return ChildID(c.ID) }

// ChildID writes the id of a child: shop_cart, Shop.Cart, {worker,3}. What is no atom
// or number stays on the node and reads _.
func ChildID(id etf.Term) string {
	switch v := id.(type) {
	case etf.Atom:
		return Module(v)
	case etf.Tuple:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = ChildID(e)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	if s := Label(id); s != "" {
		return s
	}
	if n, ok := etf.Number(id); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return "_"
}

// Supervisors lists the supervisors below the applications and what they keep, and
// those that are known from before; with others, it goes through all processes for
// those that stand elsewhere.
func (n *Node) Supervisors(ctx context.Context, known []etf.Pid, others bool) (*Supervisors, error) {
	list := etf.List{}
	for _, p := range known {
		list = append(list, p)
	}
	s, err := ask[Supervisors](ctx, n, "supervisors", args{"Known": list, "Others": others})
	if err != nil {
		return nil, err
	}
	s.At = time.Now()
	return s, nil
}

// A Branch is a process of a supervision tree and what is below it.
type Branch struct {
	ID         etf.Term `erl:"id"`
	PID        etf.Term `erl:"pid"` // a process, or the atom undefined or restarting
	Type       string   `erl:"type"`
	Registered etf.Term `erl:"name"`
	Initial    *MFA     `erl:"initial"`
	// What follows is of supervisors.
	Module     etf.Atom `erl:"module"` // empty for what only says it is one
	Answers    bool     `erl:"answers"`
	Function   *MFA     `erl:"function"`
	Total      int      `erl:"total"`
	Active     int      `erl:"active"`
	Restarting int      `erl:"restarting"`
	Undefined  int      `erl:"undefined"`
	Children   []Branch `erl:"children"`
	Truncated  bool     `erl:"truncated"`
}

// Name is the registered name, else a supervisor's module, else the child's id.
func (b *Branch) Name() string {
	if s := Label(b.Registered); s != "" {
		return s
	}
	if b.Module != "" {
		return Module(b.Module)
	}
	return ChildID(b.ID)
}

// Process returns the process as text, or undefined or restarting.
func (b *Branch) Process() string { return ProcessText(b.PID) }

// ProcessText writes a process, or the atom that stands in its place.
func ProcessText(t etf.Term) string {
	switch v := t.(type) {
	case etf.Pid:
		return v.String()
	case etf.Atom:
		return string(v)
	}
	return "undefined"
}

// Tree returns a supervisor by its registered name, or by its process as text, and what
// is below it: so many levels, and so many processes at most. Nil: nothing of that name
// is a supervisor.
func (n *Node) Tree(ctx context.Context, name string, depth, most int) (*Branch, error) {
	if len(name) > 255 {
		return nil, nil
	}
	a, err := ask[struct {
		Found bool   `erl:"found"`
		Tree  Branch `erl:"tree"`
	}](ctx, n, "supervisor_tree", args{"Name": strings.TrimPrefix(name, "#PID"), "Depth": depth, "Most": most})
	if err != nil || !a.Found {
		return nil, err
	}
	return &a.Tree, nil
}

// Unsupervised are processes that nobody looks after.
type Unsupervised struct {
	Processes int  `erl:"processes"`
	Seen      int  `erl:"seen"` // of them; of more than 30,000 a sample
	Truncated bool `erl:"truncated"`
	// ByParent: parents are known (OTP 25). Before, only processes without links are
	// looked at for ancestors that died.
	ByParent bool `erl:"by_parent"`
	// Unlinked and Orphans are of all processes, by what the sample has.
	Unlinked int       `erl:"unlinked"`
	Lone     []etf.Pid `erl:"unlinked_pids"`
	Orphans  int       `erl:"orphans"`
	Left     []Orphan  `erl:"orphan_rows"`
	Took     int64     `erl:"us"`
	At       time.Time
}

// An Orphan is a process of which an ancestor has died.
type Orphan struct {
	PID    etf.Pid    `erl:"pid"`
	Dead   []etf.Term `erl:"dead"`   // ancestors that are gone: processes as text, or names
	Parent etf.Term   `erl:"parent"` // who started it
}

// Unsupervised looks through all processes for those without links and monitors, and
// for those of which an ancestor has died; of each so many are named: those with the
// longest queues first, or, to know what they are, taken evenly from all.
func (n *Node) Unsupervised(ctx context.Context, even bool, limit int) (*Unsupervised, error) {
	u, err := ask[Unsupervised](ctx, n, "unsupervised", args{"Even": even, "Limit": limit})
	if err != nil {
		return nil, err
	}
	u.At = time.Now()
	if u.Seen > 0 && u.Seen < u.Processes {
		u.Unlinked = int(int64(u.Unlinked) * int64(u.Processes) / int64(u.Seen))
		u.Orphans = int(int64(u.Orphans) * int64(u.Processes) / int64(u.Seen))
	}
	return u, nil
}

// By is the nearest ancestor that died, by name or process.
func (o *Orphan) By() string {
	if len(o.Dead) == 0 {
		return ""
	}
	return Label(o.Dead[0])
}
