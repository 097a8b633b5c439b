package agent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/pkg/protocol"
)

func TestASummaryFitsIntoARecord(t *testing.T) {
	insight := func(n int) protocol.Insight {
		i := protocol.Insight{ID: fmt.Sprint(n), Summary: strings.Repeat("x", 16000)}
		for range 60 {
			i.Evidence = append(i.Evidence, protocol.Evidence{Address: "a#b", Series: make([]protocol.Point, 56)})
		}
		return i
	}
	for _, tt := range []struct {
		name                string
		insights            int
		wantSeries, wantAll bool
	}{
		{"what fits stays as it is", 3, true, true},
		{"series go first", 10, false, true},
		{"the last insights go last", 60, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s CoordinatorSummary
			for n := range tt.insights {
				s.Insights = append(s.Insights, insight(n))
			}
			got := s.fit()
			if !fits(got) {
				t.Fatal("it does not fit")
			}
			if all := len(got.Insights) == tt.insights; all != tt.wantAll || !all && len(got.NotChecked) == 0 {
				t.Errorf("%d of %d insights are left, %v", len(got.Insights), tt.insights, got.NotChecked)
			}
			if series := len(got.Insights[0].Evidence) > 0 && got.Insights[0].Evidence[0].Series != nil; series != tt.wantSeries {
				t.Errorf("series kept: %v", series)
			}
			if s.Insights[0].Evidence[0].Series == nil {
				t.Error("the state's own insights were changed")
			}
		})
	}
}
