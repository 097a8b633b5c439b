//go:build linux

package incidents
var databases []incident
