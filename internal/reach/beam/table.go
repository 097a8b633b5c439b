package beam

// table is everything that a node may be asked. Sums are printed by the test that
// checks them.
var table = []question{
	{name: "vitals", level: Observe},
	{name: "queues", level: Observe, scan: true},
	{name: "describe", level: Observe, variables: []string{"Pids"}},
	{name: "ports_summary", level: Observe, scan: true},
	{name: "ports_top", level: Observe, scan: true, variables: []string{"By", "Inet", "Limit"}},
	{name: "port", level: Observe, variables: []string{"Port"}},
	{name: "nif_sockets", level: Observe, variables: []string{"Limit"}},
	{name: "suspended", level: Observe, scan: true, variables: []string{"Limit"}},
	{name: "stacks", level: Observe, variables: []string{"Pids"}},
	{name: "supervisors", level: Observe, scan: true, variables: []string{"Known", "Others"}},
	{name: "supervisor_tree", level: Observe, variables: []string{"Name", "Depth", "Most"}},
	{name: "unsupervised", level: Observe, scan: true, variables: []string{"Even", "Limit"}},
	{name: "process", level: Observe, variables: []string{"Text", "Binaries"}},
	{name: "top", level: Observe, scan: true, variables: []string{"Item", "Limit"}},
	{name: "queue_lengths", level: Observe, scan: true},
	{name: "registered", level: Observe, scan: true, variables: []string{"Bytes"}},
	{name: "origins", level: Observe, scan: true},
	{name: "reducers", level: Observe, scan: true, variables: []string{"Before", "Window"}},
	{name: "binaries", level: Observe, scan: true, variables: []string{"Limit"}},
	{name: "binary_counts", level: Observe, scan: true, variables: []string{"Pids", "Count"}},
	{name: "schedulers", level: Observe, variables: []string{"Window"}},
	{name: "ets_tables", level: Observe, scan: true},
	{name: "ets_table", level: Observe, scan: true, variables: []string{"Name"}},
	{name: "allocators", level: Observe},
	{name: "watch_events", level: Events, variables: []string{"LongGC", "LongSchedule", "LargeHeap"}},
	{name: "watch_logs", level: Events},
	{name: "watch_calls", level: Trace, variables: []string{"Module", "Function", "Arity", "PerSecond", "Most", "For", "Hot"}},
}
