// Package reading finds in the streams what people and machines ask for: the web server,
// the command line and the MCP server alike. It only reads, makes no consumer, and needs
// no more than a viewer may.
package reading
