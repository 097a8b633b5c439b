package custom_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/custom"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

// shop answers as somebody's service would: metrics and a page in JSON.
type shop struct {
	*httptest.Server
	orders atomic.Int64
	token  string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "# TYPE orders_total counter\norders_total{status=\"ok\",shop=\"a\"} %d\norders_total{status=\"ok\",shop=\"b\"} 5\norders_total{status=\"failed\"} 7\n"+
			"# TYPE took histogram\ntook_bucket{le=\"+Inf\"} 4\ntook_sum 2\ntook_count 4\n", s.orders.Load())
	})
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"version": "v3", "ready": true, "queue": map[string]any{"length": 120, "oldest": []any{map[string]any{"id": 17}, map[string]any{"id": 18}}},
			"asked": r.URL.Query().Get("n"),
		})
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusFound)
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		for range 5 << 10 {
			_, _ = w.Write(make([]byte, 1<<10))
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// A database answers what it is asked with what was asked.
type database struct{ err error }

func (d database) Query(_ context.Context, sql string, args []any, _ int) ([]map[string]any, error) {
	if strings.Contains(sql, "count") {
		return []map[string]any{{"count": 42.0}}, d.err
	}
	return []map[string]any{{"sql": sql, "args": args}}, d.err
}

const whole = `
name: shop
title: Shop
description: Orders of the shop.
prompt: |
  Orders come in all day.
read:
  app: {prometheus: URL/metrics}
  api: {json: URL/status}
  db: {postgres: main}
metrics:
  - {name: orders_per_sec, doc: Orders taken., unit: per_second, from: app, series: 'orders_total{status="ok"}', rate: true}
  - {name: orders_failed, doc: Orders that failed., unit: count, kind: counter, from: app, series: 'orders_total{status="failed"}'}
  - {name: largest, doc: Of the largest shop., unit: count, from: app, series: orders_total, combine: max}
  - {name: observed, doc: Timed orders., unit: count, kind: counter, from: app, series: took_count}
  - {name: queue_length, doc: Orders that wait., unit: count, from: api, field: queue.length}
  - {name: oldest, doc: The oldest that waits., unit: text, kind: info, from: api, field: queue.oldest.0.id}
  - {name: waiting_ids, doc: How many ids there are., unit: count, from: api, field: queue.oldest.#}
  - {name: open_orders, doc: Orders that are open., unit: count, from: db, sql: SELECT count(*) FROM orders}
checks:
  - metric: queue_length
    above: {warning: 100, critical: 1000}
    says: "{value} orders wait, {oldest} the longest"
    ask: shop_oldest(5)
    advice: Start more workers.
    resource: queue
callbacks:
  - {name: shop_oldest, doc: The open orders., example: shop_oldest(5), from: db, sql: SELECT id FROM orders LIMIT $1,
     params: [{name: limit, type: integer, doc: how many, default: 5, min: 1, max: 50}]}
  - {name: shop_queue, doc: The queue., example: shop_queue(3), from: api, field: asked, query: {n: first},
     params: [{name: first, type: integer, doc: how many, default: 3}]}
  - {name: shop_orders, doc: Orders by shop., from: app, series: 'orders_total{status="ok"}'}
`

func parse(t *testing.T, s *shop, text string) (skills.Skill, error) {
	t.Helper()
	return custom.Parse("shop.yaml", []byte(strings.ReplaceAll(text, "URL", s.URL)), map[string]custom.Database{"main": database{}})
}

func ask(t *testing.T, s skills.Skill, call string) (any, error) {
	t.Helper()
	return skilltest.Call(t, s.Sources[0], call)
}

func TestASkillFromAFileKeepsThePromises(t *testing.T) {
	s, err := parse(t, newShop(t), whole)
	if err != nil {
		t.Fatal(err)
	}
	skilltest.Run(t, s)
}

func TestASkillReadsWhatItsFileSays(t *testing.T) {
	sh := newShop(t)
	sh.orders.Store(100)
	s, err := parse(t, sh, whole)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Sources[0].Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"orders_failed": 7.0, "largest": 100.0, "observed": 4.0, "queue_length": 120.0, "oldest": "17", "waiting_ids": 2.0, "open_orders": 42.0, "orders_per_sec": nil,
	} {
		if d[name] != want {
			t.Errorf("%s is %v, want %v", name, d[name], want)
		}
	}
	crossed := skills.Evaluate(s.Sources[0].Checks, d)
	if len(crossed) != 1 || crossed[0].Says != "120 orders wait, 17 the longest" || crossed[0].Severity != "warning" {
		t.Errorf("it crosses %+v", crossed)
	}
	if v, err := ask(t, s, "shop_oldest(7)"); err != nil || fmt.Sprint(v) != "map[rows:[map[args:[7] sql:SELECT id FROM orders LIMIT $1]]]" {
		t.Errorf("SQL got %v, %v: arguments are bound, not written into it", v, err)
	}
	if v, err := ask(t, s, "shop_queue(9)"); err != nil || v != "9" {
		t.Errorf("the address was asked for %v, %v", v, err)
	}
	if v, err := ask(t, s, "shop_orders()"); err != nil || !strings.Contains(fmt.Sprint(v), "total:2") || !strings.Contains(fmt.Sprint(v), "shop:a") {
		t.Errorf("series: %v, %v", v, err)
	}
	if _, err := ask(t, s, "shop_oldest(51)"); err == nil || !strings.Contains(err.Error(), "50") {
		t.Errorf("an argument beyond its bound: %v", err)
	}
}

