// Package beam plants faults in real Erlang and Elixir nodes and has the whole of
// Fleetlens find out about each, as a person would: a probe, an operator, a coordinator,
// `fleetlens investigate`, and no LLM. Healthy nodes, of which nothing may be said, are
// among them. At its end the test prints a table: for each incident whether an insight
// names the process, function, table or supervisor at fault, and for each control
// whether it stayed silent.
//
//	go test -v -run TestIncidents ./test/e2e/beam
package beam
