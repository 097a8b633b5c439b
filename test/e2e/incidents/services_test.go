//go:build linux

package incidents

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/test/goservice"
)

// A planted fault of the service: a name and a number, as its program takes them.
type planted struct {
	fault string
	n     int
}

// serving returns how an incident of a Go service is planted.
func serving(faults []planted, until func(*fleet, string) bool, cause ...string) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		s := goservice.Start(t)
		for _, f := range faults {
			s.Plant(f.fault, f.n)
		}
		args, _ := machine(t, nil)
		return &scene{
			args: args, cause: cause, until: until,
			config: fmt.Sprintf("targets:\n  go:\n    checkout: {url: %q, cache: 100ms}\n", s.URL),
		}
	}
}

var ofAService = []string{"overload", "allocator", "gc", "ports", "runtime"}

// services are incidents of one Go service, on a machine that is well. The
// machine that it really runs on is shared: that it gives its processors to
// others (runtime, vm_events) is no fault of the service.
var services = []incident{
	{
		name: "goroutines that nobody ends", reason: "checkout takes more and more memory", skills: ofAService,
		plant: serving([]planted{{"load", 2}, {"goroutines", 80}}, reaches("checkout/overload", "growing_added", 150), "main.waitForReply", "goroutines pile up"),
	},
	{
		name: "a lock that is not let go", reason: "checkout hangs", skills: ofAService,
		plant: serving([]planted{{"load", 2}, {"lock", 300}}, reaches("checkout/overload", "blocked_pile_up", 100), "main.(*stock).audit"),
	},
	{
		name: "a queue behind a service that does not answer", reason: "checkout is slow", skills: ofAService,
		plant: serving([]planted{{"queue", 2000}}, reaches("checkout/overload", "blocked_pile_up", 1500), "main.(*payment).charge", "IO wait"),
	},
	{
		name: "a heap leak", reason: "checkout was killed", skills: ofAService,
		plant: serving([]planted{{"load", 2}, {"heap", 30}}, reaches("checkout/allocator", "growing_added_mb", 80), "main.rememberOrder"),
	},
	{
		name: "a garbage collector that has no rest", reason: "checkout uses all of its processor", skills: ofAService,
		plant: serving([]planted{{"gc", 2}}, reaches("checkout/gc", "gc_cpu_pct", 20), "main.renderInvoice", "garbage collector"),
	},
	{
		name: "code that collects garbage itself", reason: "checkout stutters", skills: ofAService,
		plant: serving([]planted{{"load", 2}, {"forcedgc", 10}}, reaches("checkout/gc", "gc_forced_per_sec", 5), "own code asks for"),
	},
	{
		name: "connections of a service that nobody closes", reason: "checkout cannot connect", skills: ofAService,
		plant: serving([]planted{{"fds", 200}}, reaches("checkout/ports", "service_fd_used_pct", 85), "main.awaitMessage", "of its limit of 460"),
	},
	{
		name: "one of two services that leaks, and the smaller one", reason: "the machine runs out of memory", skills: ofAService,
		plant: func(t *testing.T) *scene {
			leak := serving([]planted{{"heap", 40}}, reaches("billing/allocator", "growing_added_mb", 80), "main.rememberOrder", "/billing:")(t)
			large := serving([]planted{{"load", 2}, {"cache", 400}, {"parked", 3000}}, nil)(t)
			leak.config = strings.Replace(leak.config, "checkout", "billing", 1) + strings.TrimPrefix(large.config, "targets:\n  go:\n")
			return leak
		},
	},
	{
		name: "a service that is busy and well", reason: "is checkout well?", skills: []string{"overload", "allocator", "gc", "ports"}, control: true,
		plant: serving([]planted{{"load", 8}}, snapshots("checkout/overload", 7)),
	},
	{
		name: "five thousand goroutines that wait, as they always did", reason: "does checkout leak goroutines?", skills: ofAService, control: true,
		plant: serving([]planted{{"load", 2}, {"parked", 5000}}, snapshots("checkout/overload", 7)),
	},
	{
		name: "a large cache that does not grow", reason: "does checkout leak memory?", skills: ofAService, control: true,
		plant: serving([]planted{{"load", 2}, {"cache", 300}}, snapshots("checkout/allocator", 7)),
	},
}

// queueing serves what the skill of docs/examples reads: so many payments wait.
func queueing(waiting int, oldest string, provider int, cause ...string) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				_, _ = fmt.Fprintf(w, "# TYPE orders_total counter\norders_total{status=\"ok\"} 100\nprovider_latency_ms{provider=\"a\"} %d\n", provider)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"waiting": waiting, "oldest": []any{map[string]any{"id": oldest, "seconds": 900}}})
		}))
		t.Cleanup(app.Close)
		text, err := os.ReadFile("../../../docs/examples/skills/checkout.yaml")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		changed := strings.ReplaceAll(string(text), "http://127.0.0.1:9180", app.URL)
		if err := os.WriteFile(filepath.Join(dir, "checkout.yaml"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		args, _ := machine(t, nil)
		return &scene{args: append(args, "--custom-skills", dir), cause: cause, until: snapshots("host/checkout", 2)}
	}
}

// customSkills are incidents that only a skill of the machine's owner can see,
// which the operator was not built with.
var customSkills = []incident{
	{
		name: "payments that wait for their provider", reason: "payments are slow", skills: []string{"checkout", "os", "ports"},
		plant: queueing(1500, "pay-17", 4000, "1500 payments wait", "pay-17", "4000 ms"),
	},
	{
		name: "a provider that is slow while no payment waits", reason: "are payments well?", skills: []string{"checkout", "os", "ports"}, control: true,
		plant: queueing(12, "pay-18", 900),
	},
}
