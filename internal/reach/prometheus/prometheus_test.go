package prometheus

import (
	"encoding/json"
	"math"
	"testing"
)

func FuzzDecode(f *testing.F) {
	f.Add("vector", []byte(`[{"metric":{"__name__":"up"},"value":[1700000000.123,"1"]}]`))
	f.Add("matrix", []byte(`[{"metric":{},"values":[[1700000000,"NaN"],[1700000060,"+Inf"]]},{"metric":null}]`))
	f.Add("scalar", []byte(`[1e300,"1"]`))
	f.Add("string", []byte(`[1700000000,"text"]`))
	f.Fuzz(func(t *testing.T, kind string, b []byte) {
		list, err := decode(kind, json.RawMessage(b))
		for _, s := range list {
			for _, p := range s.Points {
				if y := p.At.Year(); err == nil && (y < -100_000 || y > 100_000) {
					t.Errorf("a point is of the year %d", y)
				}
			}
		}
	})
}

func TestAPoint(t *testing.T) {
	var p Point
	if err := json.Unmarshal([]byte(`[1700000000.5,"-Inf"]`), &p); err != nil || p.At.UnixMilli() != 1_700_000_000_500 || !math.IsInf(p.Value, -1) {
		t.Errorf("it is %+v, %v", p, err)
	}
	for _, wrong := range []string{`["1","1"]`, `[1,1]`, `{}`, `[1,"many"]`, `[1e300,"1"]`} {
		if json.Unmarshal([]byte(wrong), &p) == nil {
			t.Errorf("%s is a point", wrong)
		}
	}
}
