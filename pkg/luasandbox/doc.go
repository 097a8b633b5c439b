// Package luasandbox runs untrusted Lua against a set of callbacks, within stated
// limits, behind two walls.
//
// # The outer wall
//
// Each script runs in a child process of its own: the program's executable,
// started a second time and taken over by this package's init before main. The
// child has no environment, no files and no libraries that reach outside; the
// kernel bounds its memory and processor time, and where the parent is root it is
// the user nobody. It talks to its parent in frames over its standard input and
// output. The parent makes every callback, checks what goes in and what comes
// out, keeps the clocks, and kills a child that is late, so whatever a script
// does costs its own [Sandbox.Run] one clear error and nothing else.
//
// A program that uses the package needs no code for any of this. The packages
// it links are initialised in the child too, those that come before this one in
// Go's order; its main is not reached. A [Sandbox] keeps a few children started
// ahead, since that takes longer than a small script; [Sandbox.Close] ends them.
//
// Where the system has no resource limits (all but Linux) a child is killed only
// when it is late, and the inner wall alone bounds its memory. Call [Check] once
// at the start to learn whether this program and this platform can keep every
// promise made here.
//
// # The inner wall
//
// In the child one account counts the instructions of the VM and the work of the
// library's functions, which are this package's own: patterns, formats, sorting
// and the joining of texts stop at the step that reaches a limit. A [LimitError]
// names the limit and the line; a script has no means to catch it.
//
// # The language
//
// Lua 5.1: the basic functions, string, table, math, and json.encode and
// json.decode, os.time, os.date, os.clock and os.difftime (in UTC), utf8 and
// bit32. What loads code, reads files, starts coroutines or changes environments
// is absent, and an error says what to write instead.
//
// Of later versions there are //, goto, <const>, table.pack, table.unpack,
// table.move, math.tointeger, math.type, whole floats as integers in formats, and
// the escapes \x, \z and \u{}. Their bitwise operators end in an error that names
// the function of bit32. Calls lie at most 1,000 deep in each other, tail calls
// among them. A table's array holds at most 65,535 values.
package luasandbox
