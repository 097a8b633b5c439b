package prometheus_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// api is a server of https://prometheus.io/docs/prometheus/latest/querying/api/ that
// answers by what the question has.
func api(t *testing.T, answers func(path, query string) string) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("it is asked with %s", r.Method)
		}
		_, _ = io.WriteString(w, answers(r.URL.Path, r.FormValue("query")))
	}))
	t.Cleanup(h.Close)
	return h.URL
}

// matrix is the series of a range, each a function of the point's number.
func matrix(of map[string]func(i int) float64) string {
	var list []string
	for name, f := range of {
		var points []string
		for i := range 61 {
			points = append(points, fmt.Sprintf(`[%d,"%g"]`, 1_700_000_000+60*i, f(i)))
		}
		list = append(list, fmt.Sprintf(`{"metric":{"__name__":%q,"instance":"a:1"},"values":[%s]}`, name, strings.Join(points, ",")))
	}
	return `{"status":"success","data":{"resultType":"matrix","result":[` + strings.Join(list, ",") + `]}}`
}

// A latency jumps in the middle of the hour: what jumps with it is found among what does not.
func TestWhatMovedTogether(t *testing.T) {
	jump := func(i int) float64 {
		if i > 30 {
			return 200
		}
		return 20
	}
	noise := func(i int) float64 { return math.Mod(float64(i)*7919, 13) }
	among := matrix(map[string]func(int) float64{
		"latency_ms":     jump,
		"queue_length":   func(i int) float64 { return jump(i)/10 + noise(i)/10 },
		"free_workers":   func(i int) float64 { return 50 - jump(i)/5 + noise(i)/10 },
		"retries_total":  func(i int) float64 { return 5*float64(i) + max(0, 50*float64(i-30)) }, // only grows, faster from then on
		"requests_total": func(i int) float64 { return 9 * float64(i) },                          // grows evenly: its increase does not move
		"noise":          noise,
		"constant":       func(int) float64 { return 7 },
		"no_number":      func(int) float64 { return math.NaN() },
	})
	_, src := open(t, api(t, func(_, query string) string {
		switch {
		case strings.HasPrefix(query, "count("):
			return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"8"]}]}}`
		case strings.HasPrefix(query, "{"):
			if query != `{instance="a:1",__name__!~".+_bucket"}` {
				t.Errorf("it asks for %s", query)
			}
			return among
		}
		return matrix(map[string]func(int) float64{"latency_ms": jump})
	}))
	a := skilltest.Object(t, src, `prom_correlated("latency_ms", 60)`)
	found := map[string]bool{}
	for _, s := range rows(a, "series") {
		found[strings.SplitN(fmt.Sprint(s["series"]), "{", 2)[0]] = true
		if strings.HasPrefix(fmt.Sprint(s["series"]), "free_workers") && s["r"].(float64) > -0.95 {
			t.Errorf("what falls is %v", s)
		}
	}
	if len(found) != 3 || !found["queue_length"] || !found["free_workers"] || !found["retries_total"] || a["compared"] != 8.0 {
		t.Errorf("together moved %v", a)
	}
}

func TestTooManySeriesAreNotCompared(t *testing.T) {
	_, src := open(t, api(t, func(_, query string) string {
		if strings.HasPrefix(query, "count(") {
			return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"50000"]}]}}`
		}
		if strings.HasPrefix(query, "{") {
			t.Error("they are asked for")
		}
		return matrix(map[string]func(int) float64{"up": func(int) float64 { return 1 }})
	}))
	if _, err := skilltest.Call(t, src, `prom_correlated("up", 60)`); err == nil || !strings.Contains(err.Error(), "has 50000 series, of which at most 5000") {
		t.Errorf("it says %v", err)
	}
}

func TestAnAnswerWithoutEndIsNotTaken(t *testing.T) {
	long := strings.Repeat(" ", 1<<20)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 20 {
			_, _ = io.WriteString(w, long)
		}
	}))
	t.Cleanup(h.Close)
	_, src := open(t, h.URL)
	if _, err := skilltest.Call(t, src, `prom_query("{__name__=~'.+'}")`); err == nil || !strings.Contains(err.Error(), "ask for fewer series") {
		t.Errorf("it says %v", err)
	}
}

func TestWhatIsNoPrometheus(t *testing.T) {
	for name, answer := range map[string]string{"a web page": "<html>", "other JSON": `{"state":"up"}`, "data of another kind": `{"status":"success","data":[1]}`} {
		_, src := open(t, api(t, func(string, string) string { return answer }))
		for _, c := range src.Calls {
			if _, err := skilltest.Call(t, src, c.Example); err == nil {
				t.Errorf("%s answers %s", name, c.Name)
			}
		}
		if d, err := src.Snapshot(t.Context()); err == nil || d != nil {
			t.Errorf("%s is %v", name, d)
		}
	}
	_, src := open(t, "http://"+freeAddress(t))
	if d, err := src.Snapshot(t.Context()); err == nil || d["reachable"] != 0.0 || len(d) != 2 {
		t.Errorf("a server that is down is %v, %v", d, err)
	}
}
