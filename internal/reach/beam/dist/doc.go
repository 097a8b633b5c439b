// Package dist speaks Erlang's distribution protocol with one node, as a hidden node of
// its own (https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html): handshake of
// version 6, ticks, spawned processes, messages. It needs OTP 23 or later.
//
// It decides nothing about what a node is asked: that is the business of its one user,
// internal/reach/beam.
package dist