func TestARateIsTheGrowthPerSecond(t *testing.T) {
	now := int64(100)
	transport := http.DefaultTransport
	defer func() { http.DefaultTransport = transport }()
	http.DefaultTransport = answer(func() string { return fmt.Sprintf("orders_total %d\n", now) })
	s, err := custom.Parse("x.yaml", []byte(`{name: x, title: X, description: d, prompt: p, read: {app: {prometheus: "http://x/metrics"}},
 metrics: [{name: per_sec, doc: d, unit: per_second, from: app, series: orders_total, rate: true}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		snap := func() any {
			d, err := s.Sources[0].Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return d["per_sec"]
		}
		if v := snap(); v != nil {
			t.Errorf("one reading gives a rate of %v", v)
		}
		now += 300
		time.Sleep(30 * time.Second)
		if v := snap(); v != 10.0 {
			t.Errorf("300 in half a minute are %v a second", v)
		}
		now = 5 // it was restarted
		time.Sleep(30 * time.Second)
		if v := snap(); v != nil {
			t.Errorf("a counter that started again gives %v", v)
		}
	})
}

// answer is a transport that answers without a network.
type answer func() string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.WriteString(a())
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func TestWhatCannotBeReadIsAbsentAndTheRestIsThere(t *testing.T) {
	sh := newShop(t)
	for name, tt := range map[string]struct{ from, to, says string }{
		"a dead address":             {"json: URL/status", "json: http://127.0.0.1:1/status", "connection refused"},
		"one that refuses":           {"json: URL/status", "json: URL/nothing", "404"},
		"one that is no JSON":        {"json: URL/status", "json: URL/page", "does not answer in JSON"},
		"one that sends too much":    {"json: URL/status", "json: URL/huge", "more than 4194304 bytes"},
		"one that sends elsewhere":   {"json: URL/status", "json: URL/away", "redirects to another host"},
		"a field that is not there":  {"field: queue.length", "field: queue.size", `has no "size"`},
		"a position beyond the list": {"field: queue.oldest.0.id", "field: queue.oldest.9.id", "a list of 2"},
		"a list for a number":        {"field: queue.length", "field: queue.oldest", "a list or a map"},
		"a word for a number":        {"field: queue.length", "field: version", `"v3" is no number`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parse(t, sh, strings.ReplaceAll(whole, tt.from, tt.to))
			if err != nil {
				t.Fatal(err)
			}
			d, err := s.Sources[0].Snapshot(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says %v, want %q", err, tt.says)
			}
			if d["orders_failed"] != 7.0 || d["open_orders"] != 42.0 {
				t.Errorf("the rest is %v", d)
			}
		})
	}
}

func TestASlowAddressEndsAtItsDeadline(t *testing.T) {
	s, err := parse(t, newShop(t), strings.ReplaceAll(whole, "json: URL/status", "json: URL/slow"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := s.Sources[0].Snapshot(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 2*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
}

func TestATokenIsShown(t *testing.T) {
	sh := newShop(t)
	sh.token = "let me in"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("let me in\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, sh, strings.ReplaceAll(whole, "{json: URL/status}", "{json: URL/status, token_file: "+file+"}"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.Sources[0].Snapshot(t.Context()); err != nil || d["queue_length"] != 120.0 {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestEachFaultOfAFileIsNamedWithItsLine(t *testing.T) {
	sh := newShop(t)
	for name, tt := range map[string]struct{ from, to, says string }{
		"an unknown key":                {"title: Shop", "titel: Shop", "shop.yaml:3: skill.titel: unknown key; the nearest is \"title\""},
		"a missing title":               {"title: Shop\n", "\n", "title: it is missing"},
		"an unknown unit":               {"doc: Orders that wait., unit: count", "doc: Orders that wait., unit: counts", `shop.yaml:16: metrics[4].unit: "counts" is none of`},
		"a place that is not there":     {"from: api, field: queue.length", "from: apis, field: queue.length", `shop.yaml:16: metrics[4].from: "apis" is no name in read (have api, app, db)`},
		"a field of metrics":            {"from: app, series: took_count", "from: app, field: took_count", "metrics[3].field: app has none: it is read by series"},
		"a series that is none":         {"series: took_count", `series: 'took{x'`, "is no series"},
		"no series":                     {", series: took_count", "", `it needs "series"`},
		"a server that is not there":    {"postgres: main", "postgres: other", `shop.yaml:10: read.db: there is no server "other" in targets.postgres (have main)`},
		"an address that is none":       {"json: URL/status", "json: localhost/status", "must begin with http://"},
		"a password in an address":      {"json: URL/status", "json: http://a:b@localhost/status", "token_file"},
		"two places in one":             {"{json: URL/status}", "{json: URL/status, postgres: main}", "one of prometheus, json and postgres"},
		"a check of nothing":            {"metric: queue_length", "metric: queue_lengths", `the nearest is "queue_length"`},
		"a check without levels":        {"above: {warning: 100, critical: 1000}", "above: {}", "it needs a level"},
		"a check in two directions":     {"above: {warning: 100, critical: 1000}", "above: {warning: 1}\n    below: {warning: 0}", "either above or below"},
		"words about a field there not": {"{oldest} the longest", "{eldest} the longest", `the nearest is "oldest"`},
		"a question there is not":       {"ask: shop_oldest(5)", "ask: shop_eldest(5)", `there is no callback "shop_eldest"`},
		"a callback of another name":    {"name: shop_queue", "name: queue", "must begin with shop_"},
		"an example of another":         {"example: shop_oldest(5)", "example: shop_oldest(500)", "callbacks[0].example"},
		"an unknown type":               {"type: integer, doc: how many, default: 3", "type: int, doc: how many, default: 3", `the nearest is "integer"`},
		"a query from nothing":          {"query: {n: first}", "query: {n: last}", `"last" is no parameter`},
		"no YAML":                       {"name: shop\n", "name: [\n", "shop.yaml"},
		"a name that is taken":          {"name: shop\n", "name: custom\n", "stands for all skills"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, sh, strings.Replace(whole, tt.from, tt.to, 1))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says %v, want %q", err, tt.says)
			}
		})
	}
}

func TestAFolderIsReadAndItsFaultsAreJoined(t *testing.T) {
	sh := newShop(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"shop.yaml": whole, "bad.yaml": "name: bad\n", "worse.yml": "- 1\n", "README.md": "no skill"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "URL", sh.URL)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := custom.Load(dir, map[string]custom.Database{"main": database{}})
	if err == nil || !strings.Contains(err.Error(), "bad.yaml:1: title: it is missing") || !strings.Contains(err.Error(), "worse.yml: it is no skill") || strings.Contains(err.Error(), "shop.yaml") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"bad.yaml", "worse.yml"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := custom.Load(dir, map[string]custom.Database{"main": database{}}); err != nil || len(list) != 1 || list[0].Name != "shop" {
		t.Errorf("got %v, %v", list, err)
	}
	if _, err := custom.Load(filepath.Join(dir, "nothing"), nil); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("name: x\nmetrics: [{}]\nchecks: [{above: {}}]\ncallbacks: [{params: [{}]}]\nread: {a: {}}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = custom.Parse("x.yaml", b, nil)
	})
}
