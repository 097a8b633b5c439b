//go:build !linux

// Command chaos needs Linux: what it starts is to end when it is killed itself.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "error: the chaos test runs on Linux only")
	os.Exit(1)
}
