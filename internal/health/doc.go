// Package health tells whether Fleetlens itself can be trusted: streams against their
// limits, work that nobody takes, what nobody could handle, hosts that fell silent. The web
// server and `fleetlens doctor` say the same from it. It only reads, and makes no consumer.
package health
