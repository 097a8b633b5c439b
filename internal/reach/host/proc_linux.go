package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

func isProcfs(name string) bool {
	var st unix.Statfs_t
	return unix.Statfs(name, &st) == nil && int64(st.Type) == unix.PROC_SUPER_MAGIC //nolint:unconvert // it has 32 bits on some machines
}

func statfs(path string) (size, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return size{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	unit := uint64(st.Frsize)
	if unit == 0 {
		unit = uint64(st.Bsize)
	}
	return size{
		total: st.Blocks * unit, free: st.Bfree * unit, available: st.Bavail * unit,
		inodes: st.Files, inodesFree: st.Ffree,
	}, nil
}

// eachStat calls fn with the stat file of each process below proc. The os
// package opens, asks the size of, and registers each file with the poller;
// with thousands of processes that is most of the time, hence the bare calls.
func eachStat(ctx context.Context, proc string, fn func(stat []byte)) error {
	dir, err := unix.Open(proc, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: proc, Err: err}
	}
	defer unix.Close(dir)
	entries := make([]byte, 32<<10)
	stat := make([]byte, 1<<10)
	name := make([]byte, 0, 32)
	for {
		n, err := retry(func() (int, error) { return unix.Getdents(dir, entries) })
		if err != nil {
			return fmt.Errorf("list %s: %w", proc, err)
		}
		if n <= 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for rest := entries[:n]; len(rest) > 19; {
			// struct linux_dirent64: inode, offset, length of the record, type, name
			length := int(binary.NativeEndian.Uint16(rest[16:]))
			if length <= 19 || length > len(rest) {
				return fmt.Errorf("list %s: a directory record of %d bytes", proc, length)
			}
			id := rest[19:length]
			rest = rest[length:]
			if i := bytes.IndexByte(id, 0); i >= 0 {
				id = id[:i]
			}
			if _, ok := number(id); !ok {
				continue
			}
			name = append(append(name[:0], id...), "/stat"...)
			if got := readAt(dir, string(name), stat); got > 0 {
				fn(stat[:got])
			}
		}
	}
}

// readAt reads the beginning of a file into buf; 0 means that it is gone.
func readAt(dir int, name string, buf []byte) int {
	fd, err := retry(func() (int, error) { return unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return 0
	}
	n, err := retry(func() (int, error) { return unix.Pread(fd, buf, 0) })
	_ = unix.Close(fd)
	if err != nil {
		return 0
	}
	return n
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
