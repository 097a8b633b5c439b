//go:build linux

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetlens/fleetlens/test/e2e/box"
	"github.com/fleetlens/fleetlens/test/goservice"
)

func TestAnInvestigationNamesTheFunctionOfAServiceThatLeaksGoroutines(t *testing.T) {
	t.Parallel()
	service := goservice.Start(t)
	service.Plant("load", 2)
	service.Plant("goroutines", 80)

	f := newFleet(t)
	config := configFile(t, fmt.Sprintf("targets:\n  go:\n    checkout: {url: %q, cache: 100ms}\n", service.URL))
	snapshots := follow(t, f.nc, "snapshots.shop-1.checkout.overload")
	probe := f.probe("shop-1", tree(t, nil), "--config", config)
	ready(f.coordinator(), f.operator("op-1"), probe)
	box.Eventually(t, "the probe has seen the goroutines grow", func() bool {
		return strings.Contains(string(next(t, snapshots, box.Patience).Data), "growing_place")
	})
	for range 3 { // and gives the growth time to become worth a word
		next(t, snapshots, box.Patience)
	}

	r := request(t, f.nc, `{"reason":"checkout takes more and more memory"}`)
	got := about(t, r, "goroutines pile up")
	const culprit = "main.waitForReply (leaky/faults.go:"
	if !strings.Contains(got.Summary, "shop-1/checkout: goroutines pile up at "+culprit) || !strings.Contains(got.RootCause, "main.waitForReply") {
		t.Errorf("it does not name %s: %s; root cause: %s", culprit, got.Summary, got.RootCause)
	}
	checkFigures(t, got) // the kernel's log of this machine may have more to tell
}
