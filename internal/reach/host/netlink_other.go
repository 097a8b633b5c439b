//go:build !linux

package host

import (
	"context"
	"errors"
)

func dumpSockets(context.Context, uint8, Protocol, uint32, func(*Socket)) error {
	return errors.ErrUnsupported
}

func fileLimit(int32) (uint64, error) { return 0, errors.ErrUnsupported }
