// Package beam looks into one Erlang or Elixir node from outside, over Erlang's own
// distribution, with nothing loaded into it.
//
// A cookie is full power over a node, so that read-only is this package's own property:
// what may be sent is the one table of questions in table.go, each a script of fixed
// text that the node itself parses and evaluates (erl_eval, part of every node), in a
// process of low priority with a cap on its memory, and killed at its deadline. No text
// from elsewhere becomes code or an atom.
package beam
