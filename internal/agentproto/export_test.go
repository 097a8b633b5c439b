package agentproto

// What tests need: an interval that they do not wait for, and parsing without a server.
var (
	ServeEvery = serve
	ReadPrompt = readPrompt
	Split      = split
)
