package gc

import (
	"testing"
	"time"

	"github.com/fleetlens/fleetlens/pkg/skills"
)

func TestAHeapGrowsWhenItsLowestIsAboveWhatItsHighestWas(t *testing.T) {
	for name, tt := range map[string]struct {
		size  func(i int) int64
		n     int
		added int64 // 0: it does not grow
	}{
		"steady":                            {func(int) int64 { return 100 }, 60, 0},
		"rises and falls with collections":  {func(i int) int64 { return 100 + 50*int64(i%5) }, 60, 0},
		"keeps more after each collection":  {func(i int) int64 { return 100 + 20*int64(i) + 50*int64(i%5) }, 24, 370},
		"grew at a start and stays":         {func(i int) int64 { return 1000 * min(int64(i+1), 3) }, 60, 0},
		"grows a little of what it has":     {func(i int) int64 { return 10_000 + int64(i) }, 60, 0},
		"shrinks":                           {func(i int) int64 { return 10_000 - 100*int64(i) }, 60, 0},
		"too few readings":                  {func(i int) int64 { return 100 * int64(i+1) }, 11, 0},
		"began to grow after a long quiet":  {func(i int) int64 { return 100 + 100*max(0, int64(i)-48) }, 61, 800},
		"as many readings as it takes":      {func(i int) int64 { return 100 * int64(i+1) }, 12, 800},
		"was not among the largest at once": {func(i int) int64 { return 100 * int64(i-6) }, 12, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var list []skills.Reading[map[string]int64]
			for i := range tt.n {
				values := map[string]int64{}
				if v := tt.size(i); v > 0 {
					values["a"] = v
				}
				list = append(list, skills.Reading[map[string]int64]{At: time.Unix(int64(30*i), 0), Value: values})
			}
			var added int64
			for _, r := range rising(list) {
				added = r.added
			}
			if added != tt.added {
				t.Errorf("it grew by %d, want %d", added, tt.added)
			}
		})
	}
}
