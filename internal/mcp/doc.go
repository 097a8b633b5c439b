// Package mcp answers agents over the Model Context Protocol
// (https://modelcontextprotocol.io/specification), in the revisions up to 2026-07-28: tools
// that read a fleet, and tools that have it looked into, over standard input and output or
// over HTTP.
//
// It keeps no session and nothing else: any number of servers may answer one client. What
// it may do is what its NATS user may; a tool that its user may not use is not there.
package mcp
