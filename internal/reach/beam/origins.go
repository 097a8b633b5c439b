package beam

import (
	"context"

	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

// Origins says by which functions the processes of a node began.
type Origins struct {
	Processes int  `erl:"processes"` // how many there are
	Seen      int  `erl:"seen"`      // how many were looked at: of very many a part
	Truncated bool `erl:"truncated"`
	// Groups are the most common ones, at most 12, the most first.
	Groups []Group `erl:"groups"`
}

// A Group are the processes with one initial call.
type Group struct {
	Initial *MFA   `erl:"initial_call"`
	Count   int    `erl:"count"`     // of those seen
	Looked  int    `erl:"looked_at"` // of how many more was asked
	Told    []kind `erl:"kinds"`
}

// A kind is what some of a group say of themselves: by what callback or function they
// began, how many of those looked at, one of them, and who started that one.
type kind [4]etf.Term

// An Origin is how some processes began.
type Origin struct {
	Function string  // shop_cart:init/1
	Count    int     // an estimate where not all were asked
	Example  etf.Pid // one of them
	Parent   string  // who started it: a name or a process; empty where it is not known
}

// List returns the origins, at most 40, without regard to order.
func (o *Origins) List() []Origin {
	scale := 1.0
	if o.Seen > 0 && o.Processes > o.Seen {
		scale = float64(o.Processes) / float64(o.Seen)
	}
	var out []Origin
	for _, g := range o.Groups {
		for _, k := range g.Told {
			function := Label(k[0])
			if function == "" {
				function = g.Initial.String()
			}
			many, _ := k[1].(int64)
			pid, _ := k[2].(etf.Pid)
			if g.Looked == 0 || len(out) == 40 {
				continue
			}
			count := float64(g.Count) * scale * float64(many) / float64(g.Looked)
			out = append(out, Origin{function, int(count + 0.5), pid, Label(k[3])})
		}
	}
	return out
}

// Origins counts the processes by the functions they began with. An answer of a moment
// ago serves again.
func (n *Node) Origins(ctx context.Context) (*Origins, error) {
	return once[Origins](ctx, n, "origins")
}
