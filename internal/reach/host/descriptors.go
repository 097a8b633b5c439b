package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A DescriptorUse is how many descriptors a process has open, of how many it may.
type DescriptorUse struct {
	PID   int32
	Open  int
	Limit Count // unknown: not readable, or there is none
}

// UsedPct returns the use of the limit, and false without one.
func (d DescriptorUse) UsedPct() (float64, bool) {
	return share(known(uint64(d.Open)), d.Limit)
}

// Descriptors is what all processes have open.
type Descriptors struct {
	Processes  []DescriptorUse // that have any open
	Unreadable int             // processes that do not let this one look
}

// Descriptors counts the open descriptors of each process. It reads no names:
// two calls a process.
func (r *Reader) Descriptors(ctx context.Context) (*Descriptors, error) {
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	d := &Descriptors{Processes: make([]DescriptorUse, 0, len(pids))}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.OpenFiles(pid)
		switch {
		case err == nil && n > 0:
			d.Processes = append(d.Processes, DescriptorUse{PID: pid, Open: n, Limit: r.FileLimit(pid)})
		case err == nil, gone(err): // a thread of the kernel, or it ended
		default:
			d.Unreadable++
		}
	}
	return d, nil
}

// FileLimit returns how many descriptors a process may have (its soft limit).
func (r *Reader) FileLimit(pid int32) Count {
	r.detect()
	if r.ownPIDs {
		// The file says the same and costs ten times as much, but may be read by anybody.
		if n, err := fileLimit(pid); err == nil {
			return Count{N: n, Known: n < 1<<62}
		}
	}
	b, err := r.readProc(strconv.Itoa(int(pid)) + "/limits")
	if err != nil {
		return Count{}
	}
	return parseFileLimit(b)
}

func parseFileLimit(b []byte) Count {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("Max open files")); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				return count(string(f[0])) // "unlimited" is no number
			}
		}
	}
	return Count{}
}

// ProcessName returns the name of a process as the kernel has it, "" when it is gone.
func (r *Reader) ProcessName(pid int32) string {
	b, err := r.readProc(strconv.Itoa(int(pid)) + "/comm")
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimSuffix(string(b), "\n"), "\uFFFD")
}

// ProcessesNamed returns the processes of a name, by pid.
func (r *Reader) ProcessesNamed(ctx context.Context, name string) ([]int32, error) {
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	var out []int32
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if r.ProcessName(pid) == name {
			out = append(out, pid)
		}
	}
	return out, nil
}

func (r *Reader) pids() ([]int32, error) {
	d, err := os.Open(r.cfg.Proc)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int32
	for _, name := range names {
		if n, ok := number([]byte(name)); ok && n > 0 && n <= 1<<30 {
			pids = append(pids, int32(n))
		}
	}
	slices.Sort(pids)
	return pids, nil
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// A Descriptor is what one descriptor of a process leads to.
type Descriptor struct {
	Kind  string // file, deleted_file, device, socket, pipe, memfd, or the kernel's name: eventfd, eventpoll, timerfd, …
	Path  string // of a file or device
	Inode uint64 // of a socket
}

// EachDescriptor calls fn with what the descriptors of a process lead to, until
// fn returns false.
func (r *Reader) EachDescriptor(pid int32, fn func(Descriptor) bool) error {
	dir := r.proc(strconv.Itoa(int(pid)) + "/fd")
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1024) // a process may have a million
		for _, name := range names {
			target, err := os.Readlink(dir + "/" + name)
			if err != nil {
				if errors.Is(err, fs.ErrPermission) {
					return err
				}
				continue // closed meanwhile
			}
			if !fn(describeTarget(target)) {
				return nil
			}
		}
		if len(names) == 0 || err != nil {
			return nil // at its end, or the process is
		}
	}
}

func describeTarget(target string) Descriptor {
	kind, rest, _ := strings.Cut(target, ":")
	switch {
	case strings.HasPrefix(target, "/memfd:"):
		return Descriptor{Kind: "memfd"}
	case strings.HasPrefix(target, "/dev/") && !strings.HasPrefix(target, "/dev/shm/"):
		return Descriptor{Kind: "device", Path: target}
	case strings.HasPrefix(target, "/"):
		if path, ok := strings.CutSuffix(target, " (deleted)"); ok {
			return Descriptor{Kind: "deleted_file", Path: path}
		}
		return Descriptor{Kind: "file", Path: target}
	case kind == "socket":
		n, _ := number([]byte(strings.Trim(rest, "[]")))
		return Descriptor{Kind: kind, Inode: n}
	case kind == "anon_inode":
		return Descriptor{Kind: kindOf(strings.Trim(rest, "[]"))}
	}
	return Descriptor{Kind: kindOf(kind)}
}

// kindOf bounds a name that the kernel gives: a driver may call its own anything.
func kindOf(name string) string {
	name = strings.ToValidUTF8(strings.TrimPrefix(name, "/"), "")
	if name == "" || len(name) > 32 {
		return "other"
	}
	return name
}

// Owners says which processes hold which sockets.
type Owners struct {
	PIDs       map[uint64]int32 // by inode; the first process that has it, when several share it
	Unreadable int              // processes that do not let this one look
	Truncated  bool             // there were too many descriptors to look at all of them
}

// mostLinks bounds one search: half a second of work.
const mostLinks = 200_000

// SocketOwners finds which process holds each of the sockets. It looks at the
// descriptors of all processes: for questions, not for every snapshot.
func (r *Reader) SocketOwners(ctx context.Context, inodes map[uint64]bool) (*Owners, error) {
	o := &Owners{PIDs: make(map[uint64]int32, len(inodes))}
	if len(inodes) == 0 {
		return o, nil
	}
	pids, err := r.pids()
	if err != nil {
		return nil, err
	}
	left := mostLinks
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := r.EachDescriptor(pid, func(d Descriptor) bool {
			left--
			if d.Inode != 0 && inodes[d.Inode] && o.PIDs[d.Inode] == 0 {
				o.PIDs[d.Inode] = pid
			}
			return left > 0
		})
		if err != nil && !gone(err) {
			o.Unreadable++
		}
		if left <= 0 {
			o.Truncated = true
			break
		}
	}
	return o, nil
}
