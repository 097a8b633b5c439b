// Package telemetry sends what a process tells of itself (pkg/signals): to
// Prometheus, which fetches /metrics, and to OpenTelemetry collectors where the
// standard environment variables name one. It also answers whether the process
// lives and is ready. Nothing is sent anywhere unless somebody asks for it.
package telemetry
