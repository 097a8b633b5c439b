package luasandbox_test

import (
	"testing"

	"github.com/fleetlens/fleetlens/pkg/luasandbox"
)

func BenchmarkRunWithThreeCallbacks(b *testing.B) {
	box := luasandbox.New(luasandbox.DefaultLimits())
	defer box.Close()
	for b.Loop() {
		if _, err := box.Run(b.Context(), `return add(1, 2) + add(3) + add(4, 5, 6)`, []luasandbox.Func{add}); err != nil {
			b.Fatal(err)
		}
	}
}
