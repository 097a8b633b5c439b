// Package unasked has faults happen on machines while nobody asks: processors are
// burned, memory leaks, filesystems fill up or were full before. Real processes do
// it, in boxes, and real probes, operators and a coordinator find out: each fault
// must end in one insight that says where, what and who. A machine on which nothing
// happens runs beside them all the time and must stay silent. Probes, an operator and
// the coordinator are killed meanwhile. At its end the test prints a table.
//
//	go test -v ./test/e2e/unasked
package unasked
