// Package deploy tests what Fleetlens is run with: the chart, the manifests, the packages,
// the rules and dashboards, with the programs that read them.
package deploy
