//go:build !linux

package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Elsewhere there is no proc filesystem, and a tree of plain files reads slower.

func isProcfs(string) bool { return false }

func statfs(string) (size, error) { return size{}, errors.ErrUnsupported }

func eachStat(ctx context.Context, proc string, fn func(stat []byte)) error {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := number([]byte(e.Name())); !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if b, err := os.ReadFile(filepath.Join(proc, e.Name(), "stat")); err == nil {
			fn(b)
		}
	}
	return nil
}
