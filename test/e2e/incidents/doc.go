// Package incidents plants faults and has the whole of Fleetlens find out about
// each, as a person would: a probe on the machine, an operator, a coordinator,
// `fleetlens investigate`, and no LLM. Healthy machines and red herrings, of which
// nothing may be said, are among them. At its end the test prints a table: for
// each incident whether an insight names the true cause, and for each control
// whether it stayed silent.
//
//	go test -v -run TestIncidents ./test/e2e/incidents
//
// One of them alone: -run 'TestIncidents/.*/a_heap_leak'.
package incidents
