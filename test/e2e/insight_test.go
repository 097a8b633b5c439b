//go:build linux

package e2e_test

import (
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// A Java service holds 97 % of the memory of 16 GiB.
var memoryFault = map[string]string{
	"proc/meminfo": `
MemTotal:       16777216 kB
MemFree:          204800 kB
MemAvailable:     503316 kB
Buffers:           10240 kB
Cached:           307200 kB
SwapCached:            0 kB
Shmem:            102400 kB
SUnreclaim:        51200 kB
SwapTotal:       2097152 kB
SwapFree:        2097152 kB
`,
	"proc/4711/stat": "4711 (java) S 1 4711 4711 0 -1 4194560 100 0 0 0 2000 1000 0 0 20 0 80 0 3000 100000000 3670016 18446744073709551615 1 1 0 0 0\n",
}

// The data filesystem has 2 % left.
var diskFault = map[string]string{
	"proc/fleetlens-filesystems": `[
  {"mount": "/", "device": "/dev/sda1", "fstype": "ext4", "total_bytes": 107374182400, "free_bytes": 64424509440, "available_bytes": 58982400000, "inodes": 1000000, "inodes_free": 700000},
  {"mount": "/var/lib/data", "device": "/dev/sdb1", "fstype": "ext4", "total_bytes": 107374182400, "free_bytes": 2147483648, "available_bytes": 2147483648, "inodes": 1000000, "inodes_free": 700000}
]`,
}

// fiveNodes starts a coordinator, two operators and five probes, two of which
// watch a host with the fault.
func fiveNodes(t *testing.T, fault map[string]string) *fleet {
	f := newFleet(t)
	processes := []*box.Process{f.coordinator(), f.operator("op-1"), f.operator("op-2")}
	for node, replaced := range map[string]map[string]string{"web-1": nil, "web-2": fault, "web-3": nil, "db-1": fault, "db-2": nil} {
		processes = append(processes, f.probe(node, tree(t, replaced)))
	}
	ready(processes...)
	return f
}

func TestOneInsightNamesTheTwoNodesWithTheFault(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault map[string]string
		says  []string
	}{
		{"memory is used up", memoryFault, []string{"97 %", "java (4711)", "memory"}},
		{"a filesystem is full", diskFault, []string{"98 %", "/var/lib/data"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := fiveNodes(t, tt.fault)
			live := follow(t, f.nc, "insights.>")
			if err := f.nc.Publish("investigate.request", []byte(`{"reason":"checkout is slow"}`)); err != nil {
				t.Fatal(err)
			}
			m := next(t, live, box.Patience)
			got := decode[insight](t, m.Data)
			slices.Sort(got.Nodes)
			if !slices.Equal(got.Nodes, []string{"db-1", "web-2"}) {
				t.Errorf("it names the nodes %v", got.Nodes)
			}
			for _, text := range append(tt.says, "db-1", "web-2") {
				if !strings.Contains(got.Summary, text) {
					t.Errorf("it does not say %q: %s", text, got.Summary)
				}
			}
			if got.Severity != "critical" || got.Trigger != "checkout is slow" || len(got.NotificationIDs) != 2 || len(got.NotChecked) != 0 {
				t.Errorf("got %+v", got)
			}
			if !strings.HasPrefix(m.Subject, "insights.critical.") || !strings.HasSuffix(m.Subject, "."+got.InvestigationID) {
				t.Errorf("it came on %s", m.Subject)
			}
			checkFigures(t, got)
			box.Eventually(t, "the investigation finished", func() bool {
				return len(f.stored("FL_FINDINGS", "investigations."+got.InvestigationID+".finished")) == 1
			})
			// Whoever comes later reads the same from the stream, and no other.
			later := f.stored("FL_INSIGHTS", "insights.>")
			if len(later) != 1 || len(live) != 0 {
				t.Fatalf("%d insights are stored and %d more came, want the one", len(later), len(live))
			}
			if string(later[0].Data()) != string(m.Data) {
				t.Errorf("the stream holds\n%s\nbut this came\n%s", later[0].Data(), m.Data)
			}
		})
	}
}

func TestAReaderWithADurableGetsWhatCameWhileItWasAway(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ready(f.coordinator(), f.operator("op-1"), f.probe("web-1", tree(t, memoryFault)))
	if a := fleetlens(t, "setup", "--server", f.url, "--reader", "pager"); a.code != 0 {
		t.Fatal(a.stderr)
	}
	for _, reason := range []string{`{"reason":"the first"}`, `the second`} {
		if r := request(t, f.nc, reason); r.State != "done" {
			t.Fatalf("%s ended as %s: %s", reason, r.State, r.Error)
		}
	}
	con, err := f.js.Consumer(t.Context(), "FL_INSIGHTS", "pager")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"the first", "the second"} {
		m, err := con.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode[insight](t, m.Data()); got.Trigger != reason || !slices.Equal(got.Nodes, []string{"web-1"}) {
			t.Errorf("got %+v, want the insight of %q", got, reason)
		}
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAHealthyFleetIsSaidToBeHealthy(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	ready(f.coordinator(), f.operator("op-1"), f.probe("web-1", tree(t, nil)), f.probe("web-2", tree(t, nil)))
	r := request(t, f.nc, `{"reason":"is all well?"}`)
	if r.State != "done" || len(r.Insights) != 1 || r.Insights[0].CorrelationType != "none" || len(r.Insights[0].Nodes) != 2 {
		t.Fatalf("got %+v", r)
	}
	checkFigures(t, r.Insights...)
}

func TestThePlainClientImportsNothingOfOurs(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "client_test.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range file.Imports {
		if strings.Contains(i.Path.Value, "fleetlens") {
			t.Errorf("it imports %s", i.Path.Value)
		}
	}
}

func TestANumberWithoutEvidenceIsNoticed(t *testing.T) {
	i := decode[insight](t, []byte(`{"nodes":["web-1"],"summary":"web-1: memory is 97 % used; java (4711) has 512 MiB (threshold 95 %)",
		"evidence":[{"node":"web-1","name":"memory_used_pct","value":97,"threshold":95},{"name":"top","value":"java (4711)"}]}`))
	if got := unsupported(i); len(got) != 1 || !strings.HasPrefix(got[0], "512 ") {
		t.Errorf("got %q, want the 512 alone", got)
	}
}
