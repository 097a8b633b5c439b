package sinks

import "crypto/tls"

// Trust has an e-mail sink trust what t says, for a test's own server.
func Trust(s Sink, t *tls.Config) { s.(*email).trust = t }
