package beam

import (
	"math"
	"slices"
	"testing"
	"time"

	reach "github.com/fleetlens/fleetlens/internal/reach/beam"
	"github.com/fleetlens/fleetlens/internal/reach/beam/etf"
	"github.com/fleetlens/fleetlens/pkg/skills"
)

// readings are counts of atoms half a minute apart.
func readings(limit int, counts ...int) []skills.Reading[atoms] {
	var out []skills.Reading[atoms]
	for i, n := range counts {
		out = append(out, skills.Reading[atoms]{At: time.Unix(int64(30*i), 0), Value: atoms{n, limit}})
	}
	return out
}

func TestTheUrgencyOfAtomsIsOneOfSixWords(t *testing.T) {
	for name, tt := range map[string]struct {
		list    []skills.Reading[atoms]
		urgency string
		hours   float64
	}{
		"no reading":                   {nil, "insufficient_history", math.Inf(1)},
		"one reading":                  {readings(1000, 10), "insufficient_history", math.Inf(1)},
		"no growth":                    {readings(1_000_000, 10_000, 10_000), "healthy", math.Inf(1)},
		"they became fewer: a restart": {readings(1_000_000, 20_000, 10_000), "healthy", math.Inf(1)},
		"one a minute":                 {readings(1_000_000, 10_000, 10_000, 10_001), "monitoring", 989_999.0 / 60},
		"a week at most":               {readings(1_000_000, 100_000, 100_050), "concerning", 899_950.0 / 6000},
		"a day at most":                {readings(1_000_000, 100_000, 100_500), "critical", 899_500.0 / 60_000},
		"more than 80 % without":       {readings(1000, 850, 850), "warning", math.Inf(1)},
		"more than 90 % without":       {readings(1000, 950, 950), "critical", math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			tr := trendOf(tt.list)
			if tr.urgency() != tt.urgency || math.Abs(tr.hoursLeft()-tt.hours) > 1e-6 || tr.recommendation() == "" {
				t.Errorf("got %s, %g hours, %q", tr.urgency(), tr.hoursLeft(), tr.recommendation())
			}
		})
	}
}

func TestAStartIsNoLeakOfAtoms(t *testing.T) {
	for name, tt := range map[string]struct {
		list   []skills.Reading[atoms]
		steady bool
	}{
		"a leak":                                {readings(1<<20, 10_000, 11_000, 12_000, 13_000, 14_000, 15_000), true},
		"a leak that pauses":                    {readings(1<<20, 10_000, 11_000, 12_000, 12_000, 14_000, 15_000), true},
		"a start":                               {readings(1<<20, 10_000, 18_000, 19_500, 19_900, 19_990, 20_000), false},
		"code that is loaded once":              {readings(1<<20, 10_000, 10_000, 15_000, 15_000, 15_000, 15_000), false},
		"a few a minute":                        {readings(1<<20, 10_000, 10_001, 10_002, 10_003, 10_004, 10_005), false},
		"too few readings":                      {readings(1<<20, 10_000, 12_000, 14_000, 16_000), false},
		"five readings are as few as is enough": {readings(1<<20, 10_000, 11_000, 12_000, 13_000, 14_000), true},
	} {
		if got := trendOf(tt.list).steady; got != tt.steady {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestHowHardAProcessWorksIsOneOfFiveWords(t *testing.T) {
	for rate, want := range map[float64]string{0: "idle", 100: "idle", 101: "low", 1000: "low", 1001: "moderate", 5001: "high", 10_000: "high", 10_001: "very_high"} {
		if got := workTrend(rate); got != want {
			t.Errorf("%g a second: got %s, want %s", rate, got, want)
		}
	}
}

func TestABurstIsOfRates(t *testing.T) {
	second := time.Second
	for _, tt := range []struct {
		before, did float64
		window      time.Duration
		want        float64
	}{
		{10_000, 40_000, second, 400},
		{10_000, 40_000, 2 * second, 200}, // the windows differ in length
		{0, 50_000, second, 5000},         // from nothing: against 1,000 a second
		{10, 500, second, 50},
	} {
		if _, _, got := burst(reach.Reducer{Did: tt.did, Before: tt.before}, second, tt.window); got != tt.want {
			t.Errorf("%+v: got %g", tt, got)
		}
	}
}

func TestTheHealthOfSchedulers(t *testing.T) {
	list := func(pcts ...float64) (out []reach.Scheduler) {
		for i, p := range pcts {
			out = append(out, reach.Scheduler{ID: i + 1, Kind: "normal", Utilization: p / 100})
		}
		return out
	}
	for _, tt := range []struct {
		pcts       []float64
		status     string
		imbalanced bool
		factor     float64
		advice     int
	}{
		{[]float64{10, 20}, "healthy", false, 0, 1},
		{[]float64{90, 10}, "healthy", true, 80, 3},
		{[]float64{75, 75}, "warning", false, 0, 2},
		{[]float64{95, 95}, "critical", false, 0, 3},
		{[]float64{100, 100, 100, 100, 100, 100, 100, 40}, "critical", true, 60, 4},
		{[]float64{100}, "critical", false, 0, 3},
		{nil, "healthy", false, 0, 1},
	} {
		u := use(list(tt.pcts...))
		a := healthOf(u, u.imbalanced(len(tt.pcts)))
		if a["status"] != tt.status || a["imbalanced"] != tt.imbalanced || a["imbalance_factor"] != tt.factor || len(a["recommendations"].([]string)) != tt.advice {
			t.Errorf("%v: got %v", tt.pcts, a)
		}
	}
}

func TestOnlyWhoHoldsMoreLeaksBinaries(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	pid := func(id uint32) etf.Pid { return etf.Pid{ID: id} }
	holder := func(id uint32, kept int64, bytes, count *int64) reach.Holder {
		return reach.Holder{Process: reach.Process{PID: pid(id)}, Held: kept, Bytes: bytes, Count: count, Collections: 2}
	}
	before := map[etf.Pid]held{
		pid(1): {held: 10 << 20, bytes: n(9 << 20), count: n(100), collections: 2},
		pid(2): {held: 50 << 20, bytes: n(50 << 20), count: n(500), collections: 1},
		pid(3): {held: 20 << 20, collections: 1},
		pid(4): {held: 5 << 20, bytes: n(5 << 20), count: n(5)},
	}
	rows := leaks(before, &reach.Holders{List: []reach.Holder{
		holder(2, 40<<20, n(40<<20), n(400)), // less
		holder(3, 30<<20, n(29<<20), n(300)), // it was not counted before
		holder(1, 12<<20, n(11<<20), n(120)),
		holder(4, 5<<20+100, n(5<<20+100), n(6)), // a line that was read
		holder(5, 1<<20, n(1<<20), n(10)),        // it held less than the least before
	}})
	type got struct {
		pid       string
		kib       float64
		delta     int64
		collected bool
	}
	var have []got
	for _, r := range rows {
		g := got{r.PID, *r.DeltaKB, -1, r.Collected}
		if r.Delta != nil {
			g.delta = *r.Delta
		}
		have = append(have, g)
	}
	want := []got{{"<0.3.0>", 10 << 10, -1, true}, {"<0.1.0>", 2 << 10, 20, false}, {"<0.5.0>", 1 << 10, 10, false}}
	if !slices.Equal(have, want) {
		t.Errorf("got %v, want %v", have, want)
	}
}
