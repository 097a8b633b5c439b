//go:build linux

package e2e_test

import (
	"fmt"
	"os"
	"testing"
)

// roleEnv tells the test program that it is a process with a fault.
const roleEnv = "FLEETLENS_E2E_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := misbehave(role); err != nil {
			fmt.Println("cannot:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
