package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseZones(t *testing.T) {
	got := parseZones([]byte("Node 0, zone      DMA      0      1      3 \nNode 1, zone   Normal  100   10   1 \nbad\nNode 0, zone X -1 2 3\n"))
	want := []Zone{{"0", "DMA", []uint64{0, 1, 3}}, {"1", "Normal", []uint64{100, 10, 1}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := got[1].FreePages(); n != 124 {
		t.Errorf("%d pages are free", n)
	}
	if pct, ok := got[1].Unusable(2); !ok || pct < 96.7 || pct > 96.8 { // 120 of 124
		t.Errorf("%v %% are of no use, %v", pct, ok)
	}
	if pct, _ := got[0].Unusable(9); pct != 100 {
		t.Errorf("without large blocks %v %% are of no use", pct)
	}
	if _, ok := (Zone{}).Unusable(3); ok {
		t.Error("an empty zone has a share")
	}
}

func TestParseSlabs(t *testing.T) {
	got := parseSlabs([]byte(`slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
dentry            1000 2100    192   21    1 : tunables    0    0    0 : slabdata    100    100      0
empty             0 0    192   21    1 : tunables    0    0    0 : slabdata    0    0      0
bad               x 0    192   21    1 : tunables    0    0    0 : slabdata    0    0      0
short 1 2 3
`))
	if len(got) != 2 || got[0] != (Slab{"dentry", 1000, 2100, 192, 409600}) || got[0].Usage() != 192000.0/409600 || got[1].Usage() != 1 {
		t.Errorf("got %+v", got)
	}
}

func FuzzParseKernelMemory(f *testing.F) {
	f.Add([]byte("Node 0, zone Normal 1 2 3\nMemTotal: 5 kB\nHugePages_Total: 3\ndentry 1 2 3 4 5 : tunables 0 0 0 : slabdata 1 1 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, z := range parseZones(b) {
			if pct, ok := z.Unusable(9); ok && (pct < 0 || pct > 100) {
				t.Errorf("%v", pct)
			}
		}
		for _, s := range parseSlabs(b) {
			if u := s.Usage(); u < 0 || u > 1 {
				t.Errorf("%+v: %v", s, u)
			}
		}
		parseKernelMemory(b)
	})
}
