// Package bus is NATS: connections, the table of streams, publishing, reading,
// consuming and services. It alone imports nats.go, so what the other packages
// promise each other is said in its terms: verdicts, receipts, ranges.
package bus
