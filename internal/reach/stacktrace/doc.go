// Package stacktrace finds stack traces in lines of logs and puts together those
// that are the same fault: of Go, Java, Python, Node.js, Erlang, Elixir and .NET,
// and the core dumps that systemd reports.
//
// A [Collector] takes the lines of all sources one by one, as they come, and keeps
// the newest traces and their groups, within bounds. A group is a language, a type
// and the functions on top of the stack, without lines, addresses and numbers.
package stacktrace
