package allocator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetlens/fleetlens/internal/reach/host"
	"github.com/fleetlens/fleetlens/pkg/skills"
	"github.com/fleetlens/fleetlens/pkg/skills/allocator"
	"github.com/fleetlens/fleetlens/pkg/skills/skilltest"
)

func meminfo(slabMB, tablesMB, huge, hugeFree, promised int) string {
	return fmt.Sprintf("MemTotal: %d kB\nSReclaimable: 1024 kB\nSUnreclaim: %d kB\nKernelStack: 1024 kB\nPageTables: %d kB\nPercpu: 1024 kB\nVmallocUsed: 1024 kB\n"+
		"AnonHugePages: 2048 kB\nHugePages_Total: %d\nHugePages_Free: %d\nHugePages_Rsvd: %d\nHugepagesize: 2048 kB\n", 8000<<10, slabMB<<10, tablesMB<<10, huge, hugeFree, promised)
}

// slabs lists two caches: one with so many objects in use, of 100000 that it holds, and one small.
func slabs(active, held int) string {
	return fmt.Sprintf("slabinfo - version: 2.1\nleaky %d %d 1024 4 1 : tunables 0 0 0 : slabdata %d %d 0\nsmall 1 4 1024 4 1 : tunables 0 0 0 : slabdata 1 1 0\n", active, held, held/4, held/4)
}

var calm = map[string]string{
	"meminfo":   meminfo(200, 40, 0, 0, 0),
	"vmstat":    "compact_stall 0\ncompact_fail 0\nthp_fault_alloc 0\nthp_fault_fallback 0\n",
	"buddyinfo": "Node 0, zone   Normal  10 10 10 10 10 10 10 10 10 10 1000\n",
	"slabinfo":  slabs(90000, 100000),
}

func machine(t *testing.T) (src skills.Source, become func(map[string]string)) {
	t.Helper()
	dir := t.TempDir()
	become = func(files map[string]string) {
		t.Helper()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	become(calm)
	return allocator.Skill(host.New(host.Config{Proc: dir, Sys: dir})).Sources[0], become
}

func snap(t *testing.T, src skills.Source) skills.Data {
	t.Helper()
	d, err := src.Snapshot(t.Context())
	if err != nil {
		t.Error(err)
	}
	return d
}

func TestTheRealHostKeepsThePromises(t *testing.T) {
	skilltest.Run(t, allocator.Skill(host.New(host.Config{})))
}

func TestEachFaultIsNamedAndACalmKernelIsNot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		become map[string]string
		metric string
		says   string
	}{
		{"nothing", nil, "", ""},
		{"a leak in the kernel", map[string]string{"meminfo": meminfo(2000, 40, 0, 0, 0)}, "slab_unreclaimable_pct", "hold 25 % of the memory and cannot be dropped; the largest cache is leaky"},
		{"page tables of many processes", map[string]string{"meminfo": meminfo(200, 1000, 0, 0, 0)}, "page_tables_pct", "page tables hold 12.5 % of the memory"},
		{"huge pages that nobody uses", map[string]string{"meminfo": meminfo(200, 40, 1500, 1400, 200)}, "huge_pages_idle_pct", "30 % of the memory is set aside"},
		{"huge pages in use", map[string]string{"meminfo": meminfo(200, 40, 1500, 100, 0)}, "", ""},
		{"waits for large blocks", map[string]string{"vmstat": "compact_stall 3000\ncompact_fail 1500\nthp_fault_alloc 900\nthp_fault_fallback 2100\n"}, "compact_stalls_per_sec", "100 times a second somebody waits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, become := machine(t)
			synctest.Test(t, func(t *testing.T) {
				snap(t, src)
				time.Sleep(30 * time.Second)
				become(tt.become)
				d := snap(t, src)
				crossed := skills.Evaluate(src.Checks, d)
				switch {
				case tt.metric == "" && len(crossed) > 0:
					t.Errorf("it crosses %+v", crossed)
				case tt.metric != "" && (len(crossed) != 1 || crossed[0].Check.Metric != tt.metric || !strings.Contains(crossed[0].Says, tt.says)):
					t.Errorf("it crosses %+v, want %s: %s", crossed, tt.metric, tt.says)
				}
			})
		})
	}
}

func TestTheCacheThatGrowsIsNamed(t *testing.T) {
	src, become := machine(t)
	synctest.Test(t, func(t *testing.T) {
		if d := snap(t, src); d["growing_allocator"] != nil {
			t.Errorf("at first %v", d)
		}
		time.Sleep(2 * time.Minute)
		become(map[string]string{"slabinfo": slabs(90000, 202400), "vmstat": "thp_fault_alloc 1200\nthp_fault_fallback 3600\n"})
		d := snap(t, src)
		if d["growing_allocator"] != "leaky" || d["top_allocator_growth_mb_per_min"] != 50.0 || d["huge_fallback_pct"] != 75.0 {
			t.Errorf("got %v", d)
		}
	})
}

// Behaviour: 161.
func TestRatiosOfCaches(t *testing.T) {
	src, become := machine(t)
	become(map[string]string{"slabinfo": slabs(20000, 100000)})
	d := snap(t, src)
	f := skilltest.Object(t, src, "allocator_fragmentation()")
	if f["worst_usage_ratio"] != 0.2 || f["fragmentation_score"] != 0.8 || f["average_usage_ratio"] != 0.2 || f["worst_allocator"] != "leaky" || d["worst_usage_ratio"] != 0.2 {
		t.Errorf("got %v, %v", f, d)
	}
	p := skilltest.Object(t, src, "allocator_problematic()")
	if p["count"] != d["fragmented_allocators"] || len(p["allocators"].([]any)) != 1 {
		t.Errorf("problematic are %v, the snapshot counts %v", p, d["fragmented_allocators"])
	}
	if a := skilltest.Object(t, src, `allocator_by_type("leaky")`); a["usage_ratio"] != 0.2 || a["size_mb"] != 97.66 {
		t.Errorf("got %v", a)
	}
	if a := skilltest.Object(t, src, `allocator_by_type("nothing")`); a != nil {
		t.Errorf("an unknown cache is %v", a)
	}
	if h := skilltest.Object(t, src, "allocator_huge_pages()"); h["page_size_kb"] != 2048.0 || h["transparent_mb"] != 2.0 {
		t.Errorf("got %v", h)
	}
}

// Names of files are kept in the dentry cache: making many is seen in it.
func TestARealCacheGrowsWithWhatItKeeps(t *testing.T) {
	src := allocator.Skill(host.New(host.Config{})).Sources[0]
	before := skilltest.Object(t, src, `allocator_by_type("dentry")`)
	if before["error"] == "not_permitted" {
		if !strings.Contains(before["message"].(string), "CAP_DAC_READ_SEARCH") || snap(t, src)["allocator_count"] != nil {
			t.Errorf("without the privilege: %v", before)
		}
		return
	}
	dir := t.TempDir()
	const files = 20_000
	for i := range files {
		if err := os.Symlink("nowhere", filepath.Join(dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	after := skilltest.Object(t, src, `allocator_by_type("dentry")`)
	// The kernel may drop others meanwhile: most of them must be there.
	if grew := after["objects"].(float64) - before["objects"].(float64); grew < files/4 && after["active"].(float64) < files {
		t.Errorf("after %d names the cache grew by %v: %v", files, grew, after)
	}
}
