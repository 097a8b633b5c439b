package gopprof

import (
	"bufio"
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// own profiles are the seeds: they are real.
func ownProfile(t testing.TB, name string, debug int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&b, debug); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func reader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

func FuzzProfile(f *testing.F) {
	for _, name := range []string{"goroutine", "heap", "mutex", "block"} {
		f.Add(ownProfile(f, name, 0))
	}
	f.Add([]byte{0x12, 0x02, 0x08, 0x01})
	f.Fuzz(func(_ *testing.T, b []byte) {
		p, err := parseProfile(reader(b))
		if err != nil {
			return
		}
		_, _ = goroutinesOf(p, time.Now())
		_, _ = heapOf(p, time.Now())
		_, _ = contentionOf(p)
		for kind := range columns {
			_, _ = topOf(p, kind)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add(ownProfile(f, "goroutine", 2))
	f.Add(ownProfile(f, "heap", 1))
	f.Add(ownProfile(f, "goroutine", 1))
	f.Add([]byte("# TYPE go_goroutines gauge\ngo_goroutines 7\ngo_gc_duration_seconds{quantile=\"1\"} 0.1\n"))
	f.Add([]byte(`{"cmdline":["/bin/x","-a"],"memstats":{"Alloc":1,"PauseNs":[1,0],"PauseEnd":[2,0]},"x":[{}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = parseWaits(reader(b))
		for _, read := range []func(*Runtime, *bufio.Reader) error{
			(*Runtime).readMetrics, (*Runtime).readVars, (*Runtime).readHeapText, (*Runtime).readGoroutineText, (*Runtime).readCommand,
		} {
			_ = read(&Runtime{}, reader(b))
		}
	})
}

func TestPlacesAreOfTheServicesOwnCode(t *testing.T) {
	of := func(functions ...string) (out []Frame) {
		for _, f := range functions {
			out = append(out, Frame{Function: f})
		}
		return out
	}
	for _, tt := range []struct {
		name              string
		stack             []Frame
		state, place, via string
	}{
		{"a lock", of("runtime.gopark", "sync.runtime_SemacquireMutex", "sync.(*Mutex).Lock", "main.(*cache).get", "net/http.(*conn).serve"), Lock, "main.(*cache).get", "sync.(*Mutex).Lock"},
		{"a lock of Go 1.24 and later", of("runtime.gopark", "internal/sync.runtime_SemacquireMutex", "internal/sync.(*Mutex).Lock", "x.example/shop.take"), Lock, "x.example/shop.take", "internal/sync.(*Mutex).Lock"},
		{"a channel", of("runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", "main.work"), ChanReceive, "main.work", "runtime.chanrecv1"},
		{"a full channel", of("runtime.gopark", "runtime.chansend", "runtime.chansend1", "main.work"), ChanSend, "main.work", "runtime.chansend1"},
		{"an idle client", of("runtime.gopark", "internal/poll.runtime_pollWait", "internal/poll.(*FD).Read", "net.(*conn).Read", "net/http.(*conn).serve"), IOWait, "net/http.(*conn).serve", ""},
		{"a WaitGroup before Go 1.25", of("runtime.gopark", "sync.runtime_Semacquire", "sync.(*WaitGroup).Wait", "main.main", "runtime.main"), WaitGroup, "main.main", "sync.(*WaitGroup).Wait"},
		{"one that runs", of("main.burn", "main.main", "runtime.main"), Running, "main.burn", ""},
		{"the runtime's own", of("runtime.gopark", "runtime.bgsweep"), Waiting, "runtime.bgsweep", ""},
		{"a vendored library of Go itself", of("vendor/golang.org/x/net/http2/hpack.f", "main.f"), Running, "main.f", "vendor/golang.org/x/net/http2/hpack.f"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place, via := owner(tt.stack)
			if got := stateOf(tt.stack); got != tt.state || place.Function != tt.place || via != tt.via {
				t.Errorf("%q at %q via %q", got, place.Function, via)
			}
		})
	}
}

func TestGrowth(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []int64
		steady bool
		added  int64
	}{
		{"a leak", []int64{10, 40, 70, 100, 130}, true, 120},
		{"three readings are too few", []int64{10, 40, 70, 100}, false, 90},
		{"work that comes and goes", []int64{10, 200, 20, 220, 30, 240}, false, 210},
		{"a pool that stays", []int64{100, 100, 100, 100, 100, 100}, false, 0},
		{"noise about a level", []int64{1000, 1010, 1005, 1020, 1030, 1025, 1040, 1050}, false, 50},
		{"a leak with noise", []int64{100, 130, 125, 160, 155, 200, 230}, true, 130},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g Growth
			at := time.Unix(1_700_000_000, 0)
			for i, v := range tt.values {
				g.Observe(at.Add(time.Duration(i)*30*time.Second), map[string]int64{"x": v})
				g.Observe(at.Add(time.Duration(i)*30*time.Second+time.Millisecond), map[string]int64{"x": 1}) // too soon
			}
			got, ok := g.Of("x")
			if !ok || got.Steady() != tt.steady || got.Added != tt.added {
				t.Errorf("got %+v, steady %v", got, got.Steady())
			}
		})
	}
}

func TestGrowthKeepsAFewPlaces(t *testing.T) {
	var g Growth
	at := time.Unix(1_700_000_000, 0)
	for i := range 20 {
		values := map[string]int64{"leak": int64(10 * i)}
		for j := range 1000 {
			values[fmt.Sprint("other ", i, j)] = 5
		}
		g.Observe(at.Add(time.Duration(i)*time.Second), values)
		if len(g.runs) > mostWatched {
			t.Fatalf("%d places are kept", len(g.runs))
		}
	}
	if list := g.Grown(); len(list) == 0 || list[0].Key != "leak" || !list[0].Steady() {
		t.Errorf("what grew is %v", list)
	}
}

func TestWaitsAreReadFromADump(t *testing.T) {
	dump := `goroutine 1 [chan receive, 7 minutes]:
main.(*T).wait(0xc000012345, {0x1, 0x2})
	/src/checkout/main.go:57 +0x1d
created by main.main in goroutine 1
	/src/checkout/main.go:12 +0x22

goroutine 2 [chan receive, 9 minutes, locked to thread]:
main.(*T).wait(0xc000012345, {0x1, 0x2})
	/src/checkout/main.go:57 +0x1d

goroutine 3 gp=0xc00002 m=nil mp=0x1 [running]:
runtime/pprof.write()
	/go/src/runtime/pprof/pprof.go:1 +0x1
`
	list, err := parseWaits(reader([]byte(dump)))
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if w := list[0]; w.String() != "main.(*T).wait (checkout/main.go:57)" || w.Count != 2 || w.Minutes != 9 || w.State != "chan receive" || w.CreatedBy != "main.main" {
		t.Errorf("the first is %+v", w)
	}
	if _, err := parseWaits(reader([]byte("hello\n"))); err == nil {
		t.Error("what is no dump is read")
	}
}

func TestAPageOfMetricsIsReadForWhatIsKnown(t *testing.T) {
	page := strings.Repeat("http_requests_total{path=\"/a\"} 1\n", 200_000) + `# TYPE go_goroutines gauge
go_goroutines 42
# TYPE go_info gauge
go_info{version="go1.26"} 1
process_max_fds 1.8446744073709552e+19
http_requests_in_flight{handler="a"} 2
http_requests_in_flight{handler="b"} 3
go_memstats_alloc_bytes NaN`
	r := &Runtime{}
	if err := r.readMetrics(reader([]byte(page))); err != nil {
		t.Fatal(err)
	}
	if n, ok := r.Get(GoroutineCount); !ok || n != 42 || r.GoVersion != "go1.26" {
		t.Errorf("%v goroutines of %q", n, r.GoVersion)
	}
	if n, ok := r.Get(InFlight); !ok || n != 5 {
		t.Errorf("%v in flight", n)
	}
	if n, ok := r.Get(MaxFDs); ok {
		t.Errorf("no limit is read as %v", n)
	}
}

func TestOnlyTheNameOfAProgramIsKept(t *testing.T) {
	r := &Runtime{}
	if err := r.readCommand(reader([]byte("/opt/checkout/bin/checkout\x00--password=hunter2"))); err != nil || r.Program != "checkout" {
		t.Errorf("%q, %v", r.Program, err)
	}
	r = &Runtime{}
	if err := r.readVars(reader([]byte(`{"cmdline":["/bin/checkout","--password=hunter2"]}`))); err != nil || r.Program != "checkout" {
		t.Errorf("%q, %v", r.Program, err)
	}
}
