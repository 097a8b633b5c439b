// Package arch has no code of its own: its test holds which package may import
// which, so that processes keep meeting only on the wire.
package arch
