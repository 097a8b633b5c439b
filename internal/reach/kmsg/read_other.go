//go:build !linux

package kmsg

import (
	"context"
	"errors"
)

// A Log is the kernel's log of this machine.
type Log struct{}

// Open returns the log.
func Open(string) *Log { return &Log{} }

// OpenFile returns a log that stands in a plain file.
func OpenFile(string) *Log { return &Log{} }

// Close does nothing here.
func (l *Log) Close() {}

// Read fails: only Linux has such a log.
func (l *Log) Read(context.Context, func(Record)) (uint64, error) {
	return 0, errors.New("the kernel's log is read on Linux only")
}
