package beam

// table is everything that a node may be asked. Sums are printed by the test that
// checks them.
var table = []question{
	{name: "vitals", level: Observe},
	{name: "watch_events", level: Events, variables: []string{"LongGC", "LongSchedule", "LargeHeap"}},
	{name: "watch_logs", level: Events},
	{name: "watch_calls", level: Trace, variables: []string{"Module", "Function", "Arity", "PerSecond", "Most", "For", "Hot"}},
}
