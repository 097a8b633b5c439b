// Package luasandbox runs untrusted Lua against a set of callbacks, within
// stated limits.
//
// Each script runs in a child process: the program's own executable, started a
// second time and taken over by this package's init before main. The child has
// no environment, no files and no libraries that reach outside; where the
// parent is root it is the user nobody. It talks to its parent in frames over
// its standard input and output. The parent makes every callback, keeps the
// clocks, and kills a child that is late, so whatever a script does costs its
// own [Sandbox.Run] one clear error and nothing else.
//
// A program that uses the package needs no code for any of this. The packages
// it links are initialised in the child too, those that come before this one in
// Go's order; its main is not reached. Call [Check] once at the start to learn
// whether this program and this platform can keep every promise made here.
//
// The language is Lua 5.1 with the base, table, string and math libraries, less
// what loads code, reads files or changes environments. There are no coroutines.
package luasandbox
