package beam

// table is everything that a node may be asked. Sums are printed by the test that
// checks them.
var table = []question{
	{name: "vitals", level: Observe, sum: "da9eea1abdbfed58c4fac46f56dbd4b931a3f1ea40582b92a95b122d20703c42"},
	{name: "watch_events", level: Events, variables: []string{"LongGC", "LongSchedule", "LargeHeap"}, sum: "fe0ce2b7fdb362df4bf8abcfef09b989b76d8c18d50b0a06821b902f4671c8cd"},
	{name: "watch_logs", level: Events, sum: "af0b296e94295b9e651b890f3a46c591d0384ceebc8d6f6274a6561b56e280ca"},
	{name: "watch_calls", level: Trace, variables: []string{"Module", "Function", "Arity", "PerSecond", "Most", "For", "Hot"}, sum: "8bb35c8453ad4e1ed424a6ba7af046c1dedab257590a735cd934d2da96df40ab"},
}
