//go:build linux

package incidents

import (
	"os"
	"testing"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

func TestMain(m *testing.M) {
	box.Play(act)
	code := m.Run()
	stopCluster()
	os.Exit(code)
}
