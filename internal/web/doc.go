// Package web is what people look at over HTTP: a JSON API over the messages of NATS,
// and live events. It keeps nothing: any number of servers may run, and each reads what
// the streams hold.
//
// What it answers are the types of pkg/protocol, unchanged. What it may do is what its
// NATS user may: with a viewer's credentials everything that writes is refused, with the
// role that would allow it.
package web
