// Package e2e holds the tests of the whole: the programs as people start them,
// processes of their own, against a real NATS server. They need nothing that a
// checkout and Go do not have.
package e2e
