package bus

import "log/slog"

// A Secret is a string that is never printed or logged.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return "[redacted]" }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }
