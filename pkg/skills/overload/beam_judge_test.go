package overload

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
)

func TestSeverityHasATimeDimension(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pid := etf.Pid{Node: "shop@x", ID: 7}
	soon := 200.0
	for _, tt := range []struct {
		name      string
		most, was float64 // messages now, and a minute ago; -1: not known
		total     int64
		lasted    time.Duration
		crash     *float64
		want      string
	}{
		{"nothing", 0, -1, 0, 0, nil, none},
		{"a thousand are none yet", 1000, -1, 1000, 0, nil, none},
		{"more than a thousand are transient", 1001, -1, 1001, 0, nil, transient},
		{"for five minutes they are sustained", 1001, 1001, 1001, 5 * time.Minute, nil, sustained},
		{"more than ten thousand are sustained", 10_001, -1, 10_001, 0, nil, sustained},
		{"unless they drain", 10_001, 25_000, 10_001, time.Minute, nil, transient},
		{"more than fifty thousand are critical", 50_001, -1, 50_001, 0, nil, critical},
		{"many small ones add up", 500, -1, 100_001, 0, nil, transient},
		{"a million are sustained", 500, -1, 1_000_001, 0, nil, sustained},
		{"five million are critical", 500, -1, 5_000_001, 0, nil, critical},
		{"so is memory that ends in five minutes", 2000, -1, 2000, 0, &soon, critical},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &beamState{at: now, since: now.Add(-tt.lasted), queues: &beam.Queues{Total: tt.total}, crash: tt.crash}
			if tt.most > 0 {
				s.queues.Top = []beam.Ranked{{Process: beam.Process{PID: pid}, Value: tt.most}}
			}
			if tt.was >= 0 {
				s.prev = beamLengths{now.Add(-time.Minute), map[etf.Pid]float64{pid: tt.was}}
			}
			if got := s.level(); got != tt.want {
				t.Errorf("it is %s, want %s", got, tt.want)
			}
		})
	}
}

// Behaviour: 157.
func TestMajorityAndSignificance(t *testing.T) {
	for _, tt := range []struct {
		part, n               float64
		majority, significant bool
	}{{2, 3, true, true}, {1, 3, false, false}, {2, 5, false, true}, {0, 0, false, false}} {
		if majority(tt.part, tt.n) != tt.majority || significant(tt.part, tt.n) != tt.significant {
			t.Errorf("%g of %g: majority %v, significant %v", tt.part, tt.n, majority(tt.part, tt.n), significant(tt.part, tt.n))
		}
	}
	lengths := []beam.Length{}
	for i := 100; i > 0; i-- {
		lengths = append(lengths, beam.Length{Messages: float64(i)})
	}
	for p, want := range map[int]float64{50: 50, 90: 90, 99: 99, 100: 100} {
		if got := percentile(lengths, p); got != want {
			t.Errorf("p%d of 1 to 100 is %g", p, got)
		}
	}
	if percentile(nil, 50) != 0 || percentile(lengths[:1], 50) != 100 {
		t.Error("of nothing, or of one, a percentile is not 0 and it")
	}
}

func TestWhatAProcessDoesIsReadFromItsStack(t *testing.T) {
	f := func(m, name etf.Atom, arity int64) beam.MFA { return beam.MFA{m, name, arity} }
	for _, tt := range []struct {
		name   string
		status string
		stack  []beam.MFA
		want   string
	}{
		{"a call that does not return", "waiting", []beam.MFA{f("gen", "do_call", 4), f("shop", "pay", 1)}, downstream},
		{"a socket that nothing comes from", "waiting", []beam.MFA{f("prim_inet", "recv0", 3), f("shop", "pay", 1)}, downstream},
		{"between two messages", "waiting", []beam.MFA{f("gen_server", "loop", 7)}, unknown},
		{"a full port", "suspended", []beam.MFA{f("erlang", "port_command", 3)}, portBlocking},
		{"the code server", "waiting", []beam.MFA{f("code_server", "call", 1), f("shop", "pay", 1)}, contention},
		{"a lock of the cluster", "waiting", []beam.MFA{f("gen", "do_call", 4), f("gen_server", "call", 3), f("global", "set_lock", 3)}, contention},
		{"a table", "runnable", []beam.MFA{f("ets", "select", 2), f("shop", "find", 1)}, contention},
		{"computing", "running", []beam.MFA{f("shop", "sum", 1)}, cpuBound},
		{"collecting", "garbage_collecting", nil, collecting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lookClass(&beam.Look{Status: tt.status, Stack: tt.stack}); got != tt.want {
				t.Errorf("it is %s, want %s", got, tt.want)
			}
		})
	}
}
