// Command probe watches one host with its skills and answers the operators' calls.
package main

import "github.com/fleetlens/fleetlens/pkg/probe"

func main() { probe.Main() }
