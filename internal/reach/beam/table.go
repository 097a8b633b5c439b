package beam

// table is everything that a node may be asked. Sums are printed by the test that
// checks them.
var table = []question{
	{name: "vitals", level: Observe},
	{name: "queues", level: Observe, scan: true},
	{name: "describe", level: Observe, variables: []string{"Pids"}},
}
