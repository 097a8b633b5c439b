package gopprof

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readPage(t *testing.T, at time.Time, page string) *Runtime {
	t.Helper()
	r := &Runtime{At: at, From: []string{"metrics"}}
	if err := r.readMetrics(bufio.NewReader(strings.NewReader("go_goroutines 7\n" + page))); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCountersOfPanicsAreKnownByTheirNames(t *testing.T) {
	r := readPage(t, time.Now(), `# TYPE grpc_req_panics_recovered_total counter
grpc_req_panics_recovered_total 3
# TYPE http_panics_recovered_total counter
http_panics_recovered_total{route="/a"} 2
http_panics_recovered_total{route="/b"} 5
# TYPE controller_runtime_reconcile_panics_total counter
controller_runtime_reconcile_panics_total{controller="x"} 0
go_panics_total 1
# TYPE promhttp_metric_handler_errors_total counter
promhttp_metric_handler_errors_total{cause="encoding"} 9
# TYPE button_panic_total gauge
button_panic_total 4
panicky_total 4
dont_panics_totally 4
`)
	want := []Counter{{"controller_runtime_reconcile_panics_total", 0}, {"go_panics_total", 1}, {"grpc_req_panics_recovered_total", 3}, {"http_panics_recovered_total", 7}}
	if diff := cmp.Diff(want, r.Panics); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPanicsAreCountedFromTheSecondReadingOn(t *testing.T) {
	start := time.Unix(1000, 0)
	var l PanicLog
	for i, page := range []string{
		"a_panics_total 10\n",                   // nobody knows when
		"a_panics_total 12\nb_panics_total 3\n", // two more, and a counter that its first panic made
		"a_panics_total 12\nb_panics_total 3\n",
		"a_panics_total 1\n", // the service began anew
	} {
		l.Observe(readPage(t, start.Add(time.Duration(i)*time.Minute), page))
	}
	by, last := l.Since(start)
	if diff := cmp.Diff(map[string]float64{"a_panics_total": 3, "b_panics_total": 3}, by); diff != "" || !last.Equal(start.Add(3*time.Minute)) {
		t.Errorf("the last at %v (-want +got):\n%s", last, diff)
	}
	if by, _ := l.Since(start.Add(2 * time.Minute)); by["a_panics_total"] != 1 || by["b_panics_total"] != 0 {
		t.Errorf("of the last minute: %v", by)
	}
}

func TestAPageThatBeginsLaterIsNoBurstOfPanics(t *testing.T) {
	var l PanicLog
	l.Observe(&Runtime{At: time.Unix(1000, 0)}) // its metrics were not there
	l.Observe(readPage(t, time.Unix(1060, 0), "a_panics_total 10\n"))
	if by, _ := l.Since(time.Unix(0, 0)); len(by) != 0 {
		t.Errorf("got %v", by)
	}
}
