package luasandbox

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// limited is whether confine bounds anything on this platform.
const limited = true

// addressSlack is address space for what Go reserves and doesn't use: the rest
// of a 64 MB heap arena, and the stacks of threads.
const addressSlack = 128 << 20

// confine takes from the process what a script has no need of.
//
// Memory takes two limits, and both count from what the process has now. The
// one on data alone lets a single allocation of any size pass: Go maps its heap
// over address space that it has reserved, and the kernel doesn't count a
// mapping that replaces another. The one on address space stops the reservation.
// (As a fixed number it would stop Go itself, which reserves a gigabyte at start.)
func confine(l Limits) error {
	if err := closeInherited(); err != nil {
		return fmt.Errorf("close inherited files: %w", err)
	}
	now, err := memory()
	if err != nil {
		return err
	}
	room := uint64(l.Memory) + kernelMemory
	cpu := uint64(l.Wall/time.Second) + 2 // the clock ends the run first; this is for a child whose clock has failed
	for _, r := range []struct {
		name      string
		resource  int
		soft, max uint64
	}{
		{"core", unix.RLIMIT_CORE, 0, 0},
		{"file size", unix.RLIMIT_FSIZE, 0, 0},
		{"open files", unix.RLIMIT_NOFILE, 16, 16},
		{"cpu", unix.RLIMIT_CPU, cpu, cpu + 1},
		{"data", unix.RLIMIT_DATA, now.data + room, now.data + room},
		{"address space", unix.RLIMIT_AS, now.total + room + addressSlack, now.total + room + addressSlack},
	} {
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.soft, Max: r.max}); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// closeInherited closes the files that the parent was itself started with and
// handed on unknowing. They are those that outlive an exec; Go's own don't.
func closeInherited() error {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			return err
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if fd > 2 && err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// sizes are the bytes that count against the limits on memory.
type sizes struct {
	total, data uint64
}

// memory returns the process's sizes.
func memory() (sizes, error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return sizes{}, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 6 {
		return sizes{}, fmt.Errorf("unexpected statm %q", statm)
	}
	pages := func(field int) uint64 {
		n, parseErr := strconv.ParseUint(string(fields[field]), 10, 64)
		if parseErr != nil {
			err = fmt.Errorf("statm: %w", parseErr)
		}
		return n * uint64(os.Getpagesize())
	}
	now := sizes{total: pages(0), data: pages(5)}
	return now, err
}
