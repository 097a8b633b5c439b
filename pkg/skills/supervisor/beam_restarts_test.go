package supervisor

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func TestWhatCountsAsARestart(t *testing.T) {
	pid := func(n uint32) etf.Pid { return etf.Pid{Node: "shop@x", ID: n} }
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// reading is one minute after the one before, of a supervisor and its one child.
	type reading struct {
		supervisor uint32
		child      etf.Term
	}
	for _, tt := range []struct {
		name     string
		readings []reading
		want     int
	}{
		{"the same process is none", []reading{{1, pid(2)}, {1, pid(2)}}, 0},
		{"another process is one", []reading{{1, pid(2)}, {1, pid(3)}}, 1},
		{"each other process is one", []reading{{1, pid(2)}, {1, pid(3)}, {1, pid(4)}}, 2},
		{"between them it may be restarting", []reading{{1, pid(2)}, {1, etf.Atom("restarting")}, {1, pid(3)}}, 1},
		{"one that was stopped and is started is none", []reading{{1, pid(2)}, {1, etf.Atom("undefined")}, {1, pid(3)}}, 0},
		{"with a new supervisor its children are new, and not restarted", []reading{{1, pid(2)}, {9, pid(3)}, {9, pid(3)}}, 0},
		{"five minutes later it is forgotten", []reading{{1, pid(2)}, {1, pid(3)}, {1, pid(3)}, {1, pid(3)}, {1, pid(3)}, {1, pid(3)}, {1, pid(3)}, {1, pid(3)}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r beamRestarts
			var at time.Time
			for i, now := range tt.readings {
				at = began.Add(time.Duration(i) * time.Minute)
				r.observe(&beam.Supervisors{At: at, List: []beam.Supervisor{{
					PID: pid(now.supervisor), Registered: etf.Atom("shop_sup"), Answers: true, Children: []beam.Child{{ID: etf.Atom("cart"), Key: 7, PID: now.child}},
				}}})
			}
			got := 0
			for _, c := range r.worst(at) {
				got += len(c.again)
			}
			if got != tt.want {
				t.Errorf("%d restarts, want %d", got, tt.want)
			}
		})
	}
}

func TestASupervisorThatIsRestartedIsAChildThatIsRestarted(t *testing.T) {
	pid := func(n uint32) etf.Pid { return etf.Pid{Node: "shop@x", ID: n} }
	var r beamRestarts
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range uint32(3) { // without a name it is known by where it stands
		top := pid(1)
		r.observe(&beam.Supervisors{At: at.Add(time.Duration(i) * time.Minute), List: []beam.Supervisor{
			{PID: top, Registered: etf.Atom("shop_sup"), Children: []beam.Child{{ID: etf.Atom("carts"), Key: 1, PID: pid(10 + i), Type: "supervisor"}}},
			{PID: pid(10 + i), Module: "carts", Parent: &top, Children: []beam.Child{{ID: etf.Atom("cart"), Key: 2, PID: pid(20 + i)}}},
		}})
	}
	worst := r.worst(at.Add(2 * time.Minute))
	if len(worst) != 1 || worst[0].id != "carts" || len(worst[0].again) != 2 || worst[0].supervisor != "shop_sup <0.1.0>" {
		t.Errorf("it is told as %+v", worst)
	}
}
