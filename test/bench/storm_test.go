package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetlens/fleetlens/internal/coordinator"
	"github.com/fleetlens/fleetlens/internal/intake"
	"github.com/fleetlens/fleetlens/internal/operator"
)

func TestTheStormMeasuresTheProductWithItsDefaults(t *testing.T) {
	co, op := stormCoordinatorConfig("co-0"), stormOperatorConfig("op-0")
	co.Name, co.Alerts.Addr, op.Name = "", intake.DefaultAddr, ""
	if diff := cmp.Diff(coordinator.DefaultConfig(), co, cmpopts.IgnoreUnexported(intake.Config{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(operator.DefaultConfig(), op); diff != "" {
		t.Error(diff)
	}
}
