package beam

// table is everything that a node may be asked. Sums are printed by the test that
// checks them.
var table = []question{
	{name: "vitals", level: Observe, sum: "da9eea1abdbfed58c4fac46f56dbd4b931a3f1ea40582b92a95b122d20703c42"},
	{name: "queues", level: Observe, scan: true, sum: "8224c4e11945e8c2c1293b166b8536e692077bbc2e938f403d6a7199c939118b"},
	{name: "describe", level: Observe, variables: []string{"Pids"}, sum: "d59fe8f93d21e16c7504912380f9ab6b3c2cdab3bb8fd47af9e239c4536bba8b"},
	{name: "ports_summary", level: Observe, scan: true, sum: "63ac9542b53f537a194fcb2a42aa53d89e6890707a8e35e4dc5d749a343e497d"},
	{name: "ports_top", level: Observe, scan: true, variables: []string{"By", "Inet", "Limit"}, sum: "21453ddcba40c279ea0368e3718aadc4f8c461e8708f9b15617b2cf3cdc784cf"},
	{name: "port", level: Observe, variables: []string{"Port"}, sum: "6271ff5d8a9ce6fba6fec3406f1651e918669c360ee23458724579f402a64330"},
	{name: "nif_sockets", level: Observe, variables: []string{"Limit"}, sum: "71122ff70fd513ddec60e488e98fd0d4dd08db0a1f58f858ee145ef912105a3e"},
	{name: "suspended", level: Observe, scan: true, variables: []string{"Limit"}, sum: "961351cbb3d0b7c6497e0c4874ec45cb1c16942d94777f988061435420355e64"},
	{name: "stacks", level: Observe, variables: []string{"Pids"}, sum: "f7fec7a4359432c7b45a18abc674ad789e109a41b03a294a4f32887175e91c23"},
	{name: "supervisors", level: Observe, scan: true, variables: []string{"Known", "Others"}, sum: "e6b4a1c102fcbdac06f6bc27b60e32b60138e0a4b81977ce317a3de41234d5a5"},
	{name: "supervisor_tree", level: Observe, variables: []string{"Name", "Depth", "Most"}, sum: "595adbdb6c61ac9a3afa1017581ddf8c441621170bca349a69b2afd00f13ebee"},
	{name: "unsupervised", level: Observe, scan: true, variables: []string{"Even", "Limit"}, sum: "5e6ef0651ae4dc785c340255b167a37c3a4d69f3a91ee800274ea412cc000ec4"},
	{name: "process", level: Observe, variables: []string{"Text", "Binaries"}, sum: "1b62f2f365b1505df523ccd152983dd082e55bbab25cc4cf4ed9d5e7418f8e30"},
	{name: "top", level: Observe, scan: true, variables: []string{"Item", "Limit"}, sum: "1a404c76a63f9a404523b6fc11c78a59205536509d1b275f6fbd5da227cf07cb"},
	{name: "queue_lengths", level: Observe, scan: true, sum: "3bb4c06eb461344c6be630d76f2c7c9327a700ef776ef242def26ca578e46e16"},
	{name: "registered", level: Observe, scan: true, variables: []string{"Bytes"}, sum: "76906ad790856e616c8877c323b4d6baa61e174d5ec06ea4746ce07990deedc5"},
	{name: "origins", level: Observe, scan: true, sum: "f261c19ba520f1ef6c175c3309af770ff27bfa751035b2ac14bff4705740e7f6"},
	{name: "reducers", level: Observe, scan: true, variables: []string{"Before", "Window"}, sum: "a509e341e0755b8a11fa918650808086e30597163d9b0950c193d07f2866d15c"},
	{name: "binaries", level: Observe, scan: true, variables: []string{"Limit"}, sum: "0e45f34fa9325efbb40df363f3ddfc4164650c073eda2553631fdd63e0c07557"},
	{name: "binary_counts", level: Observe, scan: true, variables: []string{"Pids", "Count"}, sum: "5fb8140e7adc010a7b045e7a6d912239ab48ffe83b25d995af8d011cd607d294"},
	{name: "schedulers", level: Observe, variables: []string{"Window"}, sum: "668d2c016d416b436defbef00e7a6edab0dcc8b09f2d6441c3b14bafb0fc0750"},
	{name: "ets_tables", level: Observe, scan: true, sum: "065bae83433bf677528cb36867703a989de989a0a7501a4e14910e7dccbd6640"},
	{name: "ets_table", level: Observe, scan: true, variables: []string{"Name"}, sum: "19e8dddb2e03fe272686f8ae0a9429838eecb6f435e1063a1c829222b10cd601"},
	{name: "allocators", level: Observe, sum: "b37a40d550fdaa0cbcc5a48cd8fa1fc5e5be0fd894a1b2d19eed3d79ce3dff66"},
	{name: "watch_events", level: Events, variables: []string{"LongGC", "LongSchedule", "LargeHeap"}, sum: "1d3f32c6c9422ae52f6c4320f4ca2613ead4b03942d623c4cd1c36cdfe818ef4"},
	{name: "watch_logs", level: Events, sum: "af0b296e94295b9e651b890f3a46c591d0384ceebc8d6f6274a6561b56e280ca"},
	{name: "watch_calls", level: Trace, variables: []string{"Module", "Function", "Arity", "PerSecond", "Most", "For", "Hot"}, sum: "8bb35c8453ad4e1ed424a6ba7af046c1dedab257590a735cd934d2da96df40ab"},
}
