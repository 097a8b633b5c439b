package llm_test

import (
	"os"
	"testing"
)

// A key of the developer's own would change what decides by default.
func TestMain(m *testing.M) {
	if err := os.Unsetenv("ANTHROPIC_API_KEY"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
