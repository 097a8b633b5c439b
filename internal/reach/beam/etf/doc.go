// Package etf reads and writes Erlang's external term format, as nodes of OTP 23 and
// later send it to each other
// (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html).
//
// What is read comes from elsewhere: it is bounded in depth and in the number of
// terms, and nothing in it is taken for more than a value.
package etf
