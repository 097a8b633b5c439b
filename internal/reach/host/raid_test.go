package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRAID(t *testing.T) {
	got := parseRAID([]byte(`Personalities : [raid1] [raid6] [raid5] [raid4] [raid0]
md2 : active raid0 sde1[1] sdd1[0]
      20953088 blocks super 1.2 512k chunks

md0 : active raid1 sdb1[1](F) sda1[0]
      1046528 blocks super 1.2 [2/1] [U_]

md1 : active raid5 sdd1[3] sdc1[1] sdb1[0]
      2093056 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/3] [UUU]
      [==>..................]  resync = 12.6% (132096/1046528) finish=0.1min

unused devices: <none>
`))
	want := []RAIDArray{{"md0", 2, 1}, {"md1", 3, 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !got[0].Degraded() || got[1].Degraded() {
		t.Errorf("degraded: %v %v", got[0].Degraded(), got[1].Degraded())
	}
	for _, bad := range []string{"", "md0 :", "md0 : active\n[a/b]\n[1/2]\n[/]\n", "[2/1] [U_]"} {
		if got := parseRAID([]byte(bad)); len(got) != 0 {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}
